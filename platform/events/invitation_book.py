"""Who is invited to which event: rows, no mails. No function commits.

An invitation that is `wanted` is written into the mail outbox by `events.invitations.InvitationWriter`, in
small transactions of its own, so that ten thousand of them neither hold up other writers nor are lost when
the process dies: what is not written yet is still wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CompoundSelect, func, insert, select, union, update
from sqlalchemy.orm import Session

from contacts import service as contacts
from contacts.models import Contact
from events.models import Event
from events.plan_models import Invitation, Unsubscription
from mail.models import OutboxMail

PAGE_SIZE = 100
NOTE_CHARS_MAX = 4_000


class Wanted(StrEnum):
    """The mail that is to be written."""

    INVITE = "invite"
    UPDATE = "update"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody to invite; the address is in lower case. `role` is presenter or participant."""

    email: str
    name: str = ""
    language: str = "en"
    role: str = "participant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """What came of it: how many are invited now, and who was before or wants no mail (addresses)."""

    added: int
    known: Sequence[str]
    unsubscribed: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An invitation with what became of its last mail: `state` is waiting, queued, sent, failed, cancelled
    or unsubscribed; `error` is what the mail server said.
    """

    id: int
    email: str
    name: str
    language: str
    role: str
    state: str
    error: str | None
    sent_at: datetime | None
    outdated: bool
    rounds: int


def invite(
    session: Session, event: Event, guests: Iterable[Guest], *, note: str = "", now: datetime
) -> Invited:
    """Invite all who are not invited yet and have not unsubscribed. An invitation that was cancelled counts
    as new.
    """
    by_email = {guest.email: guest for guest in guests}
    refused = unsubscribed(session, account_id=event.account_id, emails=by_email)
    there: dict[str, datetime | None] = {}
    for part in _parts(list(by_email)):
        query = select(Invitation.email, Invitation.cancelled_at)
        query = query.where(Invitation.event_id == event.id, Invitation.email.in_(part))
        there |= {row[0]: row[1] for row in session.execute(query)}
    known = [email for email, cancelled_at in there.items() if cancelled_at is None]
    again = [
        email for email, cancelled_at in there.items() if cancelled_at is not None and email not in refused
    ]
    for part in _parts(again):
        session.execute(
            update(Invitation)
            .where(Invitation.event_id == event.id, Invitation.email.in_(part))
            .values(wanted=Wanted.INVITE, round=Invitation.round + 1, cancelled_at=None)
        )
    rows = [
        {
            "event_id": event.id,
            "email": guest.email,
            "name": guest.name[:200],
            "language": guest.language,
            "role": guest.role,
            "wanted": Wanted.INVITE,
            "note": note[:NOTE_CHARS_MAX],
            "round": 1,
            "sequence": event.sequence,
            "created_at": now,
        }
        for email, guest in by_email.items()
        if email not in there and email not in refused
    ]
    if rows:
        session.execute(insert(Invitation), rows)
    return Invited(added=len(rows) + len(again), known=sorted(known), unsubscribed=sorted(refused))


def resend(
    session: Session, event: Event, *, invitation_id: int | None = None, outdated_only: bool = False
) -> int:
    """Send one invitation again, or all; how many. Those wanted already are left as they are."""
    query = (
        update(Invitation)
        .where(
            Invitation.event_id == event.id,
            Invitation.cancelled_at.is_(None),
            Invitation.wanted.is_(None),
            Invitation.email.not_in(_refusals(event.account_id)),
        )
        .values(wanted=Wanted.UPDATE, round=Invitation.round + 1)
        .execution_options(synchronize_session=False)
        .returning(Invitation.id)
    )
    if invitation_id is not None:
        query = query.where(Invitation.id == invitation_id)
    if outdated_only:
        query = query.where(Invitation.sequence < event.sequence)
    return len(session.execute(query).all())


def cancel_invitations(session: Session, *, event_id: int, now: datetime) -> None:
    """The event is called off: whoever got an invitation gets word, whoever did not gets nothing."""
    query = (
        update(Invitation)
        .where(Invitation.event_id == event_id, Invitation.cancelled_at.is_(None))
        .execution_options(synchronize_session=False)
    )
    told = query.where(Invitation.queued_at.is_not(None))
    session.execute(told.values(wanted=Wanted.CANCEL, round=Invitation.round + 1, cancelled_at=now))
    session.execute(query.values(wanted=None, cancelled_at=now))


def uninvite(session: Session, event: Event, *, invitation_id: int, now: datetime) -> bool:
    """Take one invitation back; the guest gets word if they got it. False: there is none like it."""
    row = session.get(Invitation, invitation_id)
    if row is None or row.event_id != event.id or row.cancelled_at is not None:
        return False
    row.cancelled_at = now
    row.wanted = Wanted.CANCEL if row.queued_at is not None else None
    row.round += 1
    session.flush()
    return True


def count(session: Session, event: Event) -> int:
    """How many are invited."""
    query = select(func.count()).where(Invitation.event_id == event.id, Invitation.cancelled_at.is_(None))
    return session.scalar(query) or 0


def outdated_count(session: Session, event: Event) -> int:
    """How many guests hold an invitation from before the event's last change."""
    query = select(func.count()).where(
        Invitation.event_id == event.id,
        Invitation.cancelled_at.is_(None),
        Invitation.wanted.is_(None),
        Invitation.sequence < event.sequence,
        Invitation.email.not_in(_refusals(event.account_id)),
    )
    return session.scalar(query) or 0


def entries(session: Session, event: Event, *, page: int = 1, words: str = "") -> tuple[list[Entry], int]:
    """One page (from 1) of the event's invitations by address, and how many there are."""
    clauses = [Invitation.event_id == event.id]
    clauses += [
        (Invitation.email + " " + func.lower(Invitation.name)).contains(word, autoescape=True)
        for word in words.lower().split()[:5]
    ]
    total = session.scalar(select(func.count()).select_from(Invitation).where(*clauses)) or 0
    query = (
        select(Invitation, OutboxMail.state, OutboxMail.error, OutboxMail.sent_at, Unsubscription.id)
        .outerjoin(OutboxMail, OutboxMail.key == Invitation.mail_key)
        .outerjoin(
            Unsubscription,
            (Unsubscription.email == Invitation.email) & (Unsubscription.account_id == event.account_id),
        )
        .where(*clauses)
        .order_by(Invitation.email)
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    )
    found = []
    for row, mail_state, error, sent_at, refusal in session.execute(query):
        state = _state(row, mail_state, refused=refusal is not None)
        found.append(
            Entry(
                id=row.id,
                email=row.email,
                name=row.name,
                language=row.language,
                role=row.role,
                state=state,
                error=error if state == "failed" else None,
                sent_at=sent_at,
                outdated=row.sequence < event.sequence and row.cancelled_at is None,
                rounds=row.round,
            )
        )
    return found, total


def unsubscribe(session: Session, *, account_id: int, email: str, now: datetime) -> None:
    """No more invitations and reminders of this account to this address, and the address book says so, too.
    May be said twice.
    """
    contacts.unsubscribe(session, account_id=account_id, email=email, now=now)
    query = select(Unsubscription.id).where(
        Unsubscription.account_id == account_id, Unsubscription.email == email
    )
    if session.scalar(query) is None:
        session.add(Unsubscription(account_id=account_id, email=email, created_at=now))
        session.flush()
    session.execute(
        update(Invitation)
        .where(
            Invitation.email == email,
            Invitation.wanted.is_not(None),
            Invitation.event_id.in_(select(Event.id).where(Event.account_id == account_id)),
        )
        .values(wanted=None)
        .execution_options(synchronize_session=False)
    )


def unsubscribed(
    session: Session, *, account_id: int, emails: Iterable[str] | Mapping[str, object]
) -> set[str]:
    """Those of the addresses that want no mail of this account."""
    found: set[str] = set()
    for part in _parts(list(emails)):
        query = select(Unsubscription.email).where(
            Unsubscription.account_id == account_id, Unsubscription.email.in_(part)
        )
        found |= set(session.scalars(query)) | contacts.unsubscribed(
            session, account_id=account_id, emails=part
        )
    return found


def _refusals(account_id: int) -> CompoundSelect[Any]:
    said = select(Unsubscription.email).where(Unsubscription.account_id == account_id)
    booked = select(Contact.email).where(
        Contact.account_id == account_id, Contact.unsubscribed_at.is_not(None)
    )
    return union(said, booked)


def _state(row: Invitation, mail_state: str | None, *, refused: bool) -> str:
    if row.cancelled_at is not None:
        return "cancelled"
    if refused:
        return "unsubscribed"
    if row.wanted is not None or mail_state is None:
        return "waiting"
    return "queued" if mail_state == "sending" else mail_state


def _parts(values: Sequence[str], *, size: int = 500) -> Iterable[Sequence[str]]:
    return (values[at : at + size] for at in range(0, len(values), size))
