"""Routes: registering somebody for a room, and who is registered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from events import registrations
from events.access_models import Registration
from events.errors import RegistrationError
from events.models import Event
from events.registration_form import RegistrationForm, check, form_of
from events.registrations import RegistrationStatus
from web import registration_mail
from web.access import AllServices, Caller, EventRead, EventWritten, Page, Reader, Writer
from web.bodies import Fields
from web.errors import ApiError, bad_fields, not_found
from web.openapi import body_of, errors_of
from web.site.i18n import DEFAULT, LANGUAGES
from web.views import iso

router = APIRouter(prefix="/v1/conferences/{room}", tags=["access"])
ALL, ACTIVE = "all", "active"
_EXAMPLE = {
    "registration": {"1": "Ann", "2": "Martin", "3": "ann@example.org"},
    "confirmation_email": {"enabled": True, "lang": "en"},
}


class ConfirmationEmail(BaseModel):
    enabled: bool | None = Field(None, description="Whether the person gets the mail; default 0.")
    lang: Literal["en", "fr"] | None = Field(None, description="Language of the mail.")


class RegistrationBody(BaseModel):
    """As a form: `registration[1]` first name, `[2]` last name, `[3]` mail address, `[4]` and so on the
    organiser's own fields.
    """

    registration: dict[str, str] = Field(description="Number of a field → what was filled in.")
    confirmation_email: ConfirmationEmail | None = Field(None, description="Whether a mail goes out.")


class RegistrationItem(BaseModel):
    """Somebody who registered."""

    id: int
    status: str = Field(description="`pending`, `approved` or `declined`.")
    email: str
    first_name: str
    last_name: str
    registered_at: str = Field(description="ISO 8601, on the clocks of the room.")
    fields: dict[str, str | bool] = Field(description="The organiser's own fields: label → answer.")


class RegistrationAnswer(BaseModel):
    status: str = Field(description="`OK`.")
    url: str = Field(description="Address of the room; with the person's own token once they are approved.")
    registration: RegistrationItem


@router.post(
    "/registration",
    status_code=201,
    summary="Register somebody",
    responses=errors_of(400, 401, 404, 409, 413, 415, 422, 503),
    openapi_extra=body_of(RegistrationBody, example=_EXAMPLE),
)
def register(
    _caller: Caller, fields: Fields, event: EventWritten, session: Writer, services: AllServices
) -> RegistrationAnswer:
    """Register a person. An address that is registered already stays as it is and is answered the same."""
    given, wish = fields.get("registration"), fields.get("confirmation_email")
    if not isinstance(given, Mapping):
        raise bad_fields(("registration", "must be a group of named values"))
    wish = wish if isinstance(wish, Mapping) else {}
    language = wish.get("lang") if wish.get("lang") in LANGUAGES else DEFAULT
    form = form_of(event.registration)
    try:
        found = registrations.register(
            session,
            event,
            check(form, given),
            language=str(language),
            timezone=event.timezone,
            now=services.now(),
        )
    except RegistrationError as exc:
        raise ApiError(409, str(exc), errors=[("registration-closed", str(exc))]) from exc
    if str(wish.get("enabled", "")).lower() in ("1", "true", "on", "yes"):
        registration_mail.send(session, services, event, found)
    return RegistrationAnswer(
        status="OK",
        url=registration_mail.own_link(services, event, found),
        registration=_item(event, form, found.registration),
    )


@router.get("/registrations/{status}", summary="Registrations", responses=errors_of(401, 404, 503))
def list_registrations(
    event: EventRead,
    session: Reader,
    status: Annotated[
        str,
        Path(
            description="`active` is the same as `approved`.",
            json_schema_extra={"enum": [ALL, ACTIVE, *RegistrationStatus]},
        ),
    ],
    page: Page = 1,
) -> list[RegistrationItem]:
    """Who registered, newest first."""
    wanted = RegistrationStatus.APPROVED if status == ACTIVE else status
    if wanted not in (ALL, *RegistrationStatus):
        raise not_found("status")
    found = registrations.find(
        session, event, status=None if wanted == ALL else RegistrationStatus(wanted), page=page
    )
    form = form_of(event.registration)
    return [_item(event, form, row) for row in found]


def _item(event: Event, form: RegistrationForm, row: Registration) -> RegistrationItem:
    labels = {str(one.id): one.label for one in form.fields}
    return RegistrationItem(
        id=row.id,
        status=row.status,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        registered_at=iso(row.created_at, zone=event.timezone),
        fields={labels.get(number, number): answer for number, answer in row.answers.items()},
    )
