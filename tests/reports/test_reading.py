"""Statistics and call records name the same people for the same time."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from bridge.cdr.models import Cdr
from bridge.cdr.visits import CdrVisits, country_of_number
from events.access_models import EventToken
from events.fields import EventWishes, RoomType
from events.models import Event
from events.service import create_event
from reports.reading import people_in, statistics
from reports.visits import Way
from tests.reports.past import T0, a_webinar, entered, held, leg


def new_event(session: Session, name: str = "Talk", **more: object) -> Event:
    account = create_account(session, email=f"{name}@example.org", now=T0).account
    return create_event(session, account_id=account.id, wishes=EventWishes(name=name, **more), now=T0)  # type: ignore[arg-type]


@pytest.fixture
def event(sessions: sessionmaker[Session]) -> Event:
    with sessions.begin() as session:
        return new_event(session)


def test_phone_and_browser_are_one_person(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        run = a_webinar(session, event)
    with sessions() as session:
        ann, bob, caller = people_in(session, CdrVisits(), [run])
    minute = 60_000
    assert (ann.name, ann.email) == ("Ann", "ann@example.org")
    assert (ann.present_ms, ann.phone_ms) == (60 * minute, 10 * minute)
    assert (ann.browser, ann.system, ann.device, ann.country) == ("Firefox", "Linux", "computer", "FR")
    assert (bob.present_ms, bob.browser_ms, bob.phone_ms) == (40 * minute, 30 * minute, 10 * minute)
    assert (bob.country, bob.ways) == ("GB", {Way.BROWSER, Way.PHONE})
    assert (caller.name, caller.number, caller.country, caller.email) == (None, "+331******89", "FR", None)
    assert (caller.device, caller.browser, caller.present_ms) == ("phone", None, 12.5 * minute)


def test_who_only_telephoned_with_a_token_is_known(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        held(session, event, 9)
        session.add(
            EventToken(event_id=event.id, token="ABC234", seat_id="seat", name="Cleo",
                       sent_to_email="Cleo@Example.org", created_at=T0)
        )  # fmt: skip
        leg(session, 9, "seat", 0, 5, phone=True)
        [person] = people_in(session, CdrVisits(), [9])
    assert (person.name, person.email, person.role) == ("Cleo", "cleo@example.org", None)


def test_calls_that_never_came_in_are_nobody(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        held(session, event, 9)
        leg(session, 9, "a", 0, 5, phone=True, join_at=None, leave_at=None)
        leg(session, 9, "b", 0, 5, phone=True, participant_id=None)
        assert people_in(session, CdrVisits(), [9]) == []


def test_statistics_agree_with_the_records_whatever_happened(sessions: sessionmaker[Session]) -> None:
    dice = random.Random(20261123)
    with sessions.begin() as session:
        events = [new_event(session, f"e{n}", room_type=list(RoomType)[n % 2]) for n in range(2)]
        for event in events:
            event.account_id = events[0].account_id
        for number in range(6):
            session_id, event = 7_000_000_000 + number, events[number % 2]
            held(session, event, session_id, begin=number * 40_000, end=number * 40_000 + 90)
            for _ in range(dice.randrange(12)):
                who, begin = dice.choice("abcdef"), number * 40_000 + dice.random() * 60
                phone = dice.random() < 0.5
                leg(session, session_id, who, begin, begin + dice.random() * 30, phone=phone)
                if not phone:
                    entered(session, event, session_id, who)
    with sessions() as session:
        legs: defaultdict[tuple[str | None, str | None], list[Cdr]] = defaultdict(list)
        for row in session.scalars(select(Cdr)):
            legs[row.session_id, row.participant_id].append(row)
        figures = statistics(
            session, CdrVisits(), account_id=events[0].account_id, first=date(2026, 11, 1),
            last=date(2027, 6, 1), zone="Europe/Paris",
        )  # fmt: skip
    covered = 0
    for mine in legs.values():
        changes = sorted({moment for row in mine for moment in (row.join_at, row.leave_at) if moment})
        for begin, end in pairwise(changes):
            there = [row for row in mine if row.join_at and row.leave_at]
            if any(row.join_at <= begin and end <= row.leave_at for row in there):  # type: ignore[operator]
                covered += (end - begin) // timedelta(milliseconds=1)
    assert figures.total.participants == len(legs) > 10
    assert figures.total.present_ms == covered
    for part in (figures.months, figures.events, figures.sessions):
        assert sum(one.sums.participants for one in part) == len(legs)
        assert sum(one.sums.present_ms for one in part) == covered
    assert sum(sums.participants for _kind, sums in figures.kinds) == len(legs)
    for shares in (figures.countries, figures.devices, figures.ways):
        assert sum(share.participants for share in shares) == len(legs)
    began = [row.facts.started_at for row in figures.sessions]
    assert began == sorted(began, reverse=True)


def test_a_session_belongs_to_the_month_on_the_readers_clock(
    sessions: sessionmaker[Session], event: Event
) -> None:
    new_year = (T0.replace(year=2027, month=1, day=1, hour=0, minute=30) - T0) / timedelta(minutes=1)
    with sessions.begin() as session:
        held(session, event, 9, begin=new_year, end=new_year + 5)
        leg(session, 9, "a", new_year, new_year + 5)
    for zone, months in (("UTC", [0, 1]), ("America/New_York", [1, 0])):
        with sessions() as session:
            figures = statistics(
                session, CdrVisits(), account_id=event.account_id, first=date(2026, 12, 1),
                last=date(2027, 1, 1), zone=zone,
            )  # fmt: skip
        assert [month.sums.participants for month in figures.months] == months


def test_nobody_sees_another_account(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        a_webinar(session, event)
        stranger = new_event(session, "other")
        figures = statistics(
            session, CdrVisits(), account_id=stranger.account_id, first=date(2026, 1, 1),
            last=date(2026, 12, 1), zone="UTC",
        )  # fmt: skip
    assert figures.total.participants == 0


@pytest.mark.parametrize(
    ("number", "country"),
    [("+33123456789", "FR"), ("+442079460000", "GB"), ("+14165550123", "CA"), ("+12125550123", "US"),
     ("+80012345678", None), ("+882345678", None), ("nonsense", None), (None, None), ("+3311", "FR")],
)  # fmt: skip
def test_countries_of_numbers(number: str | None, country: str | None) -> None:
    assert country_of_number(number) == country
