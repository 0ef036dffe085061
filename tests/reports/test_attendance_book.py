"""Who enters is written down, by and by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from events.fields import EventWishes
from events.models import Event
from events.service import create_event
from reports.attendance_book import AttendanceBook
from reports.models import Attendee
from tests.reports.past import T0, visitor


@pytest.fixture
def event(sessions: sessionmaker[Session]) -> Event:
    with sessions.begin() as session:
        account = create_account(session, email="o@example.org", now=T0).account
        return create_event(session, account_id=account.id, wishes=EventWishes(name="Talk"), now=T0)


class Flaky:
    """A database that is away for the first calls."""

    def __init__(self, sessions: sessionmaker[Session], failures: int) -> None:
        self._sessions, self.failures = sessions, failures

    def begin(self) -> Any:
        if self.failures:
            self.failures -= 1
            raise OperationalError("", {}, ConnectionError("away"), connection_invalidated=True)
        return self._sessions.begin()


def written(
    sessions: sessionmaker[Session], fill: Callable[[AttendanceBook], None], failures: int = 0
) -> list[Attendee]:
    book = AttendanceBook(
        cast("sessionmaker[Session]", Flaky(sessions, failures)), backlog_max=3, retry_s=0.01
    )
    fill(book)
    book.start()
    assert book.stop(timeout_s=10)
    with sessions() as session:
        return list(session.scalars(select(Attendee).order_by(Attendee.participant_id)))


def test_the_first_word_of_a_seat_counts(sessions: sessionmaker[Session], event: Event) -> None:
    def fill(book: AttendanceBook) -> None:
        book.entered(visitor(event, "ann", email="Ann@Example.org"), 5, T0)
        book.entered(visitor(event, "ann", name="Other"), 5, T0)
        book.entered(visitor(event, "bob", name="B\x00o\ud800b", user_agent="x" * 900, ip=""), 5, T0)

    ann, bob = written(sessions, fill)
    assert (ann.name, ann.email, ann.country, ann.browser) == ("Ann", "ann@example.org", "FR", "Firefox")
    assert (bob.name, len(bob.user_agent), bob.ip) == ("Bob", 500, None)
    assert len(written(sessions, fill)) == 2


def test_it_waits_for_the_database(sessions: sessionmaker[Session], event: Event) -> None:
    found = written(sessions, lambda book: book.entered(visitor(event, "ann"), 5, T0), failures=3)
    assert [row.participant_id for row in found] == ["ann"]


def test_too_many_notes_drop_the_oldest(sessions: sessionmaker[Session], event: Event) -> None:
    def fill(book: AttendanceBook) -> None:
        for seat in "abcde":
            book.entered(visitor(event, seat), 5, T0)
        assert book.dropped == 2

    assert [row.participant_id for row in written(sessions, fill)] == ["c", "d", "e"]
