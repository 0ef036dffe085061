"""Thank-you mails: once for each person with an address, when an event is over.

Theory. A session that has ended and was not looked at yet is *due* when nobody can come back to it: its
event is over, or the room is permanent. Then everybody is known as soon as the call records are in: no leg
is up any more, and the records had `SETTLE` to arrive (`PATIENCE` at most, should a leg never be closed).
All mails of a session and the note that it was done are one transaction, so a crash loses nothing and
repeats nothing. Keys of the outbox make sure once more: one mail for each address, per event, and per
session in a permanent room, whose sessions are different occasions.

Presenters gave the event and get no thanks. Somebody who was there by telephone only gets the mail if whoever
gave out their PIN noted an address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, sessionmaker

from database.polling import PollingThread
from events.access_models import Registration
from events.fields import DEFAULT_SETTINGS, Status
from events.models import Event, EventSession
from events.skins import for_mail, look_of
from mail.errors import MailError
from mail.outbox import enqueue
from mail.texts import MailTexts
from reports import passes
from reports.models import SessionFarewell
from reports.passes import Pass
from reports.people import Person
from reports.reading import people_in
from reports.visits import VisitSource
from rooms.modes import Role

SETTLE = timedelta(seconds=5)
PATIENCE = timedelta(hours=1)
TOO_LATE = timedelta(days=7)
"""A session that ended longer ago is left alone: thanks after weeks are worse than none."""
POLL_S = 10.0
_BATCH = 20
LANGUAGES = ("en", "fr")
_log = structlog.get_logger(__name__)


class FarewellClerk:
    """Thanks people; with a thread of its own once started."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        source: VisitSource,
        *,
        secret: bytes,
        public_url: str,
        now: Callable[[], datetime],
        poll_s: float = POLL_S,
    ) -> None:
        self._sessions, self._source = sessions, source
        self._secret, self._public_url, self._now = secret, public_url, now
        self._texts = MailTexts()
        self._thread = PollingThread("farewell", self._look, poll_s=poll_s)

    def start(self) -> None:
        """Begin to look for sessions that are over."""
        self._thread.start()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Finish the session at hand, and no other."""
        self._thread.stop(timeout_s=timeout_s)

    def thank_due(self) -> int:
        """Thank the people of all sessions that are due; how many sessions."""
        done = 0
        for session_id in self._due():
            if self._thread.stopping:
                break
            with self._sessions.begin() as session:
                done += self._thank(session, session_id)
        return done

    def _look(self) -> None:
        self.thank_due()  # sessions that are due and not settled would be found again at once: no hurry

    def _due(self) -> list[int]:
        now = self._now()
        wanted = (
            select(EventSession.id)
            .join(Event, Event.id == EventSession.event_id)
            .outerjoin(SessionFarewell, SessionFarewell.session_id == EventSession.id)
            .where(
                SessionFarewell.session_id.is_(None),
                EventSession.started_at >= now - 2 * TOO_LATE,
                EventSession.ended_at >= now - TOO_LATE,
                EventSession.ended_at <= now - SETTLE,
                or_(Event.status == Status.INACTIVE, Event.permanent_room),
            )
            .order_by(EventSession.ended_at)
            .limit(_BATCH)
        )
        with self._sessions() as session:
            return list(session.scalars(wanted))

    def _thank(self, session: Session, session_id: int) -> bool:
        run = session.get_one(EventSession, session_id)
        assert run.ended_at is not None, "only sessions that are over are due"
        patient = self._now() - run.ended_at < PATIENCE
        if patient and not self._source.settled(session, session_id):
            return False
        event = session.get_one(Event, run.event_id)
        mails = 0
        if {**DEFAULT_SETTINGS, **event.settings}["thank_you_emails_enabled"] and event.deleted_at is None:
            languages = {
                row.email: row.language
                for row in session.execute(
                    select(Registration.email, Registration.language).where(Registration.event_id == event.id)
                )
            }
            look = for_mail(look_of(session, event), public_url=self._public_url)
            for person in people_in(session, self._source, [session_id]):
                if person.email and person.role != Role.PRESENTER:
                    wish = person.language or languages.get(person.email, "")
                    mails += self._write(session, event, person, language=wish, look=look)
        session.add(SessionFarewell(session_id=session_id, mails=mails, done_at=self._now()))
        _log.info("people_thanked", session_id=session_id, mails=mails)
        return True

    def _write(
        self, session: Session, event: Event, person: Person, *, language: str, look: Mapping[str, Any]
    ) -> bool:
        assert person.email is not None
        one = Pass(session_id=person.session_id, participant_id=person.participant_id)
        page = f"{self._public_url}/{quote(event.url_name)}/thanks"
        values = {
            "name": person.name or "",
            "event_name": event.name,
            "rate_url": f"{page}?rate={passes.sign(one, secret=self._secret)}",
            "look": look,
            "more_url": str(event.settings.get("thank_you_page_url") or ""),
        }
        try:
            mail = self._texts.write(
                "thanks", language if language in LANGUAGES else "en", values,
                to=person.email, to_name=(person.name or "")[:200],
            )  # fmt: skip
        except MailError:  # the address is none; a form of ours would have refused it
            _log.warning("thanks_without_address", session_id=person.session_id)
            return False
        occasion = f"session-{person.session_id}" if event.permanent_room else f"event-{event.id}"
        who = hashlib.sha256(person.email.encode()).hexdigest()[:32]
        return enqueue(session, mail, key=f"thanks-{occasion}-{who}", now=self._now())
