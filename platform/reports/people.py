"""The people of sessions: what their visits, their browser, their PIN and their rating tell of each. Pure.

Whoever has a visit is listed, and nobody else: statistics and call records name the same people for the same
time. Name and address come from the browser that entered; of somebody who only telephoned they come from
whoever gave out the PIN, and without that the masked number stands for the name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from reports.models import Attendee, EventRating
from reports.user_agents import OTHER, PHONE
from reports.visits import Visit, Way, present_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a seat was given to."""

    name: str
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person in one session. `name` is None for a caller nobody knows; `number` is masked.

    `device` is computer, phone (also for a telephone), tablet or other; `browser` and `system` are None for
    somebody who only telephoned. `role` is None when it is not known.
    """

    session_id: int
    participant_id: str
    role: str | None
    name: str | None
    email: str | None
    number: str | None
    joined_at: datetime
    left_at: datetime
    ways: frozenset[Way]
    present_ms: int
    browser_ms: int
    phone_ms: int
    device: str
    system: str | None
    browser: str | None
    country: str | None
    language: str | None
    ip: str | None
    user_agent: str | None
    stars: int | None
    comment: str | None

    @property
    def shown_name(self) -> str:
        """What stands for the person in lists; empty for a caller without number, or one who was erased."""
        return self.name or self.number or ""


Key = tuple[int, str]


def people_of(
    visits: Iterable[Visit],
    *,
    attendees: Iterable[Attendee] = (),
    ratings: Iterable[EventRating] = (),
    identities: Mapping[str, Identity] | None = None,
) -> list[Person]:
    """One entry for each participant of each session, by session and time of joining.

    `identities`: seat → whom it was given to.
    """
    by_person: defaultdict[Key, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_person[visit.session_id, visit.participant_id].append(visit)
    known = {(row.session_id, row.participant_id): row for row in attendees}
    rated = {(row.session_id, row.participant_id): row for row in ratings}
    given = identities or {}
    found = [
        _person(key, legs, known.get(key), rated.get(key), given.get(key[1]))
        for key, legs in by_person.items()
    ]
    return sorted(found, key=lambda person: (person.session_id, person.joined_at, person.participant_id))


def _person(
    key: Key, legs: list[Visit], row: Attendee | None, rating: EventRating | None, given: Identity | None
) -> Person:
    calls = [leg for leg in legs if leg.way is Way.PHONE]
    web = [leg for leg in legs if leg.way is Way.BROWSER]
    from_phone = next((leg.country for leg in calls if leg.country), None)
    return Person(
        session_id=key[0],
        participant_id=key[1],
        role=None if row is None else row.role,
        name=(row.name if row is not None else given.name if given is not None else "") or None,
        email=row.email if row is not None else given.email if given is not None else None,
        number=next((leg.number for leg in calls if leg.number), None),
        joined_at=min(leg.join_at for leg in legs),
        left_at=max(leg.leave_at for leg in legs),
        ways=frozenset(leg.way for leg in legs),
        present_ms=present_ms(legs),
        browser_ms=present_ms(web),
        phone_ms=present_ms(calls),
        device=row.device if row is not None else PHONE if calls else OTHER,
        system=None if row is None else row.system,
        browser=row.browser if row is not None else OTHER if web else None,
        country=(row.country if row is not None else None) or from_phone,
        language=None if row is None else row.language,
        ip=None if row is None else row.ip,
        user_agent=None if row is None else row.user_agent or None,
        stars=None if rating is None else rating.stars,
        comment=None if rating is None else rating.comment or None,
    )
