"""Transactions queue instead of failing, readers never wait, and outages are told apart from bugs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from accounts.models import Account, ApiKey
from database.engine import create_engine, make_sessions, parse_url
from database.errors import BadDatabaseUrlError, is_outage
from database.types import now_utc
from tests.conftest import BACKEND
from tests.support.postgresql import PostgresServer


def account(email: str) -> Account:
    now = now_utc()
    return Account(email=email, status="active", created_at=now, updated_at=now)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_plain_postgresql_urls_mean_psycopg(scheme: str) -> None:
    assert parse_url(f"{scheme}://me:secret@db.example/tb").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rubbish",
        "mysql://me:secret@host/x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://me:secret@host:port/x",
    ],
)
def test_unusable_urls_are_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(BadDatabaseUrlError) as caught:
        create_engine(url)
    assert "secret" not in str(caught.value)


def test_read_then_write_transactions_queue_for_each_other(sessions: sessionmaker[Session]) -> None:
    """Ten threads that read first and write later all succeed: the trap of SQLite's deferred transactions."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                with sessions.begin() as session:
                    session.scalars(select(Account)).all()
                    session.add(account(f"{number}-{turn}@example.org"))
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with sessions() as session:
        assert len(session.scalars(select(Account)).all()) == 50


def test_a_reader_does_not_wait_for_the_writer(engine: Engine) -> None:
    writer, reader = make_sessions(engine), make_sessions(engine, read_only=True)
    with writer.begin() as session:
        session.add(account("writer@example.org"))
        session.flush()
        with reader() as reading:
            assert reading.scalars(select(Account)).all() == []


@pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite cannot forbid it")
def test_a_reader_cannot_write(engine: Engine) -> None:
    with pytest.raises(DBAPIError), make_sessions(engine, read_only=True).begin() as session:
        session.add(account("reader@example.org"))


def test_references_are_enforced(sessions: sessionmaker[Session]) -> None:
    with pytest.raises(IntegrityError) as caught, sessions.begin() as session:
        session.add(ApiKey(account_id=4711, prefix="x", digest=b"", created_at=now_utc()))
    assert not is_outage(caught.value)


@pytest.mark.skipif(BACKEND == "postgresql", reason="the PostgreSQL form of this test is below")
def test_a_missing_sqlite_folder_is_an_outage(tmp_path: Path) -> None:
    sessions = make_sessions(create_engine(f"sqlite:///{tmp_path}/away/file.db"))
    with pytest.raises(OperationalError) as caught, sessions() as session:
        session.execute(text("SELECT 1"))
    assert is_outage(caught.value)


@pytest.mark.skipif(BACKEND == "sqlite", reason="needs a server that can be stopped")
def test_a_stopped_server_is_an_outage_and_its_return_needs_no_help(
    sessions: sessionmaker[Session], postgres_server: PostgresServer
) -> None:
    with sessions() as session:
        session.execute(text("SELECT 1"))
    postgres_server.stop()
    with pytest.raises(DBAPIError) as caught, sessions() as session:
        session.execute(text("SELECT 1"))
    assert is_outage(caught.value)
    postgres_server.start()
    with sessions() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
