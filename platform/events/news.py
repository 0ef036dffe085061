"""What web hooks are told of events, sessions and people in rooms.

Sessions, and who registers, are told in the transaction that writes them down. People come and go on the
event loop's thread, which must not wait for a database: `ParticipantNews` takes it from the live rooms at
once, keeps at most `BACKLOG_MAX` messages, and the worker of web hooks writes them. What is dropped because
the database is away for long, or will never take it, is counted.

Other programs learn of a person what a presenter sees on the page: the name that is shown, with telephone
numbers in it masked, and the role; no number, no mail address, nothing about the device.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from database.types import now_utc
from events.access_models import Registration
from events.models import Event
from events.registration_form import form_of
from events.web_hooks import Kind, publish
from rooms.events import Ended, Joined, Left, Renamed, RoomEvent
from rooms.modes import Role
from rooms.telling import shown_name

BACKLOG_MAX = 10_000
_log = structlog.get_logger(__name__)


def tell(
    session: Session, *, event_id: int, kind: Kind, key: str, data: Mapping[str, Any], now: datetime
) -> int:
    """Tell whoever wants to hear of this event; `data` comes after its number and name."""
    event = session.get(Event, event_id)
    if event is None:
        return 0
    about = {"event_id": event.id, "event_name": event.name, **data}
    return publish(session, account_id=event.account_id, kind=kind, key=key, data=about, now=now)


def tell_session(session: Session, *, event_id: int, session_id: int, ended: bool, at: datetime) -> int:
    """A run of the event began or ended at `at`."""
    kind = Kind.EVENT_ENDED if ended else Kind.EVENT_STARTED
    word = "ended" if ended else "started"
    data = {"session_id": session_id, f"{word}_at": at.isoformat(timespec="seconds")}
    return tell(session, event_id=event_id, kind=kind, key=f"session-{session_id}-{word}", data=data, now=at)


def tell_registration(session: Session, event: Event, row: Registration, *, kind: Kind, now: datetime) -> int:
    """Somebody registered for the event, or was approved or declined: what they filled in, and how it stands.
    The organiser may change their mind, so the moment is part of what is told.
    """
    labels = {str(one.id): one.label for one in form_of(event.registration).fields}
    data = {
        "registration_id": row.id,
        "status": str(row.status),
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "fields": {labels.get(number, number): answer for number, answer in row.answers.items()},
        "registered_at": row.created_at.isoformat(timespec="seconds"),
    }
    word = kind.value.rpartition(".")[2]
    key = f"registration-{row.id}-{word}"
    if kind is not Kind.REGISTRATION:
        key += f"-{now.timestamp():.3f}"
    return tell(session, event_id=event.id, kind=kind, key=key, data=data, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    event_id: int
    kind: Kind
    key: str
    data: Mapping[str, Any]
    at: datetime


class ParticipantNews:
    """An observer of live rooms: `live.subscribe(news)`. Rooms are named by their event's number."""

    def __init__(self, sessions: sessionmaker[Session], *, now: Callable[[], datetime] = now_utc) -> None:
        self._sessions = sessions
        self._now = now
        self._notes: deque[_Note] = deque()
        self._lock = threading.Lock()
        self._names: dict[tuple[str, str], tuple[str, str]] = {}
        self.dropped = 0

    def __call__(self, room_id: str, events: Sequence[RoomEvent]) -> None:
        for event in events:
            if not room_id.isdecimal():
                return
            if isinstance(event, Joined):
                name = _shown(event.name)
                data = {"participant_id": event.participant_id, "name": name, "role": str(event.role)}
                self._names[(room_id, event.participant_id)] = (name, str(event.role))
                self._note(int(room_id), Kind.PARTICIPANT_JOINED, event.participant_id, data)
            elif isinstance(event, Renamed) and (room_id, event.participant_id) in self._names:
                _, role = self._names[(room_id, event.participant_id)]
                self._names[(room_id, event.participant_id)] = (_shown(event.name), role)
            elif isinstance(event, Left):
                name, role = self._names.pop((room_id, event.participant_id), ("", ""))
                data = {"participant_id": event.participant_id, "name": name, "role": role}
                data["reason"] = str(event.reason)
                self._note(int(room_id), Kind.PARTICIPANT_LEFT, event.participant_id, data)
            elif isinstance(event, Ended):  # which stands for everybody's leaving
                for room, who in [key for key in self._names if key[0] == room_id]:
                    name, role = self._names.pop((room, who))
                    data = {"participant_id": who, "name": name, "role": role, "reason": "ended"}
                    self._note(int(room_id), Kind.PARTICIPANT_LEFT, who, data)

    def run_once(self) -> int:
        """Write what waits into the table of deliveries; how many notes. Raises SQLAlchemyError."""
        with self._lock:
            notes = list(self._notes)
        if not notes:
            return 0
        self._write(notes)
        with self._lock:
            for _ in range(min(len(notes), len(self._notes))):
                self._notes.popleft()
        return len(notes)

    def _write(self, notes: Sequence[_Note]) -> None:
        try:
            with self._sessions.begin() as session:
                for note in notes:
                    tell(
                        session,
                        event_id=note.event_id,
                        kind=note.kind,
                        key=note.key,
                        data=note.data,
                        now=note.at,
                    )
        except Exception as exc:
            if is_outage(exc):
                raise
            if len(notes) > 1:  # one bad note must not take the others with it
                for note in notes:
                    self._write([note])
                return
            self.dropped += 1
            _log.exception("participant_not_told", event_id=notes[0].event_id)

    def _note(self, event_id: int, kind: Kind, who: str, data: Mapping[str, Any]) -> None:
        at = self._now()
        word = "joined" if kind is Kind.PARTICIPANT_JOINED else "left"
        key = f"{word}-{event_id}-{who[:80]}-{at.timestamp():.3f}"
        with self._lock:
            if len(self._notes) >= BACKLOG_MAX:
                self.dropped += 1
                return
            self._notes.append(_Note(event_id=event_id, kind=kind, key=key, data=data, at=at))


def _shown(name: str) -> str:
    """The name as presenters see it: a caller's is often a number."""
    return shown_name(name, viewer=Role.PRESENTER) or ""
