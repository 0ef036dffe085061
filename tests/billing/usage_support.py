"""A small world for tests of usage: calls in memory, a deck of 0.05 a minute, and a list instead of cards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy.orm import Session, sessionmaker

from accounts.models import Account
from billing import deck_shelf
from billing.money import Money
from billing.rating_book import RatingBook
from billing.usage import Tax, UsageBook
from billing.usage_runner import UsageRunner
from events.models import Event, EventSession
from tests.billing.calls_support import ACCOUNT, SESSION, T0, CallsInMemory, a_call, a_rate, some_terms

END = T0 + timedelta(minutes=60)
DUE = END + timedelta(minutes=15)


class CrashError(BaseException):
    """The process dies: nothing that catches errors catches this."""


@dataclass
class Shortfalls:
    """Collects what cards are to pay."""

    asked: list[tuple[int, Money, int]] = field(default_factory=list)

    def __call__(
        self, session: Session, account_id: int, money: Money, *, usage_tx: int, now: datetime
    ) -> None:
        assert session.in_transaction()
        assert now.tzinfo is not None
        self.asked.append((account_id, money, usage_tx))


class World:
    """Everything that charges a session."""

    def __init__(self, sessions: sessionmaker[Session], *, tax: Fraction = Fraction(0)) -> None:
        self.sessions = sessions
        self.calls = CallsInMemory()
        self.shortfalls = Shortfalls()
        self.tax = Tax(rate=tax, country="NL" if tax else None)
        self.die_at: str | None = None
        self.steps: list[str] = []
        self.book = RatingBook(
            self.calls, currency_of=lambda _session, _account: "EUR", on_priced=UsageRunner.priced
        )
        self.usage = UsageBook(taxes=lambda _session, _account, _at: self.tax, shortfalls=self.shortfalls)
        self.runner = self.new_runner()
        with sessions.begin() as session:
            deck = deck_shelf.add_draft(
                session, some_terms(), [a_rate(), a_rate("33", 0)], source="t", by="t", now=T0
            )
            deck_shelf.activate(session, deck.id, by="t", now=T0)

    def new_runner(self) -> UsageRunner:
        return UsageRunner(self.sessions, self.book, self.usage, step=self._step)

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name == self.die_at:
            self.die_at = None
            raise CrashError(name)

    def call(self, number: int, conn_s: float = 61, **more: object) -> str:
        """A call of `conn_s` seconds is recorded; its id."""
        ms = int(conn_s * 1000)
        call = a_call(number, conn_ms=ms, end_at=T0 + timedelta(milliseconds=1000 + ms))
        self.calls.calls.append(replace(call, **more))  # type: ignore[arg-type]
        return call.cdr_id

    def event_session(self, *, ended_at: datetime | None = END, session_id: int = SESSION) -> None:
        """The run of the event as the directory keeps it."""
        with self.sessions.begin() as session:
            if session.get(Account, ACCOUNT) is None:
                session.add(
                    Account(id=ACCOUNT, email="a@example.org", status="active", created_at=T0, updated_at=T0)
                )
                session.flush()
                session.add(an_event())
                session.flush()
            row = session.get(EventSession, session_id)
            if row is None:
                row = EventSession(
                    id=session_id, event_id=1, node_id="n", started_at=T0, last_seen_at=END,
                    total_visitors=1, max_visitors=1,
                )  # fmt: skip
                session.add(row)
            row.ended_at = ended_at


def an_event() -> Event:
    return Event(
        id=1, account_id=ACCOUNT, name="E", room_type="webinar", permanent_room=False, access_type=1,
        password_hash=None, room_pin="123456789", url_name="e", hash_listener="l", hash_presenter="p",
        hash_host="h", lobby_enabled=False, lobby_description="", starts_at=T0, duration_min=60,
        timezone="UTC", skin_id=1, registration={}, settings={}, capacity=None, status="planned",
        created_at=T0, updated_at=T0, deleted_at=None, revision=1,
    )  # fmt: skip
