"""Sessions are written down, sooner or later, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from events import service
from events.fields import Status, parse_wishes
from events.models import Event, EventSession
from events.session_book import SessionBook
from tests.support.outage import outage

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def event(sessions: sessionmaker[Session]) -> Event:
    with sessions.begin() as session:
        account_id = create_account(session, email="a@example.org", now=T0).account.id
        return service.create_event(
            session, account_id=account_id, wishes=parse_wishes({"name": "Results"}), now=T0
        )


@pytest.fixture
def book(sessions: sessionmaker[Session]) -> Iterator[SessionBook]:
    book = SessionBook(sessions, node_id="node-1", retry_s=0.01)
    book.start()
    yield book
    book.stop()


def rows(sessions: sessionmaker[Session]) -> list[EventSession]:
    with sessions() as session:
        return list(session.scalars(select(EventSession).order_by(EventSession.started_at)))


def test_a_run_is_written_from_first_to_last(
    sessions: sessionmaker[Session], event: Event, book: SessionBook
) -> None:
    session_id = book.open(event.id, now=T0)
    assert book.flush(timeout_s=30)
    assert [(row.id, row.ended_at) for row in rows(sessions)] == [(session_id, None)]
    book.visitors(session_id, total=3, present=3)
    book.visitors(session_id, total=4, present=2)
    book.close(session_id, now=T0 + timedelta(minutes=5))
    book.close(session_id, now=T0 + timedelta(minutes=9))
    assert book.flush(timeout_s=30)
    (row,) = rows(sessions)
    assert (row.started_at, row.ended_at) == (T0, T0 + timedelta(minutes=5))
    assert (row.total_visitors, row.max_visitors) == (4, 3)


def test_ending_the_event_makes_it_over_leaving_it_does_not(
    sessions: sessionmaker[Session], event: Event, book: SessionBook
) -> None:
    def status() -> str:
        with sessions() as session:
            return session.get_one(Event, event.id).status

    book.close(book.open(event.id, now=T0), now=T0)
    assert book.flush(timeout_s=30)
    assert status() == Status.ACTIVE
    book.close(book.open(event.id, now=T0), now=T0, event_over=True)
    assert book.flush(timeout_s=30)
    assert status() == Status.INACTIVE


def test_what_happens_while_the_database_is_away_arrives_later(
    sessions: sessionmaker[Session], engine: Engine, event: Event, book: SessionBook
) -> None:
    with outage(engine):
        session_id = book.open(event.id, now=T0)
        book.close(session_id, now=T0 + timedelta(minutes=1))
        assert not book.flush(timeout_s=0.05)
    assert book.flush(timeout_s=30)
    (row,) = rows(sessions)
    assert (row.id, row.ended_at) == (session_id, T0 + timedelta(minutes=1))
    assert book.dropped == 0


def test_the_backlog_is_bounded_and_drops_are_counted(sessions: sessionmaker[Session], event: Event) -> None:
    book = SessionBook(sessions, node_id="node-1", backlog_max=3)  # not started: nothing is written
    running = book.open(event.id, now=T0)
    for minute in range(5):
        book.close(book.open(event.id, now=T0 + timedelta(minutes=minute)), now=T0 + timedelta(hours=1))
    assert book.dropped == 2
    book.start()
    assert book.stop()
    assert len(rows(sessions)) == 4
    assert running in [row.id for row in rows(sessions)]


def test_after_a_crash_open_sessions_end_when_they_were_last_seen(
    sessions: sessionmaker[Session], event: Event, book: SessionBook
) -> None:
    book.open(event.id, now=T0)
    book.touch(now=T0 + timedelta(minutes=3))
    assert book.flush(timeout_s=30)
    assert SessionBook(sessions, node_id="another").recover() == 0
    assert SessionBook(sessions, node_id="node-1").recover() == 1
    assert [row.ended_at for row in rows(sessions)] == [T0 + timedelta(minutes=3)]


def test_a_session_of_an_event_that_does_not_exist_does_not_stop_the_others(
    sessions: sessionmaker[Session], event: Event, book: SessionBook
) -> None:
    book.open(4711, now=T0)
    good = book.open(event.id, now=T0)
    assert book.flush(timeout_s=30)
    assert [row.id for row in rows(sessions)] == [good]
    assert book.dropped == 1
