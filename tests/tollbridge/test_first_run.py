"""An empty database can be called at once; any other is left alone."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import authenticate
from database.types import now_utc
from events.directory import PinDirectory
from events.models import Event
from rooms.modes import Role
from tollbridge.first_run import seed


def test_the_demo_room_can_be_called(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        first = seed(session, now=now_utc())
    assert first is not None
    directory = PinDirectory(sessions)
    directory.refresh()
    for pin, role in ((first.presenter_pin, Role.PRESENTER), (first.listener_pin, Role.PARTICIPANT)):
        entry = directory.lookup(pin)
        assert entry is not None
        assert (entry.role, entry.event_id, entry.event.permanent_room) == (role, first.room_id, True)
        assert pin not in repr(first)
    with sessions() as session:
        assert authenticate(session, first.api_key).email == first.email


def test_a_database_with_accounts_is_left_alone(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        seed(session, now=now_utc())
    with sessions.begin() as session:
        assert seed(session, now=now_utc()) is None
        assert session.scalar(select(func.count()).select_from(Event)) == 1
