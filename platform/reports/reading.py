"""Sessions and their people from the database. Functions take a session and change nothing.

All time in statistics comes from `VisitSource`, in plain rows: a year of an account with a thousand visits
a day is some 365,000 rows of eight columns and takes seconds; pages ask for at most `MONTHS_MAX` months at
once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from events.access_models import Autologin, EventToken
from events.models import Event, EventPin, EventSession
from reports.figures import Figures, SessionFacts, figures_of, months_between
from reports.models import Attendee, EventRating
from reports.people import Identity, Person, people_of
from reports.visits import VisitSource

MONTHS_MAX = 36
_IN_MAX = 500

T = TypeVar("T")


def people_in(session: Session, source: VisitSource, session_ids: Collection[int]) -> list[Person]:
    """The people of these sessions, by session and time of joining."""
    ids = sorted(set(session_ids))
    visits = source.of_sessions(session, ids)
    attendees: list[Attendee] = []
    ratings: list[EventRating] = []
    for some in _chunks(ids):
        attendees += session.scalars(select(Attendee).where(Attendee.session_id.in_(some)))
        ratings += session.scalars(select(EventRating).where(EventRating.session_id.in_(some)))
    known = {(row.session_id, row.participant_id) for row in attendees}
    callers = {
        visit.participant_id for visit in visits if (visit.session_id, visit.participant_id) not in known
    }
    return people_of(
        visits, attendees=attendees, ratings=ratings, identities=identities_of(session, callers)
    )


def identities_of(session: Session, seats: Collection[str]) -> dict[str, Identity]:
    """Whom seats were given to: by a personal PIN, an autologin link or a token; the best known last."""
    found: dict[str, Identity] = {}
    for some in _chunks(sorted(seats)):
        for pin in session.execute(
            select(EventPin.seat_id, EventPin.person_name).where(EventPin.seat_id.in_(some))
        ):
            found[pin.seat_id] = Identity(name=pin.person_name or "", email=None)
        for link in session.scalars(select(Autologin).where(Autologin.seat_id.in_(some))):
            found[link.seat_id] = Identity(name=link.name, email=link.email.lower())
        for token in session.scalars(select(EventToken).where(EventToken.seat_id.in_(some))):
            if token.sent_to_email or token.name:
                email = None if token.sent_to_email is None else token.sent_to_email.lower()
                found[token.seat_id] = Identity(name=token.name, email=email)
    return found


def sessions_between(
    session: Session, *, account_id: int, start: datetime, end: datetime, event_id: int | None = None
) -> list[SessionFacts]:
    """The account's sessions that began in [start, end), newest first; those of deleted events, too."""
    wanted = (
        select(
            EventSession.id, EventSession.event_id, EventSession.started_at, EventSession.ended_at,
            Event.name, Event.room_type,
        )
        .join(Event, Event.id == EventSession.event_id)
        .where(Event.account_id == account_id)
        .where(EventSession.started_at >= start, EventSession.started_at < end)
        .order_by(EventSession.started_at.desc(), EventSession.id.desc())
    )  # fmt: skip
    if event_id is not None:
        wanted = wanted.where(Event.id == event_id)
    return [
        SessionFacts(
            session_id=row.id,
            event_id=row.event_id,
            event_name=row.name,
            kind=row.room_type,
            started_at=row.started_at,
            ended_at=row.ended_at,
        )
        for row in session.execute(wanted)
    ]


def statistics(
    session: Session, source: VisitSource, *, account_id: int, first: date, last: date, zone: str
) -> Figures:
    """The account's statistics from the month of `first` to that of `last`, on the clocks of `zone`."""
    months = months_between(first, last)
    after = months_between(months[-1], date(months[-1].year + 1, months[-1].month, 1))[1]
    start, end = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (months[0], after))
    sessions = sessions_between(session, account_id=account_id, start=start, end=end)
    people = people_in(session, source, [facts.session_id for facts in sessions])
    return figures_of(sessions, people, zone=zone, months=months)


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for begin in range(0, len(values), _IN_MAX):
        yield values[begin : begin + _IN_MAX]


