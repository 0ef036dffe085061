"""Charging what was used: the calls of a session become one posting, each call in exactly one.

Theory.  A session is charged the sum of its calls, rounded once (lines + rounding = total).  Calls whose
records come later, or that found their price later, are charged by a further posting of the same session.
Its amount is what the *whole* session costs, rounded once, less what was posted before: so the total does not
depend on the order in which records arrive (docs/decisions/late-calls.md).  Lines cost 0 or more, hence so
does a further posting; its rounding line may be up to a cent in either direction.

    scope      what is charged together: a session's id, or `call-…` for a call that never reached one
    version    counts the postings of a scope, from 1; `usage:{scope}:{version}` names the transaction
    lines      the calls in a posting, with the version of the rating they were charged by

Everything happens in the caller's database transaction: the hold is captured, the wallet and the receivable
are posted, lines are written, and the card's work is queued, or nothing is.  Calls that cost nothing get
their line, too, in a posting without a transaction when all of them do.

A correction (`repost`) reverses all current postings of the scope and charges all its calls anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from billing import chart, holds, ledger, posting
from billing.chart import AccountName, Kind
from billing.deck_models import CdrRating
from billing.holds import HoldState
from billing.ledger_models import UsageLine, UsagePosting
from billing.money import Money
from billing.posting import Posted
from billing.rounding import Rounding
from billing.usage_work import call_of, note_work, scope_of, session_of

__all__ = ["NO_TAX", "Charged", "ShortfallQueue", "Tax", "Taxes", "UsageBook", "scope_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """Value-added tax on usage: the rate (21/100 for 21 %) and the country it is owed to."""

    rate: Fraction
    country: str | None


NO_TAX = Tax(rate=Fraction(0), country=None)

Taxes = Callable[[Session, int, datetime], Tax]
"""The tax of an account at a moment."""


class ShortfallQueue(Protocol):
    """Has the card pay what the wallet lacked; only writes work down, in the same transaction."""

    def __call__(
        self, session: Session, account_id: int, money: Money, *, usage_tx: int, now: datetime
    ) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """One charge. Wallet and card part sum to the total; `transaction_id` None: all calls were free."""

    scope: str
    version: int
    session_id: int | None
    account_id: int
    calls: int
    net: Money
    vat: Money
    wallet_part: Money
    card_part: Money
    transaction_id: int | None

    @property
    def total(self) -> Money:
        return self.net + self.vat


class UsageBook:
    """Charges scopes. Methods take a `Session` and never commit."""

    def __init__(self, *, taxes: Taxes, shortfalls: ShortfallQueue) -> None:
        self._taxes = taxes
        self._shortfalls = shortfalls

    def charge(
        self, session: Session, scope: str, *, at: datetime, occurred_at: datetime
    ) -> list[Charged]:
        """Charge all rated calls of the scope that no posting has yet; empty when there are none.

        One charge per account and currency: normally one.
        """
        new = _uncharged(session, scope)
        if not new:
            return []
        groups: dict[tuple[int, str], list[CdrRating]] = {}
        for rating in new:
            assert rating.account_id is not None, "a billable call has an account"
            groups.setdefault((rating.account_id, rating.currency), []).append(rating)
        taxes = {key: self._taxes(session, key[0], occurred_at) for key in groups}
        # All accounts at once, before the hold: two charges of one customer must not wait in a ring.
        posting.lock(session, [name for key in groups for name in _names(*key, taxes[key])])
        session_id = session_of(scope)
        if session_id is not None:
            _capture_hold(session, session_id, at=at)
        return [
            self._charge(session, scope, *key, taxes[key], groups[key], at, occurred_at)
            for key in sorted(groups)
        ]

    def repost(
        self, session: Session, scope: str, *, actor: str, reason: str, at: datetime
    ) -> tuple[list[Posted], list[Charged]]:
        """Take back all that was charged for the scope and charge its calls as they are rated now.

        Returns the reversals and the new charges. What a card paid too much becomes balance. A scope that
        was never charged is noted as work instead.
        """
        current = session.scalars(
            select(UsagePosting)
            .where(UsagePosting.scope == scope, UsagePosting.current)
            .order_by(UsagePosting.version)
            .with_for_update()
        ).all()
        if not current:
            note_work(session, [scope], due_at=at)
            return [], []
        reversals = [
            ledger.reverse(session, one.transaction_id, actor=actor, reason=reason, at=at)
            for one in current
            if one.transaction_id is not None
        ]
        ids = [one.id for one in current]
        session.execute(update(UsageLine).where(UsageLine.posting_id.in_(ids)).values(current=False))
        session.execute(update(UsagePosting).where(UsagePosting.id.in_(ids)).values(current=False))
        for one in current:
            ledger.settle_credit(
                session, one.account_id, one.currency, idem=f"{scope}:{one.version}", at=at
            )
        return reversals, self.charge(session, scope, at=at, occurred_at=at)

    def _charge(
        self, session: Session, scope: str, account_id: int, currency: str, tax: Tax,
        ratings: Sequence[CdrRating], at: datetime, occurred_at: datetime,
    ) -> Charged:  # fmt: skip
        session_id = session_of(scope)
        version = 1 + (
            session.scalar(select(func.max(UsagePosting.version)).where(UsagePosting.scope == scope)) or 0
        )
        lines_u = sum(rating.cost_u for rating in ratings)
        net = _further_net(session, scope, account_id, currency, lines_u)
        vat = net.times(tax.rate)
        posted = None
        if net:
            posted = ledger.usage(
                session, account_id, session_id, rating_version=version, net=net, vat=vat,
                vat_country=tax.country, at=at, occurred_at=occurred_at, scope=scope,
            )  # fmt: skip
        row = UsagePosting(
            scope=scope, version=version, session_id=session_id, account_id=account_id, currency=currency,
            lines_u=lines_u, rounding_u=net.micro - lines_u, net_minor=net.minor, vat_minor=vat.minor,
            vat_country=tax.country if vat else None,
            transaction_id=None if posted is None else posted.id, current=True,
            posted_at=at if posted is None else posted.posted_at,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.execute(
            insert(UsageLine),
            [
                {
                    "posting_id": row.id, "cdr_id": rating.cdr_id, "rating_version": rating.version,
                    "cost_u": rating.cost_u, "current": True,
                }
                for rating in ratings
            ],
        )  # fmt: skip
        nothing = Money.zero(currency)
        card_part = nothing if posted is None else posted.change(Kind.RECEIVABLE, currency)
        if card_part and posted is not None:
            self._shortfalls(session, account_id, card_part, usage_tx=posted.id, now=at)
        return Charged(
            scope=scope, version=version, session_id=session_id, account_id=account_id, calls=len(ratings),
            net=net, vat=vat, card_part=card_part,
            wallet_part=nothing if posted is None else -posted.change(Kind.WALLET, currency),
            transaction_id=row.transaction_id,
        )  # fmt: skip


def _names(account_id: int, currency: str, tax: Tax) -> list[AccountName]:
    names = [
        chart.wallet(account_id, currency),
        chart.receivable(account_id, currency),
        chart.house(Kind.USAGE, currency),
    ]
    return names if tax.country is None else [*names, chart.vat(tax.country, currency)]


def _uncharged(session: Session, scope: str) -> Sequence[CdrRating]:
    has_line = (
        select(UsageLine.id).where(UsageLine.cdr_id == CdrRating.cdr_id, UsageLine.current).exists()
    )
    query = select(CdrRating).where(CdrRating.superseded_by.is_(None), ~has_line)
    cdr_id = call_of(scope)
    if cdr_id is None:
        query = query.where(CdrRating.session_id == session_of(scope))
    else:
        query = query.where(CdrRating.cdr_id == cdr_id)
    return session.scalars(query.order_by(CdrRating.answer_at, CdrRating.cdr_id)).all()


def _further_net(session: Session, scope: str, account_id: int, currency: str, lines_u: int) -> Money:
    before_u, before_minor = session.execute(
        select(
            func.coalesce(func.sum(UsagePosting.lines_u), 0),
            func.coalesce(func.sum(UsagePosting.net_minor), 0),
        ).where(
            UsagePosting.scope == scope,
            UsagePosting.account_id == account_id,
            UsagePosting.currency == currency,
            UsagePosting.current,
        )
    ).one()
    whole = Money.of_micro(int(before_u) + lines_u, currency, Rounding.HALF_UP)
    return whole - Money(int(before_minor), currency)


def _capture_hold(session: Session, session_id: int, *, at: datetime) -> None:
    held = holds.find(session, holds.session_key(session_id))
    if held is not None and held.state is HoldState.OPEN:
        holds.capture(session, held.key, at=at)
