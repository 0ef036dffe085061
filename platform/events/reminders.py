"""Who is reminded of an event: everybody invited, then everybody registered, in chunks. No function commits.

The place where a long round of reminders has come is a short text (`guests:<id>`, `registered:<id>`), so that
a process that dies goes on where the last committed chunk ended. One address gets one reminder, however
often it is on the lists: the key of the mail is made of the address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from events.access_models import Registration
from events.doors import Door
from events.errors import EventsError
from events.guest_mails import Reader
from events.invitation_book import unsubscribed
from events.invitations import MailParts
from events.models import Event
from events.plan_models import EventStep, Invitation
from mail.message import Mail
from mail.outbox import enqueue_all
from rooms.modes import Role

CHUNK = 500
GUESTS, REGISTERED, DONE = "guests", "registered", "done"
APPROVED = "approved"
"""`RegistrationStatus` of those who may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    email: str
    name: str
    language: str
    role: str


def remind_some(
    session: Session, parts: MailParts, event: Event, step: EventStep, *, now: datetime, chunk: int = CHUNK
) -> bool:
    """Write the next reminders of this step and move its place on. False: everybody has theirs."""
    people, step.place = _next(session, event, step.place, chunk)
    if people:
        refused = unsubscribed(session, account_id=event.account_id, emails=[one.email for one in people])
        wanted = [one for one in people if one.email not in refused]
        enqueue_all(session, _mails(session, parts, event, step, wanted, now), now=now)
    return step.place != DONE


def _mails(
    session: Session,
    parts: MailParts,
    event: Event,
    step: EventStep,
    people: Sequence[_Person],
    now: datetime,
) -> list[tuple[str, Mail]]:
    guests = {one.email: (one.name, one.role) for one in people}
    try:
        doors = parts.doors.doors(session, event, guests, now=now)
    except EventsError:  # no way in can be made; the entrance's plain address is better than no reminder
        doors = {one: Door(link=f"{parts.public_url}/{event.url_name}", pin=None) for one in guests}
    mails = parts.mails(session, event, template=step.kind)
    return [
        (
            f"{step.kind}-{event.id}-{step.occurrence}-{_digest(one.email)}",
            mails.write(Reader(email=one.email, name=one.name, language=one.language), doors.get(one.email)),
        )
        for one in people
    ]


def _next(session: Session, event: Event, place: str, chunk: int) -> tuple[list[_Person], str]:
    source, _, after = place.partition(":")
    if source in ("", GUESTS):
        query = select(
            Invitation.id, Invitation.email, Invitation.name, Invitation.language, Invitation.role
        ).where(
            Invitation.event_id == event.id,
            Invitation.cancelled_at.is_(None),
            Invitation.id > int(after or 0),
        )
        rows = session.execute(query.order_by(Invitation.id).limit(chunk)).all()
        found = [_Person(email=row[1], name=row[2], language=row[3], role=row[4]) for row in rows]
        return found, f"{GUESTS}:{rows[-1][0]}" if rows else f"{REGISTERED}:0"
    if source == REGISTERED:
        asked = select(
            Registration.id,
            Registration.email,
            Registration.first_name,
            Registration.last_name,
            Registration.language,
        ).where(
            Registration.event_id == event.id,
            Registration.status == APPROVED,
            Registration.id > int(after or 0),
        )
        registered = session.execute(asked.order_by(Registration.id).limit(chunk)).all()
        found = [
            _Person(email=row[1], name=f"{row[2]} {row[3]}".strip(), language=row[4], role=Role.PARTICIPANT)
            for row in registered
        ]
        return found, f"{REGISTERED}:{registered[-1][0]}" if registered else DONE
    return [], DONE


def _digest(email: str) -> str:
    return hashlib.blake2b(email.encode(), digest_size=12).hexdigest()
