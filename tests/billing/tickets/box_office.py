"""An event that sells tickets, with buyers, the test provider next door and web hooks between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from billing.chart import Kind
from billing.ledger_models import LedgerAccount
from billing.money import Money
from billing.payments.models import Checkout
from billing.tickets import offers
from billing.tickets.desk import Buyer
from billing.tickets.models import Ticket
from billing.tickets.prices import OfferWishes
from billing.trial_balance import mismatches
from events import service, web_hooks
from events.access_models import EventToken
from events.fields import AccessType, EventWishes
from events.models import Event
from events.web_hook_models import WebHookDelivery
from mail.models import OutboxMail
from tests.billing.payments.scene import START, Scene, open_scene

PRICE = Money(2500, "EUR")


class BoxOffice:
    """See the module text."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.sessions = scene.sessions
        with self.sessions.begin() as session:
            event = service.create_event(
                session,
                account_id=scene.account_id,
                wishes=EventWishes(
                    name="A <b>good</b> talk",
                    access_type=AccessType.PAID,
                    starts_at=START + timedelta(days=9),
                    timezone="Europe/Paris",
                ),
                now=START,
            )
            self.event_id = event.id
            offers.save(session, event, OfferWishes(price=PRICE), now=START)
            web_hooks.add_hook(
                session,
                account_id=scene.account_id,
                url="https://hooks.example.org/",
                kinds=["payment.succeeded", "payment.refunded"],
                now=START,
            )

    def offer(self, *, price: Money | None = None, capacity: int | None = None) -> None:
        with self.sessions.begin() as session:
            event = session.get_one(Event, self.event_id)
            offers.save(session, event, OfferWishes(price=price, capacity=capacity), now=self.scene.now)

    def buy(self, email: str = "bob@example.org", *, key: str = "form-1", price: Money = PRICE) -> Checkout:
        buyer = Buyer(
            first_name="Bob", last_name="Byer", email=email, language="en", timezone="Europe/Paris"
        )
        return self.scene.tickets.buy(
            self.event_id, buyer, key=key, price=price, psp="test", now=self.scene.now
        )

    def back(self, checkout: Checkout) -> str:
        """The buyer comes back; the ticket's state."""
        return self.scene.tickets.look(checkout.public_id, ask=True, now=self.scene.now).ticket.state

    def bought(self, email: str = "bob@example.org", *, key: str = "form-1") -> Ticket:
        checkout = self.buy(email, key=key)
        self.scene.choose(checkout)
        assert self.back(checkout) == "valid"
        return self.tickets[-1]

    @property
    def tickets(self) -> list[Ticket]:
        found: list[Ticket] = self.scene.rows(Ticket)
        return found

    @property
    def states(self) -> list[str]:
        return [ticket.state for ticket in self.tickets]

    @property
    def tokens(self) -> list[EventToken]:
        """Those that open."""
        return [token for token in self.scene.rows(EventToken) if token.revoked_at is None]

    @property
    def mails(self) -> list[OutboxMail]:
        found: list[OutboxMail] = self.scene.rows(OutboxMail)
        return found

    @property
    def told(self) -> list[str]:
        """What web hooks were told, in order."""
        return [row.kind for row in self.scene.rows(WebHookDelivery)]

    @property
    def owed(self) -> int:
        """What is owed to the organiser for tickets; on the way it checks that the books balance and that the
        wallet was left alone."""
        with self.sessions.begin() as session:
            assert mismatches(session) == []
            rows = {row.kind: row.posted for row in session.scalars(select(LedgerAccount))}
        assert rows.get(Kind.WALLET, 0) == rows.get(Kind.RECEIVABLE, 0) == 0
        return rows.get(Kind.TICKETS, 0)


@contextmanager
def open_box_office(sessions: sessionmaker[Session]) -> Iterator[BoxOffice]:
    with open_scene(sessions) as scene:
        yield BoxOffice(scene)
