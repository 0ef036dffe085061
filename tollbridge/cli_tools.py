"""What all commands share: settings, the database, and how they end. Parts are imported when needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tollbridge.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from tollbridge.stores import Stores

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AccountName = Annotated[str, typer.Option("--account", help="Mail address or number of the account.")]


def settings_or_exit() -> Settings:
    """The settings; what is wrong with them ends the command with status 2."""
    try:
        return load()
    except SettingsError as exc:
        for problem in exc.problems:
            typer.echo(f"tollbridge: {problem}", err=True)
        raise typer.Exit(2) from None


def fail(message: str) -> NoReturn:
    """One line to standard error, and status 1."""
    typer.echo(f"tollbridge: {message}", err=True)
    raise typer.Exit(1)


def show(values: dict[str, Any], *, as_json: bool) -> None:
    """Names and values for people, or one JSON object."""
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        typer.echo(f"{name:<{width}}  {value}")


def utc(moment: datetime | None) -> datetime | None:
    """A moment from the command line, where none has a zone."""
    return None if moment is None else moment.replace(tzinfo=UTC)


@contextmanager
def database() -> Iterator[tuple[Settings, Stores]]:
    """The settings and the database in use; errors become one line and exit status 1."""
    from accounts.errors import AccountsError
    from billing.errors import BillingError
    from database.errors import DatabaseError, is_outage
    from events.errors import EventsError
    from tollbridge import logs
    from tollbridge.stores import open_stores

    settings = settings_or_exit()
    logs.configure(settings.model_copy(update={"log_level": "warning"}))
    try:
        with open_stores(settings) as stores:
            yield settings, stores
    except (AccountsError, BillingError, EventsError, DatabaseError) as exc:
        fail(str(exc))
    except OSError as exc:
        fail(f"the data folder {settings.data_dir} cannot be used: {exc.strerror}")
    except Exception as exc:
        if not is_outage(exc):
            raise
        fail(f"the database {settings.database.render_as_string()} cannot be used; see `tollbridge doctor`")
