"""Links that let one person in by themselves, made by an organiser's own program. No function commits.

A program that knows who somebody is (a shop, a school) asks for a hash with their name, mail address and
role, and sends them to `room_url?l=hash`. The hash is a secret of 192 random bits, of which we keep a digest.
The first browser that uses it keeps it, so that a link that was passed on opens nothing; it is good for
`VALID`. Made with a token, it brings the person to the token's seat.

What an organiser's program must show for a listener is what a listener would have to show: the password, or a
token that nobody else uses. Presenters and hosts are the organiser's to name.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts.tokens import digest
from events import tokens
from events.access_models import Autologin, EventToken
from events.errors import BadEventError, FieldProblem, RevokedTokenError, UsedTokenError
from events.fields import AccessType, asks_for_token
from events.models import Event
from events.passwords import password_matches
from mail.errors import BadMailError
from mail.message import check_address
from rooms.commands import checked_name
from rooms.modes import Role

VALID = timedelta(days=30)
NAME_CHARS_MAX = 100
_SECRET = re.compile(r"al_[A-Za-z0-9_-]{32}")


class AutologinRole(StrEnum):
    """The roles of the HTTP API."""

    HOST = "host"
    PRESENTER = "presenter"
    LISTENER = "listener"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutologinWishes:
    """What a program asks for. `password` and `token`: what a listener would show."""

    email: str
    nickname: str
    role: AutologinRole
    password: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AutologinSeat:
    """What a link opens."""

    seat_id: str
    role: Role
    name: str
    email: str


def make(session: Session, event: Event, wishes: AutologinWishes, *, now: datetime) -> str:
    """The hash for `?l=`. Raises BadEventError."""
    problems = []
    name = ""
    try:
        name = checked_name(wishes.nickname)[:NAME_CHARS_MAX].rstrip()
    except ValueError:
        problems.append(FieldProblem(field="nickname", message="must be 1 to 100 printable characters"))
    try:
        check_address(wishes.email)
    except BadMailError:
        problems.append(FieldProblem(field="email", message="must be a mail address"))
    token = None
    if wishes.role is AutologinRole.LISTENER:
        if asks_for_token(event.access_type):
            token = tokens.look_up(session, event_id=event.id, text=wishes.token or "")
            if token is None:
                problems.append(FieldProblem(field="token", message="must be a token of this conference"))
            elif token.browser_digest is not None:
                problems.append(FieldProblem(field="token", message="is used"))
        elif event.access_type == AccessType.PASSWORD:
            good = event.password_hash is not None and password_matches(
                wishes.password or "", event.password_hash
            )
            if not good:
                problems.append(FieldProblem(field="password", message="is not the one of this conference"))
    if problems:
        raise BadEventError(problems)
    secret = "al_" + secrets.token_urlsafe(24)
    session.add(
        Autologin(
            event_id=event.id,
            digest=digest(secret),
            role=Role.PARTICIPANT if wishes.role is AutologinRole.LISTENER else Role.PRESENTER,
            name=name,
            email=wishes.email,
            token_id=None if token is None else token.id,
            seat_id=secrets.token_urlsafe(16) if token is None else token.seat_id,
            created_at=now,
            expires_at=now + VALID,
        )
    )
    session.flush()
    return secret


def find(session: Session, *, event_id: int, secret: str, now: datetime) -> Autologin | None:
    """The link of that secret, used or not; None when there is none or it is too old. Changes nothing."""
    if _SECRET.fullmatch(secret) is None:
        return None
    query = select(Autologin).where(
        Autologin.event_id == event_id, Autologin.digest == digest(secret), Autologin.expires_at > now
    )
    return session.scalars(query).one_or_none()


def use(
    session: Session, *, event_id: int, secret: str, browser: bytes, now: datetime
) -> AutologinSeat | None:
    """A browser comes with the link, and keeps it. None: there is no such link.

    Raises UsedTokenError, RevokedTokenError (the token behind it was taken back).
    """
    row = find(session, event_id=event_id, secret=secret, now=now)
    if row is None:
        return None
    if row.token_id is not None:
        token = session.get(EventToken, row.token_id)
        if token is None:
            raise RevokedTokenError("this token was taken back")
        tokens.claim(session, token, browser=browser, now=now)
    if row.browser_digest is None:
        mine = (
            update(Autologin)
            .where(Autologin.id == row.id, Autologin.browser_digest.is_(None))
            .values(browser_digest=browser, used_at=now)
            .execution_options(synchronize_session=False)
        )
        session.execute(mine)
        session.refresh(row)
    if row.browser_digest is None or not hmac.compare_digest(row.browser_digest, browser):
        raise UsedTokenError(since=row.used_at or now, how="web")
    return AutologinSeat(seat_id=row.seat_id, role=Role(row.role), name=row.name, email=row.email)
