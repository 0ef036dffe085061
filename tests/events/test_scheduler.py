"""A simulated day across a clock change, with the process dying at random points: everything exactly once."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from events.access_models import Registration
from events.fields import parse_wishes
from events.invitation_book import Guest, invite, unsubscribe
from events.models import Event, EventSession
from events.plan_models import EventStep
from events.scheduler import Scheduler
from events.service import update_event
from events.steps import State, StepKind
from mail.models import OutboxMail
from mail.outbox import Outbox
from tests.events.planning import new_account, new_event, parts, with_event

CHANGES = [
    ("Europe/Paris", datetime(2026, 3, 29, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 5, tzinfo=UTC)),
]


class Killed(BaseException):
    """The process dies here."""


class Killer:
    """Dies with a chance at every commit: just before it or just after it."""

    def __init__(self, sessions: sessionmaker[Session], dice: random.Random, chance: float) -> None:
        self.dice, self.chance, self.armed, self.deaths = dice, chance, False, 0
        sa_event.listen(sessions, "before_commit", self._strike)
        sa_event.listen(sessions, "after_commit", self._strike)

    def _strike(self, _session: Session | None = None) -> None:
        if self.armed and self.dice.random() < self.chance:
            self.deaths += 1
            raise Killed

    def maybe(self) -> None:
        self._strike()


class Post:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []

    def send(self, message: EmailMessage, *, recipient: str) -> None:
        body = message.get_body(("plain",))
        assert body is not None
        self.taken.append((recipient, str(message["Subject"]), body.get_content()))

    def rest(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("day", [day for _, day in CHANGES], ids=[zone for zone, _ in CHANGES])
def test_a_day_with_a_clock_change_and_sudden_deaths(sessions: sessionmaker[Session], day: datetime) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    begin = day - timedelta(hours=30)
    account = new_account(sessions, rooms=9)
    events: dict[int, tuple[str, str]] = {}  # id → zone, wall clock
    for at, where in enumerate(["Europe/Paris", "America/New_York", "Australia/Lord_Howe"] * 2):
        wall = f"{day:%Y-%m-%d}T{dice.randrange(5, 22):02d}:{dice.choice((0, 30)):02d}"
        made = new_event(
            sessions, account, now=begin - timedelta(days=2), name=f"E{at}", starts_at=wall, timezone=where
        )
        events[made] = (where, wall)
    people = [Guest(email=f"p{n}@example.org", name=f"P {n}", language=("en", "fr")[n % 2]) for n in range(3)]
    for event_id in events:
        with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=begin))
        with_event(sessions, event_id, lambda s, e: s.add_all(registrations(e.id, begin)))
    put_off = next(iter(events))

    now = begin
    ended: list[int] = []
    post = Post()
    outbox = Outbox(sessions, post, mail_from="house@example.org", now=lambda: now)
    killer = Killer(sessions, dice, chance=0.1)

    def on_end(event_id: int) -> None:
        killer.maybe()
        ended.append(event_id)
        killer.maybe()

    scheduler = Scheduler(sessions, parts(), on_end=on_end)
    moved = False
    died = False
    while now < day + timedelta(hours=50):
        now += timedelta(seconds=20) if died else timedelta(minutes=dice.randrange(1, 40))
        died = False
        if not moved and now > day - timedelta(hours=6):
            moved = True
            where, _ = events[put_off]
            later = f"{day + timedelta(days=1):%Y-%m-%d}T12:15"
            events[put_off] = (where, later)
            put_event_off(sessions, put_off, later, where, now)
        killer.armed = True
        try:
            scheduler.run_once(now)
        except Killed:
            scheduler, died = Scheduler(sessions, parts(), on_end=on_end), True  # a new process
        killer.armed = False
        if dice.random() < 0.2:  # the clock is set back a little, and two processes are at work
            Scheduler(sessions, parts(), on_end=ended.append).run_once(now - timedelta(minutes=10))
        while outbox.send_due():
            pass

    print(f"deaths {killer.deaths}")
    assert killer.deaths > 3
    assert set(Counter(post.taken).values()) == {1}
    everybody = {f"p{n}@example.org" for n in range(3)} | {"r@example.org"}
    for event_id, (_where, wall) in events.items():
        name = f"E{list(events).index(event_id)}"
        steps = with_event(sessions, event_id, steps_of)
        last = steps[-1][1]
        once = [kind for kind, occurrence in steps if occurrence == last]
        assert sorted(once) == sorted(StepKind), (name, steps)
        assert len(set(steps)) == len(steps)
        assert all(not unfinished for unfinished in with_event(sessions, event_id, unfinished_of))
        assert with_event(sessions, event_id, lambda _, e: (e.status, e.state)) == ("inactive", State.ENDED)
        assert event_id in ended
        for word in ("Tomorrow", "Soon"):
            french = {"Tomorrow": "Demain", "Soon": "Bientôt"}[word]
            of_this = [
                (to, body)
                for to, subject, body in post.taken
                if subject.startswith((word, french))
                and subject.endswith(name)
                and f"{wall[11:]} –" in body
            ]
            assert sorted(to for to, _ in of_this) == sorted(everybody), (name, word, seed)
    assert len(set(ended)) == len(events)


def put_event_off(
    sessions: sessionmaker[Session], event_id: int, later: str, zone: str, now: datetime
) -> None:
    wishes = parse_wishes({"starts_at": later, "timezone": zone})
    with_event(sessions, event_id, lambda s, e: update_event(s, e, wishes=wishes, now=now))


def steps_of(session: Session, event: Event) -> list[tuple[str, str]]:
    rows = session.scalars(select(EventStep).where(EventStep.event_id == event.id).order_by(EventStep.id))
    return [(row.kind, row.occurrence) for row in rows]


def unfinished_of(session: Session, event: Event) -> list[int]:
    query = select(EventStep.id).where(EventStep.event_id == event.id, EventStep.done_at.is_(None))
    return list(session.scalars(query))


def registrations(event_id: int, now: datetime) -> list[Registration]:
    """One who is also invited, one who is not, one who was turned away."""
    return [
        Registration(
            event_id=event_id,
            status=status,
            email=email,
            first_name="R",
            last_name="R",
            answers={},
            language="fr",
            timezone="UTC",
            created_at=now,
            mails=0,
        )
        for email, status in (
            ("p1@example.org", "approved"),
            ("r@example.org", "approved"),
            ("x@example.org", "declined"),
        )
    ]


def test_everybody_left_and_the_room_is_closed(sessions: sessionmaker[Session]) -> None:
    account = new_account(sessions)
    start = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    event_id = new_event(sessions, account, starts_at="2026-05-04T10:00")
    ended: list[int] = []
    scheduler = Scheduler(sessions, parts(), on_end=ended.append)

    def state_at(minutes: int) -> str:
        scheduler.run_once(start + timedelta(minutes=minutes))
        with sessions() as session:
            return session.get_one(Event, event_id).state

    assert state_at(-60) == State.SCHEDULED
    assert state_at(-29) == State.WAITING
    with sessions.begin() as session:
        session.add(run(event_id, start, until=None, seen=start + timedelta(minutes=20)))
    assert state_at(20) == State.LIVE
    with sessions.begin() as session:
        session.get_one(EventSession, 5).ended_at = start + timedelta(minutes=20)
    assert state_at(34) == State.WAITING
    assert ended == []
    assert state_at(35) == State.ENDED
    assert ended == [event_id]


def run(event_id: int, start: datetime, *, until: datetime | None, seen: datetime) -> EventSession:
    return EventSession(
        id=5,
        event_id=event_id,
        node_id="n",
        started_at=start,
        last_seen_at=seen,
        ended_at=until,
        total_visitors=1,
        max_visitors=1,
    )


def test_a_permanent_room_stays_open(sessions: sessionmaker[Session]) -> None:
    account = new_account(sessions)
    event_id = new_event(sessions, account, permanent_room="1")
    start = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    late = start + timedelta(hours=6)
    with sessions.begin() as session:
        session.add(run(event_id, start, until=None, seen=late))
    ended: list[int] = []
    scheduler = Scheduler(sessions, parts(), on_end=ended.append)
    for _ in range(3):
        scheduler.run_once(late)
    assert ended == [event_id]
    assert with_event(sessions, event_id, lambda _, e: e.status) == "active"


def test_who_unsubscribed_is_not_reminded(sessions: sessionmaker[Session]) -> None:
    account = new_account(sessions)
    event_id = new_event(sessions, account, starts_at="2026-05-04T10:00")
    start = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    people = [Guest(email="a@example.org"), Guest(email="b@example.org")]
    with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=start))
    with sessions.begin() as session:
        unsubscribe(session, account_id=account, email="a@example.org", now=start)
    Scheduler(sessions, parts()).run_once(start - timedelta(hours=20))
    with sessions() as session:
        keys = [(row.recipient, row.key.split("-")[0]) for row in session.scalars(select(OutboxMail))]
    assert sorted(keys) == [("b@example.org", "invitation"), ("b@example.org", "reminder_day")]


def test_a_clock_that_jumps_ends_nothing_at_once(sessions: sessionmaker[Session]) -> None:
    scheduler = Scheduler(sessions, parts(), monotonic=lambda: clock[0])
    clock, wall = [0.0], datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    good = scheduler._clock_is_good
    assert good(wall)
    clock[0] += 5
    assert good(wall + timedelta(seconds=5))
    clock[0] += 5
    jumped = wall + timedelta(days=1)
    assert not good(jumped)
    clock[0] += 290
    assert not good(jumped + timedelta(seconds=290))
    clock[0] += 20
    assert good(jumped + timedelta(seconds=310))
    clock[0] += 5
    assert not good(wall)  # and back again
    clock[0] += 301
    assert good(wall + timedelta(seconds=301))
