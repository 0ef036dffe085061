"""Statistics of an account: per month, per kind, per event, where from, with what. Pure sums over people.

Every figure is a sum over the same list of people (`reports.people`), so tables, charts, CSV files and the
lists of single sessions agree with each other and with the call records. A session counts in the month in
which it began, on the clocks of whoever reads. A session that nobody's leg was in is none: somebody opened
a door.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from reports.people import Person
from reports.visits import Way

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One run of an event. `kind` is meeting or webinar; `ended_at` is None while it runs."""

    session_id: int
    event_id: int
    event_name: str
    kind: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a group of sessions comes to. A participant of two sessions counts twice; times in ms."""

    sessions: int
    participants: int
    present_ms: int
    phone_ms: int
    browser_ms: int
    ratings: int
    stars: int

    @property
    def average_ms(self) -> int:
        """How long a participant was there, on average."""
        return self.present_ms // self.participants if self.participants else 0

    @property
    def rating(self) -> float | None:
        """The average rating."""
        return self.stars / self.ratings if self.ratings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month. `first` is its first day; events counts events with a session in it, once each."""

    first: date
    meetings: int
    webinars: int
    sums: Sums

    @property
    def events(self) -> int:
        return self.meetings + self.webinars


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event with all its sessions of the period."""

    event_id: int
    name: str
    kind: str
    last_at: datetime
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session."""

    facts: SessionFacts
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many participants with one answer; `key` is empty when it is not known."""

    key: str
    participants: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All statistics of a period. Months in order, events and sessions newest first, shares largest first."""

    months: Sequence[Month]
    kinds: Sequence[tuple[str, Sums]]
    events: Sequence[EventRow]
    sessions: Sequence[SessionRow]
    countries: Sequence[Share]
    devices: Sequence[Share]
    browsers: Sequence[Share]
    systems: Sequence[Share]
    ways: Sequence[Share]
    total: Sums


def figures_of(
    sessions: Iterable[SessionFacts], people: Iterable[Person], *, zone: str, months: Sequence[date]
) -> Figures:
    """The statistics of these sessions. `months` are the first days of the months to be listed, in order."""
    by_session: defaultdict[int, list[Person]] = defaultdict(list)
    for person in people:
        by_session[person.session_id].append(person)
    held = [facts for facts in sessions if by_session[facts.session_id]]
    held.sort(key=lambda facts: (facts.started_at, facts.session_id), reverse=True)
    everybody = [person for facts in held for person in by_session[facts.session_id]]

    def sums(of: Sequence[SessionFacts]) -> Sums:
        return sums_of(len(of), [person for facts in of for person in by_session[facts.session_id]])

    in_month = _groups(held, lambda facts: facts.started_at.astimezone(ZoneInfo(zone)).date().replace(day=1))
    kinds = _groups(held, lambda facts: facts.kind)
    events = _groups(held, lambda facts: facts.event_id)
    return Figures(
        months=[
            Month(
                first=month,
                meetings=_events(in_month.get(month, []), "meeting"),
                webinars=_events(in_month.get(month, []), "webinar"),
                sums=sums(in_month.get(month, [])),
            )
            for month in months
        ],
        kinds=[(kind, sums(kinds.get(kind, []))) for kind in ("webinar", "meeting")],
        events=[
            EventRow(
                event_id=event_id,
                name=runs[0].event_name,
                kind=runs[0].kind,
                last_at=runs[0].started_at,
                sums=sums(runs),
            )
            for event_id, runs in events.items()
        ],
        sessions=[SessionRow(facts=facts, sums=sums([facts])) for facts in held],
        countries=_shares(person.country for person in everybody),
        devices=_shares(person.device for person in everybody),
        browsers=_shares(person.browser for person in everybody if person.browser is not None),
        systems=_shares(person.system for person in everybody if person.system is not None),
        ways=_shares(way_of(person) for person in everybody),
        total=sums(held),
    )


def sums_of(sessions: int, people: Sequence[Person]) -> Sums:
    """The sums over these people."""
    rated = [person.stars for person in people if person.stars is not None]
    return Sums(
        sessions=sessions,
        participants=len(people),
        present_ms=sum(person.present_ms for person in people),
        phone_ms=sum(person.phone_ms for person in people),
        browser_ms=sum(person.browser_ms for person in people),
        ratings=len(rated),
        stars=sum(rated),
    )


def way_of(person: Person) -> str:
    """`browser`, `phone` or `both`."""
    return "both" if len(person.ways) > 1 else Way.PHONE if Way.PHONE in person.ways else Way.BROWSER


def months_between(first: date, last: date) -> list[date]:
    """The first days of all months from that of `first` to that of `last`."""
    found, month = [], first.replace(day=1)
    while month <= last:
        found.append(month)
        month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return found


def _events(runs: Sequence[SessionFacts], kind: str) -> int:
    return len({facts.event_id for facts in runs if facts.kind == kind})


def _groups(held: Sequence[SessionFacts], key: Callable[[SessionFacts], K]) -> dict[K, list[SessionFacts]]:
    groups: dict[K, list[SessionFacts]] = {}
    for facts in held:
        groups.setdefault(key(facts), []).append(facts)
    return groups


def _shares(keys: Iterable[str | None]) -> list[Share]:
    counted = Counter(key or "" for key in keys)
    return [
        Share(key=key, participants=count)
        for key, count in sorted(counted.items(), key=lambda one: (-one[1], one[0] == "", one[0]))
    ]
