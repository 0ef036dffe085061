"""Routes: who was in a session and who had registered for it, and its report as PDF.

The fields are those that clients of the product in the FAQ read. Making a report takes well under a second,
so it is always FINISHED when the answer comes; `url` is good for a day and needs no key, because clients
hand it to people.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.cdr.visits import CdrVisits
from events import repository
from events.access_models import Registration
from events.models import Event, EventSession
from reports.errors import NoSuchWordsError
from reports.people import Person
from reports.reading import people_in
from reports.words import LANGUAGES, words_in
from rooms.modes import Role
from web import report_links
from web.access import AllServices, EventRead, Reader, Run, parse_id
from web.errors import bad_fields, not_found
from web.openapi import errors_of
from web.report_schemas import AttendeeEntry, PdfState, SessionAttendee, SessionRegistration, WholeSession
from web.services import Services
from web.site.statistics.routes import pdf_response
from web.views import iso, session_entry

router = APIRouter(prefix="/v1/conferences/{room}/sessions/{session_id}", tags=["sessions"])
#: The files themselves, outside /v1.
files_router = APIRouter(include_in_schema=False)
Language = Annotated[str, Path(max_length=8, description=f"One of {', '.join(LANGUAGES)}.")]


@router.get("", summary="One session", responses=errors_of(401, 404, 503))
def read(event: EventRead, run: Run, session: Reader, services: AllServices) -> WholeSession:
    """When a run began and ended, who was there, and where its report is."""
    people = people_in(session, CdrVisits(), [run.id])
    return WholeSession(
        **session_entry(run, zone=event.timezone).model_dump(),
        attendees=[_short(person, zone=event.timezone) for person in people],
        pdf={language: _pdf(services, run, language) for language in LANGUAGES},
    )


@router.get("/attendees", summary="Who was there", responses=errors_of(401, 404, 503))
def attendees(event: EventRead, run: Run, session: Reader) -> list[AttendeeEntry]:
    """One entry for each person, by time of coming; their phone and their browser are one person."""
    return [_entry(person, zone=event.timezone) for person in people_in(session, CdrVisits(), [run.id])]


@router.get("/registrations", summary="Who had registered", responses=errors_of(401, 404, 503))
def registrations(event: EventRead, run: Run, session: Reader) -> list[SessionRegistration]:
    """Everybody who registered for the event; `session_id` is set for those who were in this session."""
    came = {person.email for person in people_in(session, CdrVisits(), [run.id]) if person.email}
    return [
        _registration(row, event, session_id=run.id if row.email in came else None)
        for row in _registered(session, event)
    ]


@router.get("/generate-pdf/{lang}", summary="Report as PDF", responses=errors_of(401, 404, 422, 503))
def generate_pdf(_event: EventRead, run: Run, services: AllServices, lang: Language) -> PdfState:
    """Where the report in this language is."""
    try:
        words_in(lang)
    except NoSuchWordsError as exc:
        raise bad_fields(("lang", str(exc))) from exc
    return _pdf(services, run, lang)


@files_router.get("/reports/{session_id}/{lang}/{until}/{mac}.pdf")
def file(services: AllServices, session_id: str, lang: str, until: str, mac: str) -> Response:
    number = parse_id(session_id, digits_max=18, what="report")
    expires = parse_id(until, digits_max=12, what="report")
    now_s = services.now().timestamp()
    if not report_links.is_good(number, lang, expires, mac, secret=services.secret, unix_s=now_s):
        raise not_found("report")
    with services.readers() as session:
        run = session.get(EventSession, number)
        event = None if run is None else repository.get_any(session, run.event_id)
    if run is None or event is None:
        raise not_found("report")
    return pdf_response(services, event, run, language=lang)


def _pdf(services: Services, run: EventSession, language: str) -> PdfState:
    path = report_links.path_for(run.id, language, secret=services.secret, unix_s=services.now().timestamp())
    return PdfState(status="FINISHED", progress=100, url=f"{services.public_url}{path}")


def _short(person: Person, *, zone: str) -> SessionAttendee:
    return SessionAttendee(
        id=person.participant_id,
        login=person.shown_name,
        email=person.email,
        start_date=iso(person.joined_at, zone=zone),
        end_date=iso(person.left_at, zone=zone),
    )


def _entry(person: Person, *, zone: str) -> AttendeeEntry:
    return AttendeeEntry(
        uid=person.participant_id,
        role=None if person.role is None else _role(person.role),
        nickname=person.shown_name,
        email=person.email,
        device=person.user_agent,
        rating=None if person.stars is None else str(person.stars),
        rating_comment=person.comment,
        start_date=iso(person.joined_at, zone=zone),
        end_date=iso(person.left_at, zone=zone),
        user_ip=person.ip,
        present_s=person.present_ms / 1000,
        browser_s=person.browser_ms / 1000,
        phone_s=person.phone_ms / 1000,
        device_type=person.device,
        browser=person.browser,
        system=person.system,
        country=person.country,
        phone_number=person.number,
    )


def _role(role: str) -> str:
    return "presenter" if role == Role.PRESENTER else "listener"


def _registered(session: Session, event: Event) -> list[Registration]:
    wanted = select(Registration).where(Registration.event_id == event.id).order_by(Registration.id)
    return list(session.scalars(wanted))


def _registration(row: Registration, event: Event, *, session_id: int | None) -> SessionRegistration:
    zone = event.timezone
    return SessionRegistration(
        id=row.id,
        visitor_nickname=f"{row.first_name} {row.last_name}".strip(),
        email=row.email,
        registration_date=iso(row.created_at, zone=zone),
        registration_confirmed=None if row.decided_at is None else iso(row.decided_at, zone=zone),
        session_id=session_id,
        status=row.status,
        fields={"First Name": row.first_name, "Last Name": row.last_name, "Email Address": row.email},
    )
