"""Writing one transaction into the ledger: balanced, once, and in turn.

Rules.
- The entries of a transaction sum to zero in each currency.  PostgreSQL checks that again when the
  transaction commits (migration 0007); SQLite has no deferred triggers, there this module and the trial
  balance stand alone.
- The caller names the transaction (`idem`, UNIQUE).  The same name with the same content is the same
  transaction: nothing is written again and the first one is returned.  The same name with other content is
  an error.  Content is the *request* (`fingerprint`), not the entries: which part of a charge the wallet
  bore depends on what was in it when the charge came first.
- Accounts are made when first named, in the order of their names, and locked in the order of their ids
  (`FOR UPDATE`), so postings that run at once wait for each other and never in a ring.  On SQLite the
  transaction holds the only write lock already (`BEGIN IMMEDIATE`, database.engine).
- `posted_at` never runs backwards on any account, whatever the clock does: it is lifted to the account's
  `mark_at`.  A statement moves the mark to its own end, so what it said stays true.

Cost: 4 statements on SQLite, 5 on PostgreSQL.  The house accounts of a currency are rows that every posting
locks: postings of one currency go one after the other, which a month-end of thousands bears easily (see
docs/benchmarks.md), and makes `posted` exact at every moment.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from billing.chart import AccountName, Kind
from billing.ledger_errors import (
    AbsurdAmountError,
    IdemConflictError,
    InsufficientFundsError,
    NoSuchTransactionError,
    UnbalancedError,
)
from billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTransaction
from billing.money import Money
from database.types import to_utc_ms

AMOUNT_MINOR_MAX = 10**14
"""The largest entry: a trillion of a currency with cents. Sums stay far below 2^63."""

_ACCOUNTS = cast(Table, LedgerAccount.__table__)
_TRANSACTIONS = cast(Table, LedgerTransaction.__table__)
_ENTRIES = cast(Table, LedgerEntry.__table__)


class TransactionType(StrEnum):
    """What happened."""

    TOP_UP = "top_up"
    USAGE = "usage"
    SHORTFALL = "shortfall"
    INVOICE = "invoice"
    PAYMENT = "payment"
    CHARGEBACK = "chargeback"
    REFUND = "refund"
    SETTLEMENT = "settlement"
    GOODWILL = "goodwill"
    WRITE_OFF = "write_off"
    RECOGNITION = "recognition"
    PAYOUT = "payout"
    TICKET = "ticket"
    TICKET_PAYOUT = "ticket_payout"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: debit above 0, credit below, in minor units of the account's currency."""

    account: AccountName
    amount: int


def debit(account: AccountName, money: Money) -> Entry:
    """`money` on the debit side of `account`."""
    assert money.currency == account.currency
    return Entry(account, money.minor)


def credit(account: AccountName, money: Money) -> Entry:
    """`money` on the credit side of `account`."""
    assert money.currency == account.currency
    return Entry(account, -money.minor)


def fingerprint_of(*content: str | int | None) -> str:
    """SHA-256 (hex) of a request's content."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A transaction that is asked for. `account_id` is the customer it concerns."""

    type: TransactionType
    idem: str
    fingerprint: str
    entries: tuple[Entry, ...]
    occurred_at: datetime
    account_id: int | None = None
    session_id: int | None = None
    reference: str | None = None
    settles_id: int | None = None
    reverses_id: int | None = None
    actor: str = "system"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A transaction that is in the ledger. `replayed`: it was there before."""

    id: int
    type: TransactionType
    idem: str
    account_id: int | None
    session_id: int | None
    reference: str | None
    occurred_at: datetime
    posted_at: datetime
    entries: tuple[Entry, ...]
    replayed: bool

    def change(self, kind: Kind, currency: str) -> Money:
        """By how much the accounts of that kind grew (+) or shrank (−)."""
        moved = [entry for entry in self.entries if entry.account.kind is kind]
        return Money(
            sum(e.account.natural(e.amount) for e in moved if e.account.currency == currency), currency
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """An account that nobody else can change until this database transaction ends."""

    id: int
    name: AccountName
    posted: int
    held: int
    mark_at: datetime | None

    @property
    def available(self) -> int:
        """What of a wallet can be spent; minor units."""
        return self.posted - self.held


def merged(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """One entry per account, those that cancel out left away; in order of first appearance."""
    sums: Counter[AccountName] = Counter()
    for entry in entries:
        sums[entry.account] += entry.amount
    return tuple(Entry(name, amount) for name, amount in sums.items() if amount)


def lock(session: Session, names: Collection[AccountName]) -> dict[AccountName, Locked]:
    """The accounts of these names, made where missing, locked until the database transaction ends.

    Whoever makes several postings in one database transaction locks all their accounts first.
    """
    found = _read(session, names)
    missing = sorted(set(names) - set(found))
    if missing:
        session.execute(
            _insert(session, _ACCOUNTS).on_conflict_do_nothing(),
            [
                {"kind": name.kind, "owner": name.owner, "currency": name.currency, "posted": 0, "held": 0}
                for name in missing
            ],
        )
    if session.get_bind().dialect.name == "postgresql" or missing:
        found = _read(session, names, for_update=True)
    return found


def existing(session: Session, idem: str, fingerprint: str) -> Posted | None:
    """The transaction of that name, None when there is none.

    Raises IdemConflictError when it has other content.
    """
    row = session.execute(select(_TRANSACTIONS).where(_TRANSACTIONS.c.idem == idem)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise IdemConflictError(idem, row.id)
    return _posted(session, row, replayed=True)


def load(session: Session, transaction_id: int) -> Posted:
    """The transaction with that id. Raises NoSuchTransactionError."""
    row = session.execute(select(_TRANSACTIONS).where(_TRANSACTIONS.c.id == transaction_id)).one_or_none()
    if row is None:
        raise NoSuchTransactionError(f"there is no transaction {transaction_id}")
    return _posted(session, row, replayed=False)


def post(session: Session, posting: Posting, *, at: datetime) -> Posted:
    """Write `posting`, or return what it became when it was written before.

    Raises IdemConflictError, InsufficientFundsError, UnbalancedError, AbsurdAmountError; nothing is written
    then. Never commits.
    """
    _check(posting)
    accounts = lock(session, [entry.account for entry in posting.entries])
    moment = max([to_utc_ms(at), *(one.mark_at for one in accounts.values() if one.mark_at is not None)])
    lacking = [text for entry in posting.entries if (text := _lacks(accounts[entry.account], entry))]
    if lacking:
        before = existing(session, posting.idem, posting.fingerprint)
        if before is None:
            raise InsufficientFundsError(lacking[0])
        return before
    values = {
        "type": posting.type, "idem": posting.idem, "fingerprint": posting.fingerprint,
        "occurred_at": posting.occurred_at, "posted_at": moment, "reverses_id": posting.reverses_id,
        "settles_id": posting.settles_id, "account_id": posting.account_id,
        "session_id": posting.session_id, "reference": posting.reference, "actor": posting.actor,
        "reason": posting.reason,
    }  # fmt: skip
    transaction_id = session.execute(
        _insert(session, _TRANSACTIONS)
        .values(values)
        .on_conflict_do_nothing(index_elements=["idem"])
        .returning(_TRANSACTIONS.c.id)
    ).scalar_one_or_none()
    if transaction_id is None:
        before = existing(session, posting.idem, posting.fingerprint)
        assert before is not None, "a conflict is with a row that can be seen"
        return before
    session.execute(
        insert(_ENTRIES),
        [
            {
                "transaction_id": transaction_id,
                "ledger_account_id": accounts[entry.account].id,
                "amount": entry.amount,
            }
            for entry in posting.entries
        ],
    )
    session.execute(
        update(_ACCOUNTS)
        .where(_ACCOUNTS.c.id == bindparam("b_id"))
        .values(posted=_ACCOUNTS.c.posted + bindparam("b_change"), mark_at=bindparam("b_mark")),
        [
            {
                "b_id": accounts[entry.account].id,
                "b_change": entry.account.natural(entry.amount),
                "b_mark": moment,
            }
            for entry in posting.entries
        ],
    )
    return Posted(
        id=transaction_id, type=posting.type, idem=posting.idem, account_id=posting.account_id,
        session_id=posting.session_id, reference=posting.reference, posted_at=moment, replayed=False,
        occurred_at=to_utc_ms(posting.occurred_at), entries=posting.entries,
    )  # fmt: skip


def _check(posting: Posting) -> None:
    sums: Counter[str] = Counter()
    for entry in posting.entries:
        if entry.amount == 0:
            raise UnbalancedError(f"{posting.idem}: an entry of 0 on {entry.account}")
        if abs(entry.amount) > AMOUNT_MINOR_MAX:
            raise AbsurdAmountError(f"{posting.idem}: {entry.amount} is beyond what we account for")
        sums[entry.account.currency] += entry.amount
    if not posting.entries or any(sums.values()):
        raise UnbalancedError(f"{posting.idem}: entries sum to {dict(sums)}, not to 0")
    if len({entry.account for entry in posting.entries}) != len(posting.entries):
        raise UnbalancedError(f"{posting.idem}: an account is named twice; merge the entries")


def _lacks(account: Locked, entry: Entry) -> str | None:
    """What is missing in a wallet for `entry`, in words."""
    change = account.name.natural(entry.amount)
    if account.name.kind is not Kind.WALLET or change >= 0 or account.available + change >= 0:
        return None
    return (
        f"{account.name} has {account.available} available (held: {account.held}) and {-change} is asked for"
    )


def _posted(session: Session, row: Any, *, replayed: bool) -> Posted:
    entries = session.execute(
        select(_ACCOUNTS.c.kind, _ACCOUNTS.c.owner, _ACCOUNTS.c.currency, _ENTRIES.c.amount)
        .join(_ACCOUNTS, _ACCOUNTS.c.id == _ENTRIES.c.ledger_account_id)
        .where(_ENTRIES.c.transaction_id == row.id)
        .order_by(_ENTRIES.c.id)
    )
    return Posted(
        id=row.id, type=TransactionType(row.type), idem=row.idem, account_id=row.account_id,
        session_id=row.session_id, reference=row.reference, occurred_at=row.occurred_at,
        posted_at=row.posted_at, replayed=replayed,
        entries=tuple(
            Entry(AccountName(Kind(one.kind), one.owner, one.currency), one.amount) for one in entries
        ),
    )  # fmt: skip


def _read(
    session: Session, names: Collection[AccountName], *, for_update: bool = False
) -> dict[AccountName, Locked]:
    query = (
        select(_ACCOUNTS)
        .where(
            tuple_(_ACCOUNTS.c.kind, _ACCOUNTS.c.owner, _ACCOUNTS.c.currency).in_(
                [(name.kind.value, name.owner, name.currency) for name in names]
            )
        )
        .order_by(_ACCOUNTS.c.id)
    )
    if for_update:
        query = query.with_for_update()
    accounts = {}
    for row in session.execute(query):
        name = AccountName(Kind(row.kind), row.owner, row.currency)
        accounts[name] = Locked(id=row.id, name=name, posted=row.posted, held=row.held, mark_at=row.mark_at)
    return accounts


def _insert(session: Session, table: Table) -> Any:
    """INSERT that can say ON CONFLICT, in the words of the session's database."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
