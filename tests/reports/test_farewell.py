"""Thank-you mails: to whom, when, and once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from bridge.cdr.models import CdrOpen
from bridge.cdr.visits import CdrVisits
from database.types import now_utc
from events.fields import EventWishes, Status
from events.models import Event
from events.service import create_event
from mail.models import OutboxMail
from reports import passes
from reports.farewell import FarewellClerk
from rooms.modes import Role
from tests.reports.past import T0, a_webinar, at, entered, leg

SECRET = b"s" * 32


@pytest.fixture
def event(sessions: sessionmaker[Session]) -> Event:
    with sessions.begin() as session:
        account = create_account(session, email="o@example.org", now=T0).account
        event = create_event(session, account_id=account.id, wishes=EventWishes(name="Talk & Co"), now=T0)
        event.status = Status.INACTIVE
        return event


def thank(sessions: sessionmaker[Session], now: datetime) -> list[OutboxMail]:
    clerk = FarewellClerk(
        sessions, CdrVisits(), secret=SECRET, public_url="https://e.example", now=lambda: now
    )
    clerk.thank_due()
    with sessions() as session:
        return list(session.scalars(select(OutboxMail).order_by(OutboxMail.recipient)))


def change(sessions: sessionmaker[Session], event: Event, **values: object) -> None:
    with sessions.begin() as session:
        row = session.get_one(Event, event.id)
        for name, value in values.items():
            setattr(row, name, value)


def test_everybody_with_an_address_once_in_their_language(
    sessions: sessionmaker[Session], event: Event
) -> None:
    with sessions.begin() as session:
        run = a_webinar(session, event)
        entered(session, event, run, "host", role=Role.PRESENTER)
        leg(session, run, "host", 0, 60)
        entered(session, event, run, "ann2", email="ann@example.org")
        leg(session, run, "ann2", 1, 2)
    assert thank(sessions, at(60)) == [], "records may still be on their way"
    for minutes in (61, 62, 600):
        ann, bob = thank(sessions, at(minutes))
    assert (ann.recipient, bob.recipient) == ("ann@example.org", "bob@example.org")
    assert ann.subject.startswith("Merci")
    assert bob.subject == "Thank you for taking part in “Talk & Co”"
    link = re.search(r"https://e\.example/\S+/thanks\?rate=(\S+)", bob.body_text)
    assert link is not None
    found = passes.read(link[1], secret=SECRET)
    assert found == passes.Pass(session_id=run, participant_id="bob")
    assert passes.read(link[1], secret=b"x" * 32) is None


def test_not_while_people_may_come_back(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        a_webinar(session, event)
    change(sessions, event, status=Status.ACTIVE)
    assert thank(sessions, at(70)) == []
    change(sessions, event, permanent_room=True)
    assert len(thank(sessions, at(70))) == 2


def test_two_runs_of_one_event_are_one_occasion(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        a_webinar(session, event, 1)
        a_webinar(session, event, 2)
    assert len(thank(sessions, at(70))) == 2


def test_not_while_a_leg_is_up(sessions: sessionmaker[Session], event: Event) -> None:
    with sessions.begin() as session:
        run = a_webinar(session, event)
        session.add(
            CdrOpen(id="x", node_id="n", boot_id="b", facts=f'{{"session_id":"{run}"}}', seen_at=now_utc())
        )
    assert thank(sessions, at(70)) == []
    assert len(thank(sessions, at(60) + timedelta(hours=2))) == 2


@pytest.mark.parametrize("why", ["switched off", "deleted", "too late"])
def test_no_thanks(sessions: sessionmaker[Session], event: Event, why: str) -> None:
    with sessions.begin() as session:
        a_webinar(session, event)
    if why == "switched off":
        change(sessions, event, settings={**event.settings, "thank_you_emails_enabled": False})
    elif why == "deleted":
        change(sessions, event, deleted_at=T0)
    assert thank(sessions, at(70) + timedelta(days=8 if why == "too late" else 0)) == []


def test_a_crash_before_the_commit_repeats_nothing(
    sessions: sessionmaker[Session], event: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sessions.begin() as session:
        a_webinar(session, event)
    written = FarewellClerk._write
    calls: list[str] = []

    def dies(self: FarewellClerk, *args: object, **more: object) -> bool:
        calls.append("")
        if len(calls) == 2:
            raise RuntimeError("killed")
        return written(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(FarewellClerk, "_write", dies)
    with pytest.raises(RuntimeError):
        thank(sessions, at(70))
    assert len(thank(sessions, at(71))) == 2
