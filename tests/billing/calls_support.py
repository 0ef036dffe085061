"""Calls for tests of rating, kept in memory behind the same protocol as the bridge's."""
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf
from billing.calls import BillableCall
from billing.deck_models import CdrRating
from billing.decks import DeckTerms, Rate
from billing.rating_book import RatingBook, rated_ids
from billing.rounding import Rounding

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNT = 7
SESSION = 4711


def a_call(number: int = 1, **more: Any) -> BillableCall:
    """An answered call of 61 s to the toll-free number +4980012345."""
    known: dict[str, Any] = {
        "cdr_id": f"00000000-0000-7000-8000-{number:012d}", "source": "sip",
        "source_call_id": f"call-{number}", "leg": "1", "session_id": SESSION,
        "account_id": ACCOUNT, "event_id": 1, "number_id": "de-free",
        "number_class": "tollfree", "called_e164": "+4980012345", "caller_e164": "+33123456789",
        "setup_at": T0, "answer_at": T0 + timedelta(seconds=1), "end_at": T0 + timedelta(seconds=62),
        "conn_ms": 61_000, "end_basis": "bye", "billable": True, "channel": "sip",
    }
    return BillableCall(**(known | more))


class CallsInMemory:
    """A `CallSource` over a list."""

    def __init__(self, *calls: BillableCall) -> None:
        self.calls = list(calls)

    def get(self, session: Session, cdr_id: str) -> BillableCall | None:
        return next((call for call in self.calls if call.cdr_id == cdr_id), None)

    def get_many(self, session: Session, cdr_ids: Collection[str]) -> list[BillableCall]:
        return [call for call in self.calls if call.cdr_id in cdr_ids]

    def of_session(self, session: Session, session_id: int) -> list[BillableCall]:
        return [call for call in self.calls if call.session_id == session_id]

    def billable_between(self, session: Session, start: datetime, end: datetime) -> Iterator[BillableCall]:
        return iter([call for call in self.calls if call.billable and start <= call.end_at < end])

    def unpriced(self, session: Session, *, since: datetime, limit: int) -> list[BillableCall]:
        done = rated_ids(session, [call.cdr_id for call in self.calls])
        return [call for call in self.calls if call.billable and call.cdr_id not in done][:limit]


def a_rate(called: str = "49", per_minute_u: int = 50_000, **more: Any) -> Rate:
    known: dict[str, Any] = {"number_class": "tollfree", "called_prefix": called, "first_s": 60,
                             "next_s": 60, "per_minute_u": per_minute_u}
    return Rate(**(known | more))


def some_terms(**more: Any) -> DeckTerms:
    known: dict[str, Any] = {"name": "Standard", "currency": "EUR", "cost_decimals": 4,
                             "rounding": Rounding.HALF_UP, "valid_from": T0 - timedelta(days=30)}
    return DeckTerms(**(known | more))


def a_book(source: CallsInMemory, currency: str = "EUR") -> RatingBook:
    return RatingBook(source, currency_of=lambda _session, _account: currency)


def with_deck(sessions: sessionmaker[Session], *rates: Rate, **more: Any) -> int:
    """Put a deck into force; its id."""
    with sessions.begin() as session:
        deck = deck_shelf.add_draft(
            session, some_terms(**more), rates or [a_rate()], source="x.csv", by="ann", now=T0
        )
        deck_shelf.activate(session, deck.id, by="bob", now=T0)
        return deck.id


def ratings(sessions: sessionmaker[Session]) -> list[CdrRating]:
    """All versions of all prices."""
    with sessions() as session:
        return list(session.scalars(select(CdrRating).order_by(CdrRating.cdr_id, CdrRating.version)))
