"""Many calls: events from lines, mixer and rooms find their call here.

The switchboard also does what belongs to no single call: it has the mixer follow `AudioChanged`, closes
rooms that stay empty, asks silent lines whether they still live, and once a second saves where every open
call has got to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from bridge.calls.booth import Booth
from bridge.calls.call import Call, Desk
from bridge.calls.line import Arrival, Line
from bridge.calls.record import Record, first_facts
from bridge.calls.runs import Run, Runs
from bridge.calls.tolls import Tolls
from bridge.cdr.guard import PinGuard
from bridge.cdr.q850 import CauseSource
from bridge.cdr.record import HangupParty
from bridge.cdr.store import CdrStore
from bridge.ivr.announce import listeners, room_tone
from bridge.ivr.settings import IvrSettings
from bridge.mixer import protocol as p
from bridge.mixer.client import MixerClient, NoPortsError
from bridge.numbers import DialInNumber
from events.directory import PinDirectory
from rooms import events as e
from rooms.live import LiveRooms
from rooms.room import Room

_log = structlog.get_logger(__name__)
_CHECKPOINT_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchboardSettings:
    """Times in seconds; see the settings of the same names."""

    node_id: str
    version: str
    media_timeout_s: float


class BridgeFullError(Exception):
    """No leg is free for another call."""


class Switchboard:
    def __init__(
        self,
        settings: SwitchboardSettings,
        *,
        mixer: MixerClient,
        booth: Booth,
        live: LiveRooms,
        runs: Runs,
        directory: PinDirectory,
        guard: PinGuard,
        cdrs: CdrStore,
        ivr: IvrSettings,
        now: Callable[[], datetime],
        tolls: Tolls | None = None,
        city_instead: Callable[[DialInNumber], DialInNumber | None] = lambda _number: None,
    ) -> None:
        """`tolls` None: nobody counts what toll-free calls cost, and all may enter."""
        self._settings = settings
        self._mixer, self._runs, self._cdrs = mixer, runs, cdrs
        self._now = now
        self._calls: dict[int, Call] = {}  # by leg
        self._people: dict[str, Call] = {}  # by participant
        self._loop = asyncio.get_running_loop()
        self._desk = Desk(
            mixer=mixer,
            booth=booth,
            live=live,
            directory=directory,
            guard=guard,
            ivr=ivr,
            loop=self._loop,
            now=now,
            runs=runs,
            tolls=tolls or Tolls(now=now),
            city_instead=city_instead,
            entered=self._entered,
            over=self._over,
        )
        runs.follow(self._on_room)
        self._every_second: asyncio.TimerHandle | None = self._loop.call_later(1.0, self._second)
        self._checkpoint_s = 0.0
        self.closing = False
        self.calls_total = 0

    @property
    def calls(self) -> int:
        """Calls that are up or being answered."""
        return len(self._calls)

    # Calls.

    def arrive(self, arrival: Arrival, line: Line, *, family: str) -> tuple[Call, str, int]:
        """Let a call in: the call, and the address and port at which the mixer awaits its sound.

        Raises BridgeFullError.
        """
        self.calls_total += 1
        try:
            leg, ip, port = self._mixer.reserve(family=family)
        except NoPortsError as exc:
            raise BridgeFullError(str(exc)) from exc
        facts = first_facts(arrival, node_id=self._settings.node_id, version=self._settings.version)
        call = Call(self._desk, arrival=arrival, line=line, leg=leg, record=Record(facts, self._cdrs))
        self._calls[leg] = call
        return call, ip, port

    def turn_away(self, arrival: Arrival, *, slug: str, sip_status: int, q850: int | None = None) -> None:
        """Write down a call that was refused before it was let in."""
        self.calls_total += 1
        facts = first_facts(arrival, node_id=self._settings.node_id, version=self._settings.version)
        Record(facts, self._cdrs).close(
            slug=slug,
            at=self._now(),
            sip_status=sip_status,
            q850=q850,
            cause_source=CauseSource.BRIDGE,
            party=HangupParty.BRIDGE,
        )

    def _over(self, call: Call) -> None:
        self._calls.pop(call.leg, None)
        if call.participant_id is not None and self._people.get(call.participant_id) is call:
            del self._people[call.participant_id]

    # The mixer.

    def on_mixer(self, event: p.Event) -> None:
        """An event from the media worker."""
        if isinstance(event, p.LastHeard):
            for leg, at in zip(event.legs, event.rx_ns, strict=True):
                heard = self._calls.get(leg)
                if heard is not None:
                    heard.record.heard(at)
            self._checkpoint()
            return
        if isinstance(event, p.Ready | p.WorkerStats | p.Latched | p.StrayPorts):
            return
        call = self._calls.get(event.leg)
        if call is None:
            return
        match event:
            case p.KeyPressed():
                call.key(event.key, via="sound")
            case p.Talking():
                call.talking(event.on)
            case p.Played():
                call.played(event.play)
            case p.LegReport():
                call.report(event)

    # Rooms.

    def _entered(self, call: Call) -> None:
        assert call.participant_id is not None
        before = self._people.get(call.participant_id)
        self._people[call.participant_id] = call
        if before is not None and before is not call:
            before.replaced()

    def _on_room(self, run: Run, room: Room, happened: Sequence[e.RoomEvent]) -> None:
        for event in happened:
            if isinstance(event, e.AudioChanged):
                self._hear(event.participant_ids, run, room)
                continue
            if isinstance(event, e.SoundChanged):
                self._hear((event.participant_id,), run, room)
                continue
            if isinstance(event, e.PhoneLinked):  # by a newer call than before, perhaps
                self._hear((event.participant_id,), run, room)
            tone = room_tone(event, room)
            if tone is not None:
                self._desk.booth.room_tone(run.number, tone)
            self._tell(event, room)

    def _hear(self, participants: Iterable[str], run: Run, room: Room) -> None:
        """Let these people's calls carry what the room wants now."""
        for participant in participants:
            call = self._people.get(participant)
            if call is not None and call.room_id == room.room_id:
                call.hear(room, run.number)

    def _tell(self, event: e.RoomEvent, room: Room) -> None:
        wanted = listeners(event)
        for participant in room.people() if wanted is None else wanted:
            call = self._people.get(participant)
            if call is not None:
                call.room_event(event)

    # Every second.

    def _second(self) -> None:
        self._every_second = self._loop.call_later(1.0, self._second)
        now = self._now()
        now_ns = int(now.timestamp() * 1e9)
        silent_ns = int(self._settings.media_timeout_s * 1e9)
        for call in self._calls.values():
            answered = call.record.facts.answer_at
            if answered is None:
                continue
            since = call.record.heard_ns or int(answered.timestamp() * 1e9)
            if now_ns - max(since, call.asked_ns) > silent_ns:
                call.asked_ns = now_ns
                call.probe()
        if self._loop.time() - self._checkpoint_s > _CHECKPOINT_S:  # no worker tells who is heard
            self._checkpoint()
        self._runs.close_idle(now_s=self._loop.time())

    def _checkpoint(self) -> None:
        """Save where every call has got to; at the news of who is heard, so that a crash costs a second."""
        self._checkpoint_s = self._loop.time()
        now = self._now()
        self._cdrs.checkpoint([call.record.checkpoint(now) for call in self._calls.values()])

    # The end.

    async def close(self, *, wait_s: float = 5.0) -> None:
        """Hang up all calls and wait until their records are closed."""
        self.closing = True
        for call in list(self._calls.values()):
            call.hang_up("shutdown")
        until = self._loop.time() + wait_s
        while self._calls and self._loop.time() < until:
            await asyncio.sleep(0.02)
        if self._every_second is not None:
            self._every_second.cancel()
