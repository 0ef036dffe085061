"""Room pages without a browser: join over HTTP, live socket, WebRTC by aiortc.

    with Pages(product) as pages:
        ada = pages.page("Ada", key=room.facts()["access_role_hashes"]["presenter"])
        ada.enter()                 joins, opens the socket, says hello
        ada.sound(says_hz=700)      offers WebRTC and waits until it is connected
        ada.ask("mute"), ada.state, ada.hears(425)

All connections live on one event loop in a thread of its own, so that tests with telephones, which wait, can
stay what they are.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

import httpx
import numpy as np
import websockets

from rooms.webrtc.opus import Decoder
from tests.rooms.page import Page
from tests.rooms.webrtc.studio import RATE, Browser
from tests.support.product import Product, Room
from tests.support.sound import Sound, level_db, sine

T = TypeVar("T")
_WAIT_S = 15.0


class RoomPage:
    """One tab: its cookies, its socket, its sound."""

    def __init__(self, pages: Pages, name: str, room: Room, *, key: str | None, address: str) -> None:
        self.name, self.room, self.key, self.address = name, room, key, address
        self._pages = pages
        self.url_name = str(room.facts()["name_url"])
        self.cookie = ""
        self.socket: Any = None
        self.browser: Browser | None = None
        self.page: Page | None = None
        self.sounds: list[dict[str, Any]] = []
        self.states = 0
        """How many whole states came."""
        self.told: list[dict[str, Any]] = []
        """All frames of all connections."""
        self.closed: tuple[int, str] | None = None
        self._n = itertools.count(1)
        self._reader: asyncio.Task[None] | None = None

    # Coming and going.

    def join(self) -> httpx.Response:
        """Fill in the join page."""
        product = self._pages.product
        with httpx.Client(transport=httpx.HTTPTransport(local_address=self.address)) as client:
            answer = client.post(
                f"{product.url}/{self.url_name}/join",
                json={"name": self.name, "email": f"{self.name.lower()}@example.org", "l": self.key or ""},
                headers={"Cookie": self.cookie} if self.cookie else {},
            )
        if answer.status_code == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def connect(self, *, max_queue: int | None = None) -> None:
        """Open the socket. Raises websockets.InvalidStatus, OSError."""
        self._pages.do(self._connect(max_queue))

    async def _connect(self, max_queue: int | None) -> None:
        self._n, self.closed = itertools.count(1), None
        self.socket = await websockets.connect(
            self.socket_url,
            additional_headers={"Cookie": self.cookie},
            local_addr=(self.address, 0),
            max_size=None,
            max_queue=max_queue,
            ping_interval=None,
            open_timeout=_WAIT_S,
        )
        self._reader = asyncio.create_task(self._read(self.socket))

    @property
    def socket_url(self) -> str:
        product = self._pages.product
        return f"ws://127.0.0.1:{product.http_port}/rooms/{self.url_name}/socket"

    async def _read(self, socket: Any) -> None:
        try:
            async for text in socket:
                self._take(str(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.closed = (socket.close_code, socket.close_reason)

    def _take(self, text: str) -> None:
        told = json.loads(text)
        if "state" in told:
            self.page = Page(told["state"])
            self.states += 1
        elif "event" in told and self.page is not None:
            self.page.take(text)
        elif "sound" in told:
            self.sounds.append(told["sound"])
        self.told.append(told)

    def enter(self, seq: int | None = None) -> RoomPage:
        """Join if there is no ticket yet, connect, say hello, and wait until the page is in."""
        if not self.cookie:
            assert self.join().status_code == 200
        states = self.states
        self.connect()
        answer = self.ask("hello", seq=seq)
        assert answer.get("ok"), answer
        if seq is None:
            self._pages.until(lambda: self.states > states, f"the state for {self.name}")
        return self

    def disconnect(self) -> None:
        """The socket is gone, with a closing handshake."""
        if self.socket is not None:
            self._pages.do(self.socket.close())

    @property
    def state(self) -> dict[str, Any]:
        """The room as the page shows it."""
        assert self.page is not None
        return self.page.state

    @property
    def id(self) -> str:
        return str(self.state["me"]["id"])

    def card(self, seat: str | None = None) -> dict[str, Any]:
        """Somebody in the page's list, by default oneself; empty when not there."""
        wanted = seat or self.id
        return next((one for one in self.state["people"] if one["id"] == wanted), {})

    # Saying things.

    def say_raw(self, data: str | bytes) -> None:
        """Send a frame as it is."""
        self._pages.do(self.socket.send(data))

    def ask(self, do: str, *, n: int | None = None, **fields: Any) -> dict[str, Any]:
        """One message and its answer."""
        number = next(self._n) if n is None else n
        begun = len(self.told)
        self.say_raw(json.dumps({"n": number, "do": do, **fields}))

        def answered() -> dict[str, Any] | None:
            return next((one for one in self.told[begun:] if one.get("re") == number), None)

        return self._pages.until(answered, f"the answer to {do}") or {}

    # Sound.

    def sound(self, *, says_hz: float | None = None) -> RoomPage:
        """A new peer connection, as a reloaded or a recovering page makes it; connected when this returns."""
        self._pages.do(self._sound(says_hz))
        return self

    async def _sound(self, says_hz: float | None) -> None:
        if self.browser is not None:
            await self.browser.close()
        self.browser = browser = Browser(0)
        number, begun = next(self._n), len(self.told)
        await self.socket.send(json.dumps({"n": number, "do": "offer", "sdp": await browser.offer()}))
        deadline_s = time.monotonic() + _WAIT_S
        while not (found := [one for one in self.told[begun:] if one.get("re") == number]):
            assert time.monotonic() < deadline_s, "no answer to the offer"
            await asyncio.sleep(0.01)
        assert found[0].get("ok"), found[0]
        await browser.accept(found[0]["sdp"])
        await browser.connected()
        if says_hz is not None:
            browser.say(sine(says_hz, rate=RATE))

    def heard(self, *, last_s: float = 0.4) -> Sound:
        """The last of what was received; empty when nothing came lately."""
        assert self.browser is not None
        since_s = time.monotonic() - last_s
        packets = [packet for at_s, packet in list(self.browser.heard) if at_s >= since_s]
        if len(packets) < last_s * 25:
            return np.zeros(0)
        decoder = Decoder()
        return np.concatenate([np.frombuffer(decoder.decode(each.payload), np.int16) for each in packets])

    def hears(self, hz: float, *, last_s: float = 0.4) -> bool:
        """Whether a tone sounds now."""
        sound = self.heard(last_s=last_s)
        return len(sound) > 0 and level_db(sound.astype(np.float64), hz, rate=RATE) > -45

    async def close(self) -> None:
        if self.browser is not None:
            await self.browser.close()
        if self.socket is not None:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                await self.socket.close()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=5)


class Pages:
    """All pages of one test, and their loop."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pages", daemon=True)
        self._pages: list[RoomPage] = []

    def __enter__(self) -> Pages:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for page in self._pages:
            with contextlib.suppress(TimeoutError):
                self.do(page.close())
        self.do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def page(
        self, name: str, room: Room | None = None, *, key: str | None = None, address: str = "127.0.0.1"
    ) -> RoomPage:
        """Somebody with a browser, who has not come yet. `key`: what their link carries, for a role."""
        found = RoomPage(self, name, room or self.product.demo, key=key, address=address)
        self._pages.append(found)
        return found

    def presenter(self, name: str, room: Room | None = None, *, address: str = "127.0.0.1") -> RoomPage:
        """Somebody with the presenters' link."""
        room = room or self.product.demo
        return self.page(name, room, key=room.facts()["access_role_hashes"]["presenter"], address=address)

    def begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin something on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def do(self, work: Coroutine[Any, Any, T], *, within_s: float = 30.0) -> T:
        """Run something on the loop."""
        return self.begin(work).result(within_s)

    def until(self, condition: Callable[[], T], what: str, *, within_s: float = _WAIT_S) -> T:
        """The first true value of a condition."""
        deadline_s = time.monotonic() + within_s
        while not (value := condition()):
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{what} did not come within {within_s} s")
            time.sleep(0.02)
        return value
