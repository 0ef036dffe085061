"""What tests of an event's life share: an account, events, and parts to write mails with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from events.doors import Doors
from events.fields import parse_wishes
from events.invitations import MailParts
from events.models import Event
from events.service import create_event
from events.wording import Number

URL = "https://events.example"
SECRET = b"s" * 32
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
NUMBERS = (
    Number(location="London", display="+44 20 7946 0001", country="GB", language="en"),
    Number(location="Paris", display="+33 1 99 00 12 34", country="FR", language="fr"),
    Number(location="Berlin", display="+49 30 23125 001", country="DE", language="de"),
    Number(location="Madrid", display="+34 910 000 001", country="ES", language="es"),
)


def parts() -> MailParts:
    return MailParts(doors=Doors(public_url=URL), public_url=URL, secret=SECRET, numbers=lambda: NUMBERS)


def new_account(sessions: sessionmaker[Session], email: str = "ann@example.org", *, rooms: int = 1) -> int:
    with sessions.begin() as session:
        account = create_account(session, email=email, now=NOW).account
        account.rooms = rooms
        return account.id


def new_event(sessions: sessionmaker[Session], account_id: int, *, now: datetime = NOW, **fields: Any) -> int:
    wanted = {"name": "Quarterly results", "timezone": "Europe/Paris", "duration": "1:00", **fields}
    with sessions.begin() as session:
        return create_event(session, account_id=account_id, wishes=parse_wishes(wanted), now=now).id


def with_event(sessions: sessionmaker[Session], event_id: int, do: Callable[[Session, Event], Any]) -> Any:
    from events import repository

    with sessions.begin() as session:
        event = repository.get_any(session, event_id)
        assert event is not None
        return do(session, event)
