"""The daily reconciliation: everything that should agree, compared; what does not is a work item each.

    trial balance, cached balances, holds      the ledger with itself (`trial_balance`)
    calls ↔ ratings ↔ charges                  each billable call: one current rating, in one current charge
    charges ↔ ledger                           lines + rounding = net; net + vat = what was posted
    providers ↔ psp accounts                   each payment is in both books, with the same amount
    holds                                      none stays when its time is over or its session charged
    open calls                                 none without a channel
    tickets ↔ ledger                           each paid one is posted, each good one has a token

A check never repairs.  The carriers' own records are compared where they arrive (`bridge.twilio.reconcile`).
Rows are plain text, to be printed or shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing import trial_balance
from billing.calls import BillableCall, CallSource
from billing.chart import Kind
from billing.deck_models import UnratedCall
from billing.holds import HoldState
from billing.ledger_models import (
    Hold,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    UsageLine,
    UsagePosting,
    UsageWork,
)
from billing.money import Money
from billing.payments.gateway import ProviderTransaction
from billing.posting import TransactionType
from billing.rating_book import current_ratings
from billing.tickets import checks
from billing.trial_balance import Mismatch
from billing.usage_work import scope_of

__all__ = ["Mismatch", "OpenLegs", "ProviderBooks", "reconcile"]

GRACE = timedelta(hours=2)
"""How long after its end a call may be without a charge: 15 minutes for late records, and time to work."""

HOLD_GRACE = timedelta(hours=1)
PSP_SLACK = timedelta(days=2)
"""Two books write one payment down at two moments; this far apart at most."""

_CHUNK = 500
_COMPARED = frozenset({"payment", "refund", "dispute", "dispute_won", "payout"})


class ProviderBooks(Protocol):
    """A payment provider's own list of what moved; `PaymentGateway` is one."""

    @property
    def psp(self) -> str:
        """The owner of the ledger's `psp` account."""

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        """Lines of the provider's books in [since, until), oldest first."""


class OpenLegs(Protocol):
    """Calls that the records say are up."""

    def without_channel(self, session: Session, *, now: datetime) -> Sequence[str]:
        """Ids of the calls whose node has stopped telling of them."""
        ...


@dataclass(frozen=True, slots=True)
class _Ours:
    reference: str
    transaction_id: int
    minor: int
    currency: str
    posted_at: datetime


def reconcile(
    session: Session, *, calls: CallSource, now: datetime, since: datetime | None = None,
    providers: Iterable[ProviderBooks] = (), legs: OpenLegs | None = None,
) -> list[Mismatch]:  # fmt: skip
    """All checks; empty when everything agrees. Calls that ended and payments made since then, by default
    35 days ago. Asks the providers, so call it outside of any other work of the session.
    """
    start = since or now - timedelta(days=35)
    found = trial_balance.mismatches(session)
    found += call_mismatches(session, calls=calls, start=start, now=now)
    found += charge_mismatches(session)
    found += stale_holds(session, now=now)
    found += checks.mismatches(session)
    for books in providers:
        found += provider_mismatches(session, books, start=start, now=now)
    if legs is not None:
        found += [
            Mismatch(check="open-leg", subject=f"call {leg}", detail="is said to be up, and has no channel")
            for leg in legs.without_channel(session, now=now)
        ]
    return found


def call_mismatches(session: Session, *, calls: CallSource, start: datetime, now: datetime) -> list[Mismatch]:
    """Every billable call that ended in [start, now − 2 h) ↔ one current rating ↔ one current line."""
    found: list[Mismatch] = []
    due = calls.billable_between(session, start, now - GRACE)
    while chunk := list(islice(due, _CHUNK)):
        found += _calls(session, chunk, now=now)
    faults = session.execute(
        select(UsageWork.scope, UsageWork.fault, UsageWork.tries).where(UsageWork.fault.is_not(None))
    )
    found += [
        Mismatch(check="charge-fails", subject=_scope(scope), detail=f"{fault} ({tries} tries)")
        for scope, fault, tries in faults
    ]
    return found


def _calls(session: Session, chunk: Sequence[BillableCall], *, now: datetime) -> list[Mismatch]:
    ids = [call.cdr_id for call in chunk]
    ratings = current_ratings(session, ids)
    rows = session.execute(
        select(UnratedCall.cdr_id, UnratedCall.reason).where(UnratedCall.cdr_id.in_(ids))
    )
    waiting = {row.cdr_id: row.reason for row in rows}
    lines: dict[str, list[UsageLine]] = {}
    for line in session.scalars(select(UsageLine).where(UsageLine.cdr_id.in_(ids), UsageLine.current)):
        lines.setdefault(line.cdr_id, []).append(line)
    waits = set(
        session.scalars(
            select(UsageWork.scope).where(
                UsageWork.due_at > now - GRACE,  # work that is overdue waits for a clerk who does not come
                UsageWork.fault.is_(None),
                UsageWork.scope.in_({scope_of(call.session_id, call.cdr_id) for call in chunk}),
            )
        )
    )
    found = []
    for call in chunk:
        rating, charged = ratings.get(call.cdr_id), lines.get(call.cdr_id, [])
        subject = f"call {call.cdr_id}"
        if rating is None:
            detail = (
                f"waits for a price: {waiting[call.cdr_id]}" if call.cdr_id in waiting else "has no price"
            )
            found.append(Mismatch(check="call-unrated", subject=subject, detail=detail))
        elif not charged:
            if scope_of(call.session_id, call.cdr_id) not in waits:
                found.append(Mismatch(check="call-uncharged", subject=subject, detail="is in no charge"))
        elif len(charged) > 1:
            found.append(
                Mismatch(check="call-twice", subject=subject, detail=f"is in {len(charged)} charges")
            )
        elif (charged[0].rating_version, charged[0].cost_u) != (rating.version, rating.cost_u):
            found.append(
                Mismatch(
                    check="call-outdated",
                    subject=subject,
                    detail=f"was charged by version {charged[0].rating_version} of its price, "
                    f"which is now {rating.version}",
                )
            )
        if rating is None and charged:
            found.append(Mismatch(check="call-priceless", subject=subject, detail="was charged unrated"))
    return found


def charge_mismatches(session: Session) -> list[Mismatch]:
    """Every charge ↔ its lines ↔ its transaction; every usage transaction ↔ one charge."""
    found = []
    sums = (
        select(UsageLine.posting_id, func.sum(UsageLine.cost_u).label("lines_u"))
        .group_by(UsageLine.posting_id)
        .subquery()
    )
    for posting, lines_u in session.execute(
        select(UsagePosting, sums.c.lines_u)
        .outerjoin(sums, sums.c.posting_id == UsagePosting.id)
        .execution_options(yield_per=1000)
    ):
        net = Money(posting.net_minor, posting.currency)
        if int(lines_u or 0) != posting.lines_u or posting.lines_u + posting.rounding_u != net.micro:
            detail = (
                f"lines sum to {lines_u}, kept as {posting.lines_u} + {posting.rounding_u} (10⁻⁶), net {net}"
            )
            found.append(Mismatch(check="charge-lines", subject=_charge(posting), detail=detail))
    income = (
        select(LedgerEntry.transaction_id, func.sum(-LedgerEntry.amount).label("minor"))
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(LedgerAccount.kind.in_([Kind.USAGE, Kind.VAT]))
        .group_by(LedgerEntry.transaction_id)
        .subquery()
    )
    for posting, minor in session.execute(
        select(UsagePosting, income.c.minor)
        .outerjoin(income, income.c.transaction_id == UsagePosting.transaction_id)
        .where(UsagePosting.net_minor + UsagePosting.vat_minor != func.coalesce(income.c.minor, 0))
    ):
        detail = f"net and vat are {posting.net_minor + posting.vat_minor}, posted were {minor} (minor units)"
        found.append(Mismatch(check="charge-total", subject=_charge(posting), detail=detail))
    bare = (
        select(LedgerTransaction.id)
        .outerjoin(UsagePosting, UsagePosting.transaction_id == LedgerTransaction.id)
        .where(LedgerTransaction.type == TransactionType.USAGE, UsagePosting.id.is_(None))
    )
    found += [
        Mismatch(check="usage-without-charge", subject=f"transaction {one}", detail="no calls belong to it")
        for one in session.scalars(bare)
    ]
    return found


def stale_holds(session: Session, *, now: datetime) -> list[Mismatch]:
    """Open holds whose time is over, or whose session was charged."""
    charged = (
        select(UsagePosting.id)
        .where(UsagePosting.session_id == Hold.session_id, UsagePosting.posted_at < now - HOLD_GRACE)
        .exists()
    )
    rows = session.execute(
        select(Hold.key, Hold.expires_at, charged)
        .where(Hold.state == HoldState.OPEN, (Hold.expires_at < now - HOLD_GRACE) | charged)
        .order_by(Hold.id)
    )
    return [
        Mismatch(
            check="stale-hold", subject=f"hold {key}",
            detail="is open although its session was charged" if was_charged
            else f"should have expired at {expires_at:%Y-%m-%d %H:%M} UTC",
        )
        for key, expires_at, was_charged in rows
    ]  # fmt: skip


def provider_mismatches(
    session: Session, books: ProviderBooks, *, start: datetime, now: datetime
) -> list[Mismatch]:
    """A provider's payments, refunds, disputes and payouts ↔ the entries of its account, one to one.

    Payments match by their id; the rest by id, or else by amount within two days, because providers name
    refunds and disputes differently in web hooks and in their books.  The newest hour is left alone: web
    hooks may be on their way.  Raises what the provider's adapter raises when it cannot be asked.
    """
    until = now - timedelta(hours=1)
    ours = _our_entries(session, books.psp, start - PSP_SLACK)
    found = []
    for one in books.list_transactions(start - PSP_SLACK, now):
        if one.kind not in _COMPARED:
            continue
        match, nearly = _match(one, ours)
        if match is not None:
            ours.remove(match)
        elif start <= one.at < until:
            subject = f"{books.psp} {one.kind} {one.payment or one.ref}"
            check, detail = "not-in-ledger", f"{one.amount} moved there"
            if nearly is not None:
                ours.remove(nearly)
                posted = Money(nearly.minor, nearly.currency)
                check, detail = "amount-differs", f"{one.amount} there, {posted} in the ledger"
            found.append(Mismatch(check=check, subject=subject, detail=detail))
    found += [
        Mismatch(
            check="not-at-provider",
            subject=f"{books.psp} {one.reference}",
            detail=f"transaction {one.transaction_id}: {books.psp} knows nothing of it",
        )
        for one in ours
        if start <= one.posted_at < until
    ]
    return found


def _match(theirs: ProviderTransaction, ours: Sequence[_Ours]) -> tuple[_Ours | None, _Ours | None]:
    """The entry that is the same, and else the one that has at least the same id."""
    ids = {theirs.ref, theirs.payment}
    amounts = {theirs.amount.minor, theirs.amount.minor - theirs.fee.minor}
    named = [one for one in ours if one.reference in ids]
    for one in named:
        if one.currency == theirs.amount.currency and one.minor in amounts:
            return one, None
    if theirs.kind == "payment":
        return None, next(iter(named), None)
    for one in ours:
        if (
            one.currency == theirs.amount.currency
            and one.minor in amounts
            and abs(one.posted_at - theirs.at) <= PSP_SLACK
        ):
            return one, None
    return None, None


def _our_entries(session: Session, psp: str, since: datetime) -> list[_Ours]:
    rows = session.execute(
        select(
            LedgerTransaction.reference,
            LedgerTransaction.id,
            LedgerEntry.amount,
            LedgerAccount.currency,
            LedgerTransaction.posted_at,
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(
            LedgerAccount.kind == Kind.PSP,
            LedgerAccount.owner == psp,
            LedgerTransaction.posted_at >= since,
        )
        .order_by(LedgerEntry.id)
    )
    return [
        _Ours((reference or "").removeprefix("refund:"), transaction_id, minor, currency, posted_at)
        for reference, transaction_id, minor, currency, posted_at in rows
    ]


def _scope(scope: str) -> str:
    return f"session {scope}" if scope.isdigit() else scope.replace("-", " ", 1)


def _charge(posting: UsagePosting) -> str:
    return f"charge {posting.version} of {_scope(posting.scope)}"
