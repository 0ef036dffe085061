"""Join page, room page and live socket over real rooms, served to real browsers; there is no sound.

The application runs on a thread with a loop of its own, as it does in production; tests reach the rooms
through `apply` and `call`, which run on that loop.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page
from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.types import now_utc
from events.directory import PinDirectory
from events.fields import parse_wishes
from events.service import create_event
from rooms import commands as c
from rooms.events import RoomEvent
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from tests.support.gate import MemoryGate
from web import errors, join_routes
from web import socket as live_socket
from web.services import Gateway, Services
from web.site import assets, join, room
from web.site.errors import error_page

GATEWAYS = (
    Gateway(code="us-chicago", location="Chicago", number="+13127021380", display="+1 (312) 702-1380", country="US", language="en"),
    Gateway(code="gb-london", location="London", number="+442035142063", display="+44 (20) 3514-2063", country="GB", language="en"),
    Gateway(code="fr-paris", location="Paris", number="+33975129519", display="+33 (0)9 75 12 95 19", country="FR", language="fr"),
    Gateway(code="de-berlin", location="Berlin", number="+4915735989002", display="+49 (157) 3598-9002", country="DE", language="de"),
    Gateway(code="jp-tokyo", location="Tokyo", number="+815031319012", display="+81 (50) 3131-9012", country="JP", language="ja"),
)

T = TypeVar("T")


class RoomSite:
    """One event, "Town hall" at /town-hall, and another with a password at /members. Start it with `serving`."""

    def __init__(self, sessions: sessionmaker[Session], *, gate: type[MemoryGate] = MemoryGate) -> None:
        self.live = LiveRooms()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.gate = gate(self.live, clock=time.monotonic)
        self.services = Services(
            sessions=sessions,
            readers=sessions,
            live=self.live,
            feed=RoomFeed(self.live, first_seq=1000, unix_offset_s=time.time() - time.monotonic()),
            gate=self.gate,
            directory=PinDirectory(sessions),
            registry=CollectorRegistry(),
            version="1.2.3",
            public_url=self.url,
            gateways=GATEWAYS,
            sockets_per_address=1_000,
        )
        wishes: Sequence[dict[str, Any]] = (
            {"name": "Town hall", "custom_room_url_name": "town-hall", "permanent_room": "1"},
            {"name": "Members", "custom_room_url_name": "members", "access_type": "2", "password": "open sesame"},
        )
        with sessions.begin() as session:
            account = create_account(session, email="organiser@example.org", now=now_utc()).account
            events = [
                create_event(session, account_id=account.id, wishes=parse_wishes(each), now=now_utc())
                for each in wishes
            ]
            session.flush()
            self.room_id, self.host_key, self.room_pin = str(events[0].id), events[0].hash_host, events[0].room_pin
        self.services.directory.refresh()
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self.app.state.services = self.services
        for router in (
            assets.router, join.router, room.router, join_routes.router, live_socket.router, join.last_router,
        ):  # fmt: skip
            self.app.include_router(router)
        errors.install(self.app, page=error_page)
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def serving(self) -> Iterator[RoomSite]:
        """Answer requests until the end of the block."""
        config = uvicorn.Config(self.app, host="127.0.0.1", port=self.port, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        ready = threading.Event()

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            ready.set()
            await server.serve()

        thread = threading.Thread(target=lambda: asyncio.run(run()), name="room-site", daemon=True)
        thread.start()
        ready.wait()
        give_up = time.monotonic() + 10
        while not server.started and time.monotonic() < give_up:
            time.sleep(0.01)
        try:
            yield self
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the loop's thread; what it returns."""
        assert self._loop is not None

        async def on_loop() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(10)

    def apply(self, *commands: c.RoomCommand) -> list[RoomEvent]:
        """Give the room orders, as keys of telephones would."""

        def work() -> list[RoomEvent]:
            self.live.open(self.room_id, name="Town hall")
            happened: list[RoomEvent] = []
            for command in commands:
                happened += self.live.apply(self.room_id, command, now_s=time.monotonic())
            return happened

        return self.call(work)

    def phone(self, name: str, *, role: Role = Role.PARTICIPANT, number: str | None = None) -> str:
        """A caller from Paris in the room; their id."""
        self.apply(
            c.Join(
                participant_id=f"phone-{name}", name=name, role=role, via=Via.PHONE, city="Paris", country="FR",
                number_masked=number,
            )
        )  # fmt: skip
        return f"phone-{name}"

    def enter(self, page: Page, name: str, *, host: bool = False, way: str = "listen") -> Page:
        """Join through the entrance, as a person does, and wait until the room is there."""
        page.goto(f"{self.url}/town-hall" + (f"?l={self.host_key}" if host else ""))
        page.fill("#name", name)
        page.fill("#email", "somebody@example.org")
        page.locator(f"input[name=way][value={way}]").check()
        page.click("#enter")
        page.wait_for_selector("#room[data-phase=live]")
        return page
