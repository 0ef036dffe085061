"""What can go wrong on the ground floor.

    DatabaseError
    ├── BadDatabaseUrlError      the URL in the settings names nothing we can open: the operator's fault
    └── MigrationError      the tables are newer than this program: the operator's fault

Outages are not translated: SQLAlchemy raises them from wherever a statement runs, so `is_outage` judges them.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class DatabaseError(Exception):
    """Parent of all errors of this package."""


class BadDatabaseUrlError(DatabaseError):
    """The URL cannot be parsed, or names a database that is neither SQLite nor PostgreSQL."""


class MigrationError(DatabaseError):
    """The database carries a revision that this program does not know."""


def is_outage(error: BaseException) -> bool:
    """True when `error` says that the database is away, busy, full or unreadable, so that trying later may
    help.

    False for a statement that would fail again: a broken constraint, bad SQL, a bug of ours.
    """
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated
