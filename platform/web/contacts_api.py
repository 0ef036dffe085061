"""Routes: the address book."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from contacts import service
from contacts.errors import BadContactError
from contacts.fields import parse_contact
from contacts.models import Contact
from web.access import AllServices, Caller, Page, Reader, Writer
from web.bodies import Fields
from web.errors import bad_fields
from web.openapi import body_of, errors_of

router = APIRouter(prefix="/v1/contacts", tags=["contacts"])


class ContactBody(BaseModel):
    email: str = Field(description="Mail address; somebody with it is filled in.")
    firstname: str | None = Field(None, description="Or `first_name`.")
    lastname: str | None = Field(None, description="Or `last_name`.")
    phone: str | None = Field(None, description="E.164 or as it is dialled.")
    company: str | None = Field(None, description="Where they work.")
    country: str | None = Field(None, description="ISO 3166, two letters.")
    group: str | None = Field(None, description="Name of a group, which is made when there is none.")


class ContactItem(BaseModel):
    """Somebody in the address book."""

    id: int
    email: str
    firstname: str
    lastname: str
    phone: str
    company: str
    country: str
    unsubscribed: bool = Field(description="Whether they want no mail.")


class ContactAnswer(BaseModel):
    contact: ContactItem


@router.get("", summary="Contacts", responses=errors_of(401, 503))
def list_contacts(caller: Caller, session: Reader, page: Page = 1) -> list[ContactItem]:
    """The address book by name, 100 a page."""
    found, _total = service.find(session, account_id=caller.id, page=page)
    return [_item(one) for one in found]


@router.post(
    "",
    status_code=201,
    summary="New contact",
    responses=errors_of(400, 401, 413, 415, 422, 503),
    openapi_extra=body_of(
        ContactBody, example={"email": "ann@example.org", "firstname": "Ann", "group": "Customers"}
    ),
)
def add(caller: Caller, fields: Fields, session: Writer, services: AllServices) -> ContactAnswer:
    """Add somebody, or fill in what is known of somebody with that address."""
    group = fields.get("group")
    for name in ("group", "country"):
        if fields.get(name) is not None and not isinstance(fields[name], str):
            raise bad_fields((name, "must be text"))
    try:
        contact, _fresh = service.save(
            session, account_id=caller.id, fields=parse_contact(fields), now=services.now()
        )
        if group is not None and group.strip():
            made = service.make_group(session, account_id=caller.id, name=group, now=services.now())
            service.add_to_group(session, made, [contact])
    except BadContactError as exc:
        raise bad_fields(*exc.problems) from exc
    return ContactAnswer(contact=_item(contact))


def _item(one: Contact) -> ContactItem:
    return ContactItem(
        id=one.id,
        email=one.email,
        firstname=one.first_name,
        lastname=one.last_name,
        phone=one.phone,
        company=one.company,
        country=one.country,
        unsubscribed=one.unsubscribed_at is not None,
    )
