"""One media socket of a call, from its `start` message to its end.

Reading and writing are two coroutines: what comes from Twilio goes straight on to the mixer; what comes from
the mixer waits in an outbox that `playout` keeps short, until the socket takes it.

Cost.  A call is 50 messages a second in and 25 out.  Parsing JSON and base64 is done by msgspec, so most of
the time goes to the WebSocket itself (bench/twilio.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

from bridge.twilio import messages as m
from bridge.twilio.errors import BadMessageError
from bridge.twilio.playout import Order, Playout, SendClear, SendMark, SendMedia
from bridge.twilio.stats import TwilioStats
from bridge.twilio.timeline import Timeline

_log = structlog.get_logger(__name__)

BAD_MESSAGES_MAX = 20
IDLE_S = 15.0
"""Twilio sends sound without pause; a socket on which nothing came for so long is dead."""
HEARD_S = 4.0
"""A mark that takes longer than this counts as heard: a menu must not hang on it."""

UNACCEPTABLE = 1003
POLICY = 1008
TRY_AGAIN = 1011


class MediaSocket(Protocol):
    """A WebSocket that is accepted."""

    async def receive(self) -> str | bytes | None:
        """The next message; None when there will be no more."""
        ...

    async def send(self, text: str) -> None:
        """Waits while the other side takes nothing. Raises OSError when it is gone."""
        ...

    async def close(self, code: int) -> None: ...


class Stream:
    def __init__(
        self,
        socket: MediaSocket,
        facts: m.StartFacts,
        *,
        to_mixer: Callable[[bytes], None],
        on_key: Callable[[str], None],
        stats: TwilioStats,
    ) -> None:
        """to_mixer: takes RTP packets."""
        self._socket, self._to_mixer, self._on_key, self._stats = socket, to_mixer, on_key, stats
        self._loop = asyncio.get_running_loop()
        self._writer = m.Writer(facts.stream_sid)
        self._timeline = Timeline(ssrc=secrets.randbits(32))
        self.playout = Playout()
        self._outbox: deque[str] = deque()
        self._ready = asyncio.Event()
        self._heard: dict[int, tuple[Callable[[], None], asyncio.TimerHandle]] = {}
        self._last_s = self._loop.time()
        self._bad = 0
        self._over = False

    # From our side.

    def frame(self, payload: bytes) -> None:
        """20 ms of µ-law from the mixer."""
        if not self._over:
            self._put(self.playout.frame(payload, now_s=self._loop.time()))

    def hush(self) -> None:
        """What was sent and is not played yet shall not be heard."""
        orders = self.playout.interrupt()
        if orders:
            # Marks that wait in the outbox are still wanted back.
            self._outbox = deque(text for text in self._outbox if '"event":"media"' not in text[:16])
            self._put(orders)

    def when_heard(self, then: Callable[[], None]) -> None:
        """Call `then` when all that was sent so far was played."""
        if self._over:
            then()
            return
        number, orders = self.playout.mark(now_s=self._loop.time())
        self._heard[number] = (then, self._loop.call_later(HEARD_S, self._tell, number))
        self._put(orders)

    def _tell(self, number: int) -> None:
        waiting = self._heard.pop(number, None)
        if waiting is not None:
            waiting[1].cancel()
            waiting[0]()

    def _put(self, orders: list[Order]) -> None:
        if not orders:
            return
        for order in orders:
            match order:
                case SendMedia(payload):
                    self._outbox.append(self._writer.media(payload))
                case SendMark(number):
                    self._outbox.append(self._writer.mark(number))
                case SendClear():
                    self._outbox.append(self._writer.clear)
        self._ready.set()

    async def close(self, code: int = 1000) -> None:
        """End the stream from our side."""
        self._over = True
        self._ready.set()
        with contextlib.suppress(OSError):
            await self._socket.close(code)

    # The two directions.

    async def run(self) -> bool:
        """Carry sound until the end: True when Twilio said `stop`, False when the socket broke."""
        sender = asyncio.create_task(self._send())
        watch = self._loop.call_later(IDLE_S, self._watch)
        try:
            return await self._receive()
        finally:
            self._over = True
            watch.cancel()
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
            for number in sorted(self._heard):
                self._tell(number)
            self._stats.add(self.playout.stats)

    def _watch(self) -> None:
        if self._over:
            return
        left_s = self._last_s + IDLE_S - self._loop.time()
        if left_s > 0:
            self._loop.call_later(left_s, self._watch)
        else:
            _log.warning("twilio_stream_idle")
            self._closing = self._loop.create_task(self.close(TRY_AGAIN))

    async def _receive(self) -> bool:
        receive, timeline, clock = self._socket.receive, self._timeline, self._loop.time
        while True:
            text = await receive()
            if text is None:
                return False
            self._last_s = clock()
            try:
                message = m.read(text)
            except BadMessageError as exc:
                self._stats.bad_messages += 1
                self._bad += 1
                if self._bad > BAD_MESSAGES_MAX:
                    _log.warning("twilio_stream_unreadable", error=str(exc))
                    await self.close(UNACCEPTABLE)
                    return False
                continue
            match message:
                case m.Media(media):
                    if media.payload and media.track.startswith("inbound"):
                        self._stats.frames_in += 1
                        self._to_mixer(
                            timeline.packet(media.payload, chunk=media.chunk, timestamp_ms=media.timestamp)
                        )
                case m.Dtmf(press):
                    self._on_key(press.digit)
                case m.Mark(mark):
                    self._returned(mark.name)
                case m.Stop():
                    return True

    def _returned(self, name: str) -> None:
        if not name.isdecimal() or len(name) > 12:
            self._stats.bad_messages += 1
            return
        number = int(name)
        self.playout.returned(number, now_s=self._loop.time())
        for known in [known for known in self._heard if known <= number]:
            self._tell(known)

    async def _send(self) -> None:
        send = self._socket.send
        while not self._over:
            await self._ready.wait()
            self._ready.clear()
            try:
                while self._outbox and not self._over:
                    await send(self._outbox.popleft())
            except OSError:
                return  # the reader learns of it, too
