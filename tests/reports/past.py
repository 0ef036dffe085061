"""Sessions that took place: call records, visitors and events for tests of what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import Channel
from events.models import Event, EventSession
from reports import attendance_book
from rooms.gate import Visitor
from rooms.modes import Role
from tests.bridge.cdr.support import ended

T0 = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def held(
    session: Session, event: Event, session_id: int, *, begin: float = 0, end: float | None = 60
) -> None:
    """A run of the event."""
    session.add(
        EventSession(
            id=session_id, event_id=event.id, node_id="node-1", started_at=at(begin),
            last_seen_at=at(end or begin), ended_at=None if end is None else at(end), total_visitors=0,
            max_visitors=0,
        )
    )  # fmt: skip
    session.flush()


def leg(
    session: Session, session_id: int, who: str, begin: float, end: float, *, phone: bool = False, **more: Any
) -> None:
    """A call record of somebody who was in the room from one minute to another."""
    known: dict[str, Any] = {
        "session_id": str(session_id), "participant_id": who, "setup_at": at(begin), "ring_at": None,
        "answer_at": at(begin), "join_at": at(begin), "leave_at": at(end), "end_at": at(end),
        "channel": Channel.SIP if phone else Channel.WEBRTC,
    }  # fmt: skip
    if not phone:
        known |= {"caller_e164": None, "called_e164": None, "source": "web"}
    session.execute(insert(Cdr), [row_of(ended(**(known | more))) | {"ingest_at": at(end)}])


def visitor(event: Event, seat: str, **more: Any) -> Visitor:
    known: dict[str, Any] = {
        "seat_id": seat, "event_id": event.id, "room_id": str(event.id), "account_id": event.account_id,
        "event_name": event.name, "role": Role.PARTICIPANT, "name": seat.title(),
        "email": f"{seat}@example.org", "ip": "192.0.2.7", "user_agent": FIREFOX, "permanent_room": False,
        "capacity": None, "room_type": event.room_type, "timezone": "Europe/Paris", "accept_language": "fr",
        "language": "fr",
    }  # fmt: skip
    return Visitor(**(known | more))


def entered(session: Session, event: Event, session_id: int, seat: str, **more: Any) -> None:
    """Somebody's browser entered."""
    row = attendance_book.row_of(visitor(event, seat, **more), session_id, now=T0)
    attendance_book.write(session, [row])


def a_webinar(session: Session, event: Event, session_id: int = 5_000_000_001) -> int:
    """An hour with Ann (browser and phone at once), Bob (a call, then a browser) and a caller nobody
    knows.
    """
    held(session, event, session_id)
    entered(session, event, session_id, "ann")
    entered(session, event, session_id, "bob", timezone="UTC", accept_language="en-GB", language="en")
    leg(session, session_id, "ann", 0, 60, account_id=event.account_id)
    leg(session, session_id, "ann", 10, 20, phone=True, account_id=event.account_id)
    british = {"caller_e164": "+442079460000", "account_id": event.account_id}
    leg(session, session_id, "bob", 5, 15, phone=True, **british)
    leg(session, session_id, "bob", 20, 50, account_id=event.account_id)
    leg(session, session_id, "caller", 30, 42.5, phone=True, account_id=event.account_id)
    return session_id
