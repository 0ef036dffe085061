"""How fast are calls rated, and how fast are they found again among two million?

    python -m bench.rating [--parts rate,search,posting] [--rows 2000000] [--sqlite-rows 200000]
                           [--calls 20000] [--plans]

rate      calls rated per second: the arithmetic alone, then read, rated and written in batches of 500, on
          SQLite and on PostgreSQL.
search    fills PostgreSQL with `--rows` call records over a year and their prices (`generate_series`), builds
          the indexes by our own migration, and times each question that billing staff ask: the first run, and
          the median and the worst of nine more.  Then the same on SQLite with `--sqlite-rows`.
          `--plans` prints how PostgreSQL goes about each.
posting   posting and month-end, by `bench/rating_posting.py`.

PostgreSQL is a server of the bench's own in a temporary folder, with 16 MB of shared buffers: what is fast
here comes from indexes, not from a large cache.  Aim: no question over 200 ms at 2,000,000 records on
PostgreSQL.
"""

from __future__ import annotations

import argparse
import importlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf
from billing.decks import DeckTerms, Rate
from billing.rating import rate_call
from billing.rating_book import CHUNK, RatingBook
from bridge.cdr.billable import CdrCalls
from bridge.cdr.charts import calls_at_once, mos_distribution, usage_per_day
from bridge.cdr.models import Cdr
from bridge.cdr.search import CdrSearch, NumberMatch, Sort, count, find, page_query
from database import migrate
from database.engine import create_engine, make_sessions
from tests.support.postgresql import PostgresServer

LIMIT_MS = 200
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_S = 365 * 86_400
ACCOUNTS = 1_000
NUMBERS = [f"+{country}{tail}" for country in (33, 44, 49, 1, 81) for tail in (800111222, 800333444)]
BEFORE_SEARCH = "0009"
"""The revision before the indexes for searching."""

_FILL_CDR = """
INSERT INTO cdr (id, source, source_call_id, leg, session_id, participant_id, account_id, direction, channel,
    caller_e164, caller_presentation, caller_raw, called_e164, number_id, number_class, trunk_id, setup_at,
    answer_at, join_at, leave_at, end_at, setup_ms, conn_ms, conf_ms, end_basis, sip_status, q850,
    cause_source, hangup_party, disposition, reason_slug, codec, ptime_ms, rx_pkts, tx_pkts, lost_pkts,
    discarded_pkts, loss_pct, r_factor, mos_cq, mos_algo, pin_result, pin_attempts, billable,
    nonbillable_reason, node_id, sw_version, ingest_at)
SELECT substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7000-8000-' || lpad(to_hex(n), 12, '0'),
    'sip', 'call-' || n || '@carrier.example', '1',
    CASE WHEN answered THEN (n / 100 + 1)::text END, 'p' || n,
    CASE WHEN answered THEN (n / 100) %% {accounts} + 1 END, 'in',
    CASE WHEN r1 < 0.2 THEN 'twilio' ELSE 'sip' END, '+33' || (100000000 + floor(r2 * 900000000))::bigint,
    'allowed', '"Caller" <sip:+33@carrier.example>', (%(numbers)s::text[])[1 + (n %% {numbers})],
    'number-' || (n %% {numbers}), 'tollfree', 'carrier', setup,
    CASE WHEN answered THEN setup + interval '2 s' END, CASE WHEN answered THEN setup + interval '12 s' END,
    CASE WHEN answered THEN setup + interval '2 s' + conn * interval '1 ms' END,
    setup + interval '2 s' + CASE WHEN answered THEN conn ELSE 0 END * interval '1 ms', 2000,
    CASE WHEN answered THEN conn END, CASE WHEN answered THEN greatest(0, conn - 10000) END,
    CASE WHEN r3 < 0.0001 THEN 'node_crash' WHEN r3 < 0.015 THEN 'media_timeout' ELSE 'bye' END, 200,
    CASE WHEN r3 < 0.0001 THEN 41 WHEN r3 < 0.015 THEN 102 WHEN answered THEN 16 ELSE 22 END, 'bye', 'caller',
    CASE WHEN r3 < 0.0001 THEN 'server_error' WHEN r3 < 0.015 THEN 'network_error'
         WHEN answered THEN 'success' ELSE 'refused' END,
    CASE WHEN r3 < 0.0001 THEN 'node-crash' WHEN r3 < 0.015 THEN 'media-timeout'
         WHEN NOT answered THEN 'event-over' WHEN r4 < 0.7 THEN 'caller-hung-up' ELSE 'event-ended' END,
    'PCMA', 20, conn / 20, conn / 20, 3, 1, 0.1, 90, mos, 'g107-2015-nb', 'ok', 1, answered,
    CASE WHEN answered THEN NULL ELSE 'not-answered' END, 'node-1', '0.1.0', setup + interval '1 h'
FROM (
    SELECT *, lpad(to_hex((extract(epoch FROM setup) * 1000)::bigint), 12, '0') AS ms
    FROM (
        SELECT n, %(begin)s::timestamptz + n * ({year}::float8 / {rows}) * interval '1 s' AS setup,
            random() < 0.95 AS answered, random() AS r1, random() AS r2, random() AS r3, random() AS r4,
            (-ln(1 - random()) * 1500000)::int AS conn,
            CASE WHEN random() < 0.05 THEN NULL
                 ELSE greatest(1, round((4.41 - 0.25 * -ln(1 - random()))::numeric, 2)::float8) END AS mos
        FROM generate_series(1, {rows}) AS n
    ) AS drawn
) AS calls
"""
_FILL_RATINGS = """
INSERT INTO cdr_rating (cdr_id, version, session_id, account_id, answer_at, conn_ms, deck_id, rate_id,
    matched_prefix, matched_origin, billed_sec, connect_fee_u, unit_price_u, cost_u, currency, rounding,
    cost_decimals, reason, rated_at, rated_by)
SELECT id, 1, session_id::bigint, account_id, answer_at, conn_ms, %(deck)s, %(rate)s, '', '',
    greatest(1, (conn_ms + 59999) / 60000) * 60, 0, 50000, greatest(1, (conn_ms + 59999) / 60000) * 50000,
    'EUR', 'HALF_UP', 4, 'first', ingest_at, 'system'
FROM cdr WHERE billable
"""


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description="Rating, and searching call records.")
    parser.add_argument("--parts", default="rate,search")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--sqlite-rows", type=int, default=200_000)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--plans", action="store_true")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if "rate" in parts:
        print(f"Rating, {options.calls:,} calls\n")
        pure(options.calls)
        for name, engine in databases("sqlite,postgresql"):
            rate(name, engine, options.calls)
    if "search" in parts:
        for name, engine in databases("postgresql", revision=BEFORE_SEARCH):
            fill_postgresql(engine, options.rows)
            search(name, engine, options.rows, plans=options.plans)
        for name, engine in databases("sqlite"):
            fill_sqlite(engine, options.sqlite_rows)
            search(name, engine, options.sqlite_rows, plans=False)
    if "posting" in parts:
        for name, engine in databases("sqlite,postgresql"):
            importlib.import_module("bench.rating_posting").run(name, engine)


def databases(names: str, *, revision: str = "head") -> Iterator[tuple[str, Engine]]:
    """Fresh databases, one after the other."""
    for name in names.split(","):
        with (_sqlite if name == "sqlite" else _postgresql)() as url:
            migrate.upgrade(url, revision)
            engine = create_engine(url)
            yield name, engine
            engine.dispose()


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tollbridge-bench-") as folder:
        yield f"sqlite:///{Path(folder) / 'bench.db'}"


@contextmanager
def _postgresql() -> Iterator[str]:
    server = PostgresServer()
    try:
        server.initialise()
        server.start()
        yield server.new_database()
    finally:
        server.remove()


# -- rating ------------------------------------------------------------------------------------------------


def a_deck(sessions: sessionmaker[Session]) -> tuple[int, int]:
    """A deck in force; its id and that of one of its rates."""
    with sessions.begin() as session:
        terms = DeckTerms(name="bench", currency="EUR", valid_from=BEGIN - timedelta(days=1))
        rates = [
            Rate(number_class="tollfree", called_prefix=prefix, per_minute_u=50_000, first_s=60, next_s=60)
            for prefix in ("", *(str(number) for number in range(1, 1000)))
        ]
        deck = deck_shelf.add_draft(session, terms, rates, source="", by="bench", now=BEGIN)
        deck_shelf.activate(session, deck.id, by="bench", now=BEGIN)
        rate_id = deck_shelf.rates_of(session, deck.id)[0].id
        assert rate_id is not None
        return deck.id, rate_id


def pure(calls: int) -> None:
    """The arithmetic alone."""
    terms = DeckTerms(name="bench", currency="EUR", valid_from=BEGIN)
    one = Rate(number_class="tollfree", called_prefix="", per_minute_u=13_700, first_s=30, next_s=6)
    began = time.perf_counter()
    for number in range(calls):
        rate_call(one, terms, conn_ms=number * 37)
    print(f"  {'arithmetic alone':32}{calls / (time.perf_counter() - began):10,.0f} calls/s")


def rate(name: str, engine: Engine, calls: int) -> None:
    """Read, rate and write, a batch in a transaction; then all again, which must change nothing."""
    sessions = make_sessions(engine)
    a_deck(sessions)
    _insert(engine, calls)
    book = RatingBook(CdrCalls(), currency_of=lambda _session, _account: "EUR")
    began, done = time.perf_counter(), 0
    while True:
        with sessions.begin() as session:
            batch = book.rate_new(session, since=BEGIN, now=BEGIN, limit=CHUNK)
        if not batch.rated:
            break
        done += batch.rated
    print(f"  {f'{name}, new calls':32}{done / (time.perf_counter() - began):10,.0f} calls/s")
    began = time.perf_counter()
    ids = [record.cdr_id for record in _all_calls(sessions)]
    for first in range(0, len(ids), CHUNK):
        with sessions.begin() as session:
            again = book.rate_calls(
                session, book.source.get_many(session, ids[first : first + CHUNK]), now=BEGIN
            )
            assert again.rated == 0
    print(f"  {f'{name}, asked for again':32}{done / (time.perf_counter() - began):10,.0f} calls/s")


def _all_calls(sessions: sessionmaker[Session]) -> Iterator[Any]:
    with sessions() as session:
        yield from CdrCalls().billable_between(session, BEGIN, BEGIN + timedelta(days=3650))


# -- searching ---------------------------------------------------------------------------------------------


def fill_postgresql(engine: Engine, rows: int) -> None:
    """So many records and their prices, then the indexes by our own migration."""
    began = time.perf_counter()
    migrated = engine.url.render_as_string(hide_password=False)
    dsn = migrated.replace("postgresql+psycopg", "postgresql")
    deck, rate_id = a_deck(make_sessions(engine))
    with psycopg.connect(dsn) as connection:
        fill = _FILL_CDR.format(accounts=ACCOUNTS, numbers=len(NUMBERS), rows=rows, year=YEAR_S)
        connection.execute(fill, {"numbers": NUMBERS, "begin": BEGIN})
        connection.execute(_FILL_RATINGS, {"deck": deck, "rate": rate_id})
    filled = time.perf_counter()
    migrate.upgrade(migrated)
    indexed = time.perf_counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE cdr")
        connection.execute("VACUUM ANALYZE cdr_rating")
        size = connection.execute(
            "SELECT pg_size_pretty(pg_table_size('cdr')), pg_size_pretty(pg_indexes_size('cdr'))"
        ).fetchone()
    assert size is not None
    print(f"\nfilled in {filled - began:.0f} s, indexes in {indexed - filled:.0f} s; "
          f"cdr {size[0]} and {size[1]} of indexes")


def fill_sqlite(engine: Engine, rows: int) -> None:
    """So many records, rated by the book itself."""
    sessions = make_sessions(engine)
    a_deck(sessions)
    began = time.perf_counter()
    _insert(engine, rows)
    book = RatingBook(CdrCalls(), currency_of=lambda _session, _account: "EUR")
    while True:
        with sessions.begin() as session:
            if not book.rate_new(session, since=BEGIN, now=BEGIN, limit=10_000).rated:
                break
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    print(f"\nfilled and rated in {time.perf_counter() - began:.0f} s")


def _insert(engine: Engine, rows: int) -> None:
    """Records like those of `_FILL_CDR`, made here."""
    draw = random.Random(1)
    for first in range(0, rows, 20_000):
        batch = [_row(number, rows, draw) for number in range(first, min(rows, first + 20_000))]
        with engine.begin() as connection:
            connection.execute(insert(Cdr.__table__), batch)  # type: ignore[arg-type]


def _row(number: int, rows: int, draw: random.Random) -> dict[str, Any]:
    setup = BEGIN + timedelta(seconds=number * YEAR_S // rows)
    answered, luck = draw.random() < 0.95, draw.random()
    conn_ms = int(draw.expovariate(1 / 1_500_000)) if answered else None
    crashed, silent = luck < 0.0001, luck < 0.015
    slug = "node-crash" if crashed else "media-timeout" if silent else "caller-hung-up"
    row: dict[str, Any] = dict.fromkeys(column.key for column in Cdr.__table__.columns)
    return row | {
        "id": f"{int(setup.timestamp() * 1000):012x}"[:8] + f"-0000-7000-8000-{number:012x}",
        "source": "sip", "source_call_id": f"call-{number}", "leg": "1", "direction": "in", "channel": "sip",
        "session_id": str(number // 100 + 1) if answered else None,
        "account_id": number // 100 % ACCOUNTS + 1 if answered else None,
        "caller_e164": f"+33{draw.randrange(10**8, 10**9)}", "caller_presentation": "allowed",
        "caller_raw": "",
        "called_e164": NUMBERS[number % len(NUMBERS)], "number_class": "tollfree", "setup_at": setup,
        "answer_at": setup + timedelta(seconds=2) if answered else None,
        "end_at": setup + timedelta(seconds=2, milliseconds=conn_ms or 0), "setup_ms": 2000,
        "conn_ms": conn_ms,
        "end_basis": "node_crash" if crashed else "media_timeout" if silent else "bye",
        "q850": 41 if crashed else 102 if silent else 16 if answered else 22,
        "disposition": "server_error" if crashed else "network_error" if silent
        else "success" if answered else "refused",
        "reason_slug": slug if answered else "event-over", "pin_attempts": 1, "billable": answered,
        "nonbillable_reason": None if answered else "not-answered",
        "mos_cq": None if draw.random() < 0.05 else max(1.0, round(4.41 - draw.expovariate(4), 2)),
        "node_id": "node-1", "sw_version": "0.1.0", "ingest_at": setup + timedelta(hours=1),
    }


Question = tuple[str, CdrSearch, Sort]


def questions(rows: int) -> list[Question]:
    """What billing staff ask."""
    month: dict[str, Any] = {
        "setup_from": BEGIN + timedelta(days=150), "setup_before": BEGIN + timedelta(days=181)
    }
    return [
        ("the newest", CdrSearch(), Sort.TIME),
        ("a month, newest first", CdrSearch(**month), Sort.TIME),
        ("caller begins with +3361234", CdrSearch(caller=NumberMatch(prefix="+3361234")), Sort.TIME),
        ("caller begins with +33", CdrSearch(caller=NumberMatch(prefix="+33")), Sort.TIME),
        ("caller ends with 4711", CdrSearch(caller=NumberMatch(end="4711")), Sort.TIME),
        ("any number ends with 1222", CdrSearch(number=NumberMatch(end="1222")), Sort.TIME),
        ("any number ends with 1222, dearest", CdrSearch(number=NumberMatch(end="1222")), Sort.COST),
        ("called begins with +4480", CdrSearch(called=NumberMatch(prefix="+4480")), Sort.TIME),
        ("one account", CdrSearch(account_id=17), Sort.TIME),
        ("one account, dearest", CdrSearch(account_id=17), Sort.COST),
        ("one account, longest", CdrSearch(account_id=17), Sort.DURATION),
        ("one session, worst sound", CdrSearch(session_id=str(rows // 200)), Sort.MOS),
        ("cause media-timeout", CdrSearch(reason_slug="media-timeout"), Sort.TIME),
        ("cause media-timeout, longest", CdrSearch(reason_slug="media-timeout"), Sort.DURATION),
        ("cause node-crash (rare)", CdrSearch(reason_slug="node-crash"), Sort.TIME),
        ("Q.850 102 in a month", CdrSearch(q850=102, **month), Sort.TIME),
        ("server errors, dearest", CdrSearch(disposition="server_error"), Sort.COST),
        ("MOS below 3, newest", CdrSearch(mos_below=3), Sort.TIME),
        ("MOS below 2, worst first", CdrSearch(mos_below=2), Sort.MOS),
        ("the longest", CdrSearch(), Sort.DURATION),
        ("the dearest", CdrSearch(), Sort.COST),
        ("cost 2.00 to 2.10, newest", CdrSearch(cost_from_u=2_000_000, cost_to_u=2_100_000), Sort.TIME),
        ("cost over 12 (rare), newest", CdrSearch(cost_from_u=12_000_000), Sort.TIME),
        ("suspicious", CdrSearch(suspicious=True), Sort.TIME),
        ("suspicious in a month, dearest", CdrSearch(suspicious=True, **month), Sort.COST),
        ("no hang-up (node_crash)", CdrSearch(end_basis="node_crash"), Sort.TIME),
        ("unrated", CdrSearch(unrated=True), Sort.TIME),
        ("account, month, cause, MOS",
         CdrSearch(account_id=17, reason_slug="media-timeout", mos_below=4.2, **month), Sort.TIME),
    ]


def search(name: str, engine: Engine, rows: int, *, plans: bool) -> None:
    """Time every question, deep pages, counts and charts."""
    sessions = make_sessions(engine, read_only=True)
    print(f"\nSearching {rows:,} records, {name} (ms; aim: {LIMIT_MS} on PostgreSQL at 2,000,000)\n")
    print(f"  {'':42}{'first':>9}{'median':>9}{'worst':>9}")
    for label, which, sort in questions(rows):
        rising = sort is Sort.MOS
        measure(sessions, label, asking(which, sort, descending=not rising), aim=True)
        if plans:
            show_plan(sessions, which, sort, descending=not rising)
    for sort in Sort:
        with sessions() as session:
            place = deep_place(session, sort)
        ask = asking(CdrSearch(), sort, descending=True, after=place)
        measure(sessions, f"page behind 10,000 records, by {sort.value}", ask, aim=True)
    for label, chart in charts(BEGIN.date() + timedelta(days=150)):
        measure(sessions, label, chart)


def asking(
    which: CdrSearch, sort: Sort, *, descending: bool, after: str | None = None
) -> Callable[[Session], Any]:
    """One page."""
    return lambda session: find(session, which, sort=sort, descending=descending, after=after)


def charts(day: date) -> list[tuple[str, Callable[[Session], Any]]]:
    """Counts and charts."""
    noon = datetime(day.year, day.month, day.day, tzinfo=UTC)
    month = CdrSearch(setup_from=noon, setup_before=noon + timedelta(days=31))
    zone = ZoneInfo("Europe/Paris")
    return [
        ("count up to 10,000: all", lambda session: count(session, CdrSearch())),
        ("count up to 10,000: a month's media-timeout",
         lambda session: count(session, CdrSearch(reason_slug="media-timeout", setup_from=noon,
                                                  setup_before=noon + timedelta(days=31)))),
        ("chart: 31 days, one account",
         lambda session: usage_per_day(session, CdrSearch(account_id=17), first=day, days=31, zone=zone)),
        ("chart: 365 days, one account",
         lambda session: usage_per_day(session, CdrSearch(account_id=17), first=BEGIN.date(), days=365,
                                       zone=zone)),
        ("chart: 31 days, everybody",
         lambda session: usage_per_day(session, CdrSearch(), first=day, days=31, zone=zone)),
        ("chart: calls at once, a day by 5 min",
         lambda session: calls_at_once(session, CdrSearch(), start=noon, end=noon + timedelta(days=1),
                                       step=timedelta(minutes=5))),
        ("chart: MOS of a month", lambda session: mos_distribution(session, month)),
    ]


def deep_place(session: Session, sort: Sort) -> str | None:
    """Where the page behind 10,000 records begins."""
    place = None
    for _ in range(10):
        place = find(session, CdrSearch(), sort=sort, after=place, limit=1000).next
    return place


def measure(
    sessions: sessionmaker[Session], label: str, ask: Callable[[Session], Any], *, aim: bool = False
) -> None:
    """The first run, and median and worst of nine more; `aim` marks those that take too long."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        with sessions() as session:
            ask(session)
        times.append((time.perf_counter() - began) * 1000)
    first, more = times[0], times[1:]
    slow = "  over the aim" if aim and max(times) > LIMIT_MS else ""
    print(f"  {label:42}{first:9.1f}{statistics.median(more):9.1f}{max(more):9.1f}{slow}", flush=True)


def show_plan(sessions: sessionmaker[Session], which: CdrSearch, sort: Sort, *, descending: bool) -> None:
    """How PostgreSQL answers it."""
    with sessions() as session:
        connection = session.connection()
        query = page_query(session, which, sort, descending=descending, limit=51)
        compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", dict(compiled.params)).scalars()
        print("".join(f"      {line}\n" for line in plan))


if __name__ == "__main__":
    main()
