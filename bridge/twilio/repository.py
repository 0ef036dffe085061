"""Queries about Twilio's side of our calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.cdr.models import Cdr
from bridge.twilio.models import TwilioCall

SOURCE = "twilio"


def find(session: Session, call_sid: str) -> TwilioCall | None:
    return session.get(TwilioCall, call_sid)


def due(session: Session, *, now: datetime, limit: int) -> list[str]:
    """Calls whose price should be asked for, the longest due first."""
    wanted = (
        select(TwilioCall.call_sid)
        .where(TwilioCall.next_try_at <= now)
        .order_by(TwilioCall.next_try_at)
        .limit(limit)
    )
    return list(session.scalars(wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One call in both books; None where a book does not have it."""

    call_sid: str
    ended_at: datetime
    ours_ms: int | None
    theirs_s: int | None
    status: str | None
    price_u: int | None
    currency: str | None
    reason_slug: str | None


def pairs(session: Session, *, begin: datetime | None, before: datetime | None) -> Iterator[Pair]:
    """Our call records by Twilio beside Twilio's own, oldest first, and what only Twilio has."""
    ours = (
        select(
            Cdr.source_call_id,
            Cdr.end_at,
            Cdr.conn_ms,
            Cdr.reason_slug,
            TwilioCall.duration_s,
            TwilioCall.status,
            TwilioCall.price_u,
            TwilioCall.currency,
        )
        .outerjoin(TwilioCall, TwilioCall.call_sid == Cdr.source_call_id)
        .where(Cdr.source == SOURCE)
        .order_by(Cdr.setup_at)
    )
    theirs = (
        select(TwilioCall)
        .outerjoin(Cdr, (Cdr.source_call_id == TwilioCall.call_sid) & (Cdr.source == SOURCE))
        .where(Cdr.id.is_(None))
        .order_by(TwilioCall.ended_at)
    )
    if begin is not None:
        ours, theirs = ours.where(Cdr.end_at >= begin), theirs.where(TwilioCall.ended_at >= begin)
    if before is not None:
        ours, theirs = ours.where(Cdr.end_at < before), theirs.where(TwilioCall.ended_at < before)
    for row in session.execute(ours):
        yield Pair(
            call_sid=row.source_call_id,
            ended_at=row.end_at,
            ours_ms=row.conn_ms,
            theirs_s=row.duration_s,
            status=row.status,
            price_u=row.price_u,
            currency=row.currency,
            reason_slug=row.reason_slug,
        )
    for lone in session.scalars(theirs):
        yield Pair(
            call_sid=lone.call_sid,
            ended_at=lone.ended_at,
            ours_ms=None,
            theirs_s=lone.duration_s,
            status=lone.status,
            price_u=lone.price_u,
            currency=lone.currency,
            reason_slug=None,
        )
