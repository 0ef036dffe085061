"""Moments come back from the database as they went in: aware, UTC, whole milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session, sessionmaker

from accounts.models import Account
from database.types import to_utc_ms


def account(moment: datetime, email: str = "a@example.org") -> Account:
    return Account(email=email, status="active", created_at=moment, updated_at=moment)


def test_a_moment_survives_the_round_trip_in_utc_milliseconds(sessions: sessionmaker[Session]) -> None:
    paris = timezone(timedelta(hours=2))
    with sessions.begin() as session:
        session.add(account(datetime(2026, 7, 1, 0, 30, 1, 999_999, tzinfo=paris)))
    with sessions() as session:
        read = session.scalars(select(Account.created_at)).one()
    assert read == datetime(2026, 6, 30, 22, 30, 1, 999_000, tzinfo=UTC)
    assert read.utcoffset() == timedelta(0)


def test_a_moment_before_1970_and_one_far_away_survive(sessions: sessionmaker[Session]) -> None:
    for n, moment in enumerate(
        (datetime(1969, 12, 31, 23, 59, 59, 1000, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC))
    ):
        with sessions.begin() as session:
            session.add(account(moment, f"{n}@example.org"))
        with sessions() as session:
            found = session.scalars(select(Account.created_at).where(Account.created_at == moment)).one()
        assert found == moment


def test_a_naive_moment_is_refused(sessions: sessionmaker[Session]) -> None:
    with pytest.raises(StatementError, match="say which zone"), sessions.begin() as session:
        session.add(account(datetime(2026, 1, 1)))


def test_milliseconds_are_cut_never_rounded_into_the_future() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 1999, tzinfo=UTC)
    assert to_utc_ms(moment).microsecond == 1000
