"""An empty database gets one organiser and one permanent room: the first call needs no preparation.

Whoever installs it is the operator, so that first person has every role.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from accounts import repository
from accounts.service import create_account
from accounts.users import Role, create_user
from events import service
from events.fields import EventWishes
from rooms.modes import Role as RoomRole

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
    password: str = field(repr=False)
    presenter_path: str = field(repr=False)
    presenter_pin: str = field(repr=False)
    listener_pin: str = field(repr=False)


def seed(session: Session, *, now: datetime) -> FirstRun | None:
    """Make the organiser and the room when there is no account yet; None when there is one."""
    if repository.count(session) > 0:
        return None
    created = create_account(session, email=EMAIL, now=now)
    password = secrets.token_urlsafe(9)
    create_user(
        session,
        account_id=created.account.id,
        email=EMAIL,
        password=password,
        now=now,
        roles=(Role.ORGANISER, Role.BILLING, Role.ADMIN),
    )
    wishes = EventWishes(name=ROOM_NAME, permanent_room=True)
    event = service.create_event(session, account_id=created.account.id, wishes=wishes, now=now)
    pins = {pin.role: pin.pin for pin in event.pins}
    return FirstRun(
        account_id=created.account.id,
        email=EMAIL,
        room_id=event.id,
        name=event.name,
        api_key=created.api_key,
        password=password,
        presenter_path=f"/{event.url_name}?l={event.hash_presenter}",
        presenter_pin=pins[RoomRole.PRESENTER],
        listener_pin=pins[RoomRole.PARTICIPANT],
    )
