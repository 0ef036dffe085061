"""Totals over call records: of a page, and of all that fit a search when that can be told quickly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from billing.deck_models import CdrRating
from bridge.cdr.models import Cdr
from bridge.cdr.search import COUNT_MAX, CdrHit, CdrSearch, count


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """`costs_u` per currency, in 10⁻⁶; calls without a price are in no cost, and counted in `unpriced`."""

    calls: int
    connected_ms: int
    billed_sec: int
    unpriced: int
    costs_u: Mapping[str, int]


def of_page(hits: Iterable[CdrHit]) -> Sums:
    """The totals of what is shown."""
    calls = connected = billed = unpriced = 0
    costs: dict[str, int] = {}
    for hit in hits:
        calls += 1
        connected += hit.record.conn_ms or 0
        if hit.rating is None:
            unpriced += hit.record.billable
            continue
        billed += hit.rating.billed_sec
        costs[hit.rating.currency] = costs.get(hit.rating.currency, 0) + hit.rating.cost_u
    return Sums(
        calls=calls, connected_ms=connected, billed_sec=billed, unpriced=unpriced,
        costs_u=dict(sorted(costs.items())),
    )  # fmt: skip


def of_all(session: Session, which: CdrSearch) -> Sums | None:
    """The totals of all that fit; None when there are more than `COUNT_MAX`, which would take too long."""
    if count(session, which) > COUNT_MAX:
        return None
    rows: Sequence[Any] = session.execute(
        select(
            CdrRating.currency,
            func.count(),
            func.coalesce(func.sum(Cdr.conn_ms), 0),
            func.coalesce(func.sum(CdrRating.billed_sec), 0),
            func.coalesce(func.sum(CdrRating.cost_u), 0),
            func.count().filter(and_(Cdr.billable, CdrRating.cdr_id.is_(None))),
        )
        .select_from(Cdr)
        .outerjoin(CdrRating, and_(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None)))
        .where(*which.clauses(session.get_bind().dialect.name))
        .group_by(CdrRating.currency)
    ).all()
    return Sums(
        calls=sum(row[1] for row in rows),
        connected_ms=sum(int(row[2]) for row in rows),
        billed_sec=sum(int(row[3]) for row in rows),
        unpriced=sum(int(row[5]) for row in rows),
        costs_u=dict(sorted((row[0], int(row[4])) for row in rows if row[0] is not None)),
    )
