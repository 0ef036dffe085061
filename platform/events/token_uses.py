"""Notes when a token is used first on the telephone, without the room waiting for the database.

It watches the live rooms: a telephone that joins as, or is linked to, the seat of a token is a use. Seats go
into a bounded queue; one thread writes them down, and tries again when the database is away. A full queue
drops the newest and counts it (`dropped`): what is lost is a date in a list, nothing that decides anything.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from events.token_text import is_token_seat
from events.tokens import note_phone_use
from rooms.events import Joined, PhoneLinked, RoomEvent
from rooms.modes import Via

QUEUE_MAX = 10_000
RETRY_S = 1.0
_log = structlog.get_logger(__name__)


class TokenUses:
    """Subscribe `observe` to the live rooms; `start` and `stop` run the writer."""

    def __init__(self, sessions: sessionmaker[Session], *, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now
        self._queue: queue.Queue[tuple[str, datetime] | None] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self.dropped = 0

    def observe(self, _room_id: str, events: Sequence[RoomEvent]) -> None:
        """An observer of `rooms.live.LiveRooms`. Returns at once."""
        for event in events:
            match event:
                case Joined(participant_id=seat_id, via=Via.PHONE):
                    self._note(seat_id)
                case PhoneLinked(participant_id=seat_id):
                    self._note(seat_id)

    def start(self) -> None:
        assert self._thread is None, "started twice"
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="token-uses", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, once, and end."""
        if self._thread is None:
            return
        self._stopping.set()
        with contextlib.suppress(queue.Full):  # then the writer is awake, and looks at the flag
            self._queue.put_nowait(None)
        self._thread.join()
        self._thread = None

    def _note(self, seat_id: str) -> None:
        if not is_token_seat(seat_id):
            return
        try:
            self._queue.put_nowait((seat_id, self._now()))
        except queue.Full:
            self.dropped += 1

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None:
            seat_id, at = wanted
            while not self._write(seat_id, at) and not self._stopping.wait(RETRY_S):
                pass
            if self._stopping.is_set() and self._queue.empty():
                return

    def _write(self, seat_id: str, at: datetime) -> bool:
        try:
            with self._sessions.begin() as session:
                note_phone_use(session, seat_id=seat_id, at=at)
        except Exception as exc:
            if not is_outage(exc):
                _log.exception("token_use_not_noted")
            return not is_outage(exc)
        return True
