"""The events that run now: for each live room its session, and what the mixer calls the room.

Telephone calls and browsers meet in the same rooms, so both ask here.  A run begins with the first person,
whichever way they come in, and ends with the event or when the room has been empty for a while.  Followers
are told what happened in a room together with its run, before the run is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.directory import EventCard, PinDirectory
from events.session_book import SessionBook
from rooms import events as e
from rooms.live import LiveRooms
from rooms.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """How rooms are opened; see the settings of the same names."""

    room_idle_s: float
    rejoin_s: float
    discussion_limit: int
    join_tones: bool


@dataclass(slots=True)
class Run:
    """One run of an event. `number` is the mixer's name of the room."""

    session_id: int
    event_id: int
    account_id: int
    number: int
    visitors: int = 0


Follower = Callable[[Run, Room, Sequence[e.RoomEvent]], None]


class Runs:
    """All runs of this node. Used on the event loop's thread only."""

    def __init__(
        self,
        settings: RoomSettings,
        *,
        live: LiveRooms,
        sessions: SessionBook,
        directory: PinDirectory,
        now: Callable[[], datetime],
    ) -> None:
        self._settings, self._live, self._sessions, self._directory = settings, live, sessions, directory
        self._now = now
        self._runs: dict[str, Run] = {}
        self._next_number = 1
        self._followers: list[Follower] = []
        self._unsubscribe = live.subscribe(self._on_room)
        self.ended: Callable[[Run], None] = lambda _run: None
        """Told of every session that is over."""

    def follow(self, follower: Follower) -> None:
        """Call `follower(run, room, events)` after each command in a room that runs."""
        self._followers.append(follower)

    def of(self, room_id: str) -> Run | None:
        """The run of that room."""
        return self._runs.get(room_id)

    def room(self, card: EventCard) -> Room:
        """The live room of an event, opened if need be."""
        return self._live.open(
            card.room_id,
            name=card.name,
            capacity=card.capacity,
            discussion_limit=self._settings.discussion_limit,
            tones=self._settings.join_tones,
            rejoin_s=self._settings.rejoin_s,
        )

    def enter(self, card: EventCard) -> Run:
        """Somebody is about to enter: the run, begun if need be."""
        run = self._runs.get(card.room_id)
        if run is None:
            session_id = self._sessions.open(card.event_id, now=self._now())
            run = Run(session_id, card.event_id, card.account_id, self._next_number)
            self._runs[card.room_id] = run
            self._next_number += 1
        return run

    def _on_room(self, room_id: str, happened: Sequence[e.RoomEvent]) -> None:
        run, room = self._runs.get(room_id), self._live.get(room_id)
        if run is None or room is None:
            return
        joined = sum(isinstance(event, e.Joined) for event in happened)
        if joined:
            run.visitors += joined
            self._sessions.visitors(run.session_id, total=run.visitors, present=room.headcount)
        over = any(isinstance(event, e.Ended) for event in happened)
        if over:
            del self._runs[room_id]
            self._sessions.close(run.session_id, now=self._now(), event_over=True)
            self._directory.mark_over(run.event_id)
        for follower in self._followers:
            follower(run, room, happened)
        if over:
            self.ended(run)

    def close_idle(self, *, now_s: float) -> None:
        """Close the rooms that everybody left long enough ago, and their sessions."""
        for room_id in self._live.close_empty(now_s=now_s, idle_s=self._settings.room_idle_s):
            run = self._runs.pop(room_id, None)
            if run is not None:
                self._sessions.close(run.session_id, now=self._now())
                self.ended(run)

    def close(self) -> None:
        """Close all sessions: the node stops."""
        self._unsubscribe()
        for run in self._runs.values():
            self._sessions.close(run.session_id, now=self._now())
        self._runs.clear()
