"""Queries for the list of events: by time and by words in the name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from events.fields import Status
from events.models import Event
from events.steps import State

PAGE_SIZE = 30
_LONGEST = timedelta(hours=24)
"""An event that began this long ago is over, whatever its duration."""


class Tab(StrEnum):
    """What is listed."""

    UPCOMING = "upcoming"
    PAST = "past"


FILTERS = (State.SCHEDULED, State.WAITING, State.LIVE)
"""States among which the list of upcoming events can be narrowed."""


def shown_state(event: Event) -> State:
    """Where an event is in its life: as the scheduler wrote it down, and over as soon as it can be joined no
    more.
    """
    return State.ENDED if event.status == Status.INACTIVE else State(event.state)


def find(
    session: Session,
    *,
    account_id: int,
    tab: Tab,
    words: str,
    page: int,
    now: datetime,
    state: State | None = None,
) -> tuple[Sequence[Event], int]:
    """One page (from 1) of an account's events, and how many there are in all.

    Upcoming are open rooms without a date last, otherwise the next first; past are the latest first. `state`
    narrows what is found.
    """
    still = or_(Event.permanent_room, Event.starts_at.is_(None), Event.starts_at > now - _LONGEST)
    open_now = and_(Event.status == Status.ACTIVE, still)
    clauses: list[ColumnElement[bool]] = [
        Event.account_id == account_id,
        Event.deleted_at.is_(None),
        open_now if tab is Tab.UPCOMING else ~open_now,
        *(func.lower(Event.name).contains(word, autoescape=True) for word in words.lower().split()[:8]),
    ]
    if state is not None:
        clauses.append(Event.state == state.value)
    total = session.scalar(select(func.count()).select_from(Event).where(*clauses)) or 0
    query = select(Event).where(*clauses)
    if tab is Tab.UPCOMING:
        query = query.order_by(Event.starts_at.is_(None), Event.starts_at, Event.id.desc())
    else:
        query = query.order_by(func.coalesce(Event.starts_at, Event.updated_at).desc(), Event.id.desc())
    return session.scalars(query.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all(), total
