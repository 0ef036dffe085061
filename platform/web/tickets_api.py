"""Routes: the tickets of a paid room — list, mail again, send the money back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from billing.money import Money
from billing.payments.errors import NotPossibleError
from billing.tickets import listing
from billing.tickets.desk import TicketDesk
from billing.tickets.errors import TicketStateError, UnknownTicketError
from billing.tickets.listing import Row
from events.models import Event
from web.access import AllServices, Caller, EventRead, Page, Reader, parse_id
from web.billing_parts import Parts
from web.bodies import Fields
from web.errors import ApiError, bad_fields, not_found
from web.openapi import body_of, errors_of
from web.services import Services
from web.views import iso

router = APIRouter(prefix="/v1/conferences/{room}/tickets", tags=["access"])
REASON_CHARS_MAX = 200
TicketText = Annotated[str, Path(alias="ticket_id", description="The ticket's `id`.")]


class TicketItem(BaseModel):
    """Somebody's ticket. Amounts are decimal texts."""

    id: int
    state: str = Field(
        description="`open` (being paid), `valid`, `refunding`, `refunded`, `stuck` (the provider declined "
        "to refund) or `disputed`."
    )
    reason: str = Field(description="Why it is not valid; a slug, or the organiser's words.")
    first_name: str
    last_name: str
    email: str
    amount: str = Field(description="The price when it was bought.")
    refunded: str = Field(description="What went back of it.")
    currency: str
    token: str | None = Field(description="The way in, once paid.")
    first_use_date: str | None = Field(description="ISO 8601, on the clocks of the room.")
    paid_at: str | None = Field(description="ISO 8601, on the clocks of the room.")


class TicketList(BaseModel):
    tickets: list[TicketItem]


class TicketAnswer(BaseModel):
    ticket: TicketItem


class RefundWishes(BaseModel):
    reason: str = Field(
        min_length=1, max_length=REASON_CHARS_MAX, description="The buyer reads it in a mail."
    )


@router.get("", summary="Tickets", responses=errors_of(401, 404, 503))
def list_tickets(event: EventRead, session: Reader, page: Page = 1) -> TicketList:
    """The tickets of the room, newest first, 100 a page."""
    return TicketList(tickets=[_item(event, row) for row in listing.rows(session, event.id, page=page)])


@router.post("/{ticket_id}/mail", summary="Mail a ticket again", responses=errors_of(401, 404, 409, 503))
def mail(
    caller: Caller, event: EventRead, ticket_id: TicketText, services: AllServices, parts: Parts
) -> TicketAnswer:
    """The way in goes out once more, to the buyer's address."""
    number = parse_id(ticket_id, digits_max=9, what="ticket")
    try:
        _desk(parts.tickets).mail_again(caller.id, event.id, number, now=services.now())
    except UnknownTicketError as exc:
        raise not_found("ticket") from exc
    except TicketStateError as exc:
        raise ApiError(409, str(exc), errors=[("not-possible", str(exc))]) from exc
    return _one(services, event, number)


@router.post(
    "/{ticket_id}/refund",
    summary="Refund a ticket",
    responses=errors_of(400, 401, 404, 409, 413, 415, 422, 503),
    openapi_extra=body_of(RefundWishes, example={"reason": "You could not come."}),
)
def refund(
    caller: Caller,
    event: EventRead,
    ticket_id: TicketText,
    fields: Fields,
    services: AllServices,
    parts: Parts,
) -> TicketAnswer:
    """The price goes back to the buyer, and the token opens nothing any more."""
    number = parse_id(ticket_id, digits_max=9, what="ticket")
    given = fields.get("reason")
    reason = " ".join(given.split()) if isinstance(given, str) else ""
    if not 1 <= len(reason) <= REASON_CHARS_MAX or not reason.isprintable():
        raise bad_fields(("reason", f"must be 1 to {REASON_CHARS_MAX} printable characters"))
    try:
        _desk(parts.tickets).refund(
            caller.id, event.id, number, actor=f"account {caller.id}", reason=reason, now=services.now()
        )
    except UnknownTicketError as exc:
        raise not_found("ticket") from exc
    except (TicketStateError, NotPossibleError) as exc:
        raise ApiError(409, str(exc), errors=[("not-possible", str(exc))]) from exc
    services.directory.refresh()
    return _one(services, event, number)


def _desk(desk: TicketDesk | None) -> TicketDesk:
    if desk is None:
        raise not_found("page: no tickets are sold here")
    return desk


def _one(services: Services, event: Event, number: int) -> TicketAnswer:
    with services.readers() as session:
        row = listing.one(session, event.id, number)
    assert row is not None, "it was there a moment ago"
    return TicketAnswer(ticket=_item(event, row))


def _item(event: Event, row: Row) -> TicketItem:
    ticket, zone = row.ticket, event.timezone
    return TicketItem(
        id=ticket.id,
        state=ticket.state,
        reason=ticket.reason,
        first_name=ticket.first_name,
        last_name=ticket.last_name,
        email=ticket.email,
        amount=str(row.amount.amount),
        refunded=str(Money(ticket.refunded, ticket.currency).amount),
        currency=ticket.currency,
        token=row.token,
        first_use_date=None if row.first_use_date is None else iso(row.first_use_date, zone=zone),
        paid_at=None if ticket.paid_at is None else iso(ticket.paid_at, zone=zone),
    )
