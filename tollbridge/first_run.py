"""An empty database gets one organiser and one permanent room: the first call needs no preparation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from accounts import repository
from accounts.service import create_account
from events import service
from events.fields import EventWishes
from rooms.modes import Role

EMAIL = "organiser@localhost"
ROOM_NAME = "Demo room"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What the banner shows once. The API key and the PINs are secrets of this machine's owner."""

    account_id: int
    email: str
    room_id: int
    name: str
    api_key: str = field(repr=False)
    presenter_pin: str = field(repr=False)
    listener_pin: str = field(repr=False)


def seed(session: Session, *, now: datetime) -> FirstRun | None:
    """Make the organiser and the room when there is no account yet; None when there is one."""
    if repository.count(session) > 0:
        return None
    created = create_account(session, email=EMAIL, now=now)
    wishes = EventWishes(name=ROOM_NAME, permanent_room=True)
    event = service.create_event(session, account_id=created.account.id, wishes=wishes, now=now)
    pins = {pin.role: pin.pin for pin in event.pins}
    return FirstRun(
        account_id=created.account.id,
        email=EMAIL,
        room_id=event.id,
        name=event.name,
        api_key=created.api_key,
        presenter_pin=pins[Role.PRESENTER],
        listener_pin=pins[Role.PARTICIPANT],
    )
