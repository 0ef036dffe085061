"""An application over a fresh database, with two organisers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.engine import make_sessions
from database.types import now_utc
from events.directory import PinDirectory
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from web.app import create_app
from web.services import Gateway, Services

PARIS = Gateway(
    code="fr-paris",
    location="Paris",
    number="+33975129519",
    display="+33 (0)9 75 12 95 19",
    country="FR",
    language="fr",
)


@dataclass(frozen=True)
class House:
    """Everything a test of the web side touches. `api` is the organiser's client, `other` somebody else's."""

    services: Services
    api: TestClient
    other: TestClient
    anonymous: TestClient
    account_id: int

    def pool_in_use(self) -> int:
        """Database connections that are not in the pool now."""
        bind = self.services.sessions.kw["bind"]
        return int(bind.pool.checkedout())

    def fresh_services(self) -> Services:
        """The same services for a second application, which needs metrics of its own."""
        return dataclasses.replace(self.services, registry=CollectorRegistry())


@pytest.fixture
def house(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[House]:
    readers = make_sessions(engine, read_only=True)
    live = LiveRooms()
    services = Services(
        sessions=sessions,
        readers=readers,
        live=live,
        feed=RoomFeed(live),
        directory=PinDirectory(readers),
        registry=CollectorRegistry(),
        version="1.2.3",
        public_url="https://events.example",
        gateways=(PARIS,),
    )
    app = create_app(services)
    with sessions.begin() as session:
        one = create_account(session, email="one@example.org", now=now_utc())
        two = create_account(session, email="two@example.org", now=now_utc())
        account_id = one.account.id

    def client(key: str | None) -> TestClient:
        headers = {} if key is None else {"X-Api-Key": key}
        return TestClient(app, headers=headers, raise_server_exceptions=False)

    with client(one.api_key) as api, client(two.api_key) as other, client(None) as anonymous:
        yield House(services=services, api=api, other=other, anonymous=anonymous, account_id=account_id)
