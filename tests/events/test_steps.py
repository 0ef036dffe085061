"""What is due when, and where an event is in its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.schedule import parse_start
from events.steps import NOBODY, Plan, Presence, Rules, State, StepKind, due, next_at, occurrence_of, state_of

START = datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
RULES = Rules()
PLAN = Plan(
    event_id=1,
    starts_at=START,
    duration_min=60,
    permanent=False,
    over=False,
    planned_at=START - timedelta(days=7),
)
THERE = Presence(session_id=7, running_since=START - timedelta(minutes=5), last_left_at=START)


def kinds(plan: Plan, presence: Presence, **before: float) -> set[StepKind]:
    return {step.kind for step in due(plan, presence, RULES, now=START - timedelta(**before))}


def test_reminders_come_in_their_windows_and_not_after() -> None:
    assert kinds(PLAN, NOBODY, hours=24, seconds=1) == set()
    assert kinds(PLAN, NOBODY, hours=24) == {StepKind.REMINDER_DAY}
    assert kinds(PLAN, NOBODY, hours=3) == {StepKind.REMINDER_DAY}  # late, but still of use
    assert kinds(PLAN, NOBODY, hours=1) == {StepKind.REMINDER_HOUR}
    assert kinds(PLAN, NOBODY, minutes=30) == {StepKind.REMINDER_HOUR, StepKind.WAITING_ROOM}
    assert kinds(PLAN, NOBODY, minutes=0) == {StepKind.WAITING_ROOM, StepKind.START}


def test_no_reminder_for_an_event_planned_after_its_moment() -> None:
    late = replace(PLAN, planned_at=START - timedelta(hours=5))
    assert kinds(late, NOBODY, hours=3) == set()
    assert kinds(late, NOBODY, hours=1) == {StepKind.REMINDER_HOUR}
    assert kinds(replace(PLAN, planned_at=START - timedelta(minutes=20)), NOBODY, minutes=10) == {
        StepKind.WAITING_ROOM
    }


@pytest.mark.parametrize(
    ("presence", "after_start", "ended"),
    [
        (NOBODY, timedelta(minutes=119), False),
        (NOBODY, timedelta(minutes=120), True),  # nobody ever came: an hour after the planned end
        (Presence(last_left_at=START - timedelta(minutes=1)), timedelta(minutes=60), False),  # a rehearsal
        (Presence(last_left_at=START + timedelta(minutes=20)), timedelta(minutes=34), False),
        (Presence(last_left_at=START + timedelta(minutes=20)), timedelta(minutes=35), True),
        (THERE, timedelta(minutes=299), False),
        (THERE, timedelta(minutes=300), True),  # a forgotten telephone
    ],
)
def test_the_end_by_itself(presence: Presence, after_start: timedelta, ended: bool) -> None:
    found = due(PLAN, presence, RULES, now=START + after_start)
    assert (StepKind.END in {step.kind for step in found}) is ended


def test_an_event_planned_in_the_past_is_not_over_at_once() -> None:
    plan = replace(PLAN, planned_at=START + timedelta(days=3))
    now = plan.planned_at + timedelta(minutes=59)
    assert StepKind.END not in {step.kind for step in due(plan, NOBODY, RULES, now=now)}


def test_a_permanent_room_ends_its_session_only() -> None:
    room = replace(PLAN, permanent=True)
    assert due(room, NOBODY, RULES, now=START + timedelta(days=400)) == []
    late = THERE.running_since + timedelta(minutes=300) if THERE.running_since else START
    assert [(step.kind, step.occurrence) for step in due(room, THERE, RULES, now=late)] == [
        (StepKind.END, "session-7")
    ]


def test_an_event_without_a_date_waits_for_ever() -> None:
    adhoc = replace(PLAN, starts_at=None)
    assert due(adhoc, Presence(last_left_at=START), RULES, now=START + timedelta(days=400)) == []


def test_states() -> None:
    def at(presence: Presence, plan: Plan = PLAN, **after: float) -> State:
        return state_of(plan, presence, RULES, now=START + timedelta(**after))

    assert at(NOBODY, minutes=-31) is State.SCHEDULED
    assert at(NOBODY, minutes=-30) is State.WAITING
    assert at(THERE, minutes=-60) is State.WAITING  # somebody came early
    assert at(NOBODY, minutes=5) is State.WAITING
    assert at(THERE, minutes=5) is State.LIVE
    assert at(THERE, replace(PLAN, over=True)) is State.ENDED
    assert at(THERE, replace(PLAN, permanent=True), days=-9) is State.LIVE


@pytest.mark.parametrize(
    ("zone", "wall", "hours_of_that_day"),
    [
        ("Europe/Paris", "2026-03-29", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ],
)
def test_a_day_with_a_clock_change(zone: str, wall: str, hours_of_that_day: float) -> None:
    """Noon of the day after is as many hours away as the clock change makes it; steps keep to real time."""
    noon = parse_start(f"{wall}T12:00", zone=zone)
    before = noon.astimezone(ZoneInfo(zone)).replace(hour=12) - timedelta(days=1)
    assert (noon - before.astimezone(UTC)) / timedelta(hours=1) == hours_of_that_day
    plan = replace(PLAN, starts_at=noon)
    day = next(s for s in due(plan, NOBODY, RULES, now=noon - timedelta(hours=2)) if s.kind in StepKind)
    assert noon - day.due_at == timedelta(hours=24)
    assert occurrence_of(noon) == noon.strftime("%Y%m%dT%H%M%SZ")


@given(
    minutes=st.lists(st.integers(-3000, 3000), min_size=2, max_size=30),
    left=st.none() | st.integers(-200, 400),
)
def test_what_is_due_was_announced(minutes: list[int], left: int | None) -> None:
    """`next_at` never jumps over a step: between two looks nothing becomes due that it did not name."""
    presence = Presence(last_left_at=None if left is None else START + timedelta(minutes=left))
    for earlier, later in pairwise(sorted(minutes)):
        now, then = START + timedelta(minutes=earlier), START + timedelta(minutes=later)
        announced = next_at(PLAN, presence, RULES, now=now)
        new = [step for step in due(PLAN, presence, RULES, now=then) if step.due_at > now]
        if new:
            assert announced is not None
            assert announced <= min(step.due_at for step in new)


def test_rules_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="at least a minute"):
        Rules(empty_min=0)
    with pytest.raises(ValueError, match="shorter"):
        Rules(grace_min=60, overtime_min=30)
