"""A house with money in it: top-ups, rated sessions with toll-free calls, a correction, cards, an invoice.

Everything is posted through the real services, with the test provider running next door, so that pages,
exports and the ledger say the same. Used by the tests of the pages about money and for looking at them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, Table, insert, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from accounts.users import create_user
from billing import deck_shelf, ledger, profile
from billing.deck_shelf import DeckShelf
from billing.decks import DeckTerms, Rate
from billing.invoices.issue import issue
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import taxes
from billing.ledger_models import UsagePosting
from billing.money import Money
from billing.payments import charges
from billing.rating_book import RatingBook
from billing.rerating import Reratings, Selection
from billing.usage import UsageBook
from billing.usage_runner import UsageRunner
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, NumberClass
from database.engine import make_sessions
from events.directory import PinDirectory
from events.fields import parse_wishes
from events.models import EventSession
from events.service import create_event
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from tests.billing.payments.scene import Scene, open_scene
from web.billing_parts import BillingParts
from web.services import Gateway, Services

NOW = datetime(2026, 11, 23, 15, 20, tzinfo=UTC)
PASSWORD = "correct horse battery"
SELLER = SellerDetails(
    name="Tollbridge SAS", address=("1 rue du Pont", "75001 Paris"), country="FR",
    vat_number="FR40303265045", registration="RCS Paris 303 265 045", email="bills@example.org",
    timezone="Europe/Paris",
)  # fmt: skip
RATES = (
    Rate(number_class="tollfree", called_prefix="33", per_minute_u=42_000, first_s=60, next_s=60),
    Rate(number_class="tollfree", called_prefix="44", per_minute_u=36_500, first_s=30, next_s=6),
    Rate(
        number_class="tollfree", called_prefix="49", per_minute_u=51_300, first_s=60, next_s=1,
        connect_fee_u=10_000,
    ),
    Rate(number_class="city", called_prefix="33", per_minute_u=0, first_s=60, next_s=60),
)  # fmt: skip
TOLL_FREE = ("+33800123456", "+448081570000", "+498001234567")
CITY = "+33975129519"


@dataclass
class Person:
    """Somebody of an account."""

    account_id: int
    email: str
    event_id: int = 0
    sessions: list[int] = field(default_factory=list)


class BillingHouse:
    """See the module text. `now` is the house's clock and moves by hand."""

    def __init__(self, engine: Engine, sessions: sessionmaker[Session], scene: Scene) -> None:
        self.scene, self.sessions = scene, sessions
        self.dice = random.Random(7)
        self.calls = CdrCalls()
        self.shelf = DeckShelf()
        self.book = RatingBook(self.calls, shelf=self.shelf, on_priced=UsageRunner.priced)
        self.usage = UsageBook(taxes=taxes(SELLER), shortfalls=charges.request_charge)
        self.runner = UsageRunner(sessions, self.book, self.usage)
        self.now = NOW
        self._count = 0
        self.last_top_up = ""
        readers = make_sessions(engine, read_only=True)
        live = LiveRooms()
        self.services = Services(
            sessions=sessions, readers=readers, live=live, feed=RoomFeed(live),
            directory=PinDirectory(readers), registry=CollectorRegistry(), version="1.2.3",
            public_url="http://testserver", now=lambda: self.now,
            gateways=(
                Gateway(code="fr-paris", location="Paris", number=CITY, display="+33 (0)9 75 12 95 19",
                        country="FR", language="fr"),
            ),
            billing=BillingParts(
                cashier=scene.cashier, hooks=scene.desk, decks=self.shelf, calls=self.calls, seller=SELLER,
                tickets=scene.tickets,
            ),
        )  # fmt: skip
        with sessions.begin() as session:
            deck = deck_shelf.add_draft(
                session, DeckTerms(name="Standard 2026", currency="EUR", cost_decimals=4,
                                   valid_from=NOW - timedelta(days=400)),
                RATES, source="test", by="test", now=NOW,
            )  # fmt: skip
            deck_shelf.activate(session, deck.id, by="test", now=NOW)

    @property
    def now(self) -> datetime:
        """The time in this house and at the provider next door."""
        return self.scene.now

    @now.setter
    def now(self, moment: datetime) -> None:
        self.scene.now = moment

    def account(self, email: str, *, event: str = "Quarterly results") -> Person:
        """A new account with one person and one event."""
        with self.sessions.begin() as session:
            account = create_account(session, email=email, now=self.now).account
            create_user(
                session, account_id=account.id, email=email, password=PASSWORD, now=self.now,
                timezone="Europe/Paris",
            )  # fmt: skip
            wishes = parse_wishes({"name": event, "starts_at": "2036-05-01T10:00"})
            made = create_event(session, account_id=account.id, wishes=wishes, now=self.now)
            return Person(account_id=account.id, email=email, event_id=made.id)

    def company(self, person: Person, **more: Any) -> None:
        """Billing details."""
        known: dict[str, Any] = {
            "legal_name": "Exemple SARL", "address_line1": "5 quai de l’Horloge", "postal_code": "75001",
            "city": "Paris", "country": "FR", "timezone": "Europe/Paris",
        }  # fmt: skip
        with self.sessions.begin() as session:
            before = profile.get(session, person.account_id)
            profile.save(session, replace(before, **(known | more)), now=self.now)

    def top_up(self, person: Person, minor: int, *, card: str = "good", save_card: bool = False) -> str:
        """Somebody pays in at the test provider; the checkout's public id."""
        self._count += 1
        found = self.scene.cashier.start(
            person.account_id, amount=Money(minor, "EUR"), email=person.email, idem_key=f"seed-{self._count}",
            save_card=save_card, now=self.now,
        )  # fmt: skip
        self.pay(found.url, card=card)
        done = self.scene.cashier.finish(person.account_id, found.public_id, now=self.now)
        assert done.state == "paid", done.state
        self.last_top_up = found.public_id
        return found.public_id

    def balance(self, person: Person) -> int:
        """Wallet less what is owed, in minor units."""
        with self.sessions() as session:
            found = ledger.balance(session, person.account_id, "EUR")
            return (found.posted - found.receivable).minor

    def pay(self, url: str, **form: str) -> None:
        """What the payer does on the provider's page."""
        self.scene.payer.post(url, data={"outcome": "pay", **form})

    def session(
        self, person: Person, *, at: datetime, calls: int, minutes: float = 30.0, charge: bool = True,
        event_id: int | None = None,
    ) -> int:  # fmt: skip
        """A run of the person's event with so many calls, charged when it is over; its id."""
        self._count += 1
        session_id = 7_000_000_000 + self._count
        end = at + timedelta(minutes=minutes)
        rows = [self._call(person, session_id, at, minutes, number) for number in range(calls)]
        with self.sessions.begin() as session:
            session.add(
                EventSession(
                    id=session_id, event_id=event_id or person.event_id, node_id="n", started_at=at,
                    last_seen_at=end, ended_at=end, total_visitors=calls + 3, max_visitors=calls + 2,
                )
            )  # fmt: skip
            if rows:
                session.execute(insert(cast(Table, Cdr.__table__)), rows)
        person.sessions.append(session_id)
        if charge:
            before, self.now = self.now, end + timedelta(minutes=16)
            self.runner.run(self.now)
            self.now = max(before, NOW)
        return session_id

    def charge_of(self, session_id: int) -> int:
        """The transaction that charges a session."""
        with self.sessions() as session:
            query = select(UsagePosting.transaction_id).where(
                UsagePosting.session_id == session_id, UsagePosting.current
            )
            found = session.scalars(query).one()
            assert found is not None
            return found

    def correct(self, session_id: int) -> None:
        """A newer price list has lower prices: the calls of a session are rated again."""
        cheaper = [replace(one, per_minute_u=one.per_minute_u * 9 // 10) for one in RATES]
        with self.sessions.begin() as session:
            deck = deck_shelf.add_draft(
                session, DeckTerms(name="Standard 2026", currency="EUR", cost_decimals=4,
                                   valid_from=NOW - timedelta(days=390)),
                cheaper, source="test", by="test", now=self.now,
            )  # fmt: skip
            deck_shelf.activate(session, deck.id, by="test", now=self.now)
        desk = Reratings(self.book, self.usage)
        with self.sessions.begin() as session:
            wanted = desk.request(
                session, Selection(session_ids=[session_id]), reason="Prices were lowered", by=1, now=self.now
            )
            desk.approve(session, wanted.id, by=2, now=self.now)

    def invoice(self, person: Person) -> list[str]:
        """The invoices of the months that are over."""
        with self.sessions.begin() as session:
            return [one.number for one in issue(session, person.account_id, seller=SELLER, now=self.now)]

    def fill(self, person: Person) -> None:
        """Two months of a customer: enough for every page to have something to show."""
        self.company(person)
        self.now = NOW - timedelta(days=55)
        self.top_up(person, 25_000, save_card=True)
        for day in range(52, 0, -2 if person.account_id % 2 else -3):
            at = (NOW - timedelta(days=day)).replace(hour=9 + day % 8, minute=day % 60)
            minutes = 20 + self.dice.random() * 50
            self.session(person, at=at, calls=3 + self.dice.randint(0, 14), minutes=minutes)
        self.now = NOW - timedelta(days=3)
        self.top_up(person, 5_000)
        self.now = NOW
        self.scene.runner.run_once(self.now)
        self.invoice(person)

    def _call(
        self, person: Person, session_id: int, start: datetime, minutes: float, number: int
    ) -> dict[str, Any]:
        self._count += 1
        dice = self.dice
        setup = start + timedelta(seconds=dice.randint(0, 200))
        answer = setup + timedelta(milliseconds=dice.randint(400, 3000))
        length_ms = int(min(minutes * 60_000 - 210_000, dice.uniform(0.1, 1.0) * minutes * 60_000))
        end = answer + timedelta(milliseconds=max(1500, length_ms))
        called = CITY if number % 6 == 5 else TOLL_FREE[dice.choice((0, 0, 0, 1, 1, 2))]
        call = f"019ab0c0-0000-7000-8000-{self._count:012d}"
        facts = CallFacts(
            id=call, source="sip", source_call_id=f"{call}@phone", leg="1", setup_at=setup, ring_at=setup,
            answer_at=answer, join_at=answer + timedelta(seconds=8), leave_at=end, end_at=end,
            direction=Direction.IN, channel=Channel.SIP, node_id="n", sw_version="1",
            account_id=person.account_id, session_id=str(session_id), participant_id=f"p{number}",
            caller_e164=None if number % 9 == 8 else f"+336{dice.randint(10_000_000, 99_999_999)}",
            caller_raw="", called_e164=called,
            number_class=NumberClass.CITY if called == CITY else NumberClass.TOLLFREE,
            end_basis=EndBasis.MEDIA_TIMEOUT if number % 11 == 10 else EndBasis.BYE,
            disposition=Disposition.SUCCESS, reason_slug="caller-hung-up", q850=16, mos_cq=4.1,
        )  # fmt: skip
        return row_of(facts) | {"ingest_at": end}


@contextmanager
def open_house(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[BillingHouse]:
    """The house, with the test provider as a real server beside it."""
    with open_scene(sessions) as scene:
        yield BillingHouse(engine, sessions, scene)
