"""Queries on plans: what overlaps, what is due, who is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from accounts.models import Account
from events.fields import Status
from events.models import Event, EventSession
from events.overlap import Span
from events.plan_models import EventStep
from events.schedule import DURATION_MAX_MIN
from events.steps import Plan, Presence, State

SESSION_LOST = timedelta(minutes=5)
"""A session that nobody has seen for so long does not run any more, whatever its row says."""

_AHEAD = timedelta(hours=25)


def rooms_of(session: Session, account_id: int) -> int:
    """How many events of the account may overlap. The row stays locked until the transaction ends, so that
    two events planned at the same moment see each other.
    """
    query = select(Account.rooms).where(Account.id == account_id).with_for_update()
    return session.scalar(query) or 1


def spans_between(
    session: Session, *, account_id: int, start: datetime, end: datetime, but: int | None
) -> Sequence[Span]:
    """The account's events with a date that may touch the time from `start` to `end`."""
    query = select(Event.id, Event.name, Event.starts_at, Event.duration_min).where(
        Event.account_id == account_id,
        Event.status == Status.ACTIVE,
        Event.deleted_at.is_(None),
        Event.permanent_room.is_(False),
        Event.starts_at < end,
        Event.starts_at > start - timedelta(minutes=DURATION_MAX_MIN),
        Event.id != (but or 0),
    )
    return [
        Span(event_id=row[0], name=row[1], starts_at=row[2], duration_min=row[3])
        for row in session.execute(query)
        if row[2] is not None
    ]


def plans_near(session: Session, *, now: datetime) -> list[tuple[Plan, State]]:
    """Events for which something may be due now, each with the state that is stored."""
    running = select(EventSession.event_id).where(EventSession.ended_at.is_(None))
    query = select(
        Event.id,
        Event.starts_at,
        Event.duration_min,
        Event.permanent_room,
        Event.status,
        Event.planned_at,
        Event.created_at,
        Event.state,
    ).where(
        or_(
            and_(Event.status == Status.ACTIVE, Event.starts_at < now + _AHEAD),
            and_(Event.status == Status.ACTIVE, Event.state != State.SCHEDULED),
            and_(Event.status != Status.ACTIVE, Event.state != State.ENDED),
            and_(Event.status == Status.ACTIVE, Event.id.in_(running)),
        )
    )
    return [
        (
            Plan(
                event_id=row[0],
                starts_at=row[1],
                duration_min=row[2],
                permanent=row[3],
                over=row[4] != Status.ACTIVE,
                planned_at=row[5] or row[6],
            ),
            State(row[7]),
        )
        for row in session.execute(query.order_by(Event.id))
    ]


def presences(session: Session, event_ids: Iterable[int], *, now: datetime) -> Mapping[int, Presence]:
    """Who is in the rooms of these events; those whose room nobody ever entered are left out."""
    found: dict[int, Presence] = {}
    for part in _parts(event_ids):
        left = {
            row[0]: row[1]
            for row in session.execute(
                select(EventSession.event_id, func.max(EventSession.last_seen_at))
                .where(EventSession.event_id.in_(part))
                .group_by(EventSession.event_id)
            )
        }
        running = {
            row[0]: (row[1], row[2])
            for row in session.execute(
                select(EventSession.event_id, EventSession.id, EventSession.started_at)
                .where(
                    EventSession.event_id.in_(part),
                    EventSession.ended_at.is_(None),
                    EventSession.last_seen_at > now - SESSION_LOST,
                )
                .order_by(EventSession.started_at.desc())
            )
        }
        for event_id, seen in left.items():
            session_id, since = running.get(event_id, (None, None))
            found[event_id] = Presence(session_id=session_id, running_since=since, last_left_at=seen)
    return found


def steps_of(session: Session, event_ids: Iterable[int]) -> set[tuple[int, str, str]]:
    """(event, kind, occurrence) of the steps of these events that were begun."""
    found: set[tuple[int, str, str]] = set()
    for part in _parts(event_ids):
        query = select(EventStep.event_id, EventStep.kind, EventStep.occurrence)
        found |= {
            (row[0], row[1], row[2]) for row in session.execute(query.where(EventStep.event_id.in_(part)))
        }
    return found


def unfinished_steps(session: Session) -> list[int]:
    """Steps that were begun and are not over, the oldest first."""
    return list(
        session.scalars(select(EventStep.id).where(EventStep.done_at.is_(None)).order_by(EventStep.id))
    )


def _parts(ids: Iterable[int], *, size: int = 500) -> Iterable[list[int]]:
    whole = list(ids)
    return (whole[at : at + size] for at in range(0, len(whole), size))
