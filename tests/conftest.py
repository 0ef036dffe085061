"""Fixtures that every package shares: databases.

`TOLLBRIDGE_TEST_DATABASE=postgresql` runs the whole suite on a PostgreSQL server that the tests start
themselves; without it they use SQLite files. Under pytest-xdist every worker has a server of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from database import migrate
from database.engine import create_engine, make_sessions
from tests.support.postgresql import PostgresServer
from tests.support.product import Product

BACKEND = os.environ.get("TOLLBRIDGE_TEST_DATABASE", "sqlite")
if BACKEND not in ("sqlite", "postgresql"):
    raise pytest.UsageError(f"TOLLBRIDGE_TEST_DATABASE={BACKEND!r}: say sqlite or postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this test process; started on first use."""
    server = PostgresServer()
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session", autouse=True)
def _databases_of_products(request: pytest.FixtureRequest) -> None:
    """Whole products, too, run on the database under test."""
    if BACKEND == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        Product.new_database = server.new_database


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tollbridge.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, without tables: what a first start finds."""
    if BACKEND == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(migrated=False) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'empty.db'}"


@pytest.fixture
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with all tables and no rows."""
    if BACKEND == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database(migrated=True) as url:
            yield url
    else:
        path = tmp_path / "tollbridge.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """An engine on a fresh, migrated database."""
    engine = create_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    """A sessionmaker on a fresh, migrated database."""
    return make_sessions(engine)
