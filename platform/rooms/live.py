"""The rooms that are open now: the one place through which every command goes.

A key press and an HTTP request both call `LiveRooms.apply`, so both meet the same rules and every observer
(switchboard, live page, sessions) sees both.  Everything runs on one thread, the event loop's.  Observers
are called after the room has changed, one command at a time and in order: an observer that itself applies a
command has its events delivered after the current ones have reached everybody.  An observer that raises is
logged and counted, the others are served.  A room that ended is forgotten after its last event was
delivered, so that `open` begins a fresh one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from rooms.commands import RoomCommand
from rooms.errors import NoSuchRoom
from rooms.events import RoomEvent
from rooms.room import Room

Observer = Callable[[str, Sequence[RoomEvent]], None]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Delivery:
    room: Room
    events: Sequence[RoomEvent]


class LiveRooms:
    """Registry of open rooms, with observers."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}
        self._observers: list[Observer] = []
        self._waiting: deque[_Delivery] = deque()
        self._delivering = False
        self.observer_failures = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def open(self, room_id: str, *, name: str, **settings: Any) -> Room:
        """The open room of that id, or a new one built with `settings` (see `Room`)."""
        room = self._rooms.get(room_id)
        if room is None or room.ended:
            room = self._rooms[room_id] = Room(room_id, name=name, **settings)
        return room

    def get(self, room_id: str) -> Room | None:
        """The open room of that id."""
        return self._rooms.get(room_id)

    def all(self) -> tuple[Room, ...]:
        """Every open room."""
        return tuple(self._rooms.values())

    def apply(self, room_id: str, command: RoomCommand, *, now_s: float) -> list[RoomEvent]:
        """Carry out a command and tell every observer. Raises `NoSuchRoom`, `Refused`."""
        room = self._rooms.get(room_id)
        if room is None:
            raise NoSuchRoom(room_id)
        events = room.apply(command, now_s=now_s)
        if events:
            self._waiting.append(_Delivery(room, events))
            self._deliver()
        return events

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(room_id, events)` after each command that did something; returns "unsubscribe"."""
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    def close(self, room_id: str) -> None:
        """Forget a room, whoever is in it. No event is sent: end the event first if people must know."""
        self._rooms.pop(room_id, None)

    def close_empty(self, *, now_s: float, idle_s: float) -> list[str]:
        """Forget rooms that everyone left at least `idle_s` seconds ago; their ids."""
        idle = []
        for room in self._rooms.values():
            if room.headcount:
                continue
            if room.empty_since_s is None:  # opened, and nobody came yet
                room.empty_since_s = now_s
            if now_s - room.empty_since_s >= idle_s:
                idle.append(room.room_id)
        for room_id in idle:
            del self._rooms[room_id]
        return idle

    def _deliver(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting:
                delivery = self._waiting.popleft()
                for observer in tuple(self._observers):
                    try:
                        observer(delivery.room.room_id, delivery.events)
                    except Exception:
                        self.observer_failures += 1
                        _log.exception("room_observer_failed", room_id=delivery.room.room_id)
                if delivery.room.ended and self._rooms.get(delivery.room.room_id) is delivery.room:
                    del self._rooms[delivery.room.room_id]
        finally:
            self._delivering = False
