"""Queries on events, PINs and sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session, selectinload

from events.models import Event, EventPin, EventRevision, EventSession


def _visible(account_id: int) -> Select[Event]:
    return select(Event).where(Event.account_id == account_id, Event.deleted_at.is_(None))


def get(session: Session, *, account_id: int, event_id: int) -> Event | None:
    query = _visible(account_id).where(Event.id == event_id).options(selectinload(Event.pins))
    return session.scalars(query).one_or_none()


def get_any(session: Session, event_id: int) -> Event | None:
    """The event whoever owns it, deleted ones included."""
    query = select(Event).where(Event.id == event_id).options(selectinload(Event.pins))
    return session.scalars(query).one_or_none()


def get_by_url_name(session: Session, url_name: str) -> Event | None:
    query = select(Event).where(Event.url_name == url_name, Event.deleted_at.is_(None))
    return session.scalars(query.options(selectinload(Event.pins))).one_or_none()


def get_by_room_pin(session: Session, room_pin: str) -> Event | None:
    query = select(Event).where(Event.room_pin == room_pin, Event.deleted_at.is_(None))
    return session.scalars(query.options(selectinload(Event.pins))).one_or_none()


def pin_of_seat(session: Session, *, event_id: int, seat_id: str) -> EventPin | None:
    query = select(EventPin).where(EventPin.event_id == event_id, EventPin.seat_id == seat_id)
    return session.scalars(query).one_or_none()


def delete_expired_pins(session: Session, *, event_id: int, now: datetime) -> None:
    """Personal PINs of that event that nobody has asked for in a long time."""
    session.execute(delete(EventPin).where(EventPin.event_id == event_id, EventPin.expires_at < now))


def make_pins_unjoinable(session: Session, event_id: int) -> None:
    session.execute(update(EventPin).where(EventPin.event_id == event_id).values(joinable=False))


def page(
    session: Session, *, account_id: int, status: str | None, offset: int, limit: int
) -> Sequence[Event]:
    """The account's events, newest first."""
    query = _visible(account_id).options(selectinload(Event.pins)).order_by(Event.id.desc())
    if status is not None:
        query = query.where(Event.status == status)
    return session.scalars(query.offset(offset).limit(limit)).all()


def pin_exists(session: Session, pin: str) -> bool:
    """Whether any event, over or not, has or had this PIN."""
    return session.scalar(select(EventPin.id).where(EventPin.pin == pin).limit(1)) is not None


def room_pin_exists(session: Session, pin: str) -> bool:
    return session.scalar(select(Event.id).where(Event.room_pin == pin).limit(1)) is not None


def url_name_owner(session: Session, url_name: str) -> int | None:
    """The id of the event with that address; deleted events give theirs back."""
    return session.scalar(select(Event.id).where(Event.url_name == url_name))


def next_revision(session: Session) -> int:
    """The next number of the change counter.

    The row stays locked until the transaction ends, so revisions become visible in their order: who has seen
    revision n will never find a smaller one that was not there before.
    """
    statement = update(EventRevision).values(value=EventRevision.value + 1).returning(EventRevision.value)
    return session.execute(statement).scalar_one()


def current_revision(session: Session) -> int:
    """The number of the last change that can be seen."""
    return session.scalar(select(EventRevision.value)) or 0


class ChangedPin(NamedTuple):
    """One PIN of a changed event, with what callers' side needs of the event. The pin is None for an event
    without.
    """

    revision: int
    event_id: int
    account_id: int
    name: str
    status: str
    permanent_room: bool
    settings: dict[str, Any]
    room_type: str
    capacity: int | None
    pin: str | None
    role: str | None
    joinable: bool | None
    seat_id: str | None
    person_name: str | None
    access_type: int


def changed_since(session: Session, *, revision: int, over_since: datetime) -> Iterator[ChangedPin]:
    """PINs of events changed after `revision`, in order of revision, those of one event together.

    A first reading (revision 0) leaves out what was over before `over_since`. Plain rows instead of
    objects: there may be a hundred thousand.
    """
    query = (
        select(
            Event.revision,
            Event.id,
            Event.account_id,
            Event.name,
            Event.status,
            Event.permanent_room,
            Event.settings,
            Event.room_type,
            Event.capacity,
            EventPin.pin,
            EventPin.role,
            EventPin.joinable,
            EventPin.seat_id,
            EventPin.person_name,
            Event.access_type,
        )
        .outerjoin(EventPin, EventPin.event_id == Event.id)
        .where(Event.revision > revision)
        .order_by(Event.revision, Event.id, EventPin.id)
    )
    if revision == 0:
        query = query.where(or_(Event.status == "active", Event.updated_at >= over_since))
    for row in session.execute(query):
        yield ChangedPin(*row)


def sessions_of(session: Session, *, event_id: int, offset: int, limit: int) -> Sequence[EventSession]:
    """The runs of an event, newest first."""
    query = select(EventSession).where(EventSession.event_id == event_id)
    query = query.order_by(EventSession.started_at.desc(), EventSession.id.desc())
    return session.scalars(query.offset(offset).limit(limit)).all()


def session_of(session: Session, *, event_id: int, session_id: int) -> EventSession | None:
    query = select(EventSession).where(EventSession.event_id == event_id, EventSession.id == session_id)
    return session.scalars(query).one_or_none()


def open_sessions(session: Session, *, node_id: str) -> Sequence[EventSession]:
    query = select(EventSession).where(EventSession.node_id == node_id, EventSession.ended_at.is_(None))
    return session.scalars(query).all()
