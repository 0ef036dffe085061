"""Browsers in rooms: implements `rooms.gate.WebGate` over live rooms, mixer and WebRTC process.

A visit begins when a seat enters and ends when it is out: by its own word, because the page was lost for
longer than the grace time, by a presenter, or with the event.  Between the two its page may be lost and
come back, and its sound begin anew, as often as the network likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from bridge.browsers.sources import Sources
from bridge.browsers.visit import LINGER_S, NOTHING, Visit, Way
from bridge.calls.bars import bars
from bridge.calls.record import Record
from bridge.calls.runs import Run, Runs
from bridge.cdr.q850 import CauseSource
from bridge.cdr.record import CallerPresentation, CallFacts, Channel, Direction, HangupParty, new_id
from bridge.cdr.store import CdrStore
from bridge.mixer import protocol as p
from bridge.mixer.client import MixerClient
from events.directory import EventCard
from events.fields import RoomType, Status
from rooms import commands as c
from rooms import events as e
from rooms.errors import NoSuchRoom, Refused
from rooms.gate import Visitor
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from rooms.room import Room
from rooms.seats import Seats
from rooms.webrtc import protocol as w
from rooms.webrtc.client import Told, WebRtcClient

_log = structlog.get_logger(__name__)


class BrowserDesk:
    """Used on the event loop's thread only."""

    def __init__(
        self,
        *,
        node_id: str,
        version: str,
        mixer: MixerClient,
        webrtc: WebRtcClient,
        live: LiveRooms,
        runs: Runs,
        cdrs: CdrStore,
        now: Callable[[], datetime],
        ice_servers: Sequence[dict[str, Any]] = (),
        entered: Callable[[Visitor, int, datetime], None] = lambda _visitor, _session_id, _now: None,
    ) -> None:
        """`entered` is told of every visitor who is in, with the session, and must return at once."""
        self._node_id, self._version = node_id, version
        self._mixer, self._webrtc, self._live, self._runs = mixer, webrtc, live, runs
        self._cdrs, self._now = cdrs, now
        self._ice_servers = list(ice_servers)
        self._entered = entered
        self._loop = asyncio.get_running_loop()
        self._sources = Sources(mixer, webrtc)
        self._seats = Seats()
        self._visits: dict[str, Visit] = {}
        self._by_peer: dict[int, Visit] = {}
        self._by_leg: dict[int, Visit] = {}
        self._next_peer = 1
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        runs.follow(self._on_room)
        self._every_second: asyncio.TimerHandle = self._loop.call_later(1.0, self._second)
        self.visits_total = 0

    @property
    def visits(self) -> int:
        """Browsers in rooms."""
        return len(self._visits)

    @property
    def sources(self) -> int:
        """Legs of the mixer that browsers use."""
        return len(self._sources)

    # What web pages ask for (rooms.gate.WebGate).

    async def enter(self, visitor: Visitor) -> None:
        """Let a seat into its room. Raises Refused."""
        if visitor.seat_id in self._visits:
            return
        card = _card(visitor)
        run, room = self._runs.enter(card), self._runs.room(card)
        if visitor.seat_id in room:  # by the telephone that their personal PIN let in
            here = c.Connection(participant_id=visitor.seat_id, connected=True, name=visitor.name)
            self._apply(visitor.room_id, here)
        else:
            join = c.Join(participant_id=visitor.seat_id, name=visitor.name, role=visitor.role, via=Via.WEB)
            self._live.apply(visitor.room_id, join, now_s=self._loop.time())
        now = self._now()
        record = Record(self._facts(visitor, run, now), self._cdrs)
        peer, self._next_peer = self._next_peer, self._next_peer + 1
        visit = Visit(visitor=visitor, run=run, record=record, peer=peer)
        self._visits[visitor.seat_id] = self._by_peer[peer] = visit
        self.visits_total += 1
        self._entered(visitor, run.session_id, now)
        self._seats.connect(visitor.seat_id, now_s=self._loop.time())
        self._arm()

    def _facts(self, visitor: Visitor, run: Run, now: datetime) -> CallFacts:
        record_id = new_id()
        return CallFacts(
            id=record_id,
            source="web",
            source_call_id=visitor.seat_id,
            leg=record_id,
            setup_at=now,
            answer_at=now,
            join_at=now,
            direction=Direction.IN,
            channel=Channel.WEBRTC,
            node_id=self._node_id,
            sw_version=self._version,
            caller_e164=None,
            caller_presentation=CallerPresentation.UNAVAILABLE,
            caller_raw="",
            called_e164=None,
            number_id=None,
            number_class=None,
            trunk_id=None,
            src_ip=visitor.ip or None,
            account_id=visitor.account_id,
            session_id=str(run.session_id),
            participant_id=visitor.seat_id,
        )

    def lost(self, seat_id: str) -> None:
        """The seat's page is gone, perhaps for a moment."""
        visit = self._visits.get(seat_id)
        if visit is not None:
            self._seats.disconnect(seat_id, now_s=self._loop.time())
            self._apply(visit.visitor.room_id, c.Connection(participant_id=seat_id, connected=False))
            self._arm()

    def back(self, seat_id: str) -> None:
        """The seat's page is here."""
        visit = self._visits.get(seat_id)
        if visit is not None:
            self._seats.connect(seat_id, now_s=self._loop.time())
            self._apply(visit.visitor.room_id, c.Connection(participant_id=seat_id, connected=True))
            self._arm()

    async def leave(self, seat_id: str) -> None:
        """The person leaves with this browser; a linked telephone keeps them in."""
        visit = self._visits.get(seat_id)
        if visit is not None:
            self._out(visit, "caller-hung-up", HangupParty.CALLER)

    async def offer(self, seat_id: str, sdp: str) -> str:
        """The answer to a browser's offer.

        Raises BadOffer, Unavailable, and Refused when the seat is in no room.
        """
        visit = self._visits.get(seat_id)
        if visit is None:
            raise Refused("not-in-room")
        return await self._webrtc.offer(visit.peer, sdp)

    async def stop_sound(self, seat_id: str) -> None:
        """The browser's sound ends; the person stays."""
        visit = self._visits.get(seat_id)
        if visit is not None:
            self._webrtc.close(visit.peer)
            self._silent(visit)

    def ice_servers(self) -> list[dict[str, Any]]:
        """STUN and TURN servers for pages."""
        return list(self._ice_servers)

    # The WebRTC process.

    def on_webrtc(self, event: Told) -> None:
        """An event from the WebRTC process."""
        match event:
            case w.PeerState():
                visit = self._by_peer.get(event.peer)
                if visit is None:
                    return
                if event.state == "connected":
                    if not visit.connected:
                        visit.connected = True
                        visit.record.note(codec="opus")
                    self._web_sound(visit, on=True)
                elif event.state == "closed":
                    self._silent(visit)
                elif event.state == "failed":
                    self._web_sound(visit, on=False)
            case w.PeerStats():
                visit = self._by_peer.get(event.peer)
                if visit is not None:
                    self._quality(visit, event)
            case w.SourcePort():
                self._sources.moved(event.source, event.ip, event.port)

    def _quality(self, visit: Visit, stats: w.PeerStats) -> None:
        room = self._live.get(visit.visitor.room_id)
        seat = visit.visitor.seat_id
        if room is None or seat not in room or room.card(seat).sound is not Via.WEB:
            return
        quality = bars(loss_pct=stats.loss_pct, jitter_ms=stats.jitter_ms, rtt_ms=stats.rtt_ms)
        self._apply(visit.visitor.room_id, c.SetQuality(participant_id=seat, quality=quality))

    def _web_sound(self, visit: Visit, *, on: bool) -> None:
        self._apply(visit.visitor.room_id, c.WebSound(participant_id=visit.visitor.seat_id, on=on))
        self._plan(visit)

    def _silent(self, visit: Visit) -> None:
        """The browser's connection is gone; a new one may follow."""
        visit.connected = False
        self._web_sound(visit, on=False)

    # The mixer.

    def on_mixer(self, event: p.Event) -> None:
        """An event from the media worker."""
        if isinstance(event, p.Talking):
            visit = self._by_leg.get(event.leg)
            if visit is not None:
                command = c.SetTalking(participant_id=visit.visitor.seat_id, talking=event.on)
                self._apply(visit.visitor.room_id, command)

    # Rooms.

    def _on_room(self, run: Run, room: Room, happened: Sequence[e.RoomEvent]) -> None:
        for event in happened:
            match event:
                case e.AudioChanged():
                    for participant in event.participant_ids:
                        self._plan_of(participant, room)
                case e.SoundChanged():
                    self._plan_of(event.participant_id, room)
                case e.Kicked():
                    visit = self._visits.get(event.participant_id)
                    if visit is not None and visit.run is run:
                        self._close(visit, "revoked" if event.revoked else "kicked", HangupParty.BRIDGE)
                case e.Ended():
                    for visit in [one for one in self._visits.values() if one.run is run]:
                        self._close(visit, "event-ended", HangupParty.BRIDGE)

    def _plan_of(self, participant: str, room: Room) -> None:
        visit = self._visits.get(participant)
        if visit is not None and visit.visitor.room_id == room.room_id:
            self._plan(visit)

    def _plan(self, visit: Visit) -> None:
        """Let the visit's sound go the way that the room wants now."""
        visit.wanted = self._way(visit)
        if visit.wanted != visit.way and visit.task is None:
            visit.task = self._spawn(self._follow(visit))

    def _way(self, visit: Visit) -> Way:
        room, seat = self._live.get(visit.visitor.room_id), visit.visitor.seat_id
        if visit.over or not visit.connected or room is None or seat not in room:
            return NOTHING
        if room.card(seat).sound is not Via.WEB:
            return NOTHING
        audio, now_s = room.audio(seat), self._loop.time()
        if audio.speak:
            visit.spoke_s = now_s
        left_s = visit.spoke_s + LINGER_S - now_s
        keep = visit.own is not None and (visit.visitor.role is Role.PRESENTER or left_s > 0)
        if keep and not audio.speak and visit.linger is None and visit.visitor.role is not Role.PRESENTER:
            visit.linger = self._loop.call_later(left_s + 0.01, self._lingered, visit)
        return Way(own=audio.speak or keep, speak=audio.speak, hear=audio.hear)

    def _lingered(self, visit: Visit) -> None:
        visit.linger = None
        self._plan(visit)

    async def _follow(self, visit: Visit) -> None:
        before = visit.own
        try:
            while visit.way != visit.wanted:
                await visit.follow(self._sources, self._mixer, self._webrtc)
        finally:
            visit.task = None
            if before is not None and before is not visit.own:
                self._by_leg.pop(before.leg, None)
            if visit.own is not None:
                self._by_leg[visit.own.leg] = visit

    # The end of a visit.

    def _out(self, visit: Visit, slug: str, party: HangupParty) -> None:
        """Out of the room, and over."""
        seat = visit.visitor.seat_id
        self._close(visit, slug, party)
        self._apply(visit.visitor.room_id, c.Leave(participant_id=seat, device=Via.WEB))

    def _close(self, visit: Visit, slug: str, party: HangupParty) -> None:
        if visit.over:
            return
        visit.over = True
        self._visits.pop(visit.visitor.seat_id, None)
        self._seats.forget(visit.visitor.seat_id)
        if visit.linger is not None:
            visit.linger.cancel()
        self._plan(visit)
        self._webrtc.close(visit.peer)
        del self._by_peer[visit.peer]
        visit.record.close(
            slug=slug,
            at=self._now(),
            sip_status=None,
            q850=None,
            cause_source=CauseSource.BRIDGE,
            party=party,
        )

    def _second(self) -> None:
        self._every_second = self._loop.call_later(1.0, self._second)
        now = self._now()
        self._cdrs.checkpoint([visit.record.checkpoint(now) for visit in self._visits.values()])

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._seats.deadline_s()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._grace_over)

    def _grace_over(self) -> None:
        self._timer = None
        for seat_id in self._seats.due(now_s=self._loop.time()):
            visit = self._visits.get(seat_id)
            if visit is not None:
                self._out(visit, "media-timeout", HangupParty.UNKNOWN)
        self._arm()

    def _apply(self, room_id: str, command: c.RoomCommand) -> None:
        """Tell a room what happened, if it is still there."""
        try:
            self._live.apply(room_id, command, now_s=self._loop.time())
        except (Refused, NoSuchRoom):
            return  # the room ended, or put the person out, while the word was on its way

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End all visits."""
        self._every_second.cancel()
        for visit in list(self._visits.values()):
            self._out(visit, "shutdown", HangupParty.BRIDGE)
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=1.0)
        self._sources.close()


def _card(visitor: Visitor) -> EventCard:
    return EventCard(
        event_id=visitor.event_id,
        room_id=visitor.room_id,
        account_id=visitor.account_id,
        name=visitor.event_name,
        status=Status.ACTIVE,
        permanent_room=visitor.permanent_room,
        gateway_enabled=True,
        room_type=RoomType(visitor.room_type),
        capacity=visitor.capacity,
    )
