"""The database as commands use it: folder made, tables up to date, two kinds of sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from database import migrate
from database.engine import create_engine, make_sessions
from tollbridge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """`sessions` writes and queues for it, `readers` never waits and must not write."""

    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """The database of these settings, brought up to date. Raises SQLAlchemy's OperationalError,
    MigrationError.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    migrate.upgrade(settings.database)
    engine = create_engine(settings.database)
    try:
        yield Stores(
            engine=engine, sessions=make_sessions(engine), readers=make_sessions(engine, read_only=True)
        )
    finally:
        engine.dispose()
