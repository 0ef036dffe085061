"""The migrations make exactly the tables that the models describe."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from database import migrate
from database.base import Base
from database.engine import create_engine
from database.errors import MigrationError

ROOT = Path(__file__).parents[2]


def import_all_models() -> None:
    """Import every module that maps a table, wherever it is in the house."""
    for folder, root in ((ROOT / "platform", ROOT / "platform"), (ROOT / "bridge", ROOT)):
        for path in sorted(folder.rglob("*.py")):
            if "(Base)" in path.read_text() and "DeclarativeBase" not in path.read_text():
                importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


def test_migrations_and_models_agree(engine: Engine) -> None:
    import_all_models()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_takes_an_empty_database_to_head_and_may_be_repeated(database_url: str) -> None:
    assert migrate.current(database_url) is None
    migrate.upgrade(database_url)
    migrate.upgrade(database_url)
    assert migrate.current(database_url) == migrate.head()


def test_two_processes_may_start_at_once(database_url: str) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            migrate.upgrade(database_url)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert migrate.current(database_url) == migrate.head()


def test_a_database_from_the_future_is_refused_with_advice(migrated_url: str) -> None:
    engine = create_engine(migrated_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(MigrationError, match="newer"):
        migrate.upgrade(migrated_url)
