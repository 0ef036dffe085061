"""Callers are let in from memory: fresh within the poll, and also while the database is away."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, update
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.engine import create_engine, make_sessions
from database.types import now_utc
from events import repository, service
from events.directory import PinDirectory
from events.fields import RoomType, Status, parse_wishes
from events.models import Event, EventPin, EventRevision
from rooms.modes import Role
from tests.conftest import BACKEND
from tests.support.outage import outage
from tests.support.postgresql import PostgresServer

NOW = now_utc()


@pytest.fixture
def account_id(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as session:
        return create_account(session, email="a@example.org", now=NOW).account.id


@pytest.fixture
def directory(engine: Engine) -> PinDirectory:
    return PinDirectory(make_sessions(engine, read_only=True))


def create(sessions: sessionmaker[Session], account_id: int, **fields: Any) -> Event:
    with sessions.begin() as session:
        wishes = parse_wishes({"name": "Results", **fields})
        return service.create_event(session, account_id=account_id, wishes=wishes, now=NOW)


def test_a_pin_opens_its_event_in_its_role(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    event = create(sessions, account_id, room_type="meeting")
    create(sessions, account_id)
    directory.refresh()
    for pin, role in zip(event.pins, (Role.PRESENTER, Role.PARTICIPANT), strict=True):
        entry = directory.lookup(pin.pin)
        assert entry is not None
        assert (entry.role, entry.event_id, entry.room_id) == (role, event.id, str(event.id))
        assert (entry.account_id, entry.name, entry.status) == (account_id, "Results", Status.ACTIVE)
        assert (entry.gateway_enabled, entry.room_type, entry.capacity) == (True, RoomType.MEETING, 25)
    assert len(directory) == 4


def test_other_digits_open_nothing(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    event = create(sessions, account_id)
    directory.refresh()
    pin = event.pins[0].pin
    for wrong in ("", pin[:-1], pin + "0", event.room_pin, pin[::-1], "\ud800", "9" * 10_000):
        assert directory.lookup(wrong) is None


def test_changes_count_after_a_refresh(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    event = create(sessions, account_id)
    directory.refresh()
    with sessions.begin() as session:
        stored = service.get_event(session, account_id=account_id, event_id=event.id)
        service.update_event(
            session,
            stored,
            now=NOW,
            wishes=parse_wishes({"name": "New", "settings": {"phonegateway_enabled": "0"}}),
        )
    directory.refresh()
    entry = directory.lookup(event.pins[0].pin)
    assert entry is not None
    assert (entry.name, entry.gateway_enabled) == ("New", False)
    with sessions.begin() as session:
        service.delete_event(
            session, service.get_event(session, account_id=account_id, event_id=event.id), now=NOW
        )
    directory.refresh()
    entry = directory.lookup(event.pins[0].pin)
    assert entry is not None
    assert entry.status is Status.INACTIVE


def test_a_pin_given_out_again_belongs_to_the_living_event(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    old = create(sessions, account_id)
    pin = old.pins[0].pin
    with sessions.begin() as session:
        service.finish_event(session, old.id, now=NOW)
    new = create(sessions, account_id)
    with sessions.begin() as session:
        stored = service.get_event(session, account_id=account_id, event_id=new.id)
        stored.pins[0].pin = pin
    for _ in range(2):
        directory.refresh()
        entry = directory.lookup(pin)
        assert entry is not None
        assert entry.event_id == new.id
        with sessions.begin() as session:  # the dead event changes once more
            row = session.get_one(Event, old.id)
            row.revision = repository.next_revision(session)


def test_a_database_put_back_from_a_backup_is_read_anew(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    kept, lost = create(sessions, account_id), create(sessions, account_id)
    directory.refresh()
    with sessions.begin() as session:
        session.execute(delete(EventPin).where(EventPin.event_id == lost.id))
        session.execute(delete(Event).where(Event.id == lost.id))
        session.execute(update(EventRevision).values(value=kept.revision))
    directory.refresh()
    assert directory.lookup(kept.pins[0].pin) is not None
    assert directory.lookup(lost.pins[0].pin) is None


def test_long_over_events_are_forgotten_at_the_next_start(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    event = create(sessions, account_id)
    with sessions.begin() as session:
        service.finish_event(session, event.id, now=NOW - timedelta(days=31))
    fresh = PinDirectory(sessions)
    fresh.refresh()
    assert fresh.lookup(event.pins[0].pin) is None


def test_an_event_can_be_ended_without_the_database(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    once, always = create(sessions, account_id), create(sessions, account_id, permanent_room=1)
    directory.refresh()
    directory.mark_over(once.id)
    directory.mark_over(always.id)
    directory.mark_over(4711)
    directory.refresh()
    over, still = directory.lookup(once.pins[0].pin), directory.lookup(always.pins[0].pin)
    assert over is not None
    assert still is not None
    assert (over.status, still.status) == (Status.INACTIVE, Status.ACTIVE)


def test_another_process_is_noticed_by_the_poll(sessions: sessionmaker[Session], account_id: int) -> None:
    directory = PinDirectory(sessions, poll_s=0.01)
    directory.start()
    try:
        event = create(sessions, account_id)
        deadline = datetime.now(UTC) + timedelta(seconds=5)
        while directory.lookup(event.pins[0].pin) is None:
            assert datetime.now(UTC) < deadline
    finally:
        directory.stop()


@pytest.mark.skipif(BACKEND == "sqlite", reason="needs a server that can be stopped")
def test_callers_are_let_in_while_the_server_is_away(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory, postgres_server: PostgresServer
) -> None:
    event = create(sessions, account_id)
    directory.refresh()
    postgres_server.stop()
    assert directory.refresh() is False
    assert directory.database_away
    assert directory.lookup(event.pins[0].pin) is not None
    postgres_server.start()
    later = create(sessions, account_id)
    assert directory.refresh() is True
    assert directory.lookup(later.pins[0].pin) is not None


def test_callers_are_let_in_while_statements_fail(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory, engine: Engine
) -> None:
    event = create(sessions, account_id)
    directory.refresh()
    with outage(engine):
        assert directory.refresh() is False
        assert directory.database_away
        assert directory.lookup(event.pins[0].pin) is not None
    assert directory.refresh() is True
    assert not directory.database_away


def test_a_start_without_database_is_no_error(tmp_path: object) -> None:
    directory = PinDirectory(make_sessions(create_engine(f"sqlite:///{tmp_path}/away/file.db")), poll_s=60)
    directory.start()
    assert directory.database_away
    assert directory.lookup("492850173") is None
    directory.stop()


def test_no_pin_stays_in_the_memory_of_the_directory(
    sessions: sessionmaker[Session], account_id: int, directory: PinDirectory
) -> None:
    event = create(sessions, account_id)
    pins = {pin.pin for pin in event.pins}
    directory.refresh()
    todo: list[Any] = [directory._entries, directory._cards, directory._digests]
    seen: set[int] = set()
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        assert thing not in pins if isinstance(thing, str) else True
        todo += gc.get_referents(thing)
