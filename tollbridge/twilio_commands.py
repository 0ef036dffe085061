"""`tollbridge twilio …`: the account's numbers, and its bill beside our records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer

from tollbridge.settings import Settings, SettingsError, load

twilio_app = typer.Typer(help="Numbers rented from Twilio.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@twilio_app.command("sync")
def sync(
    apply: Annotated[bool, typer.Option("--apply", help="Set the web hooks, instead of showing it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let the account's numbers that stand in the list of dial-in numbers call this bridge."""
    from bridge.numbers import NumberBook, NumberBookError
    from bridge.twilio.errors import ApiError
    from bridge.twilio.sync import plan
    from tollbridge.twilio_wiring import twilio_api

    settings = _settings()
    try:
        book = NumberBook.load(settings.numbers_file or NumberBook.default_path())
    except NumberBookError as exc:
        _fail(str(exc))
    api = twilio_api(settings)
    try:
        found = plan(api.numbers(), book.numbers, public_url=settings.web_address)
        if apply:
            for change in found.changes:
                api.set_hooks(change.rented.sid, voice_url=change.after[0], status_url=change.after[1])
    except ApiError as exc:
        _fail(str(exc))
    finally:
        api.close()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "applied": apply,
                    "change": [change.rented.number for change in found.changes],
                    "right": [number.number.value for number in found.right],
                    "skipped": [number.number.value for number, _ in found.elsewhere],
                    "missing": [number.number.value for number in found.only_here],
                    "unused": list(found.only_there),
                }
            )
        )
        return
    for line in found.lines():
        typer.echo(line)
    if not found.changes:
        typer.echo("nothing to change")
    elif apply:
        typer.echo(f"{len(found.changes)} changed")
    else:
        typer.echo(f"{len(found.changes)} to change; nothing is changed without --apply")


@twilio_app.command("reconcile")
def reconcile(
    begin: Annotated[
        datetime | None, typer.Option("--from", help="Only calls that ended from this moment (UTC) on.")
    ] = None,
    before: Annotated[
        datetime | None, typer.Option("--before", help="Only calls that ended before this moment (UTC).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print our call records by Twilio beside what Twilio says about them, and what differs."""
    from bridge.twilio.reconcile import compared
    from database.errors import is_outage
    from tollbridge import logs
    from tollbridge.stores import open_stores

    settings = _settings(account=False)
    logs.configure(settings.model_copy(update={"log_level": "warning"}))
    try:
        with open_stores(settings) as stores, stores.readers() as session:
            for row in compared(session, begin=_utc(begin), before=_utc(before)):
                typer.echo(json.dumps(row.as_dict()) if as_json else row.line())
    except Exception as exc:
        if not is_outage(exc):
            raise
        _fail(f"the database {settings.database.render_as_string()} cannot be used; see `tollbridge doctor`")


def _settings(*, account: bool = True) -> Settings:
    try:
        settings = load()
    except SettingsError as exc:
        for problem in exc.problems:
            typer.echo(f"tollbridge: {problem}", err=True)
        raise typer.Exit(2) from None
    if account and not settings.twilio:
        _fail(
            "there is no Twilio account; set TOLLBRIDGE_TWILIO_ACCOUNT_SID and TOLLBRIDGE_TWILIO_AUTH_TOKEN"
        )
    return settings


def _fail(message: str) -> NoReturn:
    typer.echo(f"tollbridge: {message}", err=True)
    raise typer.Exit(1)


def _utc(moment: datetime | None) -> Any:
    return None if moment is None else moment.replace(tzinfo=UTC)
