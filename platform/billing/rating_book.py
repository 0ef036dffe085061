"""The book of prices: which call costs what, written once per call however often it is asked for.

`rate_calls` may be repeated, and two processes may do it at the same time: a call that has a current price
keeps it, and version 1 is inserted under its primary key or not at all.  A call that no rate fits goes into
the unrated queue with the reason, never to a price of 0; when a rate fits later it leaves the queue.

Deck and currency: a call is priced in the currency of its account's billing profile, by the deck of that
currency in force when it was answered.  A call that has a price already is rated again in the same currency.

Sets, not loops: one statement finds what has a price, one inserts all new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from billing import profile
from billing.calls import BillableCall, CallSource
from billing.deck_models import CdrRating, UnratedCall
from billing.deck_shelf import DeckShelf, OpenDecks
from billing.decks import DeckTerms, Rate
from billing.errors import NoSuchCallError
from billing.rating import Rated, rate_call

SYSTEM = "system"
FIRST = "first"
#: Ids in one IN list, and calls in one batch.
CHUNK = 500


class UnratedReason(StrEnum):
    """Why a billable call has no price."""

    NO_NUMBER = "no-number"  # the number called is unknown
    NO_CLASS = "no-class"  # its class is unknown
    NO_DECK = "no-deck"  # no deck of the account's currency was in force
    NO_RATE = "no-rate"  # the deck has no rate for the number


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A call and what it costs by the decks now active."""

    call: BillableCall
    terms: DeckTerms
    rate: Rate
    rated: Rated


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What `rate_calls` did. Calls that are not billable are in none of the numbers."""

    rated: int
    already: int
    unrated: int


class RatingBook:
    """See the module text. Methods take a `Session` and never commit."""

    def __init__(
        self,
        source: CallSource,
        *,
        shelf: DeckShelf | None = None,
        currency_of: Callable[[Session, int], str] | None = None,
        on_priced: Callable[[Session, Sequence[BillableCall], datetime], None] | None = None,
    ) -> None:
        """`on_priced` is told, in the same transaction, which calls got their first price."""
        self.source = source
        self._on_priced = on_priced
        self._shelf = shelf or DeckShelf()
        self._currency_of = currency_of or _profile_currency

    def rate_one(self, session: Session, cdr_id: str, *, now: datetime, by: str = SYSTEM) -> CdrRating | None:
        """The current price of a call, rating it if it has none; None when it is not billable or waits in
        the unrated queue. Raises NoSuchCallError.
        """
        call = self.source.get(session, cdr_id)
        if call is None:
            raise NoSuchCallError(f"there is no call {cdr_id}")
        self.rate_calls(session, [call], now=now, by=by)
        return current_rating(session, cdr_id)

    def rate_session(
        self, session: Session, session_id: int, *, now: datetime, by: str = SYSTEM
    ) -> BatchResult:
        """Rate every billable call of one run of an event."""
        return self.rate_calls(session, self.source.of_session(session, session_id), now=now, by=by)

    def rate_new(
        self, session: Session, *, since: datetime, now: datetime, limit: int = CHUNK
    ) -> BatchResult:
        """Rate calls that arrived since then and that nobody has rated; repeat until it finds none."""
        calls = self.source.unpriced(session, since=since, limit=limit)
        return self.rate_calls(session, calls, now=now)

    def rate_waiting(self, session: Session, *, now: datetime, limit: int = 10_000) -> BatchResult:
        """Try the unrated queue again, longest wait first; after a deck was activated."""
        waiting = select(UnratedCall.cdr_id).order_by(UnratedCall.last_at, UnratedCall.cdr_id).limit(limit)
        ids = list(session.scalars(waiting))
        total = BatchResult(rated=0, already=0, unrated=0)
        for begin in range(0, len(ids), CHUNK):
            calls = self.source.get_many(session, ids[begin : begin + CHUNK])
            one = self.rate_calls(session, calls, now=now)
            total = BatchResult(rated=total.rated + one.rated, already=total.already + one.already,
                                unrated=total.unrated + one.unrated)
        return total

    def rate_calls(
        self, session: Session, calls: Iterable[BillableCall], *, now: datetime, by: str = SYSTEM
    ) -> BatchResult:
        """Give each billable call its first price, or a place in the unrated queue."""
        billable = {call.cdr_id: call for call in calls if call.billable}
        done = rated_ids(session, billable)
        new = [call for call in billable.values() if call.cdr_id not in done]
        prices, waiting = self.price(session, new)
        insert_ratings(session, [row_of(price, version=1, reason=FIRST, now=now, by=by) for price in prices])
        if prices and self._on_priced is not None:
            self._on_priced(session, [price.call for price in prices], now)
        self._leave_queue(session, [*done, *(price.call.cdr_id for price in prices)])
        self._queue(session, waiting, now=now)
        return BatchResult(rated=len(prices), already=len(done), unrated=len(waiting))

    def price(
        self, session: Session, calls: Iterable[BillableCall], *, currencies: dict[str, str] | None = None
    ) -> tuple[list[Price], list[tuple[BillableCall, UnratedReason]]]:
        """What calls cost by the decks now active, and those that have no rate; writes nothing.

        `currencies` names, by cdr_id, the currency of calls that have a price already.
        """
        decks = self._shelf.open(session)
        of_account: dict[int, str] = {}
        prices: list[Price] = []
        waiting: list[tuple[BillableCall, UnratedReason]] = []
        for call in calls:
            currency = (currencies or {}).get(call.cdr_id)
            if currency is None:
                assert call.account_id is not None, "a billable call has an account"
                currency = of_account.get(call.account_id)
                if currency is None:
                    currency = of_account[call.account_id] = self._currency_of(session, call.account_id)
            found = _price(decks, call, currency)
            if isinstance(found, UnratedReason):
                waiting.append((call, found))
            else:
                prices.append(found)
        return prices, waiting

    def _queue(
        self, session: Session, waiting: Sequence[tuple[BillableCall, UnratedReason]], *, now: datetime
    ) -> None:
        rows = [
            {
                "cdr_id": call.cdr_id, "session_id": call.session_id, "account_id": call.account_id,
                "reason": reason.value, "number_class": call.number_class, "called_e164": call.called_e164,
                "answer_at": call.answer_at, "first_at": now, "last_at": now, "tries": 1,
            }
            for call, reason in waiting
        ]
        if not rows:
            return
        statement = _insert(session)(cast(Table, UnratedCall.__table__))
        again = {"reason": statement.excluded.reason, "last_at": statement.excluded.last_at,
                 "tries": UnratedCall.__table__.c.tries + 1}
        statement = statement.on_conflict_do_update(index_elements=["cdr_id"], set_=again)
        session.connection().execute(statement, rows)

    def _leave_queue(self, session: Session, ids: Sequence[str]) -> None:
        for begin in range(0, len(ids), CHUNK):
            session.execute(
                delete(UnratedCall).where(UnratedCall.cdr_id.in_(ids[begin : begin + CHUNK])),
                execution_options={"synchronize_session": False},
            )


def _profile_currency(session: Session, account_id: int) -> str:
    return profile.get(session, account_id).currency


def _price(decks: OpenDecks, call: BillableCall, currency: str) -> Price | UnratedReason:
    if not call.called_e164:
        return UnratedReason.NO_NUMBER
    if not call.number_class:
        return UnratedReason.NO_CLASS
    assert call.answer_at is not None, "a billable call was answered"
    deck = decks.at(currency=currency, moment=call.answer_at)
    if deck is None:
        return UnratedReason.NO_DECK
    terms, index = deck
    rate = index.find(number_class=call.number_class, called=call.called_e164, caller=call.caller_e164,
                      answer_at=call.answer_at)
    if rate is None:
        return UnratedReason.NO_RATE
    return Price(call=call, terms=terms, rate=rate, rated=rate_call(rate, terms, conn_ms=call.conn_ms))


def row_of(
    price: Price, *, version: int, reason: str, now: datetime, by: str, rerating_id: int | None = None
) -> dict[str, Any]:
    """A row of `cdr_rating`."""
    call, rate, rated = price.call, price.rate, price.rated
    return {
        "cdr_id": call.cdr_id, "version": version, "session_id": call.session_id,
        "account_id": call.account_id, "answer_at": call.answer_at, "conn_ms": call.conn_ms,
        "deck_id": price.terms.id, "rate_id": rate.id, "matched_prefix": rate.called_prefix,
        "matched_origin": rate.origin_prefix, "billed_sec": rated.billed_sec,
        "connect_fee_u": rated.connect_fee_u, "unit_price_u": rated.unit_price_u, "cost_u": rated.cost_u,
        "currency": price.terms.currency, "rounding": rated.rounding.value,
        "cost_decimals": rated.cost_decimals, "reason": reason[:255], "rerating_id": rerating_id,
        "rated_at": now, "rated_by": by, "superseded_by": None,
    }


def insert_ratings(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert versions that are not there yet."""
    if rows:
        statement = _insert(session)(cast(Table, CdrRating.__table__)).on_conflict_do_nothing()
        session.connection().execute(statement, list(rows))


def rated_ids(session: Session, ids: Collection[str]) -> set[str]:
    """Those of these calls that have a price."""
    every = list(ids)
    found: set[str] = set()
    for begin in range(0, len(every), CHUNK):
        chunk = every[begin : begin + CHUNK]
        found.update(session.scalars(
            select(CdrRating.cdr_id).where(CdrRating.cdr_id.in_(chunk), CdrRating.superseded_by.is_(None))
        ))
    return found


def current_rating(session: Session, cdr_id: str) -> CdrRating | None:
    """What a call costs now."""
    return session.scalar(
        select(CdrRating).where(CdrRating.cdr_id == cdr_id, CdrRating.superseded_by.is_(None))
    )


def current_ratings(session: Session, cdr_ids: Collection[str]) -> dict[str, CdrRating]:
    """What each of these calls costs now, by cdr_id; calls without a price are left out."""
    every, found = list(cdr_ids), {}
    for begin in range(0, len(every), CHUNK):
        chunk = every[begin : begin + CHUNK]
        for row in session.scalars(
            select(CdrRating).where(CdrRating.cdr_id.in_(chunk), CdrRating.superseded_by.is_(None))
        ):
            found[row.cdr_id] = row
    return found


def session_ratings(session: Session, session_id: int) -> list[CdrRating]:
    """The current prices of all calls of one run of an event, by answer time: what usage is posted from."""
    return list(session.scalars(
        select(CdrRating)
        .where(CdrRating.session_id == session_id, CdrRating.superseded_by.is_(None))
        .order_by(CdrRating.answer_at, CdrRating.cdr_id)
    ))


def _insert(session: Session) -> Any:
    """`INSERT … ON CONFLICT` of the session's database."""
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
