"""Who registered for an event, and what became of it. No function commits.

                    ┌──► approved ◄──┐
    register ───────┤       │        │   the organiser may change their mind at any time
                    └──► pending ──► declined

A mail address registers once for an event. Whoever sends the form again, by mistake, by reloading or to find
out who is registered, gets the same answer and changes nothing; when the mail is old, it is sent again, a few
times at most. Whoever is approved has a token of their own, so that browser and telephone are one person in
events of every kind, and lands in the event's group of the address book. Declining takes the token back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from contacts import service as contacts
from contacts.fields import ContactFields
from events import tokens
from events.access_models import EventToken, Registration
from events.errors import RegistrationError, UnknownEventError
from events.fields import AccessType, Status
from events.models import Event
from events.news import tell_registration
from events.registration_form import Entry, RegistrationForm, as_json, form_of
from events.service import note_change
from events.tokens import Holder, TokenEntry
from events.web_hooks import Kind

PAGE_SIZE = 250
EVENT_MAX = 50_000
MAIL_AGAIN_AFTER = timedelta(minutes=10)
MAILS_MAX = 5


class RegistrationStatus(StrEnum):
    """What became of a registration."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """`fresh`: new. `mail_due`: a mail about it is to be sent now; `mail_key` is its key in the outbox."""

    registration: Registration
    token: TokenEntry | None
    fresh: bool
    mail_due: bool

    @property
    def mail_key(self) -> str:
        return f"registration-{self.registration.id}-{self.registration.mails}"


def set_form(session: Session, event: Event, form: RegistrationForm, *, now: datetime) -> None:
    """Keep the form with the event."""
    event.registration = {**event.registration, **as_json(form)}
    event.updated_at = now
    note_change(session, event)


def register(
    session: Session, event: Event, entry: Entry, *, language: str, timezone: str, now: datetime
) -> Registered:
    """Somebody registers; see the module text for whoever did before.

    Raises RegistrationError when the event takes none (any more).
    """
    form = form_of(event.registration)
    if event.status != Status.ACTIVE or event.deleted_at is not None or not form.enabled:
        raise RegistrationError("this event takes no registrations")
    if event.access_type == AccessType.PAID:
        raise RegistrationError("tickets of this event are bought")
    known = by_email(session, event, entry.email)
    if known is None:
        if count(session, event)[None] >= EVENT_MAX:
            raise RegistrationError("there are too many registrations")
        known = Registration(
            event_id=event.id,
            status=RegistrationStatus.PENDING,
            email=entry.email,
            first_name=entry.first_name,
            last_name=entry.last_name,
            answers=dict(entry.answers),
            language=language,
            timezone=timezone[:64],
            created_at=now,
            mails=0,
        )
        if _added(session, known):
            _into_address_book(session, event, entry, now)
            if not form.approval:
                found = _approved(session, event, known, now, fresh=True)
                tell_registration(session, event, known, kind=Kind.REGISTRATION, now=now)
                return found
            tell_registration(session, event, known, kind=Kind.REGISTRATION, now=now)
            return _due(Registered(registration=known, token=None, fresh=True, mail_due=True), now)
        known = by_email(session, event, entry.email)  # the same person clicked twice
        assert known is not None
    old = known.mailed_at is None or now - known.mailed_at >= MAIL_AGAIN_AFTER
    again = old and known.mails < MAILS_MAX and known.status != RegistrationStatus.DECLINED
    found = Registered(registration=known, token=_token(session, event, known), fresh=False, mail_due=again)
    return _due(found, now) if again else found


def approve(session: Session, event: Event, registration: Registration, *, now: datetime) -> Registered:
    """Let the person in; the mail is due unless they were approved before."""
    if registration.status == RegistrationStatus.APPROVED:
        token = _token(session, event, registration)
        return Registered(registration=registration, token=token, fresh=False, mail_due=False)
    found = _approved(session, event, registration, now, fresh=False)
    tell_registration(session, event, registration, kind=Kind.REGISTRATION_APPROVED, now=now)
    return found


def decline(session: Session, event: Event, registration: Registration, *, now: datetime) -> Registered:
    """Do not let the person in, and take back their token; the mail is due unless this was so before."""
    changed = registration.status != RegistrationStatus.DECLINED
    if changed:
        registration.status, registration.decided_at = RegistrationStatus.DECLINED, now
        if registration.token_id is not None:
            token = session.get_one(EventToken, registration.token_id)
            tokens.revoke(session, event, token, now=now)
            registration.token_id = None
        session.flush()
        tell_registration(session, event, registration, kind=Kind.REGISTRATION_DECLINED, now=now)
    found = Registered(registration=registration, token=None, fresh=False, mail_due=changed)
    return _due(found, now) if changed else found


def send_again(session: Session, event: Event, registration: Registration, *, now: datetime) -> Registered:
    """The organiser wants the last mail to go out once more."""
    token = _token(session, event, registration)
    return _due(Registered(registration=registration, token=token, fresh=False, mail_due=True), now)


def get(session: Session, event: Event, *, registration_id: int) -> Registration:
    """A registration of the event. Raises UnknownEventError."""
    row = session.get(Registration, registration_id)
    if row is None or row.event_id != event.id:
        raise UnknownEventError(f"conference {event.id} has no such registration")
    return row


def by_email(session: Session, event: Event, email: str) -> Registration | None:
    query = select(Registration).where(Registration.event_id == event.id, Registration.email == email)
    return session.scalars(query).one_or_none()


def find(
    session: Session,
    event: Event,
    *,
    status: RegistrationStatus | None = None,
    words: str = "",
    page: int = 1,
    page_size: int | None = PAGE_SIZE,
) -> Sequence[Registration]:
    """One page (from 1), newest first; all with a `page_size` of None."""
    query = select(Registration).where(Registration.event_id == event.id)
    if status is not None:
        query = query.where(Registration.status == status)
    for word in words.split()[:8]:
        columns = (Registration.email, Registration.first_name, Registration.last_name)
        matches: list[ColumnElement[bool]] = [column.icontains(word, autoescape=True) for column in columns]
        query = query.where(matches[0] | matches[1] | matches[2])
    query = query.order_by(Registration.id.desc())
    if page_size is not None:
        query = query.offset((page - 1) * page_size).limit(page_size)
    return session.scalars(query).all()


def count(session: Session, event: Event) -> Mapping[RegistrationStatus | None, int]:
    """How many there are of each status, and under None in all."""
    query = select(Registration.status, func.count()).where(Registration.event_id == event.id)
    found = {
        RegistrationStatus(row[0]): row[1] for row in session.execute(query.group_by(Registration.status))
    }
    counts: dict[RegistrationStatus | None, int] = {
        status: found.get(status, 0) for status in RegistrationStatus
    }
    return {**counts, None: sum(found.values())}


def _approved(
    session: Session, event: Event, registration: Registration, now: datetime, *, fresh: bool
) -> Registered:
    holder = Holder(
        name=f"{registration.first_name} {registration.last_name}".strip(), email=registration.email
    )
    (made,) = tokens.issue(session, event, [holder], now=now)
    registration.status, registration.decided_at = RegistrationStatus.APPROVED, now
    registration.token_id = made.token.id
    session.flush()
    return _due(Registered(registration=registration, token=made, fresh=fresh, mail_due=True), now)


def _due(found: Registered, now: datetime) -> Registered:
    found.registration.mails += 1
    found.registration.mailed_at = now
    return found


def _token(session: Session, event: Event, registration: Registration) -> TokenEntry | None:
    if registration.token_id is None:
        return None
    return tokens.entry(session, event, token_id=registration.token_id)


def _into_address_book(session: Session, event: Event, entry: Entry, now: datetime) -> None:
    """What strangers say about themselves fills empty fields and changes no other."""
    fields = ContactFields(email=entry.email, first_name=entry.first_name, last_name=entry.last_name)
    contact, _ = contacts.save(session, account_id=event.account_id, fields=fields, now=now, overwrite=False)
    group = contacts.group_of_event(
        session, account_id=event.account_id, event_id=event.id, name=event.name, now=now
    )
    contacts.add_to_group(session, group, [contact])


def _added(session: Session, row: Registration) -> bool:
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True
