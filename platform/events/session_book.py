"""Sessions are written down without anybody waiting for the database.

A session begins when the first person enters a room and must get its id at once, database or not. So the
book makes the id, keeps the latest state of every session in memory, and one thread carries states to the
database whenever it can. Only the latest state of a session matters: the memory is bounded by sessions, not
by what happened in them. Of finished sessions at most `backlog_max` wait; beyond that the oldest is dropped
and counted (`dropped`), as is what the database will never take.

While a session runs, `last_seen_at` is moved on every `touch_s`; `recover()` gives sessions that a crash
left open that moment as their end.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from database.types import now_utc, to_utc_ms
from events import repository, service
from events.models import EventSession
from events.news import tell_session

BACKLOG_MAX = 10_000
TOUCH_S = 30.0
RETRY_S = 1.0
_IDS_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)

_log = structlog.get_logger(__name__)


def new_session_id(*, now: datetime) -> int:
    """An id that sorts by time: milliseconds since 2025 and 12 random bits.

    It stays below 2^53 until the year 2094, because clients read it as a JSON number.
    """
    return (to_utc_ms(now) - _IDS_BEGIN) // timedelta(milliseconds=1) * 4096 + secrets.randbelow(4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The latest known state of one session."""

    session_id: int
    event_id: int
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    total_visitors: int = 0
    max_visitors: int = 0
    event_over: bool = False


class SessionBook:
    """See the module text. All methods may be called from any thread and return at once, except `flush`."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        node_id: str,
        backlog_max: int = BACKLOG_MAX,
        touch_s: float = TOUCH_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._sessions = sessions
        self._node_id = node_id
        self._backlog_max = backlog_max
        self._touch_s = touch_s
        self._retry_s = retry_s
        self._running: dict[int, _Page] = {}
        self._unsaved: dict[int, _Page] = {}
        self._changed = threading.Condition(threading.RLock())
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        assert self._thread is None
        self._stopping = False
        self._thread = threading.Thread(target=self._write, name="session-book", daemon=True)
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

    def open(self, event_id: int, *, now: datetime) -> int:
        """A run of the event begins; returns the new session's id."""
        moment = to_utc_ms(now)
        page = _Page(
            session_id=new_session_id(now=moment), event_id=event_id, started_at=moment, last_seen_at=moment
        )
        self._note(page)
        return page.session_id

    def visitors(self, session_id: int, *, total: int, present: int) -> None:
        """So many people have entered so far, and so many are in the room now. Unknown sessions are
        ignored.
        """
        with self._changed:
            page = self._running.get(session_id)
            if page is not None:
                self._note(replace(page, total_visitors=total, max_visitors=max(page.max_visitors, present)))

    def close(self, session_id: int, *, now: datetime, event_over: bool = False) -> None:
        """The run is over; `event_over` says that the event was ended, not just left by everyone.

        A session that is unknown or closed already is left as it is.
        """
        moment = to_utc_ms(now)
        with self._changed:
            page = self._running.pop(session_id, None)
            if page is not None:
                self._note(
                    replace(
                        page,
                        ended_at=max(moment, page.started_at),
                        last_seen_at=moment,
                        event_over=event_over,
                    )
                )

    def touch(self, *, now: datetime) -> None:
        """All running sessions are alive at `now`."""
        moment = to_utc_ms(now)
        with self._changed:
            for page in list(self._running.values()):
                self._note(replace(page, last_seen_at=moment))

    def recover(self) -> int:
        """Close the sessions that an earlier process of this node left open; how many there were.

        Call it before the first `open`. Raises SQLAlchemy's OperationalError when the database is away.
        """
        with self._sessions.begin() as session:
            left_open = repository.open_sessions(session, node_id=self._node_id)
            for row in left_open:
                row.ended_at = row.last_seen_at
                _tell(session, event_id=row.event_id, session_id=row.id, ended=True, at=row.last_seen_at)
            return len(left_open)

    def flush(self, *, timeout_s: float) -> bool:
        """Wait until everything is written; False when `timeout_s` passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unsaved, timeout_s)

    def _note(self, page: _Page) -> None:
        with self._changed:
            if page.ended_at is None:
                self._running[page.session_id] = page
            self._unsaved[page.session_id] = page
            if len(self._unsaved) > self._backlog_max + len(self._running):
                oldest = next(key for key in self._unsaved if key not in self._running)
                del self._unsaved[oldest]
                self.dropped += 1
            self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._unsaved, self._touch_s)
                if self._stopping:
                    return
                page = next(iter(self._unsaved.values()), None)
            if page is None:
                self.touch(now=now_utc())
            elif self._save(page):
                with self._changed:
                    if self._unsaved.get(page.session_id) is page:
                        del self._unsaved[page.session_id]
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, self._retry_s)

    def _save(self, page: _Page) -> bool:
        """Whether nothing of this page is left to be written."""
        try:
            with self._sessions.begin() as session:
                row = session.get(EventSession, page.session_id)
                new = row is None
                if row is None:
                    row = EventSession(
                        id=page.session_id,
                        event_id=page.event_id,
                        node_id=self._node_id,
                        started_at=page.started_at,
                    )
                    session.add(row)
                row.last_seen_at = page.last_seen_at
                row.ended_at = page.ended_at
                row.total_visitors = page.total_visitors
                row.max_visitors = page.max_visitors
                session.flush()
                about = {"event_id": page.event_id, "session_id": page.session_id}
                if new:
                    _tell(session, **about, ended=False, at=page.started_at)
                if page.ended_at is not None:
                    _tell(session, **about, ended=True, at=page.ended_at)
                if page.event_over and page.ended_at is not None:
                    service.finish_event(session, page.event_id, now=page.ended_at)
        except Exception as exc:
            if is_outage(exc):
                return False
            _log.error(
                "session_not_written", session_id=page.session_id, event_id=page.event_id, error=str(exc)
            )
            self.dropped += 1
        return True


def _tell(session: Session, *, event_id: int, session_id: int, ended: bool, at: datetime) -> None:
    """Let web hooks know; a fault there must not cost us the session itself."""
    try:
        with session.begin_nested():
            tell_session(session, event_id=event_id, session_id=session_id, ended=ended, at=at)
    except Exception as exc:
        if is_outage(exc):
            raise
        _log.exception("session_not_told", session_id=session_id, event_id=event_id)
