"""Queries on accounts and keys."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Account, ApiKey


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
