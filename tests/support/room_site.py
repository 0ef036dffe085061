"""Join page, room page and live socket over real rooms, served to real browsers; there is no sound.

The application runs on a thread with a loop of its own, as it does in production; tests reach the rooms
through `apply` and `call`, which run on that loop.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
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
from web.site.skins import public as looks

GATEWAYS = tuple(
    Gateway(code=code, location=city, number=number, display=display, country=country, language=language)
    for code, city, number, display, country, language in (
        ("us-chicago", "Chicago", "+13127021380", "+1 (312) 702-1380", "US", "en"),
        ("gb-london", "London", "+442035142063", "+44 (20) 3514-2063", "GB", "en"),
        ("fr-paris", "Paris", "+33975129519", "+33 (0)9 75 12 95 19", "FR", "fr"),
        ("de-berlin", "Berlin", "+4915735989002", "+49 (157) 3598-9002", "DE", "de"),
        ("jp-tokyo", "Tokyo", "+815031319012", "+81 (50) 3131-9012", "JP", "ja"),
    )
)

T = TypeVar("T")


class RoomSite:
    """Two events: "Town hall" at /town-hall, and /members with a password. Start it with `serving`."""

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
            {
                "name": "Members",
                "custom_room_url_name": "members",
                "access_type": "2",
                "password": "open sesame",
            },
        )
        with sessions.begin() as session:
            account = create_account(session, email="organiser@example.org", now=now_utc()).account
            events = [
                create_event(session, account_id=account.id, wishes=parse_wishes(each), now=now_utc())
                for each in wishes
            ]
            session.flush()
            self.room_id, self.host_key, self.room_pin = (
                str(events[0].id),
                events[0].hash_host,
                events[0].room_pin,
            )
        self.services.directory.refresh()
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self.app.state.services = self.services
        for router in (
            assets.router, looks.router, join.router, room.router, join_routes.router, live_socket.router,
            join.last_router,
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

        async def on_loop() -> T:
            return work()

        return self.call_async(on_loop())

    def call_async(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for a coroutine."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

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
        joining = c.Join(
            participant_id=f"phone-{name}",
            name=name,
            role=role,
            via=Via.PHONE,
            city="Paris",
            country="FR",
            number_masked=number,
        )
        self.apply(joining)
        return f"phone-{name}"

    def enter(self, page: Page, name: str, *, host: bool = False, way: str = "listen") -> Page:
        """Be in the room by the shortest way: a ticket from the door, then the page."""
        proof = {"l": self.host_key} if host else {}
        answer = page.request.post(
            f"{self.url}/town-hall/join",
            data={"name": name, "email": "somebody@example.org", **proof},
            headers={"Origin": self.url},
        )
        assert answer.ok, answer.text()
        page.add_init_script(f"localStorage.setItem('tollbridge.sound', JSON.stringify({{way: '{way}'}}))")
        page.goto(f"{self.url}/rooms/town-hall")
        page.wait_for_selector("#room[data-phase=live]")
        return page

    def enter_by_the_door(self, page: Page, name: str, *, host: bool = False, way: str = "listen") -> Page:
        """Join through the entrance, as a person does, and wait until the room is there."""
        page.goto(f"{self.url}/town-hall" + (f"?l={self.host_key}" if host else ""))
        page.fill("#name", name)
        page.fill("#email", "somebody@example.org")
        page.locator(f"input[name=way][value={way}]").check()
        page.click("#enter")
        page.wait_for_selector("#room[data-phase=live]")
        return page
