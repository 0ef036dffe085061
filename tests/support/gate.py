"""The gate of room pages in memory: rooms and seats are real, sound is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rooms import commands as c
from rooms.errors import Refused
from rooms.gate import Visitor
from rooms.live import LiveRooms
from rooms.modes import Via
from rooms.seats import Seats
from rooms.webrtc.errors import BadOffer


class MemoryGate:
    """Implements `rooms.gate.WebGate`. `calls` has what was asked of it, in order."""

    def __init__(self, live: LiveRooms, *, clock: Callable[[], float]) -> None:
        self._live, self._clock = live, clock
        self._rooms: dict[str, str] = {}
        self._seats = Seats()
        self.calls: list[tuple[str, str]] = []
        self.visitors: dict[str, Visitor] = {}

    async def enter(self, visitor: Visitor) -> None:
        self.calls.append(("enter", visitor.seat_id))
        room = self._live.open(visitor.room_id, name=visitor.event_name, capacity=visitor.capacity)
        if visitor.seat_id not in room:
            join = c.Join(participant_id=visitor.seat_id, name=visitor.name, role=visitor.role, via=Via.WEB)
            self._live.apply(visitor.room_id, join, now_s=self._clock())
        self._rooms[visitor.seat_id] = visitor.room_id
        self.visitors[visitor.seat_id] = visitor
        self._seats.connect(visitor.seat_id, now_s=self._clock())

    def lost(self, seat_id: str) -> None:
        self.calls.append(("lost", seat_id))
        self._seats.disconnect(seat_id, now_s=self._clock())
        self._apply(seat_id, c.Connection(participant_id=seat_id, connected=False))

    def back(self, seat_id: str) -> None:
        self._seats.connect(seat_id, now_s=self._clock())
        self._apply(seat_id, c.Connection(participant_id=seat_id, connected=True))

    async def leave(self, seat_id: str) -> None:
        self.calls.append(("leave", seat_id))
        self._seats.forget(seat_id)
        self._apply(seat_id, c.Leave(participant_id=seat_id, device=Via.WEB))

    async def offer(self, seat_id: str, sdp: str) -> str:
        if not sdp.startswith("v=0"):
            raise BadOffer("this is no SDP")
        self._apply(seat_id, c.WebSound(participant_id=seat_id, on=True))
        return "v=0 answer"

    async def stop_sound(self, seat_id: str) -> None:
        self._apply(seat_id, c.WebSound(participant_id=seat_id, on=False))

    def ice_servers(self) -> list[dict[str, Any]]:
        return [{"urls": ["stun:stun.example:3478"]}]

    def let_go(self) -> None:
        """The grace of lost seats may have run out."""
        for seat_id in self._seats.due(now_s=self._clock()):
            self._apply(seat_id, c.Leave(participant_id=seat_id, device=Via.WEB))

    def _apply(self, seat_id: str, command: c.RoomCommand) -> None:
        room_id = self._rooms.get(seat_id)
        if room_id is None or self._live.get(room_id) is None:
            return
        try:
            self._live.apply(room_id, command, now_s=self._clock())
        except Refused:
            return
