"""One browser in a room: which way its sound takes, followed one change at a time.

`Way` is what the room wants, `Visit.way` what is.  Changes come faster than sources open, so a visit has one
task at most that brings it from what is to what is wanted, and looks again when it is done: whatever order
things happen in, the last word of the room is what counts.

A participant keeps their own leg for `LINGER_S` after they may speak no longer (the floor comes and goes), a
presenter always; meanwhile the microphone goes nowhere, and what they hear is the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from bridge.browsers.sources import MUSIC, Hearing, Source, Sources
from bridge.calls.record import Record
from bridge.calls.runs import Run
from bridge.mixer.client import MixerClient
from rooms.errors import Refused
from rooms.gate import Visitor
from rooms.modes import Hear
from rooms.webrtc.errors import Unavailable

_log = structlog.get_logger(__name__)

LINGER_S = 15.0


@dataclass(frozen=True, slots=True)
class Way:
    """How sound goes. `own`: by a leg for this person; `speak`: their microphone is heard."""

    own: bool = False
    speak: bool = False
    hear: Hear = Hear.SILENCE


NOTHING = Way()


class Peers(Protocol):
    """What a visit asks of the WebRTC process."""

    def listen(self, peer: int, source: int | None) -> None: ...
    def speak(self, peer: int, source: int | None) -> None: ...


@dataclass(slots=True, eq=False)
class Visit:
    """See the module text."""

    visitor: Visitor
    run: Run
    record: Record
    peer: int
    """What the WebRTC process calls this browser, through all its connections."""
    connected: bool = False
    way: Way = NOTHING
    wanted: Way = NOTHING
    spoke_s: float = -1e9
    """When they could last speak."""
    own: Source | None = None
    shared: Source | None = None
    over: bool = False
    task: asyncio.Task[None] | None = None
    linger: asyncio.TimerHandle | None = None

    async def follow(self, sources: Sources, mixer: MixerClient, peers: Peers) -> None:
        """Bring what is to what is wanted."""
        while self.way != self.wanted:
            wanted = self.wanted
            try:
                await self._go(wanted, sources, mixer, peers)
            except (Refused, Unavailable) as exc:
                _log.warning("browser_without_sound", room_id=self.visitor.room_id, error=str(exc))
            self.way = wanted
        if not self.wanted.own and self.own is not None:
            sources.release(self.own)
            self.own = None
        if self.shared is not None and (self.wanted.own or self.wanted.hear is Hear.SILENCE):
            sources.release(self.shared)
            self.shared = None

    async def _go(self, wanted: Way, sources: Sources, mixer: MixerClient, peers: Peers) -> None:
        if wanted.own:
            if self.own is None:
                self.own = await sources.own()
            mixer.place(self.own.leg, room=self.run.number, speak=wanted.speak, hear=wanted.hear.value)
            peers.speak(self.peer, self.own.number if wanted.speak else None)
            peers.listen(self.peer, self.own.number)
        elif self.over:
            pass  # the WebRTC process has forgotten them already
        elif wanted.hear is Hear.SILENCE:
            peers.speak(self.peer, None)
            peers.listen(self.peer, None)
        else:
            peers.speak(self.peer, None)
            hearing = MUSIC if wanted.hear is Hear.MUSIC else Hearing(self.run.number)
            before = self.shared
            if before is None or before.shared != hearing:
                self.shared = await sources.shared(hearing)
                if before is not None:
                    sources.release(before)
            assert self.shared is not None
            peers.listen(self.peer, self.shared.number)
        if self.own is not None and not wanted.own:
            mixer.place(self.own.leg, room=None, speak=False, hear="silence")
