"""Ten thousand invitations: how long until their mails stand in the outbox, and how that compares with rows.

    .venv/bin/python -m bench.invitations [--guests 10000] [--database postgresql]

For an open event and for one with tokens: reading the pasted addresses, noting the guests, and writing their
mails with the writer that the product runs, 500 in a transaction.  A token event writes a token, a telephone
PIN and a mail for each guest.  The floor is what is left when nothing is thought about: the very same rows,
read back, go into an empty database with plain bulk inserts, as many in a transaction.  SQLite writes to a
file with an fsync per commit; PostgreSQL is a server of the bench's own.  One process, one thread.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import structlog
from sqlalchemy import Engine, Table, insert, select, update

from accounts.service import create_account
from bench.rating_posting import a_database
from database import migrate
from database.base import Base
from database.engine import create_engine, make_sessions
from events import repository
from events.access_models import EventToken
from events.addresses import read_addresses
from events.doors import Doors
from events.fields import parse_wishes
from events.invitation_book import Guest, invite
from events.invitations import CHUNK, InvitationWriter, MailParts
from events.models import EventPin
from events.plan_models import Invitation
from events.service import create_event
from events.wording import Number
from mail.models import OutboxMail

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
URL = "https://events.example"
NUMBERS = (
    Number(location="London", display="+44 20 7048 4146", country="GB", language="en"),
    Number(location="Paris", display="+33 9 75 12 95 19", country="FR", language="fr"),
)


def moment() -> tuple[float, float]:
    """The clock, and how long this process has computed."""
    return time.perf_counter(), time.process_time()


def account_and_event(engine: Engine, access_type: int) -> int:
    with make_sessions(engine).begin() as session:
        account = create_account(session, email="ann@example.org", now=NOW).account
        wishes = parse_wishes(
            {
                "name": "Results",
                "starts_at": "2026-12-01T10:00",
                "duration": "1:00",
                "access_type": access_type,
            }
        )
        return create_event(session, account_id=account.id, wishes=wishes, now=NOW).id


def ours(engine: Engine, event_id: int, guests: int) -> list[tuple[str, float, float]]:
    """What each part takes, in seconds on the clock and of this process."""
    sessions = make_sessions(engine)
    text = "\n".join(f"Person {n} <person{n}@example.org>" for n in range(guests))
    parts = MailParts(doors=Doors(public_url=URL), public_url=URL, secret=b"s" * 32, numbers=lambda: NUMBERS)
    moments = [moment()]
    people = [Guest(email=one.email, name=one.name, language="fr") for one in read_addresses(text).good]
    moments.append(moment())
    with sessions.begin() as session:
        event = repository.get_any(session, event_id)
        assert event is not None
        invite(session, event, people, now=NOW)
    moments.append(moment())
    written = InvitationWriter(sessions, parts).run_once(NOW)
    moments.append(moment())
    assert written == guests, written
    names = ("addresses read", "guests noted", "mails queued")
    spans = zip(names, pairwise(moments), strict=True)
    return [(name, end[0] - begin[0], end[1] - begin[1]) for name, (begin, end) in spans]


def rows_of(engine: Engine, table: Table) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(table.c.id))]


def plain(engine: Engine, tables: Sequence[tuple[Table, list[dict[str, Any]]]], guests: int) -> float:
    """The same rows with plain inserts, each invitation marked as written; seconds."""
    invitations: Table = Base.metadata.tables[Invitation.__tablename__]
    ids = [row["id"] for table, rows in tables if table is invitations for row in rows]
    began = time.perf_counter()
    with engine.begin() as connection:
        for table, rows in tables:
            if table is invitations:
                connection.execute(insert(table), rows)
    for at in range(0, guests, CHUNK):
        with engine.begin() as connection:
            for table, rows in tables:
                if table is not invitations and rows[at : at + CHUNK]:
                    connection.execute(insert(table), rows[at : at + CHUNK])
            chunk = ids[at : at + CHUNK]
            connection.execute(update(invitations).where(invitations.c.id.in_(chunk)).values(queued_at=NOW))
    return time.perf_counter() - began


def measure(database: str, access_type: int, guests: int) -> None:
    with a_database(database) as url:
        migrate.upgrade(url)
        engine = create_engine(url)
        event_id = account_and_event(engine, access_type)
        shared = {row["id"] for row in rows_of(engine, Base.metadata.tables[EventPin.__tablename__])}
        took = ours(engine, event_id, guests)
        tables = [
            (
                table,
                [
                    row
                    for row in rows_of(engine, table)
                    if table.name != "event_pin" or row["id"] not in shared
                ],
            )
            for table in (
                Base.metadata.tables[model.__tablename__]
                for model in (Invitation, EventToken, EventPin, OutboxMail)
            )
        ]
        engine.dispose()
    with a_database(database) as url:
        migrate.upgrade(url)
        engine = create_engine(url)
        account_and_event(engine, access_type)
        floor = plain(engine, tables, guests)
        engine.dispose()
    whole = sum(seconds for _, seconds, _ in took)
    computing = sum(seconds for _, _, seconds in took)
    kind = "with tokens" if access_type == 3 else "open"
    rows = sum(len(rows) for _, rows in tables)
    detail = ", ".join(f"{name} {seconds:.2f} s" for name, seconds, _ in took)
    print(
        f"{database}, {kind}: {guests} guests in {whole:.2f} s, {computing:.2f} s of it computing ({detail});"
    )
    print(f"    the same {rows} rows, plainly inserted: {floor:.2f} s; ratio {whole / floor:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--guests", type=int, default=10_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for access_type in (1, 3):
        measure(options.database, access_type, options.guests)


if __name__ == "__main__":
    main()
