"""Where an event is in its life, and what is due to be done about it. Pure.

Theory. An event with a date has one life per planned start:

    scheduled ──waiting room opens──► waiting ──start passed, somebody there──► live ──► ended
        │                                │                                     ▲
        └── reminders 24 h and 1 h before ┘        (all left: waiting again) ──┘

Each step belongs to an *occurrence*, the planned start in UTC: an event put off has its steps again, one that
only changed its name has not. A step is due from `due_at` until its window closes; who was away while a
window was open leaves that step out (nobody wants the reminder of yesterday), but starts and ends are never
left out. A reminder whose moment had passed when the event was planned is not due: the invitation has just
said the same.

All moments are UTC, so clock changes are no special case here: "24 hours before" is 24 hours, and what the
clocks on the wall show is the business of whoever writes a mail.

The end comes by itself

- `empty_min` after everybody left, once the start has passed and somebody had been there after it;
- `grace_min` after the planned end when nobody is there (the planned end, or the planning itself when the
  start lies before that);
- `overtime_min` after the planned end, whoever is there: a forgotten telephone must not cost for days.

A permanent room is never over: a session of it that is still running `overtime_min` after its planned length
is ended, and that is the session's own occurrence. An event without a date waits until somebody ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """Where an event is in its life."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    LIVE = "live"
    ENDED = "ended"


class StepKind(StrEnum):
    """What is done by itself."""

    REMINDER_DAY = "reminder_day"
    REMINDER_HOUR = "reminder_hour"
    WAITING_ROOM = "waiting_room"
    START = "start"
    END = "end"


REMINDERS = (StepKind.REMINDER_DAY, StepKind.REMINDER_HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Minutes: `waiting_min` before the start the waiting room opens; the others end events, see above."""

    waiting_min: int = 30
    empty_min: int = 15
    grace_min: int = 60
    overtime_min: int = 240

    def __post_init__(self) -> None:
        if min(self.waiting_min, self.empty_min, self.grace_min, self.overtime_min) < 1:
            raise ValueError("each of these times is at least a minute")
        if self.overtime_min < self.grace_min:
            raise ValueError("people may stay longer than an empty room stays open, not shorter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the steps depend on. `planned_at`: when the present start was set."""

    event_id: int
    starts_at: datetime | None
    duration_min: int
    permanent: bool
    over: bool
    planned_at: datetime

    @property
    def ends_at(self) -> datetime | None:
        """The planned end."""
        return None if self.starts_at is None else self.starts_at + timedelta(minutes=self.duration_min)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Who is there, as the sessions say: the running session and its begin, and when the last one ended."""

    session_id: int | None = None
    running_since: datetime | None = None
    last_left_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do now. `occurrence` tells the same step of two dates apart."""

    kind: StepKind
    occurrence: str
    due_at: datetime


NOBODY = Presence()


def occurrence_of(moment: datetime) -> str:
    """The name of the life that begins at `moment`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def state_of(plan: Plan, presence: Presence, rules: Rules, *, now: datetime) -> State:
    """Where the event is now."""
    if plan.over:
        return State.ENDED
    there = presence.session_id is not None
    if plan.permanent or plan.starts_at is None:
        return State.LIVE if there else State.SCHEDULED
    if now >= plan.starts_at and there:
        return State.LIVE
    opens = plan.starts_at - timedelta(minutes=rules.waiting_min)
    return State.WAITING if there or now >= opens else State.SCHEDULED


def due(plan: Plan, presence: Presence, rules: Rules, *, now: datetime) -> list[Step]:
    """The steps whose moment has come, in the order of their moments. Those taken already are among them."""
    if plan.over:
        return []
    found = [
        Step(kind=kind, occurrence=occurrence, due_at=at)
        for kind, occurrence, at, until in _windows(plan, rules)
        if at <= now and (until is None or now < until)
    ]
    ends = _end(plan, presence, rules)
    if ends is not None and ends.due_at <= now:
        found.append(ends)
    return sorted(found, key=lambda step: step.due_at)


def next_at(plan: Plan, presence: Presence, rules: Rules, *, now: datetime) -> datetime | None:
    """When something is due after `now`; None: nothing, unless people come or go."""
    if plan.over:
        return None
    moments = [at for _kind, _occurrence, at, _until in _windows(plan, rules)]
    ends = _end(plan, presence, rules)
    if ends is not None:
        moments.append(ends.due_at)
    return min((moment for moment in moments if moment > now), default=None)


def _windows(plan: Plan, rules: Rules) -> list[tuple[StepKind, str, datetime, datetime | None]]:
    """(what, occurrence, from, until) of an event with a date."""
    start = plan.starts_at
    if start is None or plan.permanent:
        return []
    hour, day = start - timedelta(hours=1), start - timedelta(hours=24)
    name = occurrence_of(start)
    found: list[tuple[StepKind, str, datetime, datetime | None]] = [
        (StepKind.WAITING_ROOM, name, start - timedelta(minutes=rules.waiting_min), None),
        (StepKind.START, name, start, None),
    ]
    if plan.planned_at <= day:
        found.append((StepKind.REMINDER_DAY, name, day, hour))
    if plan.planned_at <= hour:
        found.append((StepKind.REMINDER_HOUR, name, hour, start))
    return found


def _end(plan: Plan, presence: Presence, rules: Rules) -> Step | None:
    overtime = timedelta(minutes=rules.overtime_min)
    if plan.permanent:
        if presence.session_id is None or presence.running_since is None:
            return None
        at = presence.running_since + timedelta(minutes=plan.duration_min) + overtime
        return Step(kind=StepKind.END, occurrence=f"session-{presence.session_id}", due_at=at)
    if plan.starts_at is None or plan.ends_at is None:
        return None
    planned_end = max(plan.ends_at, plan.planned_at)
    at = planned_end + overtime
    if presence.session_id is None:
        at = planned_end + timedelta(minutes=rules.grace_min)
        left = presence.last_left_at
        if left is not None and left >= max(plan.starts_at, plan.planned_at):
            at = left + timedelta(minutes=rules.empty_min)
    return Step(kind=StepKind.END, occurrence=occurrence_of(plan.starts_at), due_at=at)
