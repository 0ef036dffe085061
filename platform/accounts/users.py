"""People: who they are, what they may do, and their passwords. No function commits.

Several people may belong to one account and share everything in it. A person without a password cannot sign
in until they set one by a link in a mail.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts import passwords, repository
from accounts.errors import BadEmailError, BadSignInError, EmailTakenError, UnknownUserError
from accounts.models import Account, User
from accounts.service import ACTIVE, normal_email

NAME_CHARS_MAX = 200


class Role(StrEnum):
    """What a person may do besides organising their own account's events. Given by command line only."""

    ORGANISER = "organiser"
    BILLING = "billing"
    """Staff: rates, other accounts' call records, whole telephone numbers."""
    ADMIN = "admin"
    """Staff: everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody whose password was right. `new_hash` is to be stored when it is not None."""

    user_id: int
    new_hash: str | None


def create_user(
    session: Session,
    *,
    account_id: int,
    email: str,
    password: str | None,
    now: datetime,
    roles: Collection[Role] = (Role.ORGANISER,),
    name: str = "",
    language: str = "en",
    timezone: str = "UTC",
) -> User:
    """A new person of an account. Raises BadEmailError, BadPasswordError, EmailTakenError."""
    address = normal_email(email)
    if password is not None:
        passwords.check_new(password, email=address)
    user = User(
        account_id=account_id,
        email=address,
        password_hash=None if password is None else passwords.hash_password(password),
        name=clean_name(name),
        language=language,
        timezone=timezone,
        roles=sorted({str(role) for role in roles}),
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as exc:
        raise EmailTakenError(f"somebody signs in with {address} already") from exc
    return user


def find_user(session: Session, email: str) -> User:
    """The person who signs in with this address. Raises UnknownUserError."""
    found = look_up(session, email)
    if found is None:
        raise UnknownUserError(f"nobody signs in as {email.strip()!r}")
    return found[0]


def look_up(session: Session, email: str) -> tuple[User, Account] | None:
    """The person with this address, whatever is asked for, and their account; None when there is nobody."""
    try:
        return repository.user_by_email(session, normal_email(email))
    except BadEmailError:
        return None


def list_users(session: Session, *, account_id: int) -> list[User]:
    """The people of an account, first come first."""
    return repository.users_of(session, account_id)


def check_password(session: Session, *, email: str, password: str) -> Known:
    """Who this is. Reads only, so that nothing is locked while the password is checked.

    Raises BadSignInError; an unknown address takes as long as a wrong password.
    """
    found = look_up(session, email)
    stored = found[0].password_hash if found is not None and _may_sign_in(*found) else None
    if not passwords.matches(password, stored) or found is None or stored is None:
        raise BadSignInError("the address or the password is wrong")
    new_hash = passwords.hash_password(password) if passwords.is_outdated(stored) else None
    return Known(user_id=found[0].id, new_hash=new_hash)


def set_password(session: Session, user: User, password: str, *, keep_session: int | None = None) -> None:
    """A new password: every other browser is signed out, and links in old mails open nothing.

    `keep_session` is the sign-in session that stays. Raises BadPasswordError.
    """
    passwords.check_new(password, email=user.email)
    user.password_hash = passwords.hash_password(password)
    repository.drop_sessions(session, user_id=user.id, but=keep_session)
    repository.drop_resets(session, user_id=user.id)
    session.flush()


def set_roles(session: Session, user: User, roles: Collection[Role]) -> None:
    """What the person may do from now on; takes effect with their next request."""
    user.roles = sorted({str(role) for role in roles})
    session.flush()


def disable(session: Session, user: User, *, now: datetime) -> None:
    """The person is signed out everywhere and cannot sign in any more."""
    user.disabled_at = now
    repository.drop_sessions(session, user_id=user.id)
    session.flush()


def clean_name(text: str) -> str:
    """A person's name as one printable line."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"\s+", " ", printable).strip()[:NAME_CHARS_MAX]


def _may_sign_in(user: User, account: Account) -> bool:
    return user.disabled_at is None and account.status == ACTIVE
