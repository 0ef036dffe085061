"""Holds: money of a wallet that is kept back while a session runs, so that it is not spent twice.

Theory.  A card authorisation does the same: reserve now, take the true amount later.  Here the reserve is
`ledger_account.held`, part of `posted` and not of what is available; no entry is made, because no money
moves.  When the session is charged, its hold is *captured* in the same database transaction as the posting:
the reserve ends and the usage takes what it needs.  Or it is *released* when nothing is charged, or it
*expires* when nobody ever came back.

    open ── extend ──▶ open
      ├── capture ──▶ captured
      ├── release ──▶ released
      └── expire  ──▶ expired

A hold resolves once; resolving it again the same way changes nothing, another way is an error.  A hold takes
what is available and no more: it may be less than what was wanted, even 0.  The account's row is locked
before the hold's, as by every posting.  Nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing import chart
from billing.chart import AccountName, Kind
from billing.ledger_errors import HoldResolvedError, IdemConflictError, NoSuchHoldError, NotPositiveError
from billing.ledger_models import Hold, LedgerAccount
from billing.money import Money
from billing.posting import Locked, lock
from database.types import to_utc_ms


class HoldState(StrEnum):
    """Where a hold is in its life."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One hold as it stands."""

    key: str
    account_id: int
    session_id: int | None
    amount: Money
    state: HoldState
    expires_at: datetime


def session_key(session_id: int) -> str:
    """The key of the one hold of a session."""
    return f"session:{session_id}"


def hold(
    session: Session, account_id: int, wanted: Money, *, key: str, session_id: int | None, at: datetime,
    expires_at: datetime,
) -> Held:  # fmt: skip
    """Keep back `wanted`, or what there is. A hold that is open already is returned as it is.

    Raises NotPositiveError, HoldResolvedError when the key's hold is over, IdemConflictError when it is
    another account's.
    """
    if wanted.minor <= 0:
        raise NotPositiveError(f"a hold of {wanted} keeps nothing back")
    name = chart.wallet(account_id, wanted.currency)
    account = lock(session, [name])[name]
    before = _find(session, key)
    if before is not None:
        if before.ledger_account_id != account.id:
            raise IdemConflictError(key, before.id)
        if before.state != HoldState.OPEN:
            raise HoldResolvedError(f"the hold {key!r} was {before.state} at {before.resolved_at}")
        return _held(name, before)
    row = Hold(
        key=key,
        ledger_account_id=account.id,
        session_id=session_id,
        amount=min(account.available, wanted.minor),
        state=HoldState.OPEN,
        opened_at=to_utc_ms(at),
        expires_at=to_utc_ms(expires_at),
    )
    session.add(row)
    session.flush()
    _move(session, account, row.amount)
    return _held(name, row)


def extend(session: Session, key: str, wanted: Money, *, expires_at: datetime) -> Held:
    """Keep back `wanted` in all, as far as there is; never less than before. Moves the expiry on.

    Raises NoSuchHoldError, HoldResolvedError, IdemConflictError for another currency.
    """
    account, row = _open(session, key)
    if account.name.currency != wanted.currency:
        raise IdemConflictError(key, row.id)
    more = min(max(0, wanted.minor - row.amount), account.available)
    row.amount += more
    row.expires_at = max(row.expires_at, to_utc_ms(expires_at))
    session.flush()
    _move(session, account, more)
    return _held(account.name, row)


def ensure(
    session: Session, account_id: int, wanted: Money, *, session_id: int, at: datetime, expires_at: datetime
) -> Held:
    """The session's hold, opened or extended to `wanted`: what the live meter asks for.

    Raises HoldResolvedError when the session was charged already.
    """
    key = session_key(session_id)
    held = hold(session, account_id, wanted, key=key, session_id=session_id, at=at, expires_at=expires_at)
    if held.amount < wanted or held.expires_at < expires_at:
        held = extend(session, key, wanted, expires_at=expires_at)
    return held


def capture(session: Session, key: str, *, at: datetime) -> Held:
    """The session is charged now, in this very database transaction. Raises as `release`."""
    return _resolve(session, key, HoldState.CAPTURED, at=at)


def release(session: Session, key: str, *, at: datetime) -> Held:
    """Nothing is charged. Raises NoSuchHoldError, and HoldResolvedError when it ended another way."""
    return _resolve(session, key, HoldState.RELEASED, at=at)


def find(session: Session, key: str) -> Held | None:
    """The hold of that key, None when there is none."""
    row = _find(session, key)
    return None if row is None else _held(_name(session, row), row)


def expire(session: Session, *, now: datetime, limit: int = 1000) -> list[Held]:
    """End the holds whose time is over, at most `limit` of them; those that ended."""
    due = session.execute(
        select(Hold.key, Hold.ledger_account_id)
        .where(Hold.state == HoldState.OPEN, Hold.expires_at <= now)
        .order_by(Hold.ledger_account_id, Hold.id)
        .limit(limit)
    ).all()
    ended = []
    for key, _ in due:
        account, row = _locked(session, key)
        if row.state == HoldState.OPEN and row.expires_at <= to_utc_ms(now):
            ended.append(_end(session, account, row, HoldState.EXPIRED, at=now))
    return ended


def _resolve(session: Session, key: str, state: HoldState, *, at: datetime) -> Held:
    account, row = _locked(session, key)
    if row.state == state:
        return _held(account.name, row)
    if row.state != HoldState.OPEN:
        raise HoldResolvedError(f"the hold {key!r} was {row.state} at {row.resolved_at}")
    return _end(session, account, row, state, at=at)


def _end(session: Session, account: Locked, row: Hold, state: HoldState, *, at: datetime) -> Held:
    row.state = state
    row.resolved_at = to_utc_ms(at)
    session.flush()
    _move(session, account, -row.amount)
    return _held(account.name, row)


def _open(session: Session, key: str) -> tuple[Locked, Hold]:
    account, row = _locked(session, key)
    if row.state != HoldState.OPEN:
        raise HoldResolvedError(f"the hold {key!r} was {row.state} at {row.resolved_at}")
    return account, row


def _locked(session: Session, key: str) -> tuple[Locked, Hold]:
    row = _find(session, key)
    if row is None:
        raise NoSuchHoldError(f"there is no hold {key!r}")
    name = _name(session, row)
    account = lock(session, [name])[name]
    again = _find(session, key)
    assert again is not None, "holds are never deleted"
    return account, again


def _find(session: Session, key: str) -> Hold | None:
    query = select(Hold).where(Hold.key == key).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def _name(session: Session, row: Hold) -> AccountName:
    kind, owner, currency = session.execute(
        select(LedgerAccount.kind, LedgerAccount.owner, LedgerAccount.currency).where(
            LedgerAccount.id == row.ledger_account_id
        )
    ).one()
    return AccountName(Kind(kind), owner, currency)


def _move(session: Session, account: Locked, minor: int) -> None:
    if minor:
        session.execute(
            update(LedgerAccount)
            .where(LedgerAccount.id == account.id)
            .values(held=LedgerAccount.held + minor)
            .execution_options(synchronize_session=False)
        )


def _held(name: AccountName, row: Hold) -> Held:
    return Held(
        key=row.key,
        account_id=int(name.owner),
        session_id=row.session_id,
        amount=Money(row.amount, name.currency),
        state=HoldState(row.state),
        expires_at=row.expires_at,
    )
