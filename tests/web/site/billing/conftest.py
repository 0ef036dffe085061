"""The pages about money over a house with money in it: Ann has two months of history, Bob a little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.support.billing_house import NOW, PASSWORD, BillingHouse, Person, open_house
from tests.web.site.conftest import create_site, new_browser, post, sign_in, token_of


@dataclass
class Reader:
    """Somebody's browser, signed in."""

    client: TestClient
    person: Person

    @property
    def account_id(self) -> int:
        return self.person.account_id

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def text(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def post(self, path: str, data: dict[str, str] | None = None) -> httpx.Response:
        return post(self.client, path, data, page="/billing/cards")

    def token(self) -> str:
        return token_of(self.client, "/billing/cards")


@dataclass
class Rooms:
    """The house, who reads its pages, and what they have."""

    house: BillingHouse
    ann: Reader
    bob: Reader
    stranger: TestClient
    charge: int
    """A transaction of Ann's: usage, paid in part by the card."""

    call: str
    """A call in it."""

    invoice: str


@pytest.fixture
def rooms(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[Rooms]:
    with open_house(engine, sessions) as house:
        ann = house.account("ann@example.org", event="<b>Results</b> & more")
        bob = house.account("bob@example.org", event="Bob’s event")
        house.company(ann)
        house.now = NOW - timedelta(days=40)
        house.top_up(ann, 2_000, save_card=True)
        house.session(ann, at=NOW - timedelta(days=38), calls=9)
        big = house.session(ann, at=NOW - timedelta(days=3), calls=14, minutes=60)
        house.session(bob, at=NOW - timedelta(days=2), calls=3)
        house.now = NOW
        house.scene.runner.run_once(NOW)
        (invoice,) = house.invoice(ann)
        app = create_site(house.services)
        with new_browser(app) as one, new_browser(app) as two, new_browser(app) as stranger:
            assert sign_in(one, ann.email, PASSWORD).status_code == 303
            assert sign_in(two, bob.email, PASSWORD).status_code == 303
            charge = house.charge_of(big)
            with sessions() as session:
                call = house.calls.of_session(session, big)[0].cdr_id
            yield Rooms(
                house=house, ann=Reader(one, ann), bob=Reader(two, bob), stranger=stranger, charge=charge,
                call=call, invoice=invoice,
            )  # fmt: skip
