"""Ann's paid event, her browser, and somebody who wants a ticket; the test provider next door."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from billing.payments.models import Checkout
from billing.tickets.models import Ticket
from events.models import Event
from mail.models import OutboxMail
from tests.support.billing_house import NOW, PASSWORD, BillingHouse, Person, open_house
from tests.web.site.conftest import create_site, new_browser, post, sign_in

FORM = {
    "name": "A good talk", "room_type": "webinar", "permanent_room": "0", "access_type": "4",
    "starts_at": "2027-03-01T10:00", "duration": "1:00", "timezone": "Europe/Paris", "lobby_enabled": "0",
    "ticket[price]": "25", "ticket[currency]": "eur", "ticket[capacity]": "",
}  # fmt: skip


@dataclass
class Shop:
    """See the module text."""

    house: BillingHouse
    person: Person
    ann: TestClient
    bob: TestClient
    """Another account's organiser."""
    buyer: TestClient
    event_id: int = 0
    url: str = ""
    page: str = field(default="", repr=False)

    def plan(self, **changes: str) -> httpx.Response:
        """Ann fills in the form of a new event."""
        names = {"price": "ticket[price]", "currency": "ticket[currency]", "capacity": "ticket[capacity]"}
        fields = {**FORM, **{names.get(name, name): value for name, value in changes.items()}}
        answer = post(self.ann, "/events/new", fields, page="/events/new")
        if answer.status_code == 303:
            self.event_id = int(answer.headers["location"].split("/")[2].partition("?")[0])
            with self.house.sessions() as session:
                self.url = session.get_one(Event, self.event_id).url_name
        return answer

    def form(self) -> tuple[str, str]:
        """The address of a fresh form, and the page itself."""
        page = self.buyer.get(f"/{self.url}/ticket").headers["location"]
        return page, self.buyer.get(page).text

    def buy(self, page: str = "", **changes: str) -> httpx.Response:
        page = page or self.form()[0]
        text = self.buyer.get(page).text
        fields = dict(re.findall(r'type="hidden" name="(key|price)" value="([^"]*)"', text))
        fields |= {"first_name": "Zoé", "last_name": "Martin", "email": "zoe@example.org"} | changes
        return post(self.buyer, f"/{self.url}/ticket", fields, page=page)

    def pay(self, answer: httpx.Response, **how: str) -> str:
        """Go on to the provider, choose, and the address one comes back to."""
        assert answer.status_code == 303, answer.text
        assert self.buyer.get(answer.headers["location"]).status_code == 200
        with self.house.sessions() as session:
            checkout = session.scalars(select(Checkout).order_by(Checkout.id.desc())).first()
        assert checkout is not None
        back = httpx.post(checkout.url, data={"outcome": "pay", **how})
        assert back.status_code == 303, back.text
        return "/tickets/" + back.headers["location"].rpartition("/tickets/")[2]

    def tickets(self) -> list[Ticket]:
        with self.house.sessions() as session:
            return list(session.scalars(select(Ticket).order_by(Ticket.id)))

    def mails(self) -> list[OutboxMail]:
        with self.house.sessions() as session:
            return list(session.scalars(select(OutboxMail).order_by(OutboxMail.id)))


@pytest.fixture
def shop(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[Shop]:
    with open_house(engine, sessions) as house:
        house.now = NOW
        ann, bob = house.account("ann@example.org"), house.account("bob@example.org")
        app = create_site(house.services)
        with new_browser(app) as one, new_browser(app) as two, new_browser(app) as buyer:
            assert sign_in(one, ann.email, PASSWORD).status_code == 303
            assert sign_in(two, bob.email, PASSWORD).status_code == 303
            yield Shop(house=house, person=ann, ann=one, bob=two, buyer=buyer)
