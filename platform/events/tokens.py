"""Tokens: one for each person, for browser and telephone alike. No function commits.

Theory. A token is a seat that is waiting for its person. The browser that shows the token takes that seat;
the telephone PIN of the token (`event_pin` of the same seat) brings the call to it. So whoever comes with
both is one person, and whoever has neither stays outside, on the telephone, too.

The first browser that shows a token keeps it: the row remembers a digest of that browser's own key. A second
browser is refused and told since when the token is used. The telephone does not take a token away from the
browser, because both belong to one person. The organiser may *release* a token (the next browser gets it) or
*revoke* it (it opens nothing any more, nor does its PIN).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database.types import UtcDateTime
from events import pins
from events.access_models import EventToken
from events.errors import (
    BadEventError,
    FieldProblem,
    NoPinLeftError,
    RevokedTokenError,
    UnknownEventError,
    UnknownTokenError,
    UsedTokenError,
)
from events.fields import Status
from events.models import Event, EventPin
from events.service import note_change
from events.token_text import new_token, new_token_seat, parse_token
from rooms.modes import Role

PAGE_SIZE = 250
MAKE_MAX = 10_000
"""Tokens made at one time, at most."""
EVENT_MAX = 50_000
"""Tokens of one event, at most."""

_ATTEMPTS = 5
_CHUNK = 500
_NAME_CHARS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who gets a token: what is known of them when it is made."""

    name: str = ""
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEntry:
    """A token and its telephone PIN; the PIN is None when it was revoked."""

    token: EventToken
    pin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made."""

    token: str
    seat_id: str
    pin: str = field(repr=False)
    name: str
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSeat:
    """What a token opens: a seat, and the name and address that it was made for."""

    token_id: int
    seat_id: str
    name: str
    email: str | None


def issue(
    session: Session, event: Event, holders: Sequence[Holder], *, now: datetime
) -> Sequence[TokenEntry]:
    """A token with its PIN for each holder, in order.

    Raises BadEventError when there would be too many, UnknownEventError for an event that is over,
    NoPinLeftError.
    """
    made = make(session, event, holders, now=now)
    rows: dict[str, EventToken] = {}
    for at in range(0, len(made), _CHUNK):
        texts = [one.token for one in made[at : at + _CHUNK]]
        query = select(EventToken).where(EventToken.event_id == event.id, EventToken.token.in_(texts))
        rows |= {row.token: row for row in session.scalars(query)}
    return [TokenEntry(token=rows[one.token], pin=one.pin) for one in made]


def make(session: Session, event: Event, holders: Sequence[Holder], *, now: datetime) -> Sequence[NewToken]:
    """As `issue`, without reading the rows again: two statements for each `_CHUNK` tokens.

    Raises as `issue` does.
    """
    if event.status != Status.ACTIVE or event.deleted_at is not None:
        raise UnknownEventError(f"conference {event.id} is over")
    if not holders:
        return []
    if len(holders) > MAKE_MAX or count(session, event) + len(holders) > EVENT_MAX:
        message = f"at most {MAKE_MAX} at one time and {EVENT_MAX} in one event"
        raise BadEventError([FieldProblem(field="how_many", message=message)])
    for _ in range(_ATTEMPTS):
        made = [
            NewToken(
                token=text,
                seat_id=new_token_seat(),
                pin=pin,
                name=one.name[:_NAME_CHARS_MAX],
                email=one.email,
            )
            for one, text, pin in zip(
                holders,
                _free_tokens(session, event, len(holders)),
                _free_pins(session, len(holders)),
                strict=True,
            )
        ]
        try:
            with session.begin_nested():
                for at in range(0, len(made), _CHUNK):
                    _store(session, event, made[at : at + _CHUNK], now)
        except IntegrityError:  # another process took one of the same digits or tokens
            continue
        note_change(session, event)
        return made
    raise NoPinLeftError(f"{_ATTEMPTS} times in a row another process took the same PIN or token")


def _store(session: Session, event: Event, made: Sequence[NewToken], now: datetime) -> None:
    tokens = [
        {
            "event_id": event.id,
            "token": one.token,
            "seat_id": one.seat_id,
            "name": one.name,
            "sent_to_email": one.email,
            "created_at": now,
        }
        for one in made
    ]
    seats = [
        {
            "event_id": event.id,
            "pin": one.pin,
            "role": Role.PARTICIPANT,
            "joinable": True,
            "seat_id": one.seat_id,
            "person_name": one.name or None,
        }
        for one in made
    ]
    session.execute(insert(EventToken), tokens)
    session.execute(insert(EventPin), seats)


def _free_tokens(session: Session, event: Event, how_many: int) -> list[str]:
    """Tokens that the event does not have."""
    found: set[str] = set()
    while len(found) < how_many:
        wanted = {new_token() for _ in range(min(_CHUNK, how_many - len(found)))}
        query = select(EventToken.token).where(EventToken.event_id == event.id, EventToken.token.in_(wanted))
        found |= wanted - set(session.scalars(query))
    return list(found)


def _free_pins(session: Session, how_many: int) -> list[str]:
    """PINs that nobody has or had."""
    found: set[str] = set()
    for _ in range(_ATTEMPTS + how_many // _CHUNK):
        wanted = {pins.new_pin(found.__contains__) for _ in range(min(_CHUNK, how_many - len(found)))}
        used = set(session.scalars(select(EventPin.pin).where(EventPin.pin.in_(wanted))))
        found |= wanted - used
        if len(found) == how_many:
            return list(found)
    raise NoPinLeftError("random PINs were in use again and again")


def entries(
    session: Session, event: Event, *, page: int = 1, page_size: int = PAGE_SIZE, words: str = ""
) -> Sequence[TokenEntry]:
    """One page (from 1) of the event's tokens, newest first; with `words` those whose token, name or address
    contains them.
    """
    same_seat = and_(
        EventPin.event_id == EventToken.event_id, EventPin.seat_id == EventToken.seat_id, EventPin.joinable
    )
    query = select(EventToken, EventPin.pin).outerjoin(EventPin, same_seat)
    query = query.where(EventToken.event_id == event.id)
    if words:
        like = [
            column.icontains(words, autoescape=True)
            for column in (EventToken.token, EventToken.name, EventToken.sent_to_email)
        ]
        query = query.where(like[0] | like[1] | like[2])
    query = query.order_by(EventToken.id.desc()).offset((page - 1) * page_size).limit(page_size)
    return [TokenEntry(token=token, pin=pin) for token, pin in session.execute(query)]


def count(session: Session, event: Event) -> int:
    """How many tokens the event has, revoked ones included."""
    query = select(func.count()).select_from(EventToken).where(EventToken.event_id == event.id)
    return session.scalar(query) or 0


def entry(session: Session, event: Event, *, token_id: int) -> TokenEntry:
    """One token of the event. Raises UnknownTokenError."""
    row = session.get(EventToken, token_id)
    if row is None or row.event_id != event.id:
        raise UnknownTokenError("there is no such token")
    return TokenEntry(token=row, pin=_pin_of(session, row))


def look_up(session: Session, *, event_id: int, text: str) -> EventToken | None:
    """The token that somebody typed, used or not; None for none and for a revoked one. Changes nothing."""
    wanted = parse_token(text)
    if wanted is None:
        return None
    query = select(EventToken).where(
        EventToken.event_id == event_id, EventToken.token == wanted, EventToken.revoked_at.is_(None)
    )
    return session.scalars(query).one_or_none()


def use(session: Session, *, event_id: int, text: str, browser: bytes, now: datetime) -> TokenSeat:
    """A browser shows a token: it gets the token's seat, and keeps the token. `browser`: digest of its key.

    Raises UnknownTokenError, RevokedTokenError, UsedTokenError.
    """
    wanted = parse_token(text)
    if wanted is None:
        raise UnknownTokenError("this is not a token")
    query = select(EventToken).where(EventToken.event_id == event_id, EventToken.token == wanted)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise UnknownTokenError("there is no such token")
    return claim(session, row, browser=browser, now=now)


def claim(session: Session, row: EventToken, *, browser: bytes, now: datetime) -> TokenSeat:
    """As `use`, for a token that was found. Raises RevokedTokenError, UsedTokenError."""
    if row.revoked_at is not None:
        raise RevokedTokenError("this token was taken back")
    if row.browser_digest is None:
        taken = (
            update(EventToken)
            .where(
                EventToken.id == row.id, EventToken.browser_digest.is_(None), EventToken.revoked_at.is_(None)
            )
            .values(
                browser_digest=browser,
                first_use_date=func.coalesce(EventToken.first_use_date, literal(now, UtcDateTime())),
                first_use_how=func.coalesce(EventToken.first_use_how, "web"),
            )
            .execution_options(synchronize_session=False)
        )
        session.execute(taken)
        session.refresh(row)
    if row.browser_digest is None or not hmac.compare_digest(row.browser_digest, browser):
        raise UsedTokenError(since=row.first_use_date or now, how=row.first_use_how or "web")
    return TokenSeat(token_id=row.id, seat_id=row.seat_id, name=row.name, email=row.sent_to_email)


def lets_in(session: Session, *, event_id: int, seat_id: str) -> bool:
    """Whether a token that was not taken back belongs to this seat."""
    query = select(EventToken.id).where(
        EventToken.event_id == event_id, EventToken.seat_id == seat_id, EventToken.revoked_at.is_(None)
    )
    return session.scalar(query) is not None


def note_phone_use(session: Session, *, seat_id: str, at: datetime) -> bool:
    """The token's person came by telephone. True when that was the token's first use."""
    first = (
        update(EventToken)
        .where(EventToken.seat_id == seat_id, EventToken.first_use_date.is_(None))
        .values(first_use_date=at, first_use_how="phone")
        .returning(EventToken.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(first).scalar_one_or_none() is not None


def note_sent(session: Session, row: EventToken, *, email: str) -> None:
    """The token went out to this address."""
    row.sent_to_email = email
    session.flush()


def release(session: Session, row: EventToken) -> None:
    """The next browser that shows the token gets it; the first use stays on record."""
    row.browser_digest = None
    session.flush()


def revoke(session: Session, event: Event, row: EventToken, *, now: datetime) -> None:
    """The token and its PIN open nothing any more."""
    if row.revoked_at is not None:
        return
    row.revoked_at = now
    same_seat = (EventPin.event_id == event.id) & (EventPin.seat_id == row.seat_id)
    session.execute(update(EventPin).where(same_seat).values(joinable=False))
    note_change(session, event)


def restore(session: Session, event: Event, row: EventToken) -> None:
    """A token that was taken back opens again what it opened, as long as the event goes on."""
    row.revoked_at = None
    if event.status == Status.ACTIVE and event.deleted_at is None:
        same_seat = (EventPin.event_id == event.id) & (EventPin.seat_id == row.seat_id)
        session.execute(update(EventPin).where(same_seat).values(joinable=True))
    note_change(session, event)


def _pin_of(session: Session, row: EventToken) -> str | None:
    query = select(EventPin.pin).where(
        EventPin.event_id == row.event_id, EventPin.seat_id == row.seat_id, EventPin.joinable
    )
    return session.scalar(query)
