"""Pages: who registered for an event — look at, approve, decline, send the mail again, keep as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from events import registrations
from events.access_models import Registration
from events.models import Event
from events.registration_form import CustomField, form_of
from events.registrations import RegistrationStatus
from web import registration_mail
from web.access import AllServices, parse_id, transaction
from web.errors import not_found
from web.site.access.own import csv_response, own_event
from web.site.i18n import N_
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn

router = APIRouter(prefix="/events/{event_id}/registrations", include_in_schema=False)
PAGE_SIZE = 100
ACTIONS = {
    "approve": (registrations.approve, "registration_approved"),
    "decline": (registrations.decline, "registration_declined"),
    "resend": (registrations.send_again, "registration_resent"),
}
notices(
    registration_approved=N_("Approved: the person gets a mail with the way in."),
    registration_declined=N_("Declined: the person gets a mail."),
    registration_resent=N_("The mail goes out once more."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationsPage:
    """What access/registrations.html shows. `counts` under None has all."""

    event: Event
    fields: Sequence[CustomField]
    rows: Sequence[Registration]
    counts: Mapping[RegistrationStatus | None, int]
    status: RegistrationStatus | None
    words: str
    page: int
    more: bool
    enabled: bool
    url: str
    statuses: type[RegistrationStatus] = RegistrationStatus


@router.get("")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    status: str = "",
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    wanted = RegistrationStatus(status) if status in list(RegistrationStatus) else None
    words = q.replace("\x00", "").strip()
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        rows = registrations.find(session, event, status=wanted, words=words, page=page, page_size=PAGE_SIZE)
        counts = registrations.count(session, event)
    form = form_of(event.registration)
    shown = RegistrationsPage(
        event=event,
        fields=form.fields,
        rows=rows,
        counts=counts,
        status=wanted,
        words=words,
        page=page,
        more=len(rows) == PAGE_SIZE,
        enabled=form.enabled,
        url=f"{services.public_url}/{event.url_name}/register",
    )
    return render(request, "access/registrations.html", shown)


@router.get("/registrations.csv")
def export(visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        found = registrations.find(session, event, page_size=None)
    fields = form_of(event.registration).fields
    rows = (
        [
            row.created_at.isoformat(timespec="seconds"),
            row.status,
            row.first_name,
            row.last_name,
            row.email,
            row.language,
            *(_answer(row.answers.get(str(one.id))) for one in fields),
        ]
        for row in reversed(found)
    )
    columns = ("registered_at", "status", "first_name", "last_name", "email", "language")
    return csv_response(f"registrations-{event.id}", (*columns, *(one.label for one in fields)), rows)


@router.post("/{registration_id}/{action}")
def act(
    visitor: SignedIn,
    _fields: PostedForm,
    services: AllServices,
    event_id: str,
    registration_id: str,
    action: str,
) -> Response:
    """`approve`, `decline` or `resend`."""
    if action not in ACTIONS:
        raise not_found("page")
    change, done = ACTIONS[action]
    with transaction(services) as session:
        event = own_event(session, visitor, event_id)
        number = parse_id(registration_id, digits_max=9, what="registration")
        row = registrations.get(session, event, registration_id=number)
        registration_mail.send(session, services, event, change(session, event, row, now=services.now()))
    return RedirectResponse(f"/events/{event.id}/registrations?done={done}", status_code=303)


def _answer(value: str | bool | None) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else value or ""
