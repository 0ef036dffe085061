"""Engines and transactions, tuned once for all users of the database.

SQLite (sqlite.org/wal.html, sqlite.org/lang_transaction.html). The journal is a write-ahead log, so readers
never wait for the one writer. A transaction that begins as a reader and writes later fails at once with
SQLITE_BUSY when someone else wrote in between, whatever the busy timeout says; therefore every transaction
starts with BEGIN IMMEDIATE and queues for the write lock, unless its sessionmaker was made `read_only`.
`synchronous=FULL` costs one fsync a commit and means that a committed call record survives a power cut.

PostgreSQL. psycopg 3; each connection is tested when it leaves the pool, so a restarted server costs no
request, and every timeout is short, so that a lost one is noticed in seconds: nobody may wait for a
database during a call.

Error messages show statements without their values: a PIN or a caller's number must not reach a log that way.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from database.errors import BadDatabaseUrlError

READ_ONLY = "tollbridge_read_only"
"""Execution option: the transaction only reads."""

BUSY_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 5.0
POOL_SIZE = 10
POOL_OVERFLOW = 20


def parse_url(url: str | URL) -> URL:
    """`url` with the driver we use. Plain `postgresql://` and `postgres://` mean psycopg 3.

    Raises BadDatabaseUrlError; the message never contains the password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:
        raise BadDatabaseUrlError(
            "the database URL cannot be read; it looks like sqlite:////folder/file.db "
            "or postgresql://user:password@host/name"
        ) from exc
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise BadDatabaseUrlError(f"{parsed.drivername!r} is not supported; use sqlite or postgresql")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise BadDatabaseUrlError("an in-memory SQLite database is lost between connections; name a file")
    return parsed


def create_engine(url: str | URL, *, foreign_keys: bool = True) -> Engine:
    """An engine for `url`; connects to nothing yet.

    `foreign_keys=False` is for migrations alone, which rebuild SQLite tables. Raises BadDatabaseUrlError.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, foreign_keys=foreign_keys)
    return sqlalchemy.create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": 5000,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "application_name": "tollbridge",
            "options": "-c timezone=UTC -c statement_timeout=15000 -c lock_timeout=5000"
            " -c idle_in_transaction_session_timeout=60000",
        },
    )


def make_sessions(engine: Engine, *, read_only: bool = False) -> sessionmaker[Session]:
    """A sessionmaker on `engine`. Objects stay readable after commit, so that a view may outlive its
    transaction.

    `read_only`: its transactions never wait for a writer, and must not write.
    """
    if read_only:
        engine = engine.execution_options(**{READ_ONLY: True}, **_read_only_options(engine))
    return sessionmaker(engine, expire_on_commit=False)


def _read_only_options(engine: Engine) -> dict[str, Any]:
    return {"postgresql_readonly": True} if engine.dialect.name == "postgresql" else {}


def _sqlite(url: URL, *, foreign_keys: bool) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions of its own
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
