"""What can be done with accounts. No function commits; the caller's transaction does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts import keys, repository
from accounts.errors import BadEmailError, EmailTakenError, UnknownAccountError, UnknownKeyError
from accounts.models import Account, ApiKey

ACTIVE = "active"
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f]{1,64}@[^\s@\x00-\x1f.]+(\.[^\s@\x00-\x1f.]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedAccount:
    """A new account and its first API key, which cannot be read again."""

    account: Account
    api_key: str = field(repr=False)


def normal_email(text: str) -> str:
    """`text` trimmed and in lower case. Raises BadEmailError."""
    email = text.strip().lower()
    if len(email) > 254 or not email.isprintable() or _EMAIL.fullmatch(email) is None:
        raise BadEmailError("this is not a mail address")
    return email


def create_account(session: Session, *, email: str, now: datetime) -> CreatedAccount:
    """A new active account with one API key. Raises BadEmailError, EmailTakenError."""
    address = normal_email(email)
    account = Account(email=address, status=ACTIVE, created_at=now, updated_at=now)
    try:
        with session.begin_nested():
            session.add(account)
    except IntegrityError as exc:
        raise EmailTakenError(f"there is an account for {address} already") from exc
    return CreatedAccount(account=account, api_key=add_key(session, account_id=account.id, now=now))


def add_key(session: Session, *, account_id: int, now: datetime) -> str:
    """Give the account one more API key and return it; it cannot be read again."""
    new = keys.new_key()
    session.add(ApiKey(account_id=account_id, prefix=new.prefix, digest=new.digest, created_at=now))
    session.flush()
    return new.text


def list_keys(session: Session, *, account_id: int) -> list[ApiKey]:
    """The keys of an account that open something, oldest first."""
    return repository.keys_of(session, account_id)


def revoke_key(session: Session, *, account_id: int, key_id: int, now: datetime) -> None:
    """The key opens nothing any more. Raises UnknownKeyError, also for keys of other accounts."""
    key = session.get(ApiKey, key_id)
    if key is None or key.account_id != account_id or key.revoked_at is not None:
        raise UnknownKeyError("there is no such API key")
    key.revoked_at = now
    session.flush()


def authenticate(session: Session, api_key: str) -> Account:
    """The account that `api_key` belongs to. Raises UnknownKeyError."""
    prefix = keys.prefix_of(api_key)
    found = None if prefix is None else repository.key_with_account(session, prefix)
    if found is None or not keys.matches(api_key, found[0].digest):
        raise UnknownKeyError("the API key is not known")
    key, account = found
    if key.revoked_at is not None or account.status != ACTIVE:
        raise UnknownKeyError("the API key is not known")
    return account


def find_account(session: Session, email_or_id: str) -> Account:
    """The account with this mail address or number. Raises UnknownAccountError."""
    text = email_or_id.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        found = repository.by_id(session, int(text))
    else:
        found = repository.by_email(session, text.lower())
    if found is None:
        raise UnknownAccountError(f"there is no account {text!r}")
    return found
