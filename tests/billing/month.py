"""A month of events, played against the real parts: records, rating, ledger, cards; everything may go wrong.

Time is virtual.  Records of calls arrive in time, late, or twice; web hooks come in any order, twice and
late; cards decline, answers of the provider are lost; clocks are set forward and back; and the process dies
between any two steps of whatever it is doing.  The oracle is a second, slower way to price a call.
"""

from __future__ import annotations

import math
import random
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker

from accounts.models import Account
from billing import deck_shelf, holds, ledger
from billing.decks import DeckTerms, Rate
from billing.ledger_errors import HoldResolvedError
from billing.money import Money
from billing.payments import cards, charges
from billing.payments.cashier import Cashier, PaymentRunner
from billing.payments.gateway import ChargeOutcome, ChargeWish
from billing.payments.hooks import HookDesk
from billing.rating_book import RatingBook
from billing.rerating import Reratings, Selection
from billing.usage import Tax, UsageBook
from billing.usage_runner import UsageRunner
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, NumberClass
from events.models import Event, EventSession
from tests.billing.provider_support import CARD, MemoryProvider

START = datetime(2026, 11, 1, tzinfo=UTC)
STEP = timedelta(hours=6)
TAX = Fraction(21, 100)
NUMBERS = {
    "+4980011111": (60, 60, 50_000, 0),
    "+3380011111": (30, 6, 36_000, 5000),
    "+4480011111": (1, 1, 13_700, 0),
}
"""Toll-free number → first block, next blocks (s), price a minute (10⁻⁶), free time (ms)."""

CITY = "+33975129519"
CORRECTED = 45_000
"""What +49 800 cost in truth: found out after the month."""


class KilledError(BaseException):
    """The process died."""


class MoodyProvider(MemoryProvider):
    """Decides anew for each charge."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.calm = False

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:
        moods = ("charge", "soft", "hard", "charge-silently", "drop")
        self.mood = "charge" if self.calm else self.dice.choices(moods, (50, 15, 5, 15, 15))[0]
        return super().charge_saved(wish)


@dataclass
class Tally:
    """How much went wrong, so that a test can see that it did."""

    deaths: int = 0
    duplicates: int = 0
    late: int = 0
    jumps: int = 0
    hooks: int = 0
    calls: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Billable calls per session: (number, ms)."""


class Month:
    """See the module text."""

    def __init__(self, sessions: sessionmaker[Session], *, seed: int, events: int, calls: int) -> None:
        self.sessions = sessions
        self.dice = random.Random(seed)
        self.events, self.call_count = events, calls
        self.tally = Tally()
        self.provider = MoodyProvider(self.dice)
        self.source = CdrCalls()
        self.deadly = True
        self.accounts: list[int] = []
        self.inbox: list[tuple[datetime, dict[str, Any]]] = []
        self.seen_events = 0
        self.mail: list[tuple[datetime, int]] = []
        self.book = RatingBook(
            self.source, currency_of=lambda _session, _account: "EUR", on_priced=UsageRunner.priced
        )
        self.usage = UsageBook(
            taxes=lambda _session, account, _at: (
                Tax(rate=TAX, country="NL") if account % 2 else Tax(rate=Fraction(0), country=None)
            ),
            shortfalls=self._shortfall,
        )
        self.cashier = Cashier(sessions, [self.provider], public_url="http://x", checkpoint=self._maybe_die)
        self.desk = HookDesk(sessions, self.cashier.gateway, lambda _session, _notice: None)
        self.runner = self._usage_runner()
        self.corrected: set[int] = set()
        self._set_up()

    def play(self) -> None:
        """The month, and then the weeks in which everything comes to rest."""
        for count in range(int(timedelta(days=31) / STEP)):
            self._step(START + count * STEP)
        self.provider.calm, self.deadly = True, False
        self._correct_prices(START + timedelta(days=31))
        for day in range(31, 75, 2):
            self._step(START + timedelta(days=day))
        assert not self.inbox
        assert not self.mail

    @property
    def end(self) -> datetime:
        """A moment after everything."""
        return START + timedelta(days=75)

    def _shortfall(
        self, session: Session, account_id: int, money: Money, *, usage_tx: int, now: datetime
    ) -> None:
        charges.request_charge(session, account_id, money, usage_tx=usage_tx, now=now)
        self._maybe_die("shortfall")

    def _maybe_die(self, _step: str) -> None:
        if self.deadly and self.dice.random() < 0.04:
            self.tally.deaths += 1
            raise KilledError

    def _step(self, now: datetime) -> None:
        self._records_arrive(now)
        self._hooks_arrive(now)
        clock = now
        if self.deadly and self.dice.random() < 0.1:
            self.tally.jumps += 1
            clock += timedelta(minutes=self.dice.randint(-300, 300))
        self._surviving(lambda: self.runner.run(clock))
        self._surviving(lambda: self._payment_runner().run_once(clock))
        for number in range(self.seen_events, len(self.provider.events)):
            for _ in range(self.dice.choice((1, 2))):
                late = timedelta(hours=self.dice.choice((0, 0, 1, 20, 100)))
                self.mail.append((now + late, number))
        self.seen_events = len(self.provider.events)

    def _surviving(self, work: Any) -> None:
        for _ in range(3):
            try:
                work()
            except KilledError:
                self.runner = self._usage_runner()
                continue
            return

    def _usage_runner(self) -> UsageRunner:
        return UsageRunner(self.sessions, self.book, self.usage, step=self._maybe_die)

    def _payment_runner(self) -> PaymentRunner:
        return PaymentRunner(
            self.sessions, self.cashier, notify=lambda _session, _notice: None, checkpoint=self._maybe_die
        )

    def _records_arrive(self, now: datetime) -> None:
        due = [row for at, row in self.inbox if at <= now]
        self.inbox = [(at, row) for at, row in self.inbox if at > now]
        with self.sessions.begin() as session:
            dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
            statement = dialect.insert(cast(Table, Cdr.__table__)).on_conflict_do_nothing()
            if due:
                rows = [row | {"ingest_at": now} for row in due]
                session.connection().execute(statement, rows)

    def _hooks_arrive(self, now: datetime) -> None:
        due = [number for at, number in self.mail if at <= now]
        self.mail = [(at, number) for at, number in self.mail if at > now]
        self.dice.shuffle(due)
        for number in due:
            self.tally.hooks += 1
            self.desk.receive("test", {}, str(number).encode(), now=now)
        if self.deadly and self.dice.random() < 0.4:
            self._top_up(self.dice.choice(self.accounts), now)

    def _top_up(self, account_id: int, now: datetime) -> None:
        money = Money(self.dice.choice((500, 2000, 5000)), "EUR")
        payment = f"pay_{len(self.provider.taken)}"
        self.provider.pays_in(account_id, payment, money, at=now)
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            with self.sessions.begin() as session:
                posted = ledger.top_up(session, account_id, money, psp="test", payment_ref=payment, at=now)
                if not posted.replayed:
                    charges.pay_from_wallet(session, account_id, "EUR", idem=f"topup:{posted.id}", now=now)

    def _correct_prices(self, now: datetime) -> None:
        """A few sessions are rated again at another price: asked for by one, approved by another."""
        some = sorted(self.dice.sample(sorted(self.tally.calls), 8))
        self.corrected.update(some)
        self.runner.run(now)
        with self.sessions.begin() as session:
            self._deck(session, "corrected", {**NUMBERS, "+4980011111": (60, 60, CORRECTED, 0)})
            reratings = Reratings(self.book, self.usage)
            asked = reratings.request(
                session, Selection(session_ids=some), reason="wrong price", by=1, now=now
            )
            reratings.approve(session, asked.id, by=2, now=now)
        # Everything else keeps its price: the old list is in force again for what comes late.
        with self.sessions.begin() as session:
            self._deck(session, "again", NUMBERS)

    def _set_up(self) -> None:
        runs = self._runs()
        with self.sessions.begin() as session:
            self._deck(session, "first", NUMBERS)
            for number in range(20):
                account = Account(
                    email=f"a{number}@example.org", status="active", created_at=START, updated_at=START
                )
                session.add(account)
                session.flush()
                self.accounts.append(account.id)
                if number % 5:
                    card = CARD.__class__(
                        ref=f"card{number}", customer="c", brand="visa", last4="1", exp_month=1, exp_year=2040
                    )
                    cards.save_card(session, account.id, "test", card, now=START)
            payers = [self.dice.choice(self.accounts) for _ in range(self.events)]
            session.execute(insert(Event), [_event(n + 1, payer) for n, payer in enumerate(payers)])
            session.execute(
                insert(EventSession),
                [
                    {
                        "id": n + 1, "event_id": n + 1, "node_id": "n", "started_at": start,
                        "last_seen_at": start + length, "ended_at": start + length, "total_visitors": 1,
                        "max_visitors": 1,
                    }
                    for n, (start, length) in enumerate(runs)
                ],
            )  # fmt: skip
            for n, (start, length) in enumerate(runs):
                if self.dice.random() < 0.5:
                    wanted = Money(self.dice.randint(1, 2000), "EUR")
                    expires_at = start + length + timedelta(hours=self.dice.choice((0, 30)))
                    try:
                        holds.ensure(session, payers[n], wanted, session_id=n + 1, at=START,
                                     expires_at=expires_at)  # fmt: skip
                    except HoldResolvedError as exc:
                        raise AssertionError from exc
        for _ in range(self.call_count):
            n = self.dice.randrange(self.events)
            self._call(n + 1, payers[n], *runs[n])

    def _runs(self) -> list[tuple[datetime, timedelta]]:
        return [
            (
                START + timedelta(minutes=self.dice.randint(0, 28 * 24 * 60)),
                timedelta(minutes=self.dice.randint(20, 180)),
            )
            for _ in range(self.events)
        ]

    def _deck(self, session: Session, name: str, prices: dict[str, tuple[int, int, int, int]]) -> None:
        terms = DeckTerms(name=name, currency="EUR", cost_decimals=4, valid_from=START - timedelta(days=1))
        rates = [
            Rate(
                number_class="tollfree", called_prefix=number[1:], per_minute_u=price, first_s=first,
                next_s=after, grace_ms=grace,
            )
            for number, (first, after, price, grace) in prices.items()
        ]  # fmt: skip
        rates.append(Rate(number_class="city", called_prefix="", per_minute_u=0, first_s=60, next_s=60))
        deck = deck_shelf.add_draft(session, terms, rates, source="t", by="t", now=START)
        deck_shelf.activate(session, deck.id, by="t", now=START)

    def _call(self, session_id: int, account_id: int, start: datetime, length: timedelta) -> None:
        dice = self.dice
        setup_at = start + length * dice.random()
        answered = dice.random() < 0.95
        ms = dice.choice((dice.randint(1, 6000), dice.randint(1, 600_000), dice.randint(1, 3_600_000)))
        called = dice.choice([*NUMBERS, CITY])
        end_at = setup_at + timedelta(seconds=2, milliseconds=ms if answered else 0)
        facts = CallFacts(
            id=str(uuid.UUID(int=dice.getrandbits(128))), source="sip", leg="1",
            source_call_id=str(dice.getrandbits(64)), setup_at=setup_at, end_at=end_at,
            answer_at=setup_at + timedelta(seconds=2) if answered else None, end_basis=EndBasis.BYE,
            disposition=Disposition.SUCCESS, reason_slug="bye",
            direction=Direction.IN, channel=Channel.SIP, node_id="n", sw_version="1", account_id=account_id,
            session_id=str(session_id), called_e164=called,
            number_class=NumberClass.CITY if called == CITY else NumberClass.TOLLFREE,
        )  # fmt: skip
        row = row_of(facts)
        late = timedelta(0)
        if dice.random() < 0.03:
            self.tally.late += 1
            late = timedelta(hours=dice.randint(1, 60))
        self.inbox.append((end_at + late, row))
        if dice.random() < 0.05:
            self.tally.duplicates += 1
            other = row | {"id": str(uuid.UUID(int=dice.getrandbits(128)))}
            again = end_at + late + timedelta(hours=dice.randint(0, 90))
            self.inbox.append((again, dice.choice((row, other))))
        if answered:
            self.tally.calls[session_id].append((called, facts.conn_ms or 0))


def price_u(number: str, ms: int, *, corrected: bool) -> int:
    """The oracle: what a call costs, in 10⁻⁶, by exact fractions."""
    if number not in NUMBERS:
        return 0
    first, after, per_minute, grace = NUMBERS[number]
    if corrected and number == "+4980011111":
        per_minute = CORRECTED
    if ms < grace:
        return 0
    seconds = first
    if ms > first * 1000:
        seconds += math.ceil(Fraction(ms - first * 1000, after * 1000)) * after
    return math.floor(Fraction(per_minute * seconds, 60 * 100) + Fraction(1, 2)) * 100


def _event(number: int, account_id: int) -> dict[str, Any]:
    return {
        "id": number, "account_id": account_id, "name": "E", "room_type": "webinar", "permanent_room": False,
        "access_type": 1, "password_hash": None, "room_pin": f"{number:09d}", "url_name": f"e{number}",
        "hash_listener": "l", "hash_presenter": "p", "hash_host": "h", "lobby_enabled": False,
        "lobby_description": "", "starts_at": START, "duration_min": 60, "timezone": "UTC", "skin_id": 1,
        "registration": {}, "settings": {}, "capacity": None, "status": "ended", "created_at": START,
        "updated_at": START, "deleted_at": None, "revision": number,
    }  # fmt: skip
