"""What can be done with events. No function commits; the caller's transaction does.

Every change takes a number from the change counter (`repository.next_revision`), from which the PIN
directories of all processes learn what to read again, and notes it in `session.info`, so that the caller
can refresh its own directory at once after the commit.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from events import pins, plan_repository, repository, skins
from events.agenda import text_of
from events.errors import BadEventError, FieldProblem, NoPinLeftError, UnknownEventError
from events.fields import (
    DEFAULT_REGISTRATION,
    DEFAULT_SETTINGS,
    RESERVED_URL_NAMES,
    AccessType,
    EventWishes,
    RoomType,
    Status,
)
from events.invitation_book import cancel_invitations
from events.models import Event, EventPin, EventSession
from events.overlap import Span, in_the_way
from events.passwords import hash_password
from events.schedule import local
from events.steps import State
from rooms.modes import Role

CHANGED = "events_changed"
"""Key in `session.info`: this transaction changed an event."""

MEETING_CAPACITY = 25
PAGE_SIZE = 250
_DEFAULT_DURATION_MIN = 60
_ATTEMPTS = 5
_FIND_CHARS_MAX = 300

T = TypeVar("T")


def create_event(session: Session, *, account_id: int, wishes: EventWishes, now: datetime) -> Event:
    """A new active event with one PIN per role. Raises BadEventError, NoPinLeftError."""
    if wishes.name is None:
        raise BadEventError([FieldProblem(field="name", message="is required")])
    access_type = wishes.access_type or AccessType.OPEN
    room_type = wishes.room_type or RoomType.WEBINAR
    event = Event(
        account_id=account_id,
        name=wishes.name,
        room_type=room_type,
        permanent_room=bool(wishes.permanent_room),
        access_type=access_type,
        password_hash=_new_password_hash(access_type, wishes.password, None),
        hash_listener=secrets.token_hex(16),
        hash_presenter=secrets.token_hex(16),
        hash_host=secrets.token_hex(16),
        lobby_enabled=bool(wishes.lobby_enabled),
        lobby_description=wishes.lobby_description or "",
        starts_at=wishes.starts_at,
        duration_min=wishes.duration_min or _DEFAULT_DURATION_MIN,
        timezone=wishes.timezone or "UTC",
        skin_id=skins.wanted_or_default(session, account_id=account_id, skin_id=wishes.skin_id),
        agenda=wishes.agenda or [],
        registration={**DEFAULT_REGISTRATION, **wishes.registration},
        settings={**DEFAULT_SETTINGS, **wishes.settings},
        capacity=MEETING_CAPACITY if room_type == RoomType.MEETING else None,
        status=Status.ACTIVE,
        created_at=now,
        updated_at=now,
        revision=0,
        state=State.SCHEDULED,
        sequence=0,
        planned_at=now,
    )
    _check_free(session, event)
    for _ in range(_ATTEMPTS):
        event.url_name = _free_url_name(session, wishes, event_id=None)
        event.room_pin = pins.new_pin(lambda pin: repository.room_pin_exists(session, pin))
        event.pins = [
            EventPin(pin=_free_pin(session), role=role, joinable=True)
            for role in (Role.PRESENTER, Role.PARTICIPANT)
        ]
        try:
            with session.begin_nested():
                session.add(event)
        except IntegrityError:  # another process took the same name or PIN between our look and our insert
            continue
        break
    else:  # the database's own message would hold a PIN
        raise NoPinLeftError(f"{_ATTEMPTS} times in a row another process took the same name or PIN")
    _touch(session, event, now)
    return event


def get_event(session: Session, *, account_id: int, event_id: int) -> Event:
    """The account's event, PINs loaded. Raises UnknownEventError."""
    event = repository.get(session, account_id=account_id, event_id=event_id)
    if event is None:
        raise UnknownEventError(f"there is no conference {event_id}")
    return event


def list_events(
    session: Session,
    *,
    account_id: int,
    status: Status | None = None,
    page: int = 1,
    page_size: int = PAGE_SIZE,
) -> Sequence[Event]:
    """One page (from 1) of the account's events, newest first, PINs loaded."""
    return repository.page(
        session, account_id=account_id, status=status, offset=(page - 1) * page_size, limit=page_size
    )


def update_event(session: Session, event: Event, *, wishes: EventWishes, now: datetime) -> None:
    """Change what the wishes mention. Raises BadEventError."""
    shown_before, start_before = _shown_in_calendars(event), event.starts_at
    access_type = wishes.access_type or AccessType(event.access_type)
    event.password_hash = _new_password_hash(access_type, wishes.password, event.password_hash)
    event.access_type = access_type
    if wishes.custom_room_url_name is not None:
        event.url_name = _free_url_name(session, wishes, event_id=event.id)
    if wishes.room_type is not None and wishes.room_type != event.room_type:
        event.room_type = wishes.room_type
        event.capacity = MEETING_CAPACITY if wishes.room_type == RoomType.MEETING else None
    for name in (
        "name",
        "permanent_room",
        "lobby_enabled",
        "lobby_description",
        "starts_at",
        "duration_min",
        "timezone",
        "agenda",
    ):
        value = getattr(wishes, name)
        if value is not None:
            setattr(event, name, value)
    if wishes.skin_id is not None:
        event.skin_id = skins.wanted_or_default(session, account_id=event.account_id, skin_id=wishes.skin_id)
    event.registration = {**event.registration, **wishes.registration}
    event.settings = {**event.settings, **wishes.settings}
    if _shown_in_calendars(event) != shown_before:
        event.sequence += 1
        _check_free(session, event)
    if event.starts_at != start_before:
        event.planned_at = now
    _touch(session, event, now)


def copy_event(session: Session, event: Event, *, wishes: EventWishes, now: datetime) -> Event:
    """A new event like this one, but for what the wishes say: its own address, PINs and secrets, no guests.

    The date is not copied: a copy at the same time would be in the way of the first. A password stays the
    same one. Raises BadEventError, NoPinLeftError.
    """
    access_type = wishes.access_type or AccessType(event.access_type)
    keeps_password = access_type == AccessType.PASSWORD and wishes.password is None
    made = create_event(
        session,
        account_id=event.account_id,
        wishes=replace(
            wishes,
            name=wishes.name or event.name,
            room_type=wishes.room_type or RoomType(event.room_type),
            permanent_room=_first(wishes.permanent_room, event.permanent_room),
            access_type=AccessType.OPEN if keeps_password else access_type,
            lobby_enabled=_first(wishes.lobby_enabled, event.lobby_enabled),
            lobby_description=_first(wishes.lobby_description, event.lobby_description),
            duration_min=wishes.duration_min or event.duration_min,
            timezone=wishes.timezone or event.timezone,
            skin_id=wishes.skin_id or skins.look_of(session, event).skin_id,
            agenda=_first(wishes.agenda, event.agenda),
            registration={**event.registration, **wishes.registration},
            settings={**event.settings, **wishes.settings},
        ),
        now=now,
    )
    if keeps_password:
        made.access_type, made.password_hash = access_type, event.password_hash
        session.flush()
    return made


def switch_settings(
    session: Session, event_id: int, *, switches: Mapping[str, bool], now: datetime
) -> Mapping[str, bool | str]:
    """Switch settings of an event on or off, whoever owns it: for presenters in its room.

    The settings as they are afterwards. Raises UnknownEventError.
    """
    assert all(isinstance(DEFAULT_SETTINGS[name], bool) for name in switches)
    event = repository.get_any(session, event_id)
    if event is None or event.deleted_at is not None:
        raise UnknownEventError(f"there is no conference {event_id}")
    settings = {**DEFAULT_SETTINGS, **event.settings, **switches}
    if settings != event.settings:
        event.settings = settings
        _touch(session, event, now)
    return settings


def find_event(session: Session, text: str) -> Event | None:
    """The event that somebody means who types its address, the last part of it, its room PIN (with spaces or
    without) or its number; shared PINs loaded. Events that are over are found, too.
    """
    wanted = text.strip()[:_FIND_CHARS_MAX].split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1].lower()
    digits = re.sub(r"[ \u00a0\u202f.\-]", "", wanted)
    found = repository.get_by_url_name(session, wanted) if wanted else None
    if found is None and digits.isascii() and digits.isdigit() and len(digits) <= pins.PIN_DIGITS:
        found = repository.get_by_room_pin(session, digits) or repository.get_any(session, int(digits))
    return None if found is None or found.deleted_at is not None else found


def delete_event(session: Session, event: Event, *, now: datetime) -> None:
    """The event is gone for its organiser; its sessions and call records stay. Its address is free again."""
    if event.status == Status.ACTIVE and (event.starts_at is None or event.starts_at > now):
        cancel_invitations(session, event_id=event.id, now=now)
    event.deleted_at = now
    event.sequence += 1
    event.url_name = f"-{event.id}"
    _make_over(session, event)
    _touch(session, event, now)


def finish_event(session: Session, event_id: int, *, now: datetime) -> bool:
    """A run of the event was ended: a permanent room stays open, any other event is over. True when over."""
    event = repository.get_any(session, event_id)
    if event is None or event.permanent_room:
        return False
    if event.status == Status.ACTIVE:
        _make_over(session, event)
        _touch(session, event, now)
    return True


def list_sessions(
    session: Session, event: Event, *, page: int = 1, page_size: int = PAGE_SIZE
) -> Sequence[EventSession]:
    """One page (from 1) of the runs of an event, newest first."""
    return repository.sessions_of(session, event_id=event.id, offset=(page - 1) * page_size, limit=page_size)


def get_session(session: Session, event: Event, *, session_id: int) -> EventSession:
    """One run of the event. Raises UnknownEventError."""
    found = repository.session_of(session, event_id=event.id, session_id=session_id)
    if found is None:
        raise UnknownEventError(f"conference {event.id} has no such session")
    return found


def _touch(session: Session, event: Event, now: datetime) -> None:
    event.updated_at = now
    note_change(session, event)


def note_change(session: Session, event: Event) -> None:
    """The directories of all processes are to read this event again."""
    event.revision = repository.next_revision(session)
    session.info[CHANGED] = True
    session.flush()


def _make_over(session: Session, event: Event) -> None:
    event.status = Status.INACTIVE
    event.state = State.ENDED
    repository.make_pins_unjoinable(session, event.id)


def _first(wanted: T | None, kept: T) -> T:
    return kept if wanted is None else wanted


def _shown_in_calendars(event: Event) -> tuple[object, ...]:
    when = (event.starts_at, event.duration_min, event.timezone, event.permanent_room)
    return (event.name, event.url_name, text_of(event.agenda), *when)


def _check_free(session: Session, event: Event) -> None:
    """Raises BadEventError when the account has no room left at that time; says which event is there."""
    if event.starts_at is None or event.permanent_room or event.status != Status.ACTIVE:
        return
    wanted = Span(
        event_id=event.id or 0,
        name=event.name,
        starts_at=event.starts_at,
        duration_min=event.duration_min,
    )
    with session.no_autoflush:
        rooms = plan_repository.rooms_of(session, event.account_id)
        others = plan_repository.spans_between(
            session, account_id=event.account_id, start=wanted.starts_at, end=wanted.ends_at, but=event.id
        )
    found = in_the_way(wanted, others, rooms=rooms)
    if not found:
        return
    first = found[0]
    start, end = (local(moment, zone=event.timezone) for moment in (first.starts_at, first.ends_at))
    if start.date() == end.date() and start.utcoffset() == end.utcoffset():
        until = f"{end:%H:%M}"
    else:
        until = f"{end:%Y-%m-%d %H:%M}"
    when = f"{start:%Y-%m-%d %H:%M} - {until} ({event.timezone}, UTC{start:%z})"
    problem = f"overlaps with {first.name}, {when}; the account may run {rooms} at a time"
    raise BadEventError([FieldProblem(field="starts_at", message=problem)])


def _new_password_hash(access_type: AccessType, password: str | None, stored: str | None) -> str | None:
    if access_type != AccessType.PASSWORD:
        return None
    if password is not None:
        return hash_password(password)
    if stored is None:
        raise BadEventError([FieldProblem(field="password", message="is required when access_type is 2")])
    return stored


def _free_pin(session: Session) -> str:
    return pins.new_pin(lambda pin: repository.pin_exists(session, pin))


def _free_url_name(session: Session, wishes: EventWishes, *, event_id: int | None) -> str:
    wanted = wishes.custom_room_url_name
    if wanted is not None:
        if repository.url_name_owner(session, wanted) not in (None, event_id):
            raise BadEventError([FieldProblem(field="custom_room_url_name", message="is taken")])
        return wanted
    assert wishes.name is not None
    stem = slug(wishes.name)
    if stem not in RESERVED_URL_NAMES and len(stem) >= 3 and repository.url_name_owner(session, stem) is None:
        return stem
    return f"{stem}-{secrets.token_hex(4)}".lstrip("-")


def slug(name: str) -> str:
    """`name` as a path segment: letters without accents, digits, hyphens; may be empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
