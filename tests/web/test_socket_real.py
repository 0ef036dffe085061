"""The live socket over a real server and real TCP: the handshake, how soon news arrives, a page that does
not read.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest
import uvicorn
import websockets
from prometheus_client import CollectorRegistry

from rooms import commands as c
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from tests.support.gate import MemoryGate
from tests.web.conftest import House
from tests.web.room_house import RoomHouse, create_rooms, rooms
from web import seat_tokens
from web.seat_tokens import Ticket
from web.services import Services

__all__ = ["rooms"]


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[str]:
    """The address of a server over these services."""
    config = uvicorn.Config(create_rooms(services), host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


def run(house: RoomHouse, scene: Callable[[Services, str, str], Awaitable[None]]) -> None:
    """Play a scene with a server whose rooms live on this loop."""

    async def play() -> None:
        live = LiveRooms()
        services = dataclasses.replace(
            house.services,
            live=live,
            feed=RoomFeed(live),
            gate=MemoryGate(live, clock=time.monotonic),
            registry=CollectorRegistry(),
            clock=time.monotonic,
        )
        ticket = Ticket(
            seat_id="s" * 22,
            event_id=house.event.id,
            role=Role.PRESENTER,
            name="Eve",
            email=None,
            issued_s=int(services.now().timestamp()),
        )
        cookie = f"tb_seat_{house.event.id}={seat_tokens.sign(ticket, secret=services.secret)}"
        async with served(services) as address:
            await scene(services, f"{address}/rooms/{house.url}/socket", cookie)

    asyncio.run(asyncio.wait_for(play(), 30))


async def say(page: Any, n: int, do: str, **fields: Any) -> None:
    await page.send(json.dumps({"n": n, "do": do, **fields}))


async def until(page: Any, key: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = json.loads(await page.recv())
        if key in told:
            return told


def test_a_stranger_gets_403_before_the_socket_is_open(rooms: RoomHouse) -> None:
    async def scene(_services: Services, url: str, cookie: str) -> None:
        for headers in (
            {},
            {"Cookie": cookie[:-3] + "AAA"},
            {"Cookie": cookie, "Origin": "https://evil.example"},
        ):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(url, additional_headers=headers)
            assert refused.value.response.status_code == 403
        host = url.split("/")[2]
        async with websockets.connect(
            url, additional_headers={"Cookie": cookie}, origin=f"http://{host}"
        ) as page:
            await say(page, 1, "hello", seq=None)
            assert (await until(page, "state"))["state"]["me"]["name"] == "Eve"

    run(rooms, scene)


def test_a_key_is_on_the_page_within_200_ms(rooms: RoomHouse) -> None:
    async def scene(services: Services, url: str, cookie: str) -> None:
        async with websockets.connect(url, additional_headers={"Cookie": cookie}) as page:
            await say(page, 1, "hello", seq=None)
            await until(page, "sound")
            join = c.Join(participant_id="p", name="Caller", role=Role.PARTICIPANT, via=Via.PHONE)
            services.live.apply(str(rooms.event.id), join, now_s=0)
            await until(page, "event")
            waits = []
            for _ in range(20):
                began = time.perf_counter()
                services.live.apply(str(rooms.event.id), c.ToggleMute(participant_id="p"), now_s=0)
                assert (await until(page, "event"))["event"]["participant"] == "p"
                waits.append(time.perf_counter() - began)
            assert sorted(waits)[10] < 0.2

    run(rooms, scene)


def test_a_page_that_does_not_read_costs_a_bound_and_gets_the_state(rooms: RoomHouse) -> None:
    async def scene(services: Services, url: str, cookie: str) -> None:
        room_id = str(rooms.event.id)
        async with websockets.connect(url, additional_headers={"Cookie": cookie}, max_queue=1) as page:
            await say(page, 1, "hello", seq=None)
            await until(page, "sound")
            for _ in range(20_000):
                services.live.apply(room_id, c.ToggleLock(by=c.ORGANISER), now_s=0)
            assert (services.registry.get_sample_value("tollbridge_socket_overflows_total") or 0) >= 1
            state = (await until(page, "state"))["state"]
            assert state["seq"] == services.feed.state(room_id, Role.PRESENTER)["seq"]

    run(rooms, scene)


def test_many_pages_of_one_room_hear_the_same(rooms: RoomHouse, house: House) -> None:
    assert house.services is not rooms.services

    async def scene(services: Services, url: str, cookie: str) -> None:
        name = cookie.partition("=")[0]
        pages = []
        for number in range(30):
            ticket = Ticket(
                seat_id=f"{number:022d}",
                event_id=rooms.event.id,
                role=Role.PARTICIPANT,
                name=f"P {number}",
                email=None,
                issued_s=int(services.now().timestamp()),
            )
            text = seat_tokens.sign(ticket, secret=services.secret)
            page = await websockets.connect(url, additional_headers={"Cookie": f"{name}={text}"})
            await say(page, 1, "hello", seq=None)
            await until(page, "state")
            pages.append(page)
        services.live.apply(str(rooms.event.id), c.Lock(by=c.ORGANISER), now_s=0)
        for page in pages:
            while (await until(page, "event"))["event"]["type"] != "locked":
                continue
        await asyncio.gather(*(page.close() for page in pages))

    run(rooms, scene)
