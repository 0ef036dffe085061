"""Pages: the tickets of an event — who bought, what came in, mail again, send the money back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from accounts.sign_in import Visitor
from billing.money import Money
from billing.payments.errors import NotPossibleError
from billing.tickets import listing, offers
from billing.tickets.errors import TicketStateError, UnknownTicketError
from billing.tickets.listing import Row, Totals
from billing.tickets.offers import Offer
from billing.tickets.states import State
from events.models import Event
from web.access import AllServices, parse_id
from web.errors import not_found
from web.services import Services
from web.site.access.own import csv_response, own_event
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn
from web.site.tickets.desk import Desk

router = APIRouter(prefix="/events/{event_id}/tickets", include_in_schema=False)
REASON_CHARS_MAX = 200
notices(
    ticket_mailed=N_("The ticket is on its way once more."),
    ticket_refunded=N_("The money goes back, and the ticket opens nothing any more."),
    ticket_outside=N_("The ticket is marked as refunded by you."),
    ticket_state=N_("That does not fit how this ticket stands now."),
)
STATES = {
    State.OPEN: N_("Being paid"),
    State.VALID: N_("Paid for"),
    State.REFUNDING: N_("Money goes back"),
    State.REFUNDED: N_("Refunded"),
    State.STUCK: N_("Refund declined"),
    State.DISPUTED: N_("Charged back"),
}
REASONS = {
    "sold-out": N_("sold out while they paid"),
    "duplicate": N_("second payment of the same address"),
    "event-over": N_("the event was over"),
    "amount-differs": N_("another amount arrived"),
    "paid-twice": N_("paid twice on one page"),
    "at-provider": N_("in the provider's own pages"),
    "chargeback": N_("by the buyer's bank"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketsPage:
    """What tickets/sold.html shows. `owed`: for tickets of all the account's events."""

    event: Event
    offer: Offer | None
    on_sale: bool
    rows: Sequence[Row]
    sums: Sequence[Totals]
    owed: Sequence[Money]
    states: dict[State, str]
    reasons: dict[str, str]
    locale: str
    words: str
    page: int
    more: bool
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPage:
    """What tickets/refund.html shows. `outside`: the provider declined, the organiser may have paid back."""

    event: Event
    row: Row
    amount: str
    outside: bool
    form: Form


@router.get("")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    _desk: Desk,
    event_id: str,
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    words = q.replace("\x00", "").strip()
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        found = listing.rows(session, event.id, words=words, page=page)
        shown = TicketsPage(
            event=event,
            offer=offers.of(session, event.id),
            on_sale=offers.on_sale(event),
            rows=found,
            sums=listing.totals(session, event.id),
            owed=listing.owed(session, visitor.account_id),
            states=STATES,
            reasons=REASONS,
            locale=language_of(request),
            words=words,
            page=page,
            more=len(found) == listing.PAGE_SIZE,
            total=listing.count(session, event.id),
        )
    return render(request, "tickets/sold.html", shown)


@router.get("/tickets.csv")
def export(visitor: SignedIn, services: AllServices, _desk: Desk, event_id: str) -> Response:
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        found = listing.rows(session, event.id, page_size=None)
    lines = (listing.line(row) for row in reversed(found))
    return csv_response(f"tickets-{event.id}", listing.COLUMNS, lines)


@router.post("/{ticket_id}/mail")
def mail(
    visitor: SignedIn, _fields: PostedForm, services: AllServices, desk: Desk, event_id: str, ticket_id: str
) -> Response:
    event, number = _which(services, visitor, event_id, ticket_id)
    done = "ticket_mailed"
    try:
        desk.mail_again(visitor.account_id, event.id, number, now=services.now())
    except UnknownTicketError as exc:
        raise not_found("page") from exc
    except TicketStateError:
        done = "ticket_state"
    return RedirectResponse(f"/events/{event.id}/tickets?done={done}", status_code=303)


@router.get("/{ticket_id}/refund")
def ask_refund(
    request: Request, visitor: SignedIn, services: AllServices, _desk: Desk, event_id: str, ticket_id: str
) -> Response:
    event, number = _which(services, visitor, event_id, ticket_id)
    return _refund_page(request, services, event, number, Form())


@router.post("/{ticket_id}/refund")
def refund(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices, desk: Desk,
    event_id: str, ticket_id: str,
) -> Response:  # fmt: skip
    """`how`: "provider", or "outside" for one that the provider declined."""
    event, number = _which(services, visitor, event_id, ticket_id)
    say = texts(language_of(request)).gettext
    reason = " ".join(text_of(fields, "reason", maximum=REASON_CHARS_MAX).split())
    if not reason or not reason.isprintable():
        form = Form(values=fields, errors={"reason": say(N_("Please write a few words."))})
        return _refund_page(request, services, event, number, form, status=422)
    outside = text_of(fields, "how") == "outside"
    done = "ticket_outside" if outside else "ticket_refunded"
    try:
        if outside:
            desk.refunded_outside(
                visitor.account_id, event.id, number, reason=reason, now=services.now()
            )
        else:
            desk.refund(
                visitor.account_id, event.id, number, actor=f"user {visitor.user_id}", reason=reason,
                now=services.now(),
            )  # fmt: skip
    except UnknownTicketError as exc:
        raise not_found("page") from exc
    except TicketStateError:
        done = "ticket_state"
    except NotPossibleError:
        message = say(N_("So much is not there any more, because it was paid out to you."))
        form = Form(values=fields, message=message)
        return _refund_page(request, services, event, number, form, status=409)
    services.directory.refresh()
    return RedirectResponse(f"/events/{event.id}/tickets?done={done}", status_code=303)


def _which(services: Services, visitor: Visitor, event_id: str, ticket_id: str) -> tuple[Event, int]:
    with services.readers() as session:
        return own_event(session, visitor, event_id), parse_id(ticket_id, digits_max=9, what="page")


def _refund_page(
    request: Request, services: Services, event: Event, number: int, form: Form, *, status: int = 200
) -> Response:
    with services.readers() as session:
        row = listing.one(session, event.id, number)
    if row is None or row.ticket.state not in (State.VALID, State.STUCK):
        raise not_found("page")
    left = Money(row.ticket.amount - row.ticket.refunded, row.ticket.currency)
    shown = RefundPage(
        event=event,
        row=row,
        amount=left.format(language_of(request)),
        outside=row.ticket.state == State.STUCK,
        form=form,
    )
    return render(request, "tickets/refund.html", shown, status=status)
