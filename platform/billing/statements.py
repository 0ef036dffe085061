"""What a customer sees of the ledger: statements, the list of transactions, and the detail of one.

A statement covers the moments [start, end) by `posted_at` and says opening, lines and closing, of the wallet
and of what is owed.  Once given it never changes: it moves the accounts' mark to its end, and no posting is
dated before the mark, not even when the clock is set back (`billing.posting`).  So `statement` writes, and
needs a session that may.

Lists and details only read.  Amounts are shown from the customer's side: `wallet` grows by a top-up, `owed`
by a charge that the wallet could not bear.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session, aliased

from billing import chart
from billing.calls import CallSource
from billing.chart import AccountName, Kind
from billing.deck_models import CdrRating
from billing.ledger_errors import FutureStatementError, NoSuchTransactionError
from billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTransaction, UsageLine, UsagePosting
from billing.money import Money
from billing.posting import TransactionType, lock

LIMIT_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a customer stands at a moment."""

    wallet: Money
    owed: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRow:
    """One transaction as its customer sees it; `wallet` and `owed` are what it changed."""

    id: int
    type: TransactionType
    occurred_at: datetime
    posted_at: datetime
    session_id: int | None
    reference: str | None
    actor: str
    reason: str | None
    wallet: Money
    owed: Money
    reverses_id: int | None
    reversed_by: int | None
    """The transaction that took this one back; in a statement only if it came before the statement ended."""
    settles_id: int | None

    @property
    def amount(self) -> Money:
        """In the customer's favour (+) or to be paid (−)."""
        return self.wallet - self.owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Opening + lines = closing, for wallet and owed alike."""

    account_id: int
    currency: str
    start: datetime
    end: datetime
    opening: Position
    lines: list[TransactionRow]
    closing: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Which transactions; None and empty mean all. `since` is included, `until` is not."""

    types: Collection[TransactionType] = ()
    since: datetime | None = None
    until: datetime | None = None
    session_id: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """Some of the transactions, and how many there are in all."""

    rows: list[TransactionRow]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLine:
    """One entry, as bookkeepers write it: one of the two is 0."""

    account: AccountName
    debit: Money
    credit: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLine:
    """One call of a charge, as it was rated when it was charged."""

    cdr_id: str
    called_e164: str | None
    number_class: str | None
    answer_at: datetime | None
    conn_ms: int
    billed_sec: int
    cost_u: int
    rating_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberUse:
    """What was used of one number."""

    called_e164: str | None
    number_class: str | None
    calls: int
    conn_ms: int
    billed_sec: int
    cost_u: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDetail:
    """A charge in full: lines + rounding = net, net + vat = wallet part + rest."""

    scope: str
    version: int
    current: bool
    lines: list[CallLine]
    numbers: list[NumberUse]
    lines_u: int
    rounding_u: int
    net: Money
    vat: Money
    vat_country: str | None
    wallet_part: Money
    rest: Money
    """What the wallet lacked, when it was posted."""
    card_part: Money
    """What cards have paid of the rest so far."""

    @property
    def total(self) -> Money:
        return self.net + self.vat


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionDetail:
    """One transaction, its entries, what paid it, and the calls behind it."""

    row: TransactionRow
    entries: list[BookLine]
    payments: list[TransactionRow]
    usage: UsageDetail | None


def statement(
    session: Session, account_id: int, currency: str, *, start: datetime, end: datetime, now: datetime
) -> Statement:
    """The statement of [start, end); it will be the same for ever.

    Raises FutureStatementError when `end` has not come, ValueError when it lies before `start`.
    """
    if end > now:
        raise FutureStatementError("a statement can only be given up to now")
    if end < start:
        raise ValueError("the statement ends before it begins")
    names = [chart.wallet(account_id, currency), chart.receivable(account_id, currency)]
    accounts = lock(session, names)
    for account in accounts.values():
        if account.mark_at is None or account.mark_at < end:
            session.execute(
                update(LedgerAccount)
                .where(LedgerAccount.id == account.id)
                .values(mark_at=end)
                .execution_options(synchronize_session=False)
            )
    opening = position(session, account_id, currency, before=start)
    where = TransactionFilter(since=start, until=end, currency=currency)
    lines = _rows(session, _conditions(account_id, where), newest_first=False, as_of=end)
    return Statement(
        account_id=account_id, currency=currency, start=start, end=end, opening=opening, lines=lines,
        closing=position(session, account_id, currency, before=end),
    )  # fmt: skip


def position(session: Session, account_id: int, currency: str, *, before: datetime) -> Position:
    """Where the customer stood just before a moment."""
    rows = session.execute(
        select(LedgerAccount.kind, func.sum(LedgerEntry.amount))
        .join(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(*_own_accounts(account_id), LedgerAccount.currency == currency)
        .where(LedgerTransaction.posted_at < before)
        .group_by(LedgerAccount.kind)
    )
    sums = {kind: int(total) for kind, total in rows}
    return Position(
        wallet=Money(-sums.get(Kind.WALLET, 0), currency),
        owed=Money(sums.get(Kind.RECEIVABLE, 0), currency),
    )


def transactions(
    session: Session, account_id: int, *, where: TransactionFilter | None = None, limit: int = 50,
    offset: int = 0, newest_first: bool = True,
) -> TransactionPage:  # fmt: skip
    """The account's transactions that touch its wallet or what it owes."""
    assert 1 <= limit <= LIMIT_MAX
    assert offset >= 0
    conditions = _conditions(account_id, where or TransactionFilter())
    total = session.scalar(select(func.count()).select_from(LedgerTransaction).where(*conditions)) or 0
    rows = _rows(session, conditions, newest_first=newest_first, limit=limit, offset=offset)
    return TransactionPage(rows=rows, total=total)


def transaction_detail(
    session: Session, account_id: int, transaction_id: int, *, calls: CallSource
) -> TransactionDetail:
    """One transaction in full. Raises NoSuchTransactionError, for another account's, too."""
    rows = _rows(
        session, [*_conditions(account_id, TransactionFilter()), LedgerTransaction.id == transaction_id]
    )
    if not rows:
        raise NoSuchTransactionError(f"there is no transaction {transaction_id}")
    row = rows[0]
    paid = _rows(
        session,
        [*_conditions(account_id, TransactionFilter()), LedgerTransaction.settles_id == transaction_id],
    )
    posting = session.scalars(
        select(UsagePosting).where(UsagePosting.transaction_id == transaction_id)
    ).one_or_none()
    return TransactionDetail(
        row=row,
        entries=_book_lines(session, transaction_id),
        payments=paid,
        usage=None if posting is None else _usage_detail(session, posting, row, paid, calls),
    )


def _usage_detail(
    session: Session, posting: UsagePosting, row: TransactionRow, paid: Sequence[TransactionRow],
    calls: CallSource,
) -> UsageDetail:  # fmt: skip
    charged = session.execute(
        select(UsageLine, CdrRating)
        .join(
            CdrRating,
            (CdrRating.cdr_id == UsageLine.cdr_id) & (CdrRating.version == UsageLine.rating_version),
        )
        .where(UsageLine.posting_id == posting.id)
        .order_by(CdrRating.answer_at, UsageLine.cdr_id)
    ).all()
    facts = {call.cdr_id: call for call in calls.get_many(session, [line.cdr_id for line, _ in charged])}
    lines = [
        CallLine(
            cdr_id=line.cdr_id,
            called_e164=facts[line.cdr_id].called_e164 if line.cdr_id in facts else None,
            number_class=facts[line.cdr_id].number_class if line.cdr_id in facts else None,
            answer_at=rating.answer_at,
            conn_ms=rating.conn_ms or 0,
            billed_sec=rating.billed_sec,
            cost_u=line.cost_u,
            rating_version=line.rating_version,
        )
        for line, rating in charged
    ]
    currency = posting.currency
    return UsageDetail(
        scope=posting.scope, version=posting.version, current=posting.current, lines=lines,
        numbers=numbers_used(lines), lines_u=posting.lines_u, rounding_u=posting.rounding_u,
        net=Money(posting.net_minor, currency), vat=Money(posting.vat_minor, currency),
        vat_country=posting.vat_country, wallet_part=-row.wallet, rest=row.owed,
        card_part=sum((-one.owed for one in paid), Money.zero(currency)),
    )  # fmt: skip


def numbers_used(lines: Sequence[CallLine]) -> list[NumberUse]:
    """The lines by number, the dearest first."""
    groups: dict[tuple[str | None, str | None], list[CallLine]] = {}
    for line in lines:
        groups.setdefault((line.called_e164, line.number_class), []).append(line)
    used = [
        NumberUse(
            called_e164=number, number_class=kind, calls=len(group),
            conn_ms=sum(line.conn_ms for line in group), billed_sec=sum(line.billed_sec for line in group),
            cost_u=sum(line.cost_u for line in group),
        )
        for (number, kind), group in groups.items()
    ]  # fmt: skip
    return sorted(used, key=lambda one: (-one.cost_u, one.called_e164 or ""))


def _conditions(account_id: int, where: TransactionFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [LedgerTransaction.account_id == account_id]
    own = (
        select(LedgerEntry.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(LedgerEntry.transaction_id == LedgerTransaction.id, *_own_accounts(account_id))
    )
    if where.currency is not None:
        own = own.where(LedgerAccount.currency == where.currency)
    conditions.append(own.exists())
    if where.types:
        conditions.append(LedgerTransaction.type.in_([kind.value for kind in where.types]))
    if where.since is not None:
        conditions.append(LedgerTransaction.posted_at >= where.since)
    if where.until is not None:
        conditions.append(LedgerTransaction.posted_at < where.until)
    if where.session_id is not None:
        conditions.append(LedgerTransaction.session_id == where.session_id)
    return conditions


def _own_accounts(account_id: int) -> list[ColumnElement[bool]]:
    return [
        LedgerAccount.kind.in_([Kind.WALLET, Kind.RECEIVABLE]), LedgerAccount.owner == str(account_id)
    ]  # fmt: skip


def _rows(
    session: Session, conditions: Sequence[ColumnElement[bool]], *, newest_first: bool = False,
    limit: int | None = None, offset: int = 0, as_of: datetime | None = None,
) -> list[TransactionRow]:  # fmt: skip
    """The transactions as they were known before `as_of` (None: today); a later reversal does not show."""
    mirror = aliased(LedgerTransaction)
    is_mirror = mirror.reverses_id == LedgerTransaction.id
    if as_of is not None:
        is_mirror &= mirror.posted_at < as_of
    order: list[Any] = [LedgerTransaction.posted_at, LedgerTransaction.id]
    chosen = session.execute(
        select(LedgerTransaction, mirror.id)
        .outerjoin(mirror, is_mirror)
        .where(*conditions)
        .order_by(*(column.desc() for column in order) if newest_first else order)
        .limit(limit)
        .offset(offset)
    ).all()
    changes = _changes(session, [row.id for row, _ in chosen])
    return [
        TransactionRow(
            id=row.id, type=TransactionType(row.type), occurred_at=row.occurred_at, posted_at=row.posted_at,
            session_id=row.session_id, reference=row.reference, actor=row.actor, reason=row.reason,
            wallet=changes[row.id].wallet, owed=changes[row.id].owed, reverses_id=row.reverses_id,
            reversed_by=reversed_by, settles_id=row.settles_id,
        )
        for row, reversed_by in chosen
    ]  # fmt: skip


def _changes(session: Session, transaction_ids: Sequence[int]) -> dict[int, Position]:
    found: dict[int, Position] = {}
    for begin in range(0, len(transaction_ids), 500):
        rows = session.execute(
            select(
                LedgerEntry.transaction_id,
                LedgerAccount.currency,
                func.sum(case((LedgerAccount.kind == Kind.WALLET, -LedgerEntry.amount), else_=0)),
                func.sum(case((LedgerAccount.kind == Kind.RECEIVABLE, LedgerEntry.amount), else_=0)),
            )
            .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
            .where(LedgerEntry.transaction_id.in_(transaction_ids[begin : begin + 500]))
            .group_by(LedgerEntry.transaction_id, LedgerAccount.currency)
        )
        for transaction_id, currency, wallet, owed in rows:
            found[transaction_id] = Position(
                wallet=Money(int(wallet), currency), owed=Money(int(owed), currency)
            )
    return found


def _book_lines(session: Session, transaction_id: int) -> list[BookLine]:
    rows = session.execute(
        select(LedgerAccount.kind, LedgerAccount.owner, LedgerAccount.currency, LedgerEntry.amount)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(LedgerEntry.transaction_id == transaction_id)
        .order_by(LedgerEntry.id)
    )
    return [
        BookLine(
            account=AccountName(Kind(row.kind), row.owner, row.currency),
            debit=Money(max(row.amount, 0), row.currency),
            credit=Money(max(-row.amount, 0), row.currency),
        )
        for row in rows
    ]
