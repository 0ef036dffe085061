"""Who enters is written down without anybody waiting for the database.

Somebody enters a room on the event loop, which must not wait. So the book puts a note into a bounded queue,
and one thread reads user agent, time zone and languages and writes rows. While the database is away notes
wait; beyond `backlog_max` the oldest is dropped and counted (`dropped`), as is what the database will never
take. The person is then still in the statistics, without a name: how long they were there is in the call
records.

Only the first note of a participant in a session becomes a row; a reload or a second device changes nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from database.types import to_utc_ms
from reports.models import Attendee
from reports.user_agents import read_user_agent
from reports.whereabouts import country_of
from rooms.gate import Visitor

BACKLOG_MAX = 50_000
RETRY_S = 1.0
_BATCH = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Note:
    session_id: int
    visitor: Visitor
    at: datetime


class AttendanceBook:
    """See the module text. `entered` returns at once and may be called from any thread."""

    def __init__(
        self, sessions: sessionmaker[Session], *, backlog_max: int = BACKLOG_MAX, retry_s: float = RETRY_S
    ) -> None:
        self._sessions = sessions
        self._backlog_max, self._retry_s = backlog_max, retry_s
        self._notes: deque[_Note] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        assert self._thread is None, "started twice"
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="attendance-book", daemon=True)
        self._thread.start()

    def stop(self, *, timeout_s: float = 5.0) -> bool:
        """Write what is left, at most `timeout_s` long, and end. False when something stayed unwritten."""
        written = self.flush(timeout_s=timeout_s)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None
        return written

    def entered(self, visitor: Visitor, session_id: int, now: datetime) -> None:
        """Somebody's browser entered a room during that session."""
        with self._changed:
            if len(self._notes) >= self._backlog_max:
                self._notes.popleft()
                self.dropped += 1
            self._notes.append(_Note(session_id, visitor, to_utc_ms(now)))
            self._changed.notify_all()

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything is written; False when `timeout_s` passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._notes, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._notes)
                if self._stopping:
                    return
                batch = [self._notes[place] for place in range(min(_BATCH, len(self._notes)))]
            if self._write(batch):
                with self._changed:
                    for note in batch:
                        if self._notes and self._notes[0] is note:  # else it was dropped meanwhile
                            self._notes.popleft()
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, self._retry_s)

    def _write(self, batch: Sequence[_Note]) -> bool:
        """Whether nothing of the batch is left to be written."""
        try:
            with self._sessions.begin() as session:
                write(session, [row_of(note.visitor, note.session_id, now=note.at) for note in batch])
            return True
        except Exception as exc:
            if is_outage(exc):
                return False
            if len(batch) > 1:  # one bad note must not take the others with it
                written = [self._write([note]) for note in batch]
                return all(written)
            self.dropped += 1
            _log.error("attendee_not_written", session_id=batch[0].session_id, error=type(exc).__name__)
            return True


def row_of(visitor: Visitor, session_id: int, *, now: datetime) -> dict[str, Any]:
    """The row of somebody who enters."""
    agent = read_user_agent(visitor.user_agent)
    return {
        "session_id": session_id,
        "participant_id": visitor.seat_id,
        "event_id": visitor.event_id,
        "account_id": visitor.account_id,
        "role": visitor.role.value,
        "name": _text(visitor.name, 200),
        "email": None if visitor.email is None else _text(visitor.email, 254).lower() or None,
        "ip": visitor.ip[:64] or None,
        "user_agent": _text(visitor.user_agent, 500),
        "device": agent.device,
        "system": agent.system,
        "browser": agent.browser,
        "country": country_of(timezone=visitor.timezone, accept_language=visitor.accept_language),
        "timezone": None if visitor.timezone is None else _text(visitor.timezone, 64) or None,
        "language": visitor.language[:8],
        "first_seen_at": now,
    }


def write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of those who have none yet."""
    keys = {(row["session_id"], row["participant_id"]): row for row in reversed(rows)}
    known = select(Attendee.session_id, Attendee.participant_id).where(
        tuple_(Attendee.session_id, Attendee.participant_id).in_(list(keys))
    )
    for row in session.execute(known):
        del keys[row.session_id, row.participant_id]
    if keys:
        make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        session.execute(make(Attendee).on_conflict_do_nothing(), list(keys.values()))


def _text(text: str, length: int) -> str:
    """What a database takes: no NUL, no lone surrogates."""
    clean = text.replace("\x00", "").encode("utf-8", "ignore").decode()
    return clean[:length]
