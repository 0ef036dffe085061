"""`tollbridge twilio …`: the account's numbers, and its bill beside our records."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from tollbridge.cli_tools import AsJson, database, fail, settings_or_exit, utc
from tollbridge.settings import Settings

twilio_app = typer.Typer(help="Numbers rented from Twilio.", no_args_is_help=True)


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
        fail(str(exc))
    api = twilio_api(settings)
    try:
        found = plan(api.numbers(), book.numbers, public_url=settings.web_address)
        if apply:
            for change in found.changes:
                api.set_hooks(change.rented.sid, voice_url=change.after[0], status_url=change.after[1])
    except ApiError as exc:
        fail(str(exc))
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

    with database() as (_, stores), stores.readers() as session:
        for row in compared(session, begin=utc(begin), before=utc(before)):
            typer.echo(json.dumps(row.as_dict()) if as_json else row.line())


def _settings() -> Settings:
    settings = settings_or_exit()
    if not settings.twilio:
        fail("there is no Twilio account; set TOLLBRIDGE_TWILIO_ACCOUNT_SID and TOLLBRIDGE_TWILIO_AUTH_TOKEN")
    return settings
