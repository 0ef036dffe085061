"""The command `tollbridge`. Parts are imported when a command needs them, so that `--help` comes at once."""

from __future__ import annotations

import gc
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tollbridge import __version__
from tollbridge.billing_commands import billing_app, rates_app
from tollbridge.cli_tools import AccountName, AsJson, database, fail, settings_or_exit, show, utc
from tollbridge.mail_commands import mail_app
from tollbridge.twilio_commands import twilio_app
from tollbridge.user_commands import user_app

app = typer.Typer(
    help="A telephone bridge for webinars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
account_app = typer.Typer(help="Organisers and their API keys.", no_args_is_help=True)
event_app = typer.Typer(help="Events and their PINs.", no_args_is_help=True)
numbers_app = typer.Typer(help="The list of dial-in numbers.", no_args_is_help=True)
cdr_app = typer.Typer(help="Call records.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
for name, group in (
    ("account", account_app),
    ("event", event_app),
    ("numbers", numbers_app),
    ("cdr", cdr_app),
    ("db", db_app),
    ("billing", billing_app),
    ("rates", rates_app),
    ("mail", mail_app),
    ("twilio", twilio_app),
    ("user", user_app),
):
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """A telephone bridge for webinars."""
    if version:
        typer.echo(f"tollbridge {__version__}")
        raise typer.Exit


@app.command()
def serve() -> None:
    """Answer calls and web requests until stopped."""
    settings = settings_or_exit()
    gc.disable()  # a quarter of the start would be looking for garbage among modules; on again when it is up
    from tollbridge.serve import run

    raise typer.Exit(run(settings))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine and its settings; say what is wrong and what to do."""
    settings = settings_or_exit()
    from tollbridge.doctor import examine

    findings = examine(settings)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(finding.line())
    if any(finding.is_failure for finding in findings):
        raise typer.Exit(1)


@app.command("settings")
def show_settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page that explains all of them.")
    ] = False,
) -> None:
    """Print the settings in use, without secrets."""
    if markdown:
        from tollbridge.settings_page import settings_markdown

        typer.echo(settings_markdown(), nl=False)
        return
    show(settings_or_exit().model_dump(mode="json"), as_json=False)


@app.command()
def keypad() -> None:
    """Print what the keys of a telephone do in a room."""
    from bridge.ivr.keypad import keypad_markdown

    typer.echo(keypad_markdown(), nl=False)


@account_app.command("create")
def account_create(
    email: Annotated[str, typer.Option("--email", help="Mail address of the organiser.")],
    as_json: AsJson = False,
) -> None:
    """Make an account and print its API key, which cannot be shown again."""
    from accounts.service import create_account
    from database.types import now_utc

    with database() as (_, stores), stores.sessions.begin() as session:
        created = create_account(session, email=email, now=now_utc())
        values = {
            "account_id": created.account.id,
            "email": created.account.email,
            "api_key": created.api_key,
        }
    show(values, as_json=as_json)


@account_app.command("add-key")
def account_add_key(account: AccountName, as_json: AsJson = False) -> None:
    """Print a further API key for an account, for when the first is lost."""
    from accounts.service import add_key, find_account
    from database.types import now_utc

    with database() as (_, stores), stores.sessions.begin() as session:
        found = find_account(session, account)
        values = {"account_id": found.id, "api_key": add_key(session, account_id=found.id, now=now_utc())}
    show(values, as_json=as_json)


@account_app.command("rooms")
def account_rooms(
    account: AccountName,
    rooms: Annotated[int | None, typer.Option("--set", min=1, max=1000, help="How many from now on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print or set how many events with a date an account may hold at one time."""
    from accounts.service import find_account

    with database() as (_, stores), stores.sessions.begin() as session:
        found = find_account(session, account)
        if rooms is not None:
            found.rooms = rooms
        values = {"account_id": found.id, "email": found.email, "rooms": found.rooms}
    show(values, as_json=as_json)


@event_app.command("create")
def event_create(
    account: AccountName,
    name: Annotated[str, typer.Option("--name", help="Name of the event.")],
    permanent: Annotated[
        bool, typer.Option("--permanent", help="A room that can be used again and again.")
    ] = False,
    meeting: Annotated[bool, typer.Option("--meeting", help="A meeting instead of a webinar.")] = False,
    field: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any field of the HTTP API, such as settings[phonegateway_enabled]=0."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an event and print its PINs."""
    from accounts.service import find_account
    from database.types import now_utc
    from events import service
    from events.fields import parse_wishes
    from web import views
    from web.forms import nest

    pairs = [(name, value) for name, _, value in (text.partition("=") for text in field or [])]
    fields = {
        "permanent_room": permanent,
        "room_type": "meeting" if meeting else "webinar",
        **nest(pairs),
        "name": name,
    }
    with database() as (settings, stores), stores.sessions.begin() as session:
        owner = find_account(session, account)
        event = service.create_event(session, account_id=owner.id, wishes=parse_wishes(fields), now=now_utc())
        values = views.conference(event, public_url=settings.web_address).model_dump()
    if not as_json:
        shown = (
            "id",
            "name",
            "status",
            "room_type",
            "permanent_room",
            "phone_presenter_pin",
            "phone_listener_pin",
        )
        values = {name: values[name] for name in shown}
    show(values, as_json=as_json)


@event_app.command("list")
def event_list(account: AccountName, as_json: AsJson = False) -> None:
    """Print an account's events, newest first, with their PINs."""
    from accounts.service import find_account
    from events import service
    from web import views

    with database() as (settings, stores), stores.readers() as session:
        owner = find_account(session, account)
        events = []
        page = 1
        while batch := service.list_events(session, account_id=owner.id, page=page):
            events += [views.conference(event, public_url=settings.web_address) for event in batch]
            page += 1
    if as_json:
        typer.echo(json.dumps([event.model_dump() for event in events], ensure_ascii=False))
        return
    typer.echo("id      status    presenter  participant  name")
    for event in events:
        typer.echo(
            f"{event.id:<7} {event.status:<9} {event.phone_presenter_pin}  {event.phone_listener_pin}    "
            f"{event.name}"
        )


@numbers_app.command("check")
def numbers_check(
    file: Annotated[Path | None, typer.Argument(help="YAML file; default: the one in use.")] = None,
) -> None:
    """Check a list of dial-in numbers, naming every line at fault."""
    from bridge.numbers import NumberBook, NumberBookError

    path = file or settings_or_exit().numbers_file or NumberBook.default_path()
    try:
        book = NumberBook.load(path)
    except NumberBookError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None
    for warning in book.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"{path}: {len(book.numbers)} numbers, all can be used")


@cdr_app.command("export")
def cdr_export(
    csv: Annotated[bool, typer.Option("--csv", help="As CSV (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one record a line.")] = False,
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    session_id: Annotated[str | None, typer.Option("--session", help="Only this session's.")] = None,
    begin: Annotated[
        datetime | None, typer.Option("--from", help="Only calls from this moment (UTC) on.")
    ] = None,
    before: Annotated[
        datetime | None, typer.Option("--before", help="Only calls before this moment (UTC).")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="File to write; default: print.")] = None,
    unmask: Annotated[
        bool, typer.Option("--unmask", help="Show callers' full numbers; this is logged.")
    ] = False,
) -> None:
    """Write call records, oldest first."""
    import contextlib
    import getpass

    from accounts.service import find_account
    from bridge.cdr.export import as_json as record_json
    from bridge.cdr.export import log_unmasked, write_csv
    from bridge.cdr.query import CdrFilter, stream

    if csv and as_json:
        fail("--csv and --json: choose one")
    asked_by = f"command line, {getpass.getuser()}"
    with database() as (_, stores), stores.readers() as session, contextlib.ExitStack() as stack:
        owner = None if account is None else find_account(session, account).id
        which = CdrFilter(
            session_id=session_id, account_id=owner, setup_from=utc(begin), setup_before=utc(before)
        )
        out = sys.stdout
        if output is not None:
            out = stack.enter_context(output.open("w", encoding="utf-8", newline=""))
        if as_json:
            count = 0
            for count, record in enumerate(stream(session, which), start=1):  # noqa: B007
                out.write(json.dumps(record_json(record, unmask=unmask), ensure_ascii=False) + "\n")
            if unmask:
                log_unmasked(asked_by=asked_by, records=count)
        else:
            write_csv(stream(session, which), out, unmask=unmask, asked_by=asked_by)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the tables up to date; `serve` does it, too."""
    from database import migrate

    with database() as (settings, _):
        typer.echo(f"{settings.database.render_as_string(hide_password=True)}: revision {migrate.head()}")


def main() -> None:
    """Entry point of the command."""
    app()
