"""An application with room pages over a gate in memory, one event, and its door."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from events import service, tokens
from events.fields import parse_wishes
from events.models import Event
from events.tokens import Holder
from rooms.commands import RoomCommand
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from rooms.room import Room
from tests.support.gate import MemoryGate
from tests.web.conftest import House
from web import errors, join_routes, live, socket
from web.services import Gateway, Services

LONDON = Gateway(
    code="gb-london",
    location="London",
    number="+442038079999",
    display="+44 20 3807 9999",
    country="GB",
    language="en",
)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class RoomHouse:
    """`client` talks to the application; commands of telephones are applied on its loop with `do`."""

    client: TestClient
    services: Services
    gate: MemoryGate
    clock: Clock
    event: Event
    house: House

    @property
    def url(self) -> str:
        return self.event.url_name

    @property
    def room_id(self) -> str:
        return str(self.event.id)

    @property
    def room(self) -> Room:
        room = self.services.live.get(self.room_id)
        assert room is not None
        return room

    def do(self, command: RoomCommand) -> None:
        """Something a telephone does."""
        assert self.client.portal is not None
        self.client.portal.call(lambda: self.services.live.apply(self.room_id, command, now_s=self.clock()))

    def let_go(self) -> None:
        assert self.client.portal is not None
        self.client.portal.call(self.gate.let_go)

    def pin(self, role: str) -> str:
        return next(pin.pin for pin in self.event.pins if pin.role == role)

    def metric(self, name: str, **labels: str) -> float:
        return self.services.registry.get_sample_value(name, labels) or 0.0

    def create(self, **fields: Any) -> Event:
        """One more event."""
        with self.services.sessions.begin() as session:
            event = service.create_event(
                session,
                account_id=self.house.account_id,
                wishes=parse_wishes({"name": "Results", **fields}),
                now=self.services.now(),
            )
        self.services.directory.refresh()
        return event

    def token(self, event: Event) -> str:
        """A fresh token of the event."""
        with self.services.sessions.begin() as session:
            fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
            return tokens.issue(session, fresh, [Holder()], now=self.services.now())[0].token.token


def create_rooms(services: Services) -> FastAPI:
    """The room pages' side of the application alone."""
    app = FastAPI()
    app.state.services = services
    for module in (live, socket, join_routes):
        app.include_router(module.router)
    errors.install(app)
    return app


@pytest.fixture
def rooms(house: House) -> Iterator[RoomHouse]:
    live_rooms, clock = LiveRooms(), Clock()
    gate = MemoryGate(live_rooms, clock=clock)
    services = dataclasses.replace(
        house.services,
        live=live_rooms,
        feed=RoomFeed(live_rooms),
        gate=gate,
        registry=CollectorRegistry(),
        gateways=(LONDON, *house.services.gateways),
        public_url="http://testserver",
        clock=clock,
    )
    with services.sessions.begin() as session:
        event = service.create_event(
            session,
            account_id=house.account_id,
            wishes=parse_wishes({"name": "Results"}),
            now=services.now(),
        )
    services.directory.refresh()
    with TestClient(create_rooms(services), raise_server_exceptions=False) as client:
        yield RoomHouse(client=client, services=services, gate=gate, clock=clock, event=event, house=house)
