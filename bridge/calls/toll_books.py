"""What the switchboard's cashier reads and writes in the database; used by its clerk's thread only.

One look is one read transaction, so that a session's charge and the money it took are seen together or not
at all: the meter never counts a call twice.  On PostgreSQL each statement sees its own moment; there the
money is read first, so that a charge in between makes the funds look larger for one look, never smaller.

Only toll-free calls are asked for.  What somebody owes already counts against the limit of exposure: it is
money beyond the wallet that was not paid yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from billing import holds, ledger, profile
from billing.deck_models import RateDeck
from billing.deck_shelf import DeckShelf, terms_of
from billing.decks import DeckIndex, DeckState, DeckTerms
from billing.ledger_errors import HoldResolvedError
from billing.ledger_models import UsageLine, UsagePosting
from billing.metering import Funds, HoldWanted, LiveRate
from billing.money import Money
from billing.payments import cards
from billing.rating_book import RatingBook, current_ratings
from billing.usage import NO_TAX, Tax, Taxes
from bridge.cdr.billable import CdrCalls, session_number
from bridge.cdr.models import Cdr
from bridge.numbers import NumberClass
from events.models import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """The decks in force, in memory."""

    decks: tuple[tuple[DeckTerms, DeckIndex], ...] = ()

    def rate(
        self, *, currency: str, called: str | None, caller: str | None, answered_at: datetime
    ) -> LiveRate | None:
        """The rate of a toll-free call; None when there is no deck or no rate for it."""
        if called is None:
            return None
        for terms, index in self.decks:
            if terms.currency == currency and terms.valid_at(answered_at):
                rate = index.find(
                    number_class=NumberClass.TOLL_FREE, called=called, caller=caller, answer_at=answered_at
                )
                return None if rate is None else LiveRate(rate=rate, terms=terms)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverCall:
    """A toll-free call that is over and in no charge yet. `cost_u` is without tax, in 10⁻⁶."""

    cdr_id: str
    session_id: int
    account_id: int
    currency: str
    cost_u: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a look is to find out."""

    accounts: frozenset[int] = frozenset()
    sessions: frozenset[int] = frozenset()
    events: frozenset[int] = frozenset()
    over_since: datetime | None = None
    """Also find calls that are over and came in since then; None: do not look for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a look found."""

    prices: PriceList
    funds: Mapping[int, Funds] = field(default_factory=dict)
    """By account."""
    charges: Mapping[int, int] = field(default_factory=dict)
    """How often each session was charged."""
    ends: Mapping[int, datetime] = field(default_factory=dict)
    """When events with a schedule are planned to end."""
    over: tuple[OverCall, ...] = ()


def _no_tax(_session: Session, _account_id: int, _at: datetime) -> Tax:
    return NO_TAX


class TollBooks:
    """See the module text. Its methods wait for the database and raise what it raises."""

    def __init__(
        self,
        readers: sessionmaker[Session],
        sessions: sessionmaker[Session],
        *,
        taxes: Taxes = _no_tax,
        shelf: DeckShelf | None = None,
        currency: str = profile.DEFAULT_CURRENCY,
    ) -> None:
        """`readers` never wait for a writer and never write; `sessions` write. `currency` is that of accounts
        that were never asked for theirs.
        """
        self._readers, self._sessions, self._taxes = readers, sessions, taxes
        self._currency = currency
        self._shelf = shelf or DeckShelf()
        self._book = RatingBook(
            CdrCalls(),
            shelf=self._shelf,
            currency_of=lambda session, account: profile.get(session, account, currency=currency).currency,
        )

    def look(self, query: Query, *, now: datetime) -> News:
        """Read what the query asks for."""
        with self._readers.begin() as session:
            funds = {account: self._funds(session, account, now) for account in sorted(query.accounts)}
            over = self._over(session, query.over_since) if query.over_since is not None else ()
            return News(
                prices=self._prices(session),
                funds=funds,
                over=over,
                charges=_charges(session, query.sessions | {call.session_id for call in over}),
                ends=_ends(session, query.events),
            )

    def hold(self, wanted: HoldWanted, *, now: datetime) -> Money:
        """Keep money back, and say how much is kept now; nothing when the session was charged already."""
        try:
            with self._sessions.begin() as session:
                return holds.ensure(
                    session, wanted.account_id, wanted.total, session_id=wanted.session_id, at=now,
                    expires_at=wanted.expires_at,
                ).amount  # fmt: skip
        except HoldResolvedError:
            return Money.zero(wanted.total.currency)

    def _prices(self, session: Session) -> PriceList:
        rows = session.scalars(select(RateDeck).where(RateDeck.state == DeckState.ACTIVE.value))
        terms = [terms_of(row) for row in rows]
        return PriceList(decks=tuple((one, self._shelf.index(session, one)) for one in terms))

    def _funds(self, session: Session, account_id: int, now: datetime) -> Funds:
        known = profile.get(session, account_id, currency=self._currency)
        balance = ledger.balance(session, account_id, known.currency)
        card = cards.default_card(session, account_id)
        limit = 0
        if card is not None and not cards.is_expired(card, at=now):
            limit = max(0, known.exposure_limit - max(0, balance.receivable.minor))
        return Funds(
            wallet=balance.posted,
            exposure_limit=Money(limit, known.currency),
            tax=self._taxes(session, account_id, now).rate,
        )

    def _over(self, session: Session, since: datetime) -> tuple[OverCall, ...]:
        charged = select(UsageLine.id).where(UsageLine.cdr_id == Cdr.id, UsageLine.current).exists()
        rows = session.execute(
            select(Cdr.id, Cdr.session_id, Cdr.account_id).where(
                Cdr.billable,
                Cdr.ingest_at >= since,
                Cdr.number_class == NumberClass.TOLL_FREE.value,
                Cdr.session_id.is_not(None),
                ~charged,
            )
        ).all()
        costs = self._costs(session, [row.id for row in rows])
        found = []
        for row in rows:
            session_id = session_number(row.session_id)
            if session_id is not None and row.id in costs:
                currency, cost_u = costs[row.id]
                found.append(
                    OverCall(
                        cdr_id=row.id, session_id=session_id, account_id=row.account_id, currency=currency,
                        cost_u=cost_u,
                    )
                )  # fmt: skip
        return tuple(found)

    def _costs(self, session: Session, ids: list[str]) -> dict[str, tuple[str, int]]:
        """Currency and cost of calls, as they were rated or would be; calls without a rate are left out."""
        costs = {key: (row.currency, row.cost_u) for key, row in current_ratings(session, ids).items()}
        unpriced = self._book.source.get_many(session, [one for one in ids if one not in costs])
        prices, _ = self._book.price(session, unpriced)
        return costs | {
            price.call.cdr_id: (price.terms.currency, price.rated.cost_u) for price in prices
        }


def _charges(session: Session, session_ids: Iterable[int]) -> dict[int, int]:
    ids = sorted(session_ids)
    charges = dict.fromkeys(ids, 0)
    for begin in range(0, len(ids), 500):
        for session_id, version in session.execute(
            select(UsagePosting.session_id, func.max(UsagePosting.version))
            .where(UsagePosting.session_id.in_(ids[begin : begin + 500]))
            .group_by(UsagePosting.session_id)
        ):
            if session_id is not None:
                charges[session_id] = version
    return charges


def _ends(session: Session, event_ids: Iterable[int]) -> dict[int, datetime]:
    rows = session.execute(
        select(Event.id, Event.starts_at, Event.duration_min).where(
            Event.id.in_(sorted(event_ids)), Event.starts_at.is_not(None), ~Event.permanent_room
        )
    )
    return {row.id: row.starts_at + timedelta(minutes=row.duration_min) for row in rows}
