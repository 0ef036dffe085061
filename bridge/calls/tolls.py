"""The switchboard's cashier: what running toll-free calls cost, and who may still come in that way.

On a toll-free number the caller pays nothing and the event's account pays by the minute.  The cashier feeds
the live meter (`billing.metering`) with answers and ends, carries out the holds it asks for, and tells what
it notices: funds low, entry closed, entry opened.

Theory.
- Nothing here waits for the database.  Prices and funds are copies in memory, brought by a clerk's thread
  every `POLL_S` seconds.  A caller whose account was not looked at for `FRESH_S` waits for the clerk, that
  caller alone and at most `WAIT_S`; then what is known decides, and who is not known is let in: a database
  that is away keeps nobody out.
- A call is metered from its answer on, as it will be rated, once its PIN has opened an event; before that
  nobody pays.  The meter's key of a call is the id of its record: so a call that is over is never counted
  both from here and from the records.
- A call without a price (no deck, no rate, prices not read yet) is let in and metered as soon as there is
  one.  If it ends before, it is found among the records.
- What other nodes and earlier lives of this one have not been charged for comes from the records too, every
  `RECORDS_S`; the calls that were up are gone with their process.

All methods belong to the event loop, except the readings, `refresh` and `stop`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from billing.errors import MixedCurrenciesError
from billing.metering import (
    HOLD_LIFE,
    EntryClosed,
    EntryOpened,
    FundsLow,
    HoldWanted,
    LiveMeter,
    MeterEvent,
    Reading,
)
from billing.money import Money
from bridge.calls.toll_books import News, OverCall, PriceList, Query, TollBooks
from bridge.calls.toll_clerk import Clerk, ThreadClerk
from database.types import now_utc

TICK_S = 1.0
POLL_S = 3.0
FRESH_S = 5.0
WAIT_S = 1.5
RECORDS_S = 60.0
RECORDS_BACK = timedelta(days=7)
RECORDS_AGAIN = timedelta(minutes=10)
"""How far each later look at the records goes back."""

INTEREST_S = 900.0
"""So long an account is watched after its last caller, so that entry opens again by itself."""

HOLD_RENEWAL = timedelta(hours=1)
READING_S = 1.0

_log = structlog.get_logger(__name__)

Notice = FundsLow | EntryClosed | EntryOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class TollCall:
    """A toll-free call that has opened an event. `key` is the id of its record."""

    key: str
    account_id: int
    session_id: int
    event_id: int
    called: str | None
    """E.164, as `caller`."""
    caller: str | None
    answered_at: datetime


@dataclass(slots=True)
class _Session:
    account_id: int
    charges: int = 0
    """How often it was charged, as far as we know."""
    counted: set[str] = field(default_factory=set)
    """Records whose cost the meter has."""
    live: int = 0
    hold: HoldWanted | None = None
    """What was last asked for and kept."""


@dataclass(slots=True, eq=False)
class _Waiter:
    account_id: int
    then: Callable[[], None] | None
    timer: asyncio.TimerHandle | None = None


class Tolls:
    """See the module text. Without `books` nothing is metered, and everybody may enter."""

    def __init__(
        self,
        books: TollBooks | None = None,
        *,
        now: Callable[[], datetime] = now_utc,
        clock: Callable[[], float] = time.monotonic,
        on_notice: Callable[[int, Notice], None] = lambda _account_id, _notice: None,
    ) -> None:
        self.on_notice = on_notice
        """Told, on the loop, of an account's notices."""
        self._books, self._now, self._clock = books, now, clock
        self._clerk: Clerk | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lock = threading.Lock()
        """Guards the meter and the readings: pages read from other threads."""
        self._meter = LiveMeter()
        self._readings: dict[tuple[str, int], tuple[float, Reading | None]] = {}
        self._prices = PriceList()
        self._currencies: dict[int, str] = {}
        self._ends: dict[int, datetime | None] = {}
        """Planned ends of the events that were asked about."""
        self._read_at_s: dict[int, float] = {}
        self._asked_at_s: dict[int, float] = {}
        self._calls: dict[str, TollCall] = {}
        self._unmetered: set[str] = set()
        self._sessions: dict[int, _Session] = {}
        self._holds: dict[int, HoldWanted] = {}
        """Holds to be carried out, by session."""
        self._holding: set[int] = set()
        self._waiters: list[_Waiter] = []
        self._events_asked: set[int] = set()
        self._looking = False
        self._look_at_s = -POLL_S
        self._records_at_s: float | None = None

    # Start and end.

    def start(self) -> None:
        """Begin to look and to count time; on the event loop."""
        self._loop = asyncio.get_running_loop()
        if self._books is not None:
            self.employ(ThreadClerk(self._loop))
            self._timer = self._loop.call_later(TICK_S, self._ring)

    def employ(self, clerk: Clerk) -> None:
        """Have this clerk look from now on; `start` does it with a thread."""
        self._clerk = clerk
        self._look()

    def stop(self) -> None:
        """Finish what the clerk has begun. Waits for the database; call it off the loop."""
        clerk, self._clerk = self._clerk, None
        if self._loop is not None and self._timer is not None:
            self._loop.call_soon_threadsafe(self._timer.cancel)
        if clerk is not None:
            clerk.stop()

    def _ring(self) -> None:
        assert self._loop is not None
        if self._clerk is not None:
            self._timer = self._loop.call_later(TICK_S, self._ring)
            self.tick()

    # Callers.

    def ask(self, account_id: int, event_id: int, then: Callable[[], None]) -> None:
        """A toll-free caller wants to enter: call `then` as soon as the account's funds are known well enough
        for `may_enter`; at once when they are, or cannot be.
        """
        now_s = self._clock()
        self._asked_at_s[account_id] = now_s
        self._events_asked.add(event_id)
        known_s = self._read_at_s.get(account_id)
        fresh = known_s is not None and now_s - known_s < FRESH_S
        if self._clerk is None or (fresh and event_id in self._ends):
            then()
            return
        waiter = _Waiter(account_id, then)
        if self._loop is not None:
            waiter.timer = self._loop.call_later(WAIT_S, self._serve, waiter)
        self._waiters.append(waiter)
        if not self._look():
            self._serve(waiter)

    def may_enter(self, account_id: int, *, called: str | None, caller: str | None) -> bool:
        """Whether one more toll-free caller may enter: there are funds, or the call has no price."""
        currency = self._currencies.get(account_id)
        if currency is None:
            return True
        now = self._now()
        rate = self._prices.rate(currency=currency, called=called, caller=caller, answered_at=now)
        with self._lock:
            return rate is None or self._meter.may_enter(account_id)

    def entered(self, call: TollCall) -> None:
        """A toll-free call has opened an event and is paid for from its answer on. Told twice, it counts
        once.
        """
        if self._books is None or call.key in self._calls:
            return
        self._calls[call.key] = call
        run = self._sessions.setdefault(call.session_id, _Session(call.account_id))
        run.live += 1
        self._unmetered.add(call.key)
        self._measure(call)

    def ended(self, key: str) -> None:
        """A call is over; others than toll-free ones are ignored."""
        call = self._calls.pop(key, None)
        if call is None:
            return
        run = self._sessions[call.session_id]
        run.live -= 1
        if key in self._unmetered:
            self._unmetered.remove(key)
            if not run.live and not run.counted:
                del self._sessions[call.session_id]
            return
        with self._lock:
            events = self._meter.ended(key, now=self._now())
        self._carry_out(events)

    def _measure(self, call: TollCall) -> None:
        """Meter a call if it has a price."""
        currency = self._currencies.get(call.account_id)
        if currency is None:
            return
        rate = self._prices.rate(
            currency=currency, called=call.called, caller=call.caller, answered_at=call.answered_at
        )
        if rate is None:
            return
        try:
            with self._lock:
                self._meter.plan(
                    call.session_id,
                    call.account_id,
                    expected_callers=0,
                    ends_at=self._ends.get(call.event_id),
                )
                events = self._meter.answered(
                    call.key, account_id=call.account_id, session_id=call.session_id, rate=rate,
                    now=call.answered_at,
                )  # fmt: skip
        except MixedCurrenciesError as exc:
            _log.error("toll_currency_changed", account=call.account_id, error=str(exc))
            return
        self._unmetered.discard(call.key)
        self._sessions[call.session_id].counted.add(call.key)
        self._carry_out(events)

    # Readings, from any thread.

    def session_reading(self, session_id: int) -> Reading | None:
        """What a session's meter shows, at most a second old; None for a session without toll-free calls."""
        return self._reading("session", session_id)

    def account_reading(self, account_id: int) -> Reading | None:
        """All sessions of an account together; None for one that the meter knows nothing of."""
        return self._reading("account", account_id)

    def _reading(self, kind: str, key: int) -> Reading | None:
        now_s = self._clock()
        with self._lock:
            known = self._readings.get((kind, key))
            if known is not None and now_s - known[0] < READING_S:
                return known[1]
            read = self._meter.session_reading if kind == "session" else self._meter.account_reading
            found = read(key, now=self._now())
            if len(self._readings) > 1000:
                self._readings.clear()
            self._readings[kind, key] = (now_s, found)
            return found

    def refresh(self, account_id: int) -> None:
        """Something was paid, or prices changed: look again soon."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._refresh, account_id)

    def _refresh(self, account_id: int) -> None:
        self._read_at_s.pop(account_id, None)
        self._asked_at_s[account_id] = self._clock()
        self._look()

    # Time.

    def tick(self) -> None:
        """A second has passed."""
        now, now_s = self._now(), self._clock()
        with self._lock:
            events = self._meter.tick(now)
        self._carry_out(events)
        for session_id, run in self._sessions.items():
            if run.live and run.hold is not None and run.hold.expires_at - now < HOLD_RENEWAL:
                self._holds[session_id] = HoldWanted(
                    account_id=run.account_id, session_id=session_id, total=run.hold.total,
                    expires_at=now + HOLD_LIFE,
                )  # fmt: skip
        for session_id in list(self._holds):
            self._hold(session_id)
        if now_s - self._look_at_s >= POLL_S:
            self._look()

    def _carry_out(self, events: list[MeterEvent]) -> None:
        for event in events:
            if isinstance(event, HoldWanted):
                self._holds[event.session_id] = event
                self._hold(event.session_id)
                continue
            match event:
                case FundsLow(percent=percent):
                    _log.warning(
                        "toll_free_funds_low", account=event.account_id, percent=percent,
                        used=str(event.used), total=str(event.total),
                    )  # fmt: skip
                case EntryClosed():
                    _log.warning("toll_free_entry_closed", account=event.account_id)
                case EntryOpened():
                    _log.info("toll_free_entry_opened", account=event.account_id)
            try:
                self.on_notice(event.account_id, event)
            except Exception:
                _log.exception("toll_notice_failed", account=event.account_id)

    # Holds.

    def _hold(self, session_id: int) -> None:
        clerk, books, wanted = self._clerk, self._books, self._holds[session_id]
        if clerk is None or books is None or session_id in self._holding:
            return
        now = self._now()

        def done(kept: Money | None) -> None:
            self._holding.discard(session_id)
            if kept is None:
                return  # tried again with the next tick
            if self._holds.get(session_id) is wanted:
                del self._holds[session_id]
            run = self._sessions.get(session_id)
            if run is not None:
                run.hold = wanted
            with self._lock:
                self._meter.held(session_id, kept)

        self._holding.add(session_id)
        if not clerk.submit(lambda: books.hold(wanted, now=now), done):
            self._holding.discard(session_id)

    # Looking.

    def _look(self) -> bool:
        """Have the clerk look, unless it does already; False: it cannot."""
        clerk, books, now, now_s = self._clerk, self._books, self._now(), self._clock()
        if clerk is None or books is None:
            return False
        if self._looking:
            return True
        for account_id in [one for one, at_s in self._asked_at_s.items() if now_s - at_s > INTEREST_S]:
            del self._asked_at_s[account_id]
        since = None
        if self._records_at_s is None or now_s - self._records_at_s >= RECORDS_S:
            since = now - (RECORDS_BACK if self._records_at_s is None else RECORDS_AGAIN)
        query = Query(
            accounts=frozenset(self._asked_at_s) | {run.account_id for run in self._sessions.values()},
            sessions=frozenset(self._sessions),
            events=frozenset(self._events_asked),
            over_since=since,
        )
        self._looking, self._look_at_s = True, now_s
        taken = clerk.submit(
            lambda: books.look(query, now=now), lambda news: self._learn(query, news, now_s)
        )
        self._looking = self._looking and taken
        return taken

    def _learn(self, query: Query, news: News | None, asked_s: float) -> None:
        self._looking = False
        if news is not None:
            self._events_asked -= query.events
            if query.over_since is not None:
                self._records_at_s = asked_s
            for event_id in query.events:
                self._ends[event_id] = news.ends.get(event_id)
            self._take(news, asked_s)
        for waiter in [one for one in self._waiters if one.account_id in query.accounts]:
            self._serve(waiter)
        if self._waiters:
            self._look()

    def _serve(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if waiter.timer is not None:
            waiter.timer.cancel()
        then, waiter.then = waiter.then, None
        if then is not None:
            then()

    def _take(self, news: News, asked_s: float) -> None:
        now = self._now()
        self._prices = news.prices
        for account_id, funds in news.funds.items():
            self._currencies[account_id] = funds.wallet.currency
            self._read_at_s[account_id] = asked_s
        events: list[MeterEvent] = []
        for session_id, charges in news.charges.items():
            events += self._charged(session_id, charges, news, now)
        for call in news.over:
            self._recover(call, charges=news.charges[call.session_id])
        for account_id, funds in news.funds.items():
            try:
                with self._lock:
                    events += self._meter.funds(account_id, funds, now=now)
            except MixedCurrenciesError as exc:
                _log.error("toll_currency_changed", account=account_id, error=str(exc))
        self._carry_out(events)
        for key in list(self._unmetered):
            self._measure(self._calls[key])

    def _charged(self, session_id: int, charges: int, news: News, now: datetime) -> list[MeterEvent]:
        """A session may have been charged since the last look: then its cost is part of the funds."""
        run = self._sessions.get(session_id)
        funds = None if run is None else news.funds.get(run.account_id)
        if run is None or funds is None or charges <= run.charges:
            return []
        run.charges = charges
        run.counted = {key for key in run.counted if key in self._calls}
        run.hold = None
        if not run.live:
            del self._sessions[session_id]
            self._holds.pop(session_id, None)
        with self._lock:
            return self._meter.charged(session_id, funds, now=now)

    def _recover(self, call: OverCall, *, charges: int) -> None:
        """A call that is over, and in no charge, is in the meter, too."""
        run = self._sessions.get(call.session_id)
        if run is None:
            run = self._sessions[call.session_id] = _Session(call.account_id, charges=charges)
        if call.cdr_id in run.counted or call.cdr_id in self._calls:
            return
        try:
            with self._lock:
                self._meter.recovered(
                    call.session_id, call.account_id, currency=call.currency, costs_u=[call.cost_u]
                )
        except MixedCurrenciesError as exc:
            _log.error("toll_currency_changed", account=call.account_id, error=str(exc))
            return
        run.counted.add(call.cdr_id)
