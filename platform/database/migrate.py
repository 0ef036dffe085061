"""Bringing the tables up to date, from inside the package: no `alembic.ini`, no shell.

The revisions in `migrations/versions/` are the only thing that makes tables; a test compares their result
with the models. A whole upgrade is one transaction on both databases, and two processes that start at the
same moment take turns: on SQLite through BEGIN IMMEDIATE, on PostgreSQL through an advisory lock.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection

from database.engine import READ_ONLY, create_engine
from database.errors import MigrationError

MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x746F6C6C  # "toll": any constant that only we use


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The newest revision that this program knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(url: str | URL) -> str | None:
    """The revision of the database at `url`; None when it has no tables of ours.

    Raises SQLAlchemy's OperationalError when the database cannot be reached.
    """
    engine = create_engine(url)
    try:
        with engine.execution_options(**{READ_ONLY: True}).connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def upgrade(url: str | URL, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`; does nothing when it is there already.

    Raises MigrationError when the database was made by a newer program.
    """
    engine = create_engine(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")
            try:
                command.upgrade(_config(connection), revision)
            except CommandError as exc:
                raise MigrationError(
                    f"{exc}; this program knows revisions up to {head()}: "
                    "install the version that made this database, or a newer one"
                ) from exc
            if connection.dialect.name == "sqlite":
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                assert broken is None, f"a migration left a dangling reference: {broken}"
    finally:
        engine.dispose()
