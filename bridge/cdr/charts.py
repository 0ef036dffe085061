"""Numbers for charts over call records: minutes and cost per day, calls at once, the distribution of MOS.

Everything is added up by the database over a bounded time, and what comes back has as many rows as the chart
has bars.

Days are those of a time zone.  The database adds up quarters of an hour, which need no knowledge of zones,
and here they are put together to days, of 23 or 25 hours where clocks were changed: every offset in use today
is a multiple of a quarter.

Calls at once (a sweep): every answer is +1 and every end −1; in order of time, ends before answers, the
running sum is the number of calls that are up.  A call is up in [answer, end).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from billing.deck_models import CdrRating
from bridge.cdr.errors import BadSearchError
from bridge.cdr.models import Cdr
from bridge.cdr.search import CdrSearch
from database.types import EPOCH

DAYS_MAX = 400
_QUARTER = timedelta(minutes=15)
_QUARTER_MS = _QUARTER // timedelta(milliseconds=1)
STEPS_MAX = 2_000
#: How long before the time shown a call may have begun that is still up in it.
LOOK_BACK = timedelta(hours=24)
MOS_STEP = 0.25
#: Lower edges of the bars; MOS is between 1 and 4.5.
MOS_EDGES = tuple(1 + MOS_STEP * number for number in range(14))


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """One day. `cost_u` is per currency, in 10⁻⁶; calls without a price are in no cost."""

    day: date
    calls: int
    answered: int
    connected_ms: int
    billed_sec: int
    cost_u: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most calls at once in the interval that begins at `at`."""

    at: datetime
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MosShare:
    """Calls whose MOS is in [`mos_from`, `mos_below`); the last bar includes its end."""

    mos_from: float
    mos_below: float
    calls: int


def usage_per_day(
    session: Session, which: CdrSearch, *, first: date, days: int, zone: ZoneInfo
) -> list[DayUsage]:
    """Calls, minutes and cost of each day of `zone`, by `setup_at`. Raises BadSearchError beyond 400 days."""
    if not 1 <= days <= DAYS_MAX:
        raise BadSearchError("days", "range", f"1 to {DAYS_MAX} days can be shown")
    borders = [
        datetime.combine(first + timedelta(days=number), time(), zone).astimezone(UTC)
        for number in range(days + 1)
    ]
    dialect = session.get_bind().dialect.name
    quarter = (_ms(Cdr.setup_at, dialect) // _QUARTER_MS).label("quarter")
    wanted = (
        select(
            quarter,
            CdrRating.currency,
            func.count(),
            func.count(Cdr.answer_at),
            func.coalesce(func.sum(Cdr.conn_ms), 0),
            func.coalesce(func.sum(CdrRating.billed_sec), 0),
            func.coalesce(func.sum(CdrRating.cost_u), 0),
        )
        .outerjoin(CdrRating, and_(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None)))
        .where(Cdr.setup_at >= borders[0], Cdr.setup_at < borders[-1], *which.clauses(dialect))
        .group_by("quarter", CdrRating.currency)
    )
    sums = [[0, 0, 0, 0] for _ in range(days)]
    costs: list[dict[str, int]] = [{} for _ in range(days)]
    for quarters, currency, *parts, cost_u in session.execute(wanted):
        number = bisect_right(borders, EPOCH + int(quarters) * _QUARTER) - 1
        for place, part in enumerate(parts):
            sums[number][place] += int(part)
        if currency is not None:
            costs[number][currency] = costs[number].get(currency, 0) + int(cost_u)
    return [
        DayUsage(
            day=first + timedelta(days=number), calls=calls, answered=answered, connected_ms=connected_ms,
            billed_sec=billed_sec, cost_u=costs[number],
        )
        for number, (calls, answered, connected_ms, billed_sec) in enumerate(sums)
    ]


def calls_at_once(
    session: Session, which: CdrSearch, *, start: datetime, end: datetime, step: timedelta
) -> list[Peak]:
    """The most calls at once in each interval of [start, end). Raises BadSearchError for too many of them."""
    step_ms = step // timedelta(milliseconds=1)
    steps = -(-((end - start) // timedelta(milliseconds=1)) // step_ms) if step_ms > 0 else 0
    if not 1 <= steps <= STEPS_MAX:
        raise BadSearchError("step", "range", f"1 to {STEPS_MAX} intervals can be shown")
    dialect = session.get_bind().dialect.name
    begin_ms = (start - EPOCH) // timedelta(milliseconds=1)
    answered, over = _ms(Cdr.answer_at, dialect), _ms(Cdr.end_at, dialect)
    up = select(
        case((answered < begin_ms, begin_ms), else_=answered).label("came"), over.label("went")
    ).where(
        Cdr.setup_at >= start - LOOK_BACK, Cdr.setup_at < end, Cdr.answer_at < end, Cdr.end_at > start,
        Cdr.end_at > Cdr.answer_at, *which.clauses(dialect),
    )
    if which.by_cost:
        up = up.join(CdrRating, and_(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None)))
    calls = up.cte("calls")
    # A call that ends at a border is not up behind it: its end counts to the interval before.
    moves = (
        select(calls.c.came.label("at"), calls.c.came.label("within"), literal(1).label("change"))
        .union_all(select(calls.c.went, calls.c.went - 1, literal(-1)))
        .cte("moves")
    )
    running = select(
        ((moves.c.within - begin_ms) // step_ms).label("number"),
        moves.c.change,
        func.sum(moves.c.change).over(order_by=(moves.c.at, moves.c.change), rows=(None, 0)).label("level"),
    ).cte("running")
    wanted = select(running.c.number, func.max(running.c.level), func.sum(running.c.change)).group_by(
        running.c.number
    )
    by_step = {int(number): (int(top), int(change)) for number, top, change in session.execute(wanted)}
    peaks, level = [], 0
    for number in range(steps):
        top, change = by_step.get(number, (level, 0))
        peaks.append(Peak(at=start + number * step, calls=max(level, top)))
        level += change
    return peaks


def mos_distribution(session: Session, which: CdrSearch) -> tuple[list[MosShare], int]:
    """(calls per quarter of a MOS, calls without one)."""
    bar = case(
        *((Cdr.mos_cq >= edge, number) for number, edge in reversed(list(enumerate(MOS_EDGES)))),
        (Cdr.mos_cq.is_not(None), 0),
        else_=-1,
    )
    wanted = select(bar.label("bar"), func.count()).where(*which.clauses(session.get_bind().dialect.name))
    if which.by_cost:
        wanted = wanted.join(
            CdrRating, and_(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None))
        )
    found: dict[int, int] = {int(number): calls for number, calls in session.execute(wanted.group_by("bar"))}
    shares = [
        MosShare(mos_from=edge, mos_below=edge + MOS_STEP, calls=found.get(number, 0))
        for number, edge in enumerate(MOS_EDGES)
    ]
    return shares, found.get(-1, 0)


def _ms(moment: Any, dialect: str) -> Any:
    """Milliseconds since 1970 as an integer; on SQLite a moment is stored as that."""
    if dialect == "sqlite":
        return type_coerce(moment, BigInteger)
    return cast(extract("epoch", moment) * 1000, BigInteger)
