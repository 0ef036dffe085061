"""A visitor's own PIN: the same digits whenever asked, their role and name, never in the way of others."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.types import now_utc
from events import service
from events.directory import PinDirectory
from events.errors import UnknownEventError
from events.fields import Status, parse_wishes
from events.models import Event, EventPin
from events.personal_pins import KEEP, grouped, personal_pin
from rooms.modes import Role

NOW = now_utc()


@pytest.fixture
def event(sessions: sessionmaker[Session]) -> Event:
    with sessions.begin() as session:
        account = create_account(session, email="a@example.org", now=NOW).account
        return service.create_event(
            session, account_id=account.id, wishes=parse_wishes({"name": "Results"}), now=NOW
        )


def ask(
    sessions: sessionmaker[Session], event: Event, seat: str, name: str = "Ann", role: Role = Role.PARTICIPANT
) -> str:
    with sessions.begin() as session:
        return personal_pin(session, event_id=event.id, seat_id=seat, name=name, role=role, now=NOW)


def test_digits_are_read_in_threes() -> None:
    assert grouped("492850173") == "492 850 173"


def test_a_seat_has_one_pin_and_the_directory_knows_whose_it_is(
    sessions: sessionmaker[Session], event: Event
) -> None:
    directory = PinDirectory(sessions)
    directory.refresh()
    pin = ask(sessions, event, "seat-1")
    assert ask(sessions, event, "seat-1") == pin
    assert ask(sessions, event, "seat-2", "Bob") != pin
    assert len(pin) == 9
    assert pin.isdigit()
    directory.refresh()
    entry = directory.lookup(pin)
    assert entry is not None
    assert (entry.seat_id, entry.person_name, entry.role) == ("seat-1", "Ann", Role.PARTICIPANT)
    shared = directory.lookup(event.pins[0].pin)
    assert shared is not None
    assert (shared.seat_id, shared.person_name) == (None, None)


def test_the_pin_follows_name_and_role(sessions: sessionmaker[Session], event: Event) -> None:
    directory = PinDirectory(sessions)
    pin = ask(sessions, event, "seat-1")
    assert ask(sessions, event, "seat-1", "Anna", Role.PRESENTER) == pin
    directory.refresh()
    entry = directory.lookup(pin)
    assert entry is not None
    assert (entry.person_name, entry.role) == ("Anna", Role.PRESENTER)


def test_shared_pins_are_not_mixed_up_with_those_of_visitors(
    sessions: sessionmaker[Session], event: Event
) -> None:
    ask(sessions, event, "seat-1", role=Role.PRESENTER)
    with sessions() as session:
        stored = service.get_event(session, account_id=event.account_id, event_id=event.id)
        assert [pin.pin for pin in stored.pins] == [pin.pin for pin in event.pins]


def test_with_the_event_the_pin_is_over(sessions: sessionmaker[Session], event: Event) -> None:
    directory = PinDirectory(sessions)
    pin = ask(sessions, event, "seat-1")
    with sessions.begin() as session:
        service.finish_event(session, event.id, now=NOW)
    directory.refresh()
    entry = directory.lookup(pin)
    assert entry is not None
    assert entry.status is Status.INACTIVE
    with pytest.raises(UnknownEventError):
        ask(sessions, event, "seat-2")
    with sessions() as session:
        assert not any(session.scalars(select(EventPin.joinable)))


def test_pins_that_nobody_asks_for_are_forgotten(sessions: sessionmaker[Session], event: Event) -> None:
    directory = PinDirectory(sessions)
    old = ask(sessions, event, "seat-1")
    directory.refresh()
    with sessions.begin() as session:
        later = NOW + KEEP + timedelta(seconds=1)
        personal_pin(session, event_id=event.id, seat_id="b", name="Bob", role=Role.PARTICIPANT, now=later)
    directory.refresh()
    assert directory.lookup(old) is None


def test_two_requests_at_once_get_the_same_digits(sessions: sessionmaker[Session], event: Event) -> None:
    pins: list[str] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        barrier.wait()
        pins.append(ask(sessions, event, "seat-1"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pins) == 4
    assert len(set(pins)) == 1
