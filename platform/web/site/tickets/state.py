"""Pages: on to the payment, and what came of it: `/tickets/{public_id}`.

The public id is 24 characters that cannot be guessed, but providers see it and browsers keep it. So the page
says how the payment stands and never the way in, which goes to the buyer's mail address alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from billing.money import Money
from billing.tickets.desk import Bought, TicketDesk
from billing.tickets.errors import UnknownTicketError
from billing.tickets.states import State
from web.access import AllServices
from web.errors import not_found
from web.services import Services
from web.site.billing.top_ups import is_web_address
from web.site.i18n import language_of
from web.site.render import render
from web.site.security import limits_of
from web.site.tickets.desk import Desk

router = APIRouter(prefix="/tickets", include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoPage:
    """What tickets/go.html shows."""

    url: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePage:
    """What tickets/state.html shows. `word`: paid, waiting, cancelled, declined, expired, refunding,
    refunded, stuck or disputed. `email` is masked.
    """

    public_id: str
    word: str
    reason: str
    event_name: str
    url_name: str
    amount: str
    email: str
    can_go_on: bool
    test_money: bool


@router.get("/{public_id}/go")
def go_on(request: Request, public_id: str, services: AllServices, desk: Desk) -> Response:
    """The way to the provider's page, while it is open."""
    found = _look(request, services, desk, public_id, ask=False)
    url = found.checkout.url
    if found.checkout.state != "redirected" or not is_web_address(url):
        return RedirectResponse(f"/tickets/{quote(public_id)}", status_code=303)
    return render(request, "tickets/go.html", GoPage(url=url, host=urlsplit(url).netloc))


@router.get("/{public_id}")
def show(request: Request, public_id: str, services: AllServices, desk: Desk) -> Response:
    found = _look(request, services, desk, public_id, ask=True)
    ticket, checkout = found.ticket, found.checkout
    word = _word(found)
    page = StatePage(
        public_id=checkout.public_id,
        word="cancelled" if word == "waiting" and request.query_params.get("cancelled") == "1" else word,
        reason=ticket.reason,
        event_name=found.event.name,
        url_name=found.event.url_name,
        amount=Money(ticket.amount, ticket.currency).format(language_of(request)),
        email=masked(ticket.email),
        can_go_on=checkout.state == "redirected" and is_web_address(checkout.url),
        test_money=checkout.psp == "test",
    )
    return render(request, "tickets/state.html", page, headers={"Cache-Control": "no-store"})


@router.get("/{public_id}/state")
def tell(request: Request, public_id: str, services: AllServices, desk: Desk) -> Response:
    """For the page that waits: how it stands, as JSON."""
    word = _word(_look(request, services, desk, public_id, ask=True))
    return JSONResponse({"state": word}, headers={"Cache-Control": "no-store"})


def masked(email: str) -> str:
    """b•••@example.org"""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain}"


def _word(found: Bought) -> str:
    if found.ticket.state != State.OPEN:
        return "paid" if found.ticket.state == State.VALID else found.ticket.state
    if found.checkout.state == "failed":
        return "cancelled" if found.checkout.reason in ("cancelled", "canceled") else "declined"
    return "expired" if found.checkout.state == "expired" else "waiting"


def _look(
    request: Request, services: Services, desk: TicketDesk, public_id: str, *, ask: bool
) -> Bought:
    """How it stands; the provider is asked, though not by somebody who reloads all the time."""
    try:
        may_ask = ask and limits_of(request).forms.take(
            f"ticket {public_id[:64]}", now_s=services.clock()
        )
        return desk.look(public_id[:64], ask=may_ask, now=services.now())
    except UnknownTicketError as exc:
        raise not_found("page") from exc
