"""Queries on accounts, keys and people."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from accounts.models import Account, ApiKey, PasswordReset, SignInSession, User


def by_email(session: Session, email: str) -> Account | None:
    return session.scalars(select(Account).where(Account.email == email)).one_or_none()


def by_id(session: Session, account_id: int) -> Account | None:
    return session.get(Account, account_id)


def key_with_account(session: Session, prefix: str) -> tuple[ApiKey, Account] | None:
    query = select(ApiKey, Account).join(Account, Account.id == ApiKey.account_id)
    row = session.execute(query.where(ApiKey.prefix == prefix)).one_or_none()
    return None if row is None else (row[0], row[1])


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Account)) or 0


def keys_of(session: Session, account_id: int) -> list[ApiKey]:
    query = select(ApiKey).where(ApiKey.account_id == account_id, ApiKey.revoked_at.is_(None))
    return list(session.scalars(query.order_by(ApiKey.id)))


def user_by_email(session: Session, email: str) -> tuple[User, Account] | None:
    query = select(User, Account).join(Account, Account.id == User.account_id).where(User.email == email)
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def users_of(session: Session, account_id: int) -> list[User]:
    return list(session.scalars(select(User).where(User.account_id == account_id).order_by(User.id)))


def session_with_user(session: Session, digest: bytes) -> tuple[SignInSession, User, Account] | None:
    query = (
        select(SignInSession, User, Account)
        .join(User, User.id == SignInSession.user_id)
        .join(Account, Account.id == User.account_id)
        .where(SignInSession.token_digest == digest)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def drop_sessions(session: Session, *, user_id: int, but: int | None = None) -> None:
    """Sign a person out everywhere, except in the session with the id `but`."""
    statement = delete(SignInSession).where(SignInSession.user_id == user_id)
    session.execute(statement if but is None else statement.where(SignInSession.id != but))


def drop_expired_sessions(session: Session, *, now: datetime) -> None:
    session.execute(delete(SignInSession).where(SignInSession.expires_at <= now))


def reset_with_user(session: Session, digest: bytes) -> tuple[PasswordReset, User] | None:
    query = select(PasswordReset, User).join(User, User.id == PasswordReset.user_id)
    row = session.execute(query.where(PasswordReset.token_digest == digest)).one_or_none()
    return None if row is None else (row[0], row[1])


def use_reset(session: Session, reset_id: int, *, now: datetime) -> bool:
    """Take the link, once: False when somebody else was faster."""
    statement = update(PasswordReset).where(PasswordReset.id == reset_id, PasswordReset.used_at.is_(None))
    taken = session.execute(statement.values(used_at=now).returning(PasswordReset.id)).scalar_one_or_none()
    return taken is not None


def drop_resets(session: Session, *, user_id: int) -> None:
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))
