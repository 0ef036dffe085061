"""What the phone calls of an event and of a session came to: a box on the pages of events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.sign_in import Visitor
from billing import profile
from billing.metering import Reading
from bridge.cdr.models import Cdr
from events.models import EventSession
from web.services import Services
from web.site.billing import live, reads
from web.site.billing.frame import zone_of
from web.site.billing.reads import NO_USAGE, Usage
from web.site.billing.shown import Shown
from web.site.i18n import language_of

SESSIONS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageBox:
    """Calls that have a price, how many telephones they came from, what waits, what runs now."""

    show: Shown
    currency: str
    usage: Usage
    callers: int
    unrated: int
    charges: Sequence[int] | None
    """Of a session: the transactions that charge it. None for an event."""

    reading: Reading | None
    by_session: dict[int, Usage]


def of_event(request: Request, services: Services, visitor: Visitor, event_id: int) -> UsageBox | None:
    """The box of an event with all its sessions; None where billing is not set up or nothing was used."""
    if services.billing is None:
        return None
    with services.readers() as session:
        query = select(EventSession.id, EventSession.ended_at).where(EventSession.event_id == event_id)
        runs = session.execute(query.order_by(EventSession.id.desc()).limit(SESSIONS_MAX)).all()
        return _box(
            request, services, visitor, session, [run_id for run_id, _ in runs],
            running=[run_id for run_id, ended_at in runs if ended_at is None], charges=None,
        )  # fmt: skip


def of_session(request: Request, services: Services, visitor: Visitor, session_id: int) -> UsageBox | None:
    """The box of one session, with the transactions that charge it."""
    if services.billing is None:
        return None
    with services.readers() as session:
        charges = reads.charges_of_session(session, visitor.account_id, session_id)
        return _box(
            request, services, visitor, session, [session_id], running=[session_id], charges=charges
        )


def _box(
    request: Request, services: Services, visitor: Visitor, session: Session, ids: Collection[int], *,
    running: Collection[int], charges: Sequence[int] | None,
) -> UsageBox | None:  # fmt: skip
    assert services.billing is not None
    payer = profile.get(session, visitor.account_id, currency=services.billing.currency)
    found = reads.usage_of_sessions(session, visitor.account_id, ids, payer.currency)
    unrated = reads.unrated_of_sessions(session, visitor.account_id, ids)
    readings = [one for one in (live.session_reading(services, session_id) for session_id in running) if one]
    if not found and not unrated and not readings:
        return None
    return UsageBox(
        show=Shown(language=language_of(request), zone=zone_of(payer, visitor)),
        currency=payer.currency,
        usage=sum_of(found.values()),
        callers=_callers(session, visitor.account_id, found),
        unrated=unrated,
        charges=charges,
        reading=readings[0] if readings else None,
        by_session=found,
    )


def sum_of(parts: Collection[Usage]) -> Usage:
    """All of them together."""
    total = NO_USAGE
    for one in parts:
        total = Usage(
            calls=total.calls + one.calls, conn_ms=total.conn_ms + one.conn_ms,
            billed_s=total.billed_s + one.billed_s, cost_u=total.cost_u + one.cost_u,
        )  # fmt: skip
    return total


def _callers(session: Session, account_id: int, session_ids: Collection[int]) -> int:
    """Different telephones among the billable calls of these sessions."""
    count, ids = 0, [str(one) for one in sorted(session_ids)]
    seen: set[str] = set()
    for begin in range(0, len(ids), reads.CHUNK):
        query = (
            select(Cdr.caller_e164, func.count())
            .where(
                Cdr.session_id.in_(ids[begin : begin + reads.CHUNK]),
                Cdr.account_id == account_id,
                Cdr.billable,
            )
            .group_by(Cdr.caller_e164)
        )
        for caller, calls in session.execute(query):
            if caller:
                seen.add(caller)
            else:
                count += calls
    return count + len(seen)
