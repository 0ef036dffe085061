"""Ten thousand invitations: fast, and none lost or doubled when the process is killed halfway."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from events.access_models import EventToken, Registration
from events.addresses import TooMuchTextError, read_addresses
from events.invitation_book import Guest, invite, resend
from events.invitations import InvitationWriter, take_back
from events.models import Event, EventPin
from events.plan_models import Invitation
from mail.models import OutboxMail
from tests.events.planning import NOW, new_account, new_event, parts, with_event

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
sys.path[:0] = [{root!r}, {root!r} + "/platform"]
from database.engine import create_engine, make_sessions
from events.invitations import InvitationWriter
from tests.events.planning import NOW, parts
InvitationWriter(make_sessions(create_engine({url!r})), parts(), chunk=10).run_once(NOW)
"""


def count(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(OutboxMail)) or 0


def test_killed_halfway_and_finished_by_the_next(sessions: sessionmaker[Session], migrated_url: str) -> None:
    event_id = new_event(sessions, new_account(sessions), starts_at="2026-05-01T10:00", access_type=3)
    people = [Guest(email=f"p{n}@example.org", name=f"P {n}") for n in range(3_000)]
    with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=NOW))
    code = WRITER.format(root=str(ROOT), url=migrated_url)
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while count(sessions) < 200 and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.01)  # another process is at work
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    halfway = count(sessions)
    assert 200 <= halfway < 3_000
    InvitationWriter(sessions, parts()).run_once(NOW)
    with sessions() as session:
        mails = session.execute(select(OutboxMail.recipient, OutboxMail.key)).all()
        assert len(mails) == 3_000
        assert len({to for to, _ in mails}) == 3_000
        assert session.scalars(select(Invitation.id).where(Invitation.wanted.is_not(None))).all() == []


@pytest.mark.slow
def test_ten_thousand_in_five_seconds(sessions: sessionmaker[Session]) -> None:
    event_id = new_event(sessions, new_account(sessions), starts_at="2026-05-01T10:00")
    text = "\n".join(f"Person {n} <p{n}@example.org>" for n in range(10_000))
    began = time.process_time()
    guests = [Guest(email=one.email, name=one.name) for one in read_addresses(text).good]
    with_event(sessions, event_id, lambda s, e: invite(s, e, guests, now=NOW))
    assert InvitationWriter(sessions, parts()).run_once(NOW) == 10_000
    took = time.process_time() - began
    print(f"10,000 invitations: {took:.2f} s of CPU")
    assert took < 5


def test_inviting_twice_is_inviting_once(sessions: sessionmaker[Session]) -> None:
    event_id = new_event(sessions, new_account(sessions), starts_at="2026-05-01T10:00")
    people = [Guest(email="a@example.org"), Guest(email="b@example.org")]
    writer = InvitationWriter(sessions, parts())
    for _ in range(2):
        with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=NOW))
        writer.run_once(NOW)
    assert count(sessions) == 2
    assert with_event(sessions, event_id, resend) == 2
    assert with_event(sessions, event_id, resend) == 0  # still waiting to be written
    writer.run_once(NOW)
    assert count(sessions) == 4


def test_an_invitation_taken_back_takes_its_token_along(sessions: sessionmaker[Session]) -> None:
    event_id = new_event(sessions, new_account(sessions), starts_at="2026-05-01T10:00", access_type=3)
    people = [Guest(email="a@example.org"), Guest(email="b@example.org"), Guest(email="r@example.org")]
    writer = InvitationWriter(sessions, parts())
    with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=NOW))
    writer.run_once(NOW)

    def register(session: Session, event: Event) -> None:
        """The third registered as well, with the token that they have."""
        token = session.scalars(select(EventToken).where(EventToken.sent_to_email == "r@example.org")).one()
        session.add(
            Registration(
                event_id=event.id, status="approved", email="r@example.org", first_name="R", last_name="R",
                answers={}, language="en", timezone="UTC", created_at=NOW, mails=0, token_id=token.id,
            )
        )  # fmt: skip

    def good(session: Session, _event: Event) -> set[str | None]:
        query = select(EventToken.sent_to_email).join(
            EventPin, (EventPin.seat_id == EventToken.seat_id) & EventPin.joinable
        )
        return set(session.scalars(query.where(EventToken.revoked_at.is_(None))))

    with_event(sessions, event_id, register)
    with sessions() as session:
        ids = {row.email: row.id for row in session.scalars(select(Invitation))}
    for who in ("a@example.org", "r@example.org"):
        taken = partial(take_back, invitation_id=ids[who], now=NOW)
        assert with_event(sessions, event_id, taken)
        assert not with_event(sessions, event_id, taken)
    assert with_event(sessions, event_id, good) == {"b@example.org", "r@example.org"}
    with_event(sessions, event_id, lambda s, e: invite(s, e, people, now=NOW))
    writer.run_once(NOW)
    assert "a@example.org" in with_event(sessions, event_id, good)


def test_addresses_as_people_paste_them() -> None:
    found = read_addresses('a@b.org, "Doe, Jane" <Jane@Example.org>;\tA@b.ORG\nnobody\n\nBob bob@b.org')
    assert [(one.email, one.name) for one in found.good] == [
        ("a@b.org", ""),
        ("jane@example.org", "Jane Doe"),
        ("bob@b.org", "Bob"),
    ]
    assert [(one.line, one.text) for one in found.bad] == [(2, "nobody")]
    assert found.duplicates == ["a@b.org"]


@pytest.mark.parametrize("text", ['"' * 1_000_000, "<" * 1_000_000, "a@" * 600_000, "," * 1_900_000])
def test_garbage_costs_little(text: str) -> None:
    began = time.process_time()
    assert read_addresses(text).good == []
    assert time.process_time() - began < 3


def test_too_much_is_refused() -> None:
    with pytest.raises(TooMuchTextError):
        read_addresses("é" * 1_100_000)
