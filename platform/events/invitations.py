"""Invitations become mails: small transactions, each of which moves some from "wanted" into the outbox.

Theory. Asking ten thousand people is one INSERT of small rows (`invitation_book.invite`) that is committed
before the organiser gets an answer. Writing their mails is work for this writer: it takes `CHUNK` of them,
gives each a way in, writes the mails with one statement, and notes in the same transaction that they are not
wanted any more. A process that dies loses one transaction, which nobody has seen; the next run finds these
invitations still wanted. The key of a mail is the invitation and its round, so even two writers at work
together cannot write one twice. Measured: docs/invitations.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import ColumnElement, String, cast, literal, select, update
from sqlalchemy.orm import Session, sessionmaker

from accounts.models import Account, User
from events import repository
from events.access_models import EventToken, Registration
from events.doors import Doorkeeper
from events.errors import EventsError
from events.fields import AccessType, Status
from events.guest_mails import GuestMails, Reader
from events.invitation_book import Wanted, uninvite
from events.models import Event
from events.plan_models import Invitation
from events.skins import look_of
from events.tokens import revoke
from events.wording import Number
from mail.message import Mail
from mail.outbox import enqueue_all
from mail.texts import MailTexts

CHUNK = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParts:
    """What is needed to write to guests. `numbers` are asked for each time, because they may change."""

    doors: Doorkeeper
    public_url: str
    secret: bytes = field(repr=False)
    numbers: Callable[[], Sequence[Number]] = tuple
    texts: MailTexts = field(default_factory=MailTexts)

    def mails(self, session: Session, event: Event, *, template: str, method: str = "") -> GuestMails:
        """A writer of mails about this event."""
        return GuestMails(
            texts=self.texts,
            event=event,
            organiser=organiser_of(session, event.account_id),
            public_url=self.public_url,
            secret=self.secret,
            numbers=self.numbers(),
            template=template,
            method=method,
            look=look_of(session, event),
        )


class InvitationWriter:
    """See the module text."""

    def __init__(self, sessions: sessionmaker[Session], parts: MailParts, *, chunk: int = CHUNK) -> None:
        self._sessions = sessions
        self._parts = parts
        self._chunk = chunk

    def run_once(self, now: datetime) -> int:
        """Write all that are wanted now; how many mails. Stops where it is when the database goes away."""
        written = 0
        while True:
            with self._sessions.begin() as session:
                taken, mails = self._write_some(session, now)
            written += mails
            if taken == 0:
                return written

    def _write_some(self, session: Session, now: datetime) -> tuple[int, int]:
        """One chunk, all of one event and of one kind: how many were taken, how many mails they are."""
        first = session.execute(
            select(Invitation.event_id, Invitation.wanted)
            .where(Invitation.wanted.is_not(None))
            .order_by(Invitation.id)
            .limit(1)
        ).one_or_none()
        if first is None:
            return 0, 0
        event_id, wanted = first[0], Wanted(first[1] or Wanted.INVITE)
        query = select(Invitation).where(Invitation.event_id == event_id, Invitation.wanted == wanted)
        rows = session.scalars(query.order_by(Invitation.id).limit(self._chunk).with_for_update()).all()
        rows = [row for row in rows if row.wanted == wanted]
        event = repository.get_any(session, event_id)
        assert event is not None, "an event keeps its row"
        mails = self._mails(session, event, wanted, rows, now)
        ids = [row.id for row in rows]
        values: dict[str, Any] = {"wanted": None, "sequence": event.sequence}
        if mails:
            enqueue_all(session, mails, now=now)
            values |= {"mail_key": _key_column(), "queued_at": now}
        else:
            values |= {"mail_key": None}
        session.execute(
            update(Invitation)
            .where(Invitation.id.in_(ids))
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return len(rows), len(mails)

    def _mails(
        self, session: Session, event: Event, wanted: Wanted, rows: Sequence[Invitation], now: datetime
    ) -> list[tuple[str, Mail]]:
        cancelled = wanted is Wanted.CANCEL
        if not cancelled and (event.status != Status.ACTIVE or event.deleted_at is not None):
            return []  # the event is over: nobody is invited to it any more
        guests = {row.email: (row.name, row.role) for row in rows}
        try:
            doors = {} if cancelled else self._parts.doors.doors(session, event, guests, now=now)
        except EventsError as exc:
            _log.warning("invitations_not_written", event_id=event.id, error=type(exc).__name__)
            return []
        mails = self._parts.mails(
            session,
            event,
            template="invitation_cancelled" if cancelled else "invitation",
            method="CANCEL" if cancelled else "REQUEST",
        )
        written = []
        for row in rows:
            changed = wanted is Wanted.UPDATE and row.sequence < event.sequence
            reader = Reader(
                email=row.email, name=row.name, language=row.language, note=row.note, changed=changed
            )
            written.append((f"invitation-{row.id}-{row.round}", mails.write(reader, doors.get(row.email))))
        return written


def take_back(session: Session, event: Event, *, invitation_id: int, now: datetime) -> bool:
    """As `invitation_book.uninvite`; the token that the invitation brought opens nothing any more, either.

    A token that somebody registered for or bought is theirs by another right, and stays.
    """
    if not uninvite(session, event, invitation_id=invitation_id, now=now):
        return False
    if event.access_type == AccessType.TOKEN:
        email = session.get_one(Invitation, invitation_id).email
        registered = select(Registration.token_id).where(
            Registration.event_id == event.id, Registration.token_id.is_not(None)
        )
        query = select(EventToken).where(
            EventToken.event_id == event.id,
            EventToken.sent_to_email == email,
            EventToken.revoked_at.is_(None),
            EventToken.id.not_in(registered),
        )
        for token in session.scalars(query).all():
            revoke(session, event, token, now=now)
    return True


def organiser_of(session: Session, account_id: int) -> tuple[str, str]:
    """(name, mail address) of an account, as its guests see it."""
    query = select(User.name).where(User.account_id == account_id, User.name != "").order_by(User.id).limit(1)
    name = session.scalar(query) or ""
    return name, session.get_one(Account, account_id).email


def _key_column() -> ColumnElement[str]:
    return (
        literal("invitation-") + cast(Invitation.id, String) + literal("-") + cast(Invitation.round, String)
    )
