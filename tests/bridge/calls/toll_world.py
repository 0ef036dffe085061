"""A cashier over a real ledger, a clock that the test moves, and a clerk who works when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from billing import holds, ledger
from billing.ledger_models import Hold
from billing.money import Money
from billing.rating_book import RatingBook
from billing.usage import NO_TAX, UsageBook
from billing.usage_runner import UsageRunner
from bridge.calls.toll_books import TollBooks
from bridge.calls.tolls import Notice, TollCall, Tolls
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import NumberClass
from database.engine import make_sessions
from tests.billing.calls_support import ACCOUNT, SESSION, T0
from tests.billing.usage_support import Shortfalls
from tests.bridge.cdr.support import ended

EVENT = 1
FREE = "+4980012345"


@dataclass
class HandClerk:
    """Does each piece of work at once, or keeps it until `work`; `fails` stands for a database away."""

    at_once: bool = True
    fails: bool = False
    full: bool = False
    stopped: bool = False
    jobs: list[tuple[Callable[[], Any], Callable[[Any], None]]] = field(default_factory=list)

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> bool:
        if self.full:
            return False
        self.jobs.append((work, done))
        if self.at_once and len(self.jobs) == 1:
            self.work()
        return True

    def work(self) -> None:
        while self.jobs:
            work, done = self.jobs[0]
            done(None if self.fails else work())
            self.jobs.pop(0)

    def stop(self) -> None:
        self.stopped = True


class TollWorld:
    """One account, its event, its money; `tolls` may be made anew, as after a restart."""

    def __init__(self, engine: Engine) -> None:
        self.sessions: sessionmaker[Session] = make_sessions(engine)
        self.readers: sessionmaker[Session] = make_sessions(engine, read_only=True)
        self.seconds = 0.0
        self.notices: list[Notice] = []
        self.clerk = HandClerk()
        self.keys: list[str] = []
        book = RatingBook(CdrCalls(), on_priced=UsageRunner.priced)
        usage = UsageBook(taxes=lambda _session, _account, _at: NO_TAX, shortfalls=Shortfalls())
        self.runner = UsageRunner(self.sessions, book, usage)
        self.paid = 0

    @property
    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds)

    def begin(self) -> Tolls:
        """The cashier of a fresh process."""
        self.tolls = Tolls(
            TollBooks(self.readers, self.sessions),
            now=lambda: self.now,
            clock=lambda: self.seconds,
            on_notice=lambda _account, notice: self.notices.append(notice),
        )
        self.tolls.employ(self.clerk)
        return self.tolls

    def top_up(self, minor: int) -> None:
        self.paid += 1
        with self.sessions.begin() as session:
            ledger.top_up(
                session, ACCOUNT, Money(minor, "EUR"), psp="test", payment_ref=f"p{self.paid}", at=self.now
            )

    def pass_s(self, seconds: int) -> None:
        """Time goes by, and the cashier ticks each second."""
        for _ in range(seconds):
            self.seconds += 1
            self.tolls.tick()

    def may_enter(self) -> bool:
        """What a caller who types the PIN now is told."""
        told: list[bool] = []
        self.tolls.ask(
            ACCOUNT,
            EVENT,
            lambda: told.append(self.tolls.may_enter(ACCOUNT, called=FREE, caller="+33123456789")),
        )
        assert len(told) == 1, "the caller waits"
        return told[0]

    def call(self, number: int, *, session_id: int = SESSION) -> str:
        """A caller comes in, answered now; the id of the record."""
        key = f"00000000-0000-7000-8000-{number:012d}"
        self.keys.append(key)
        self.tolls.entered(
            TollCall(
                key=key, account_id=ACCOUNT, session_id=session_id, event_id=EVENT, called=FREE,
                caller="+33123456789", answered_at=self.now,
            )
        )  # fmt: skip
        return key

    def recorded(self, key: str, *, since_s: float, session_id: int = SESSION) -> None:
        """The record of a call that is over reaches the database."""
        begin = T0 + timedelta(seconds=since_s)
        facts = ended(
            id=key, leg=key, setup_at=begin, ring_at=None, answer_at=begin, join_at=begin, leave_at=self.now,
            end_at=self.now, account_id=ACCOUNT, session_id=str(session_id), called_e164=FREE,
            number_id="de-free", number_class=NumberClass.TOLLFREE,
        )  # fmt: skip
        with self.sessions.begin() as session:
            session.execute(insert(Cdr), [row_of(facts) | {"ingest_at": self.now}])

    def held(self, session_id: int = SESSION) -> int:
        """What is kept back for a session."""
        with self.readers() as session:
            found = holds.find(session, holds.session_key(session_id))
            return 0 if found is None else found.amount.minor

    def hold(self) -> holds.Held:
        with self.readers() as session:
            found = holds.find(session, holds.session_key(SESSION))
        assert found is not None
        return found

    def holds(self) -> int:
        with self.readers() as session:
            return session.scalar(select(func.count()).select_from(Hold)) or 0
