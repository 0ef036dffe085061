"""The telephone PIN of one web visitor: the call that brings it becomes the sound of that person.

A personal PIN is made when a visitor asks for it the first time and stays theirs: asking again gives the
same digits. It carries the visitor's role, so that a telephone never opens more than the visitor's own door
did, which is what keeps token protection on the telephone, too. Its digits come from the same space as the
shared ones and are as hard to guess (`events.pins`).

Rows that nobody has asked for in `KEEP` are deleted when the next PIN of the event is made: a permanent room
must not gather the PINs of years. PINs of tokens (`events.tokens`) have no such date.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from events import pins, repository
from events.errors import NoPinLeftError, UnknownEventError
from events.fields import Status
from events.models import EventPin
from events.service import note_change
from rooms.modes import Role

KEEP = timedelta(days=2)
"""How long a PIN works at least after its visitor asked for it last."""

_ATTEMPTS = 5
_NAME_CHARS_MAX = 200


def grouped(pin: str) -> str:
    """The digits as people read them aloud: in threes."""
    return " ".join(pin[at : at + 3] for at in range(0, len(pin), 3))


def personal_pin(
    session: Session, *, event_id: int, seat_id: str, name: str, role: Role, now: datetime
) -> str:
    """The visitor's digits, the same each time; name and role are brought up to date.

    Raises UnknownEventError for an event that is gone or over, NoPinLeftError.
    """
    name = name[:_NAME_CHARS_MAX]
    event = repository.get_any(session, event_id)
    if event is None or event.deleted_at is not None or event.status != Status.ACTIVE:
        raise UnknownEventError(f"there is no running conference {event_id}")
    for _ in range(_ATTEMPTS):
        found = repository.pin_of_seat(session, event_id=event_id, seat_id=seat_id)
        if found is not None:
            changed = (found.person_name, found.role) != (name, role)
            found.person_name, found.role = name, role
            if found.expires_at is not None:  # the PIN of a token stays
                found.expires_at = now + KEEP
            if changed:
                note_change(session, event)
            return found.pin
        repository.delete_expired_pins(session, event_id=event_id, now=now)
        row = EventPin(
            event_id=event_id,
            pin=pins.new_pin(lambda pin: repository.pin_exists(session, pin)),
            role=role,
            joinable=True,
            seat_id=seat_id,
            person_name=name,
            expires_at=now + KEEP,
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:  # another process was first, for this seat or with these digits
            continue
        note_change(session, event)
        return row.pin
    raise NoPinLeftError(f"{_ATTEMPTS} times in a row another process took the same PIN")
