"""A room with people, in one line."""

from __future__ import annotations

from typing import Any

from rooms import commands as c
from rooms.events import RoomEvent
from rooms.modes import AudioMode, Role, Via
from rooms.room import Room


def join(
    room: Room, who: str, role: Role = Role.PARTICIPANT, *, now_s: float = 0.0, **more: Any
) -> list[RoomEvent]:
    return room.apply(
        c.Join(participant_id=who, name=who.title(), role=role, via=Via.PHONE, **more), now_s=now_s
    )


def do(room: Room, command: c.RoomCommand, *, now_s: float = 1.0) -> list[RoomEvent]:
    return room.apply(command, now_s=now_s)


def make_room(
    *,
    presenters: int = 1,
    participants: int = 2,
    started: bool = True,
    mode: AudioMode | None = None,
    **more: Any,
) -> Room:
    """Presenters p1, p2, … and participants a1, a2, …; nobody is muted."""
    room = Room("room-1", name="Demo", mode=mode or AudioMode.LISTEN_ONLY, **more)
    for number in range(presenters):
        join(room, f"p{number + 1}", Role.PRESENTER)
    for number in range(participants):
        join(room, f"a{number + 1}")
    if started:
        do(room, c.Start(by=c.ORGANISER))
    return room
