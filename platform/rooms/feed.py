"""What pages are told of a room: the whole state once, and then each change with a number.

Theory.  A page that has the state of number N and applies the changes N+1, N+2, … one after the other has
the state of the last one. So a page whose socket broke asks for what came after the number it has; when that
is not kept any more (`since` answers None) it asks for the whole state. Changes are single events, never
lists of people: in a room of five hundred a mute costs each page some sixty bytes.

Numbers rise by one in each room and never come again for another run of it: a run begins above all numbers
that were given out before, so that a number of an earlier run is seen to be a gap.

Every change is encoded once for each kind of viewer (`rooms.telling`), not once for each page. The last
`RING` changes are kept, about 300 bytes each and kind.

`state` must not be called by an observer of the rooms: while events are being delivered the room may be
ahead of them. `LiveRooms` delivers all of them before `apply` returns, so everybody else is safe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from rooms.errors import NoSuchRoom
from rooms.events import Ended, RoomEvent
from rooms.live import LiveRooms
from rooms.modes import Role
from rooms.room import Room
from rooms.telling import event_json, state_json

RING = 1_000
"""Changes kept for each room."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: its number and its frame, `{"seq": …, "event": {…}}`, for each kind of viewer."""

    seq: int
    presenters: str
    participants: str

    def frame(self, viewer: Role) -> str:
        """The text to send."""
        return self.presenters if viewer is Role.PRESENTER else self.participants


FeedObserver = Callable[[str, Sequence[Entry], Sequence[RoomEvent]], None]
"""Called with room id, new changes, and the events they stand for (`AudioChanged` among them)."""


class _Run:
    """The changes of one open room."""

    def __init__(self, room: Room, *, seq: int, ring: int) -> None:
        self.room = room
        self.seq = seq
        self.ring: deque[Entry] = deque(maxlen=ring)


class RoomFeed:
    """See the module text. Lives on the event loop's thread, like the rooms.

    `first_seq`: where numbers begin; give it the wall clock's milliseconds, and numbers of an earlier process
    are gaps, too. `unix_offset_s`: wall clock minus the monotonic clock the rooms are run with, in seconds.
    """

    def __init__(
        self, live: LiveRooms, *, ring: int = RING, first_seq: int = 0, unix_offset_s: float = 0.0
    ) -> None:
        self._live = live
        self._ring = ring
        self._highest = first_seq
        self._unix_offset_s = unix_offset_s
        self._runs: dict[str, _Run] = {}
        self._observers: list[FeedObserver] = []
        self.observer_failures = 0
        self._unsubscribe = live.subscribe(self._on_room)

    def close(self) -> None:
        """Follow the rooms no longer."""
        self._unsubscribe()

    def subscribe(self, observer: FeedObserver) -> Callable[[], None]:
        """Call `observer` with every change, in the same turn of the loop; returns "unsubscribe"."""
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    def state(self, room_id: str, viewer: Role) -> dict[str, Any]:
        """The whole room as this kind of viewer may see it, with `seq`. Raises NoSuchRoom."""
        room = self._live.get(room_id)
        if room is None:
            raise NoSuchRoom(room_id)
        shown = state_json(room.state(), viewer=viewer, unix_offset_s=self._unix_offset_s)
        return {**shown, "seq": self._run(room).seq}

    def since(self, room_id: str, seq: int) -> list[Entry] | None:
        """The changes after number `seq`; None when not all are kept, or the number is of another run."""
        room = self._live.get(room_id)
        if room is None:
            return None
        run = self._run(room)
        missing = run.seq - seq
        if missing < 0 or missing > len(run.ring):
            return None
        return [] if missing == 0 else list(run.ring)[-missing:]

    def publish(self, room_id: str, change: dict[str, Any]) -> None:
        """Tell the pages of a room something that is not the room's own: `change` is a whole event with its
        `type`. Nothing happens when the room is not open.
        """
        room = self._live.get(room_id)
        if room is not None:
            run = self._run(room)
            self._tell(room_id, [self._entry(run, change, change)], [])

    def _on_room(self, room_id: str, happened: Sequence[RoomEvent]) -> None:
        room = self._live.get(room_id)
        if room is None:
            return
        run = self._run(room)
        entries = []
        for event in happened:
            presenters, participants = (
                event_json(event, viewer=viewer, unix_offset_s=self._unix_offset_s)
                for viewer in (Role.PRESENTER, Role.PARTICIPANT)
            )
            if presenters is not None and participants is not None:
                entries.append(self._entry(run, presenters, participants))
        self._tell(room_id, entries, happened)
        if isinstance(happened[-1], Ended):
            self._runs.pop(room_id, None)

    def _tell(self, room_id: str, entries: Sequence[Entry], happened: Sequence[RoomEvent]) -> None:
        for observer in tuple(self._observers):
            try:
                observer(room_id, entries, happened)
            except Exception:
                self.observer_failures += 1
                _log.exception("feed_observer_failed", room_id=room_id)

    def _entry(self, run: _Run, presenters: dict[str, Any], participants: dict[str, Any]) -> Entry:
        run.seq += 1
        self._highest = max(self._highest, run.seq)
        frame = _frame(run.seq, presenters)
        same = presenters == participants
        entry = Entry(run.seq, frame, frame if same else _frame(run.seq, participants))
        run.ring.append(entry)
        return entry

    def _run(self, room: Room) -> _Run:
        run = self._runs.get(room.room_id)
        if run is None or run.room is not room:
            self._runs = {key: old for key, old in self._runs.items() if self._live.get(key) is old.room}
            # One number is left out: the last one of an earlier run must not pass for the first of this.
            self._highest += 1
            run = self._runs[room.room_id] = _Run(room, seq=self._highest, ring=self._ring)
        return run


def _frame(seq: int, event: dict[str, Any]) -> str:
    return msgspec.json.encode({"seq": seq, "event": event}).decode()
