"""Routes: invitations by mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from events import addresses, invitation_book
from events.fields import Status
from events.invitation_book import Guest
from rooms.modes import Role
from web.access import AllServices, Caller, EventWritten, Writer
from web.bodies import LongFields
from web.errors import ApiError, bad_fields
from web.openapi import body_of, errors_of
from web.site.i18n import LANGUAGES

router = APIRouter(prefix="/v1/conferences/{room}/invitation", tags=["invitations"])
ATTENDEES_MAX = 10_000


class Attendee(BaseModel):
    email: str = Field(description="Mail address.")
    name: str | None = Field(None, description="Name, for the greeting.")


class InvitationWishes(BaseModel):
    """Whom to invite. As a form: `attendees[0][email]=ann@example.org`."""

    attendees: list[Attendee] = Field(min_length=1, description=f"Whom: up to {ATTENDEES_MAX}.")
    role: Literal["listener", "presenter", "host"] | None = Field(None, description="Default: `listener`.")
    message: str | None = Field(None, description="A few words of your own.")


class InvitationAnswer(BaseModel):
    status: str = Field(description="`OK`.")
    invited: int = Field(description="Mails that are on their way.")
    known: list[str] = Field(description="Addresses that were invited before; they get nothing.")
    unsubscribed: list[str] = Field(description="Addresses that want no mail.")


@router.post(
    "/email/{lang}",
    summary="Invite by mail",
    responses=errors_of(400, 401, 404, 409, 413, 415, 422, 503),
    openapi_extra=body_of(
        InvitationWishes, example={"attendees": [{"email": "ann@example.org", "name": "Ann"}]}
    ),
)
def invite(
    _caller: Caller,
    fields: LongFields,
    event: EventWritten,
    session: Writer,
    services: AllServices,
    lang: Annotated[
        str, Path(description="Language of the mails.", json_schema_extra={"enum": [*LANGUAGES]})
    ],
) -> InvitationAnswer:
    """Invite people; each gets one mail with their own way in."""
    if lang not in LANGUAGES:
        raise bad_fields(("lang", "must be one of: " + ", ".join(LANGUAGES)))
    if event.status != Status.ACTIVE:
        raise ApiError(409, "the event is over", errors=[("event-over", "the event is over")])
    role = fields.get("role") or "listener"
    if role not in ("listener", "presenter", "host"):
        raise bad_fields(("role", "must be one of: listener, presenter, host"))
    guests, problems = _guests(
        fields.get("attendees"), lang, Role.PARTICIPANT if role == "listener" else Role.PRESENTER
    )
    if problems or not guests:
        raise bad_fields(*(problems or [("attendees", "is required")]))
    note = fields.get("message")
    done = invitation_book.invite(
        session, event, guests, note=note if isinstance(note, str) else "", now=services.now()
    )
    return InvitationAnswer(
        status="OK", invited=done.added, known=list(done.known), unsubscribed=list(done.unsubscribed)
    )


def _guests(given: object, lang: str, role: Role) -> tuple[list[Guest], list[tuple[str, str]]]:
    """The attendees, and what is wrong with them."""
    rows = list(given.values()) if isinstance(given, Mapping) else given
    if not isinstance(rows, list):
        return [], []
    if len(rows) > ATTENDEES_MAX:
        return [], [("attendees", f"must not be more than {ATTENDEES_MAX}")]
    guests, problems = [], []
    for number, row in enumerate(rows):
        entry = row if isinstance(row, Mapping) else {"email": row}
        email = entry.get("email")
        found = addresses.read_entry(email) if isinstance(email, str) else None
        if found is None:
            problems.append((f"attendees[{number}][email]", "must be a mail address"))
            continue
        named = entry.get("name") or f"{entry.get('firstname') or ''} {entry.get('lastname') or ''}"
        name = " ".join(str(named).split())[:200]
        name = "".join(char for char in name if char.isprintable())
        guests.append(Guest(email=found.email, name=name or found.name, language=lang, role=role.value))
    return guests, problems[:50]
