"""`tollbridge mail …`: what mail servers send back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tollbridge.cli_tools import AsJson, database, show

mail_app = typer.Typer(help="Mail that comes back.", no_args_is_help=True)

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the message and comes again."""


@mail_app.callback()
def _mail() -> None:
    """Mail that comes back."""


@mail_app.command("bounce")
def bounce(as_json: AsJson = False) -> None:
    """Read a mail server's report from standard input and note which mail could not be delivered.

    For an alias that mail servers send such reports to. Whatever is no report about a mail of ours is
    ignored with status 0, because a mail server would send an error back to nobody.
    """
    from mail.bounces import READ_BYTES_MAX, NotABounceError, read_bounce
    from mail.outbox import came_back

    raw = sys.stdin.buffer.read(READ_BYTES_MAX)
    try:
        found = read_bounce(raw)
    except NotABounceError as exc:
        show({"bounce": False, "because": str(exc)}, as_json=as_json)
        return
    with _or_try_again(), database() as (_, stores), stores.sessions.begin() as session:
        known = came_back(session, message_id=found.message_id, reason=found.reason)
    if known:
        show({"bounce": True, "message_id": found.message_id, "reason": found.reason}, as_json=as_json)
    else:
        show({"bounce": False, "because": "we sent no such mail, or know already"}, as_json=as_json)


@contextmanager
def _or_try_again() -> Iterator[None]:
    try:
        yield
    except typer.Exit as exc:
        raise typer.Exit(TRY_AGAIN if exc.exit_code else 0) from None
