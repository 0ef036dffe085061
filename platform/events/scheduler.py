"""What happens to events by itself: a loop over "what is due now", with the database as its only memory.

Theory. A step is *taken* by inserting its row, which is UNIQUE for (event, step, occurrence), in the same
transaction as everything that the step does in the database. So a step whose process dies before the commit
has not happened and is taken again, one whose process dies after it is never taken again, and of two
schedulers at work one inserts and the other sees that it is done. What cannot be in that transaction is
done afterwards and may be done twice without harm:

- mails to many people, in chunks, each of which moves the step's `place` on in its own transaction;
- closing the live room (`on_end`), because a room that is closed stays closed.

`done_at` says that these, too, are over; what was begun and is not done is the first work of the next run.

The clock is an argument. It may be late (a machine that slept) or jump: windows that have passed are left out
(`events.steps`). When the wall clock moves by more than `JUMP` against the monotonic one, ends wait
`SETTLE` until it has proved right: a wrong clock must not close rooms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from database.polling import PollingThread
from database.types import now_utc
from events import plan_repository, repository, service
from events.fields import Status
from events.invitations import InvitationWriter, MailParts
from events.models import Event
from events.plan_models import EventStep
from events.reminders import remind_some
from events.steps import (
    NOBODY,
    REMINDERS,
    Plan,
    Presence,
    Rules,
    State,
    Step,
    StepKind,
    due,
    occurrence_of,
    state_of,
)

POLL_S = 5.0
JUMP = timedelta(seconds=90)
SETTLE = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one run did: steps taken, mails of invitations written, events whose state changed."""

    steps: int = 0
    invitations: int = 0
    states: int = 0


class Scheduler:
    """See the module text. `on_end(event_id)` closes the live room of an event that ended by itself, from the
    scheduler's thread; it may be called again for the same event.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        parts: MailParts,
        *,
        rules: Rules | None = None,
        on_end: Callable[[int], None] = lambda _event_id: None,
        now: Callable[[], datetime] = now_utc,
        monotonic: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
    ) -> None:
        self._sessions = sessions
        self._parts = parts
        self._rules = rules or Rules()
        self._on_end = on_end
        self._now = now
        self._monotonic = monotonic
        self._writer = InvitationWriter(sessions, parts)
        self._offset: float | None = None
        self._settled_at: datetime | None = None
        self._thread = PollingThread("scheduler", self._look, poll_s=poll_s)
        self.stumbles = 0

    def start(self) -> None:
        """Begin to work, every `poll_s` and whenever `wake` is called."""
        self._thread.start()

    def stop(self, *, timeout_s: float = 15.0) -> None:
        """Finish the transaction at hand, and no other."""
        self._thread.stop(timeout_s=timeout_s)

    def wake(self) -> None:
        """There is something to do now: somebody was invited."""
        self._thread.wake()

    def run_once(self, now: datetime, *, may_end: bool = True) -> Ran:
        """Do everything that is due at `now`, but end nothing unless `may_end`.

        Raises SQLAlchemyError while the database is away.
        """
        taken, states = self._take_steps(now, may_end=may_end)
        self._finish_steps(now)
        return Ran(steps=taken, invitations=self._writer.run_once(now), states=states)

    def _apart(self, work: Callable[[], bool], **about: object) -> bool:
        """Do something about one event; an error of its own is logged and does not stop the others."""
        try:
            return work()
        except Exception as exc:
            if is_outage(exc):
                raise
            self.stumbles += 1
            _log.exception("event_step_stumbled", **about)
            return False

    def _take_steps(self, now: datetime, *, may_end: bool) -> tuple[int, int]:
        with self._sessions.begin() as session:
            near = plan_repository.plans_near(session, now=now)
            ids = [plan.event_id for plan, _ in near]
            presences = plan_repository.presences(session, ids, now=now)
            begun = plan_repository.steps_of(session, ids)
            changed: dict[State, list[int]] = {}
            for plan, stored in near:
                state = state_of(plan, presences.get(plan.event_id, NOBODY), self._rules, now=now)
                if state is not stored:
                    changed.setdefault(state, []).append(plan.event_id)
            for state, of in changed.items():
                for at in range(0, len(of), 500):
                    session.execute(update(Event).where(Event.id.in_(of[at : at + 500])).values(state=state))
        taken = 0
        for plan, _stored in near:
            presence = presences.get(plan.event_id, NOBODY)
            for step in due(plan, presence, self._rules, now=now):
                known = (plan.event_id, step.kind.value, step.occurrence) in begun
                if not known and (may_end or step.kind is not StepKind.END):
                    take = partial(self._take, plan, presence, step, now)
                    taken += self._apart(take, event_id=plan.event_id, step=step.kind)
        return taken, sum(map(len, changed.values()))

    def _take(self, plan: Plan, presence: Presence, step: Step, now: datetime) -> bool:
        """Take one step unless somebody else did, or the event was changed since we looked."""
        with self._sessions.begin() as session:
            event = repository.get_any(session, plan.event_id)
            if event is None or plan_of(event) != plan:
                return False
            row = EventStep(
                event_id=plan.event_id,
                kind=step.kind,
                occurrence=step.occurrence,
                due_at=step.due_at,
                taken_at=now,
                place="",
                done_at=None if step.kind is StepKind.END or step.kind in REMINDERS else now,
            )
            try:
                with session.begin_nested():
                    session.add(row)
            except IntegrityError:
                return False
            if step.kind is StepKind.END:
                service.finish_event(session, event.id, now=now)
        _log.info(
            "event_step", event_id=plan.event_id, step=step.kind, present=presence.session_id is not None
        )
        return True

    def _finish_steps(self, now: datetime) -> None:
        with self._sessions() as session:
            waiting = plan_repository.unfinished_steps(session)
        for step_id in waiting:
            finish = partial(self._finish_some, step_id, now)
            while not self._thread.stopping and self._apart(finish, step_id=step_id):
                pass

    def _finish_some(self, step_id: int, now: datetime) -> bool:
        """Whether there is more to do of this step."""
        with self._sessions.begin() as session:
            row = session.get(EventStep, step_id, with_for_update=True)
            if row is None or row.done_at is not None:
                return False
            event = repository.get_any(session, row.event_id)
            assert event is not None, "an event keeps its row"
            kind = StepKind(row.kind)
            if kind in REMINDERS:
                if _still(event, row, now) and remind_some(session, self._parts, event, row, now=now):
                    return True
                row.done_at = now
                return False
            event_id = event.id
        self._on_end(event_id)
        with self._sessions.begin() as session:
            session.execute(update(EventStep).where(EventStep.id == step_id).values(done_at=now))
        return False

    def _clock_is_good(self, now: datetime) -> bool:
        offset = now.timestamp() - self._monotonic()
        before, self._offset = self._offset, offset
        if before is not None and abs(offset - before) > JUMP.total_seconds():
            _log.warning("wall_clock_jumped", by_s=round(offset - before))
            self._settled_at = now + SETTLE
        if self._settled_at is not None and now < self._settled_at:
            if self._settled_at - now > SETTLE:  # it jumped back
                self._settled_at = now + SETTLE
            return False
        self._settled_at = None
        return True

    def _look(self) -> None:
        now = self._now()
        self.run_once(now, may_end=self._clock_is_good(now))


def plan_of(event: Event) -> Plan:
    """What the steps of this event depend on."""
    return Plan(
        event_id=event.id,
        starts_at=event.starts_at,
        duration_min=event.duration_min,
        permanent=event.permanent_room,
        over=event.status != Status.ACTIVE,
        planned_at=event.planned_at or event.created_at,
    )


def _still(event: Event, row: EventStep, now: datetime) -> bool:
    """Whether the reminder is still about something: not after the start, nor when it was put off."""
    start = event.starts_at
    same = start is not None and occurrence_of(start) == row.occurrence
    return same and start is not None and now < start and event.status == Status.ACTIVE
