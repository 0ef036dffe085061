"""Rating and posting: how many calls a second become money, and how long a month-end takes.

    .venv/bin/python -m bench.rating_posting --calls 20000 --accounts 1000 [--database postgresql]

Three figures: calls rated and charged per second by the runner that the product runs (sessions of 100 calls);
single postings per second, each in a transaction of its own; and a month-end: a charge, and a statement, for
each of the accounts.  SQLite writes to a file with an fsync per commit; PostgreSQL is a server of the bench's
own with its default settings.  All in one process and one thread.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf, ledger, statements, trial_balance
from billing.decks import DeckTerms, Rate
from billing.money import Money
from billing.rating_book import RatingBook
from billing.usage import NO_TAX, UsageBook
from billing.usage_runner import UsageRunner
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, NumberClass
from database import migrate
from database.engine import create_engine, make_sessions
from tests.support.postgresql import PostgresServer

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=30)
CALLS_PER_SESSION = 100


@contextmanager
def a_database(kind: str) -> Iterator[str]:
    """The URL of an empty database of that kind, removed afterwards."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="tollbridge-bench-") as folder:
            yield f"sqlite:///{folder}/bench.db"
        return
    server = PostgresServer()
    try:
        server.initialise()
        server.start()
        with server.database(migrated=False) as url:
            yield url
    finally:
        server.remove()


def calls(count: int, accounts: int) -> list[dict[str, Any]]:
    """Rows of answered toll-free calls, in sessions of `CALLS_PER_SESSION`."""
    rows = []
    for number in range(count):
        run = number // CALLS_PER_SESSION + 1
        setup_at = START + timedelta(minutes=run, milliseconds=number)
        facts = CallFacts(
            id=str(uuid.UUID(int=number + 1)), source="bench", source_call_id=str(number), leg="1",
            setup_at=setup_at, answer_at=setup_at, end_at=setup_at + timedelta(seconds=number % 3000),
            end_basis=EndBasis.BYE, disposition=Disposition.SUCCESS, reason_slug="bye",
            direction=Direction.IN, channel=Channel.SIP, node_id="n", sw_version="1",
            account_id=run % accounts + 1, session_id=str(run), called_e164="+4980011111",
            number_class=NumberClass.TOLLFREE,
        )  # fmt: skip
        rows.append(row_of(facts) | {"ingest_at": setup_at})
    return rows


def charge_calls(sessions: sessionmaker[Session], count: int, accounts: int) -> float:
    """Seconds in which all calls are rated and their sessions charged."""
    rate = Rate(number_class="tollfree", called_prefix="49", per_minute_u=50_000, first_s=60, next_s=60)
    with sessions.begin() as session:
        terms = DeckTerms(name="bench", currency="EUR", valid_from=START - timedelta(days=1))
        deck = deck_shelf.add_draft(session, terms, [rate], source="b", by="b", now=START)
        deck_shelf.activate(session, deck.id, by="b", now=START)
        session.execute(insert(Cdr), calls(count, accounts))
    book = RatingBook(CdrCalls(), currency_of=lambda _session, _account: "EUR", on_priced=UsageRunner.priced)
    usage = UsageBook(
        taxes=lambda _session, _account, _at: NO_TAX,
        shortfalls=lambda _session, _account, _money, **_more: None,
    )
    runner = UsageRunner(sessions, book, usage)
    begin = time.perf_counter()
    charged = 0
    while done := runner.run(END).charged:
        charged += sum(one.calls for one in done)
    assert charged == count
    return time.perf_counter() - begin


def post(sessions: sessionmaker[Session], count: int, accounts: int) -> float:
    """Seconds for so many top-ups, each committed alone."""
    begin = time.perf_counter()
    for number in range(count):
        with sessions.begin() as session:
            account, money = number % accounts + 1, Money(5000, "EUR")
            ledger.top_up(session, account, money, psp="bench", payment_ref=str(number), at=END)
    return time.perf_counter() - begin


def month_end(sessions: sessionmaker[Session], accounts: int) -> float:
    """Seconds for one charge and one statement of each account, each account committed alone."""
    begin = time.perf_counter()
    for account in range(1, accounts + 1):
        with sessions.begin() as session:
            ledger.usage(
                session, account, None, scope=f"month-{account}", rating_version=1, net=Money(1235, "EUR"),
                vat=Money(259, "EUR"), vat_country="NL", at=END,
            )  # fmt: skip
            statements.statement(session, account, "EUR", start=START, end=END, now=END)
    return time.perf_counter() - begin


def run(
    name: str, engine: Engine, *, count: int = 20_000, postings: int = 2_000, accounts: int = 1_000
) -> None:
    """Measure on one database, and print."""
    sessions = make_sessions(engine)
    charged = charge_calls(sessions, count, accounts)
    posted = post(sessions, postings, accounts)
    closed = month_end(sessions, accounts)
    with sessions() as session:
        assert trial_balance.mismatches(session) == []
    print(f"{name}: {count / charged:,.0f} calls rated and charged a second")
    print(f"{name}: {postings / posted:,.0f} postings a second, each committed alone")
    print(f"{name}: month-end of {accounts:,} accounts in {closed:.1f} s")


def main() -> None:
    """Run on the databases that were asked for."""
    parser = argparse.ArgumentParser(description="Calls to money, postings, and a month-end.")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--postings", type=int, default=2_000)
    parser.add_argument("--accounts", type=int, default=1_000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for kind in options.database or ("sqlite", "postgresql"):
        with a_database(kind) as url:
            migrate.upgrade(url)
            engine = create_engine(url)
            run(kind, engine, count=options.calls, postings=options.postings, accounts=options.accounts)
            engine.dispose()


if __name__ == "__main__":
    main()
