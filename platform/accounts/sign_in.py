"""Being signed in, and getting back in after forgetting a password. No function commits.

A session begins with a fresh token at each sign-in (so a token planted before is worth nothing: OWASP,
"session fixation"), lasts for `IDLE` after it was last used and for `LONGEST` at most, and ends at sign-out
and when the password changes. Its row is moved on at most every `TOUCH_EVERY`, to spare the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from accounts import repository, tokens
from accounts.errors import BadResetError
from accounts.models import PasswordReset, SignInSession, User
from accounts.service import ACTIVE
from accounts.users import Role, look_up, set_password

IDLE = timedelta(days=14)
LONGEST = timedelta(days=90)
TOUCH_EVERY = timedelta(minutes=10)
RESET_LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in, as pages need them. `stale`: the session's row should be moved on."""

    session_id: int
    user_id: int
    account_id: int
    email: str
    name: str
    language: str
    timezone: str
    roles: frozenset[str]
    stale: bool

    def may(self, role: Role) -> bool:
        """Whether they have the role; an admin has all."""
        return role in self.roles or Role.ADMIN in self.roles


def begin(
    session: Session, *, user_id: int, now: datetime, ip: str, user_agent: str, new_hash: str | None = None
) -> str:
    """Sign a person in; the token for their cookie. `new_hash` replaces the stored one of the password."""
    repository.drop_expired_sessions(session, now=now)
    user = session.get_one(User, user_id)
    user.last_sign_in_at = now
    if new_hash is not None:
        user.password_hash = new_hash
    token = tokens.new_token()
    session.add(
        SignInSession(
            token_digest=tokens.digest(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + IDLE,
            ip=ip[:64],
            user_agent="".join(c if c.isprintable() else " " for c in user_agent)[:255],
        )
    )
    session.flush()
    return token


def visitor(session: Session, token: str, *, now: datetime) -> Visitor | None:
    """Who is signed in with this token; None when nobody (any more). Reads only."""
    found = repository.session_with_user(session, tokens.digest(token))
    if found is None:
        return None
    row, user, account = found
    if row.expires_at <= now or user.disabled_at is not None or account.status != ACTIVE:
        return None
    return Visitor(
        session_id=row.id,
        user_id=user.id,
        account_id=user.account_id,
        email=user.email,
        name=user.name,
        language=user.language,
        timezone=user.timezone,
        roles=frozenset(user.roles),
        stale=now - row.last_seen_at >= TOUCH_EVERY,
    )


def touch(session: Session, session_id: int, *, now: datetime) -> None:
    """The session was used."""
    row = session.get(SignInSession, session_id)
    if row is not None:
        row.last_seen_at = now
        row.expires_at = min(now + IDLE, row.created_at + LONGEST)


def end(session: Session, token: str) -> None:
    """Sign out here; nothing happens when nobody is."""
    found = repository.session_with_user(session, tokens.digest(token))
    if found is not None:
        session.delete(found[0])
        session.flush()


def end_everywhere(session: Session, *, user_id: int, but: int | None = None) -> None:
    """Sign a person out in all browsers, except in the session `but`."""
    repository.drop_sessions(session, user_id=user_id, but=but)


def ask_reset(session: Session, email: str, *, now: datetime) -> tuple[User, str] | None:
    """A link's token for somebody who forgot their password; None when nobody may sign in with `email`.

    The page says the same in both cases, or it would tell strangers who has an account.
    """
    found = look_up(session, email)
    if found is None or found[0].disabled_at is not None or found[1].status != ACTIVE:
        return None
    token = tokens.new_token()
    session.add(
        PasswordReset(
            token_digest=tokens.digest(token),
            user_id=found[0].id,
            created_at=now,
            expires_at=now + RESET_LASTS,
        )
    )
    session.flush()
    return found[0], token


def check_reset(session: Session, token: str, *, now: datetime) -> User:
    """Whose password the link would set. Raises BadResetError."""
    return _open_reset(session, token, now=now)[1]


def use_reset(session: Session, token: str, password: str, *, now: datetime) -> User:
    """Set a new password by a link. Raises BadResetError, BadPasswordError (the link stays good)."""
    reset, user = _open_reset(session, token, now=now)
    with session.begin_nested():
        if not repository.use_reset(session, reset.id, now=now):
            raise BadResetError("the link was used already")
        set_password(session, user, password)
    return user


def _open_reset(session: Session, token: str, *, now: datetime) -> tuple[PasswordReset, User]:
    found = repository.reset_with_user(session, tokens.digest(token))
    if found is None or found[0].used_at is not None or found[0].expires_at <= now:
        raise BadResetError("the link is used, too old, or was never made")
    if found[1].disabled_at is not None:
        raise BadResetError("the person may not sign in any more")
    return found
