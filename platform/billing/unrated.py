"""The queue of calls that nobody could price: what billing staff work through.

A call waits here with the reason until a deck fits it (`RatingBook.rate_waiting`).  Calls wait in groups with
one cause, a missing prefix say, so the queue is also told by cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.deck_models import UnratedCall

PER_PAGE_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnratedGroup:
    """Calls that wait for the same thing."""

    reason: str
    number_class: str | None
    called_e164: str | None
    calls: int
    first_at: datetime


def waiting(session: Session, *, limit: int = 100, offset: int = 0) -> list[UnratedCall]:
    """The queue, the longest wait first."""
    assert 1 <= limit <= PER_PAGE_MAX
    wanted = select(UnratedCall).order_by(UnratedCall.first_at, UnratedCall.cdr_id)
    return list(session.scalars(wanted.limit(limit).offset(offset)))


def count(session: Session) -> int:
    """How many calls wait."""
    return session.scalar(select(func.count()).select_from(UnratedCall)) or 0


def of_session(session: Session, session_id: int) -> list[UnratedCall]:
    """Calls of one run of an event that wait: its bill is not complete while there are any."""
    wanted = select(UnratedCall).where(UnratedCall.session_id == session_id)
    return list(session.scalars(wanted.order_by(UnratedCall.first_at, UnratedCall.cdr_id)))


def by_cause(session: Session) -> list[UnratedGroup]:
    """The queue by what is missing, most calls first."""
    cause = (UnratedCall.reason, UnratedCall.number_class, UnratedCall.called_e164)
    calls = func.count().label("calls")
    rows = session.execute(
        select(*cause, calls, func.min(UnratedCall.first_at)).group_by(*cause).order_by(calls.desc(), *cause)
    )
    return [
        UnratedGroup(reason=row[0], number_class=row[1], called_e164=row[2], calls=row[3], first_at=row[4])
        for row in rows
    ]
