"""Queries for the pages about money. They only read, and only one account's rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.chart import Kind
from billing.deck_models import CdrRating, UnratedCall
from billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTransaction, UsageLine, UsagePosting
from billing.money import Money
from billing.payments.models import Checkout
from billing.statements import LIMIT_MAX, TransactionFilter, TransactionRow, transactions
from bridge.cdr.models import Cdr
from events.models import Event, EventSession

CHUNK = 500
ROWS_MAX = 50_000
"""More than this is not read for one page or file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The session that a charge is for. `event_id` is None when the event is another account's or gone."""

    session_id: int
    event_id: int
    event_name: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What the transactions of a filter changed in one currency."""

    wallet: Money
    owed: Money

    @property
    def amount(self) -> Money:
        return self.wallet - self.owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What rated calls come to. Costs are without tax, in 10⁻⁶."""

    calls: int
    conn_ms: int
    billed_s: int
    cost_u: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """The same for one day of the account's time zone."""

    day: date
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What a list of calls shows of a call besides its price."""

    caller_e164: str | None
    session_id: str | None
    end_basis: str
    mos_cq: float | None


NO_USAGE = Usage(calls=0, conn_ms=0, billed_s=0, cost_u=0)


def totals(session: Session, account_id: int, where: TransactionFilter) -> list[Total]:
    """The sums over all transactions that `statements.transactions` finds, one for each currency."""
    query = (
        select(LedgerAccount.currency, LedgerAccount.kind, func.sum(LedgerEntry.amount))
        .join(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(
            LedgerAccount.kind.in_([Kind.WALLET, Kind.RECEIVABLE]),
            LedgerAccount.owner == str(account_id),
            LedgerTransaction.account_id == account_id,
        )
        .group_by(LedgerAccount.currency, LedgerAccount.kind)
    )
    if where.types:
        query = query.where(LedgerTransaction.type.in_([kind.value for kind in where.types]))
    if where.since is not None:
        query = query.where(LedgerTransaction.posted_at >= where.since)
    if where.until is not None:
        query = query.where(LedgerTransaction.posted_at < where.until)
    if where.session_id is not None:
        query = query.where(LedgerTransaction.session_id == where.session_id)
    if where.currency is not None:
        query = query.where(LedgerAccount.currency == where.currency)
    sums = {(currency, kind): int(total) for currency, kind, total in session.execute(query)}
    return [
        Total(
            wallet=Money(-sums.get((currency, Kind.WALLET), 0), currency),
            owed=Money(sums.get((currency, Kind.RECEIVABLE), 0), currency),
        )
        for currency in sorted({currency for currency, _ in sums})
    ]


def all_rows(
    session: Session, account_id: int, where: TransactionFilter, *, newest_first: bool
) -> list[TransactionRow]:
    """Every transaction of the filter, `ROWS_MAX` at most."""
    rows: list[TransactionRow] = []
    while len(rows) < ROWS_MAX:
        found = transactions(
            session, account_id, where=where, limit=LIMIT_MAX, offset=len(rows), newest_first=newest_first
        )
        rows += found.rows
        if len(rows) >= found.total or not found.rows:
            break
    return rows[:ROWS_MAX]


def runs_of(session: Session, account_id: int, session_ids: Iterable[int | None]) -> dict[int, Run]:
    """The sessions with these ids, of this account's events."""
    wanted = sorted({one for one in session_ids if one is not None})
    found: dict[int, Run] = {}
    for begin in range(0, len(wanted), CHUNK):
        query = (
            select(EventSession.id, Event.id, Event.name, EventSession.started_at)
            .join(Event, Event.id == EventSession.event_id)
            .where(EventSession.id.in_(wanted[begin : begin + CHUNK]), Event.account_id == account_id)
        )
        for session_id, event_id, name, started_at in session.execute(query):
            found[session_id] = Run(
                session_id=session_id, event_id=event_id, event_name=name, started_at=started_at
            )
    return found


def calls_by_id(session: Session, account_id: int, cdr_ids: Collection[str]) -> dict[str, CallFacts]:
    """Facts of these calls, of this account."""
    ids, found = list(cdr_ids), {}
    for begin in range(0, len(ids), CHUNK):
        query = select(Cdr.id, Cdr.caller_e164, Cdr.session_id, Cdr.end_basis, Cdr.mos_cq).where(
            Cdr.id.in_(ids[begin : begin + CHUNK]), Cdr.account_id == account_id
        )
        for cdr_id, caller, session_id, end_basis, mos_cq in session.execute(query):
            found[cdr_id] = CallFacts(
                caller_e164=caller, session_id=session_id, end_basis=end_basis, mos_cq=mos_cq
            )
    return found


def usage_by_day(
    session: Session, account_id: int, currency: str, *, zone: ZoneInfo, first: date, days: int
) -> list[DayUsage]:
    """The rated calls of so many days, by the day of their answer; days without calls are there, too."""
    since = midnight(first, zone)
    until = midnight(first + timedelta(days=days), zone)
    sums = {first + timedelta(days=number): [0, 0, 0, 0] for number in range(days)}
    query = select(CdrRating.answer_at, CdrRating.conn_ms, CdrRating.billed_sec, CdrRating.cost_u).where(
        CdrRating.account_id == account_id, CdrRating.superseded_by.is_(None),
        CdrRating.currency == currency, CdrRating.answer_at >= since, CdrRating.answer_at < until,
    )  # fmt: skip
    for answer_at, conn_ms, billed_s, cost_u in session.execute(query):
        assert answer_at is not None, "the query asks for a time"
        day = sums[answer_at.astimezone(zone).date()]
        for place, value in enumerate((1, conn_ms or 0, billed_s, cost_u)):
            day[place] += value
    return [
        DayUsage(day=day, usage=Usage(calls=calls, conn_ms=conn, billed_s=billed, cost_u=cost))
        for day, (calls, conn, billed, cost) in sums.items()
    ]


def usage_of_sessions(
    session: Session, account_id: int, session_ids: Collection[int], currency: str
) -> dict[int, Usage]:
    """What the rated calls of these sessions come to; sessions without any are left out."""
    ids = sorted(session_ids)
    found: dict[int, Usage] = {}
    for begin in range(0, len(ids), CHUNK):
        query = (
            select(
                CdrRating.session_id, func.count(), func.sum(func.coalesce(CdrRating.conn_ms, 0)),
                func.sum(CdrRating.billed_sec), func.sum(CdrRating.cost_u),
            )
            .where(
                CdrRating.session_id.in_(ids[begin : begin + CHUNK]), CdrRating.account_id == account_id,
                CdrRating.superseded_by.is_(None), CdrRating.currency == currency,
            )
            .group_by(CdrRating.session_id)
        )  # fmt: skip
        for session_id, calls, conn_ms, billed_s, cost_u in session.execute(query):
            assert session_id is not None, "the query names sessions"
            found[session_id] = Usage(
                calls=calls, conn_ms=int(conn_ms), billed_s=int(billed_s), cost_u=int(cost_u)
            )
    return found


def unrated_of_sessions(session: Session, account_id: int, session_ids: Collection[int]) -> int:
    """How many calls of these sessions wait for a price."""
    ids, count = sorted(session_ids), 0
    for begin in range(0, len(ids), CHUNK):
        query = select(func.count()).where(
            UnratedCall.session_id.in_(ids[begin : begin + CHUNK]), UnratedCall.account_id == account_id
        )
        count += session.scalar(query) or 0
    return count


def charges_of_session(session: Session, account_id: int, session_id: int) -> Sequence[int]:
    """The transactions that charge a session, in their order; those that were taken back are left out."""
    query = (
        select(UsagePosting.transaction_id)
        .where(
            UsagePosting.session_id == session_id, UsagePosting.account_id == account_id,
            UsagePosting.current, UsagePosting.transaction_id.is_not(None),
        )
        .order_by(UsagePosting.version)
    )  # fmt: skip
    return [one for one in session.scalars(query) if one is not None]


def charges_of_call(session: Session, account_id: int, cdr_id: str) -> Sequence[int]:
    """The transactions that a call was charged in, the latest first; corrected ones among them."""
    query = (
        select(UsagePosting.transaction_id)
        .join(UsageLine, UsageLine.posting_id == UsagePosting.id)
        .where(
            UsageLine.cdr_id == cdr_id, UsagePosting.account_id == account_id,
            UsagePosting.transaction_id.is_not(None),
        )
        .order_by(UsagePosting.id.desc())
    )  # fmt: skip
    return [one for one in session.scalars(query) if one is not None]


def checkout_by_key(session: Session, account_id: int, key: str) -> Checkout | None:
    """What came of the form with this one-time key."""
    query = select(Checkout).where(Checkout.account_id == account_id, Checkout.idem_key == key)
    return session.scalars(query).one_or_none()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in a time zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)
