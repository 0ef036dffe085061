"""Legs of the mixer for browsers: one each for those who speak, shared ones for those who listen.

A source is a leg of the mixer and the end of it in the WebRTC process, tied together over loopback.  Opening
one takes a round trip to that process; whoever asks for the same shared source meanwhile waits for the same
one.  A shared source without listeners is kept for a moment, because people come and go in groups.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bridge.mixer.client import MixerClient, NoPortsError
from bridge.mixer.legs import L16
from rooms.errors import Refused
from rooms.webrtc.client import WebRtcClient

_log = structlog.get_logger(__name__)

KEEP_S = 5.0
"""How long a shared source without listeners is kept, in seconds."""

L16_PT = 96


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a shared source lets hear: a room by the mixer's number, or the music of those who wait."""

    room: int | None


MUSIC = Hearing(None)


@dataclass(slots=True, eq=False)
class Source:
    """One leg. `shared` is None for the leg of one person."""

    number: int
    leg: int
    ip: str
    port: int
    shared: Hearing | None
    users: int = 0
    timer: asyncio.TimerHandle | None = None


class Sources:
    """All sources of this node."""

    def __init__(self, mixer: MixerClient, webrtc: WebRtcClient) -> None:
        self._mixer, self._webrtc = mixer, webrtc
        self._next = 1
        self._by_number: dict[int, Source] = {}
        self._shared: dict[Hearing, asyncio.Task[Source]] = {}
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._by_number)

    async def own(self) -> Source:
        """A leg for one person; place it in the mixer before use. Raises Refused when no leg is free,
        Unavailable."""
        return await self._open(None)

    async def shared(self, hearing: Hearing) -> Source:
        """The leg for all who hear the same; give it back with `release`. Raises Refused."""
        task = self._shared.get(hearing)
        if task is None:
            task = self._shared[hearing] = self._loop.create_task(self._open(hearing))
            task.add_done_callback(lambda done: self._opened(hearing, done))
        source = await asyncio.shield(task)
        source.users += 1
        if source.timer is not None:
            source.timer.cancel()
            source.timer = None
        return source

    def _opened(self, hearing: Hearing, task: asyncio.Task[Source]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and self._shared.get(hearing) is task:
            del self._shared[hearing]

    async def _open(self, hearing: Hearing | None) -> Source:
        try:
            leg, ip, port = self._mixer.reserve(family="v4")
        except NoPortsError as exc:
            raise Refused("event-full") from exc
        ip = "127.0.0.1" if ip == "0.0.0.0" else ip
        number, self._next = self._next, self._next + 1
        source = Source(number, leg, ip, port, hearing)
        try:
            end_ip, end_port = await self._webrtc.open_source(number, ip, port)
        except BaseException:
            self._mixer.close(leg)
            raise
        self._by_number[number] = source
        self._tie(source, end_ip, end_port)
        if hearing is not None:
            hear = "music" if hearing is MUSIC else "room"
            self._mixer.place(leg, room=hearing.room, speak=False, hear=hear)
        return source

    def _tie(self, source: Source, ip: str, port: int) -> None:
        self._mixer.open(
            source.leg,
            codec=L16,
            pt=L16_PT,
            dtmf_pt=None,
            remote_ip=ip,
            remote_port=port,
            remote_rtcp_port=0,
            nat=False,
            send=True,
            receive=source.shared is None,
        )

    def moved(self, number: int, ip: str, port: int) -> None:
        """The WebRTC process was replaced, and the source's end is elsewhere now."""
        source = self._by_number.get(number)
        if source is not None:
            self._tie(source, ip, port)

    def release(self, source: Source) -> None:
        """Give a source back."""
        if source.shared is None:
            self._close(source)
            return
        source.users -= 1
        if source.users == 0:
            source.timer = self._loop.call_later(KEEP_S, self._close, source)

    def _close(self, source: Source) -> None:
        if self._by_number.pop(source.number, None) is None:
            return
        if source.shared is not None:
            self._shared.pop(source.shared, None)
        self._webrtc.close_source(source.number)
        self._mixer.close(source.leg)

    def close(self) -> None:
        """Close all."""
        for source in list(self._by_number.values()):
            if source.timer is not None:
                source.timer.cancel()
            self._close(source)
