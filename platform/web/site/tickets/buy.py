"""The page on which somebody buys a ticket: `/{url_name}/ticket`. It works without scripts.

Each form has a one-time key in its own address, as top-ups have: the back button, a reload and a double click
ask for the same ticket. The form says the price that the buyer saw; when it has changed, they see the new one
before anything is paid. Names go into a mail to any address, so they may not hold web addresses.

Whoever types an address that has a ticket is told so, and the mail goes out again: letting them pay once
more, to keep from strangers who has a ticket, would be the greater harm.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from billing.money import Money
from billing.payments.errors import (
    BadKeyError,
    GatewayAwayError,
    GatewayRefusedError,
    KeyReusedError,
    NotPossibleError,
)
from billing.tickets import offers
from billing.tickets.desk import Buyer, TicketDesk
from billing.tickets.errors import HasTicketError, NotOnSaleError, PriceChangedError, SoldOutError
from events.errors import BadEventError
from events.invitations import organiser_of
from events.models import Event
from events.registration_form import EMAIL, FIRST_NAME, LAST_NAME, RegistrationForm, check
from events.schedule import zone_names
from events.service import find_event
from web.access import AllServices
from web.errors import not_found
from web.services import Services
from web.site.billing.kinds import PROVIDERS
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.limits import Rates
from web.site.problems import sentence
from web.site.render import render
from web.site.security import PostedForm, address_of, too_many
from web.site.tickets.desk import Desk

router = APIRouter(include_in_schema=False)
PER_MINUTE, BURST = 20, 40
_KEY = re.compile(r"form-[\w-]{22,64}", re.ASCII)
_FIELDS = {"first_name": FIRST_NAME, "last_name": LAST_NAME, "email": EMAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyPage:
    """What tickets/buy.html shows. `left`: how many tickets there still are, None for no limit."""

    event_name: str
    url_name: str
    starts_at: datetime | None
    timezone: str
    duration_min: int
    seller: str
    price: str
    price_seen: str
    left: int | None
    on_sale: bool
    providers: Sequence[tuple[str, str]]
    test_money: bool
    key: str
    form: Form


@router.get("/{url_name}/ticket")
def show(
    request: Request,
    url_name: str,
    services: AllServices,
    desk: Desk,
    key: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    with services.readers() as session:
        event = _event(session, url_name)
    if _KEY.fullmatch(key) is None:
        return RedirectResponse(f"/{event.url_name}/ticket?key={_new_key()}", status_code=303)
    earlier = desk.by_key(event.id, event.account_id, key)
    if earlier is not None and earlier.state == "paid":
        return RedirectResponse(f"/tickets/{earlier.public_id}", status_code=303)
    if earlier is not None and earlier.state in ("failed", "expired"):
        return RedirectResponse(f"/{event.url_name}/ticket?key={_new_key()}", status_code=303)
    return _page(request, services, desk, event, Form(), key=key)


@router.post("/{url_name}/ticket")
def send(
    request: Request, url_name: str, fields: PostedForm, services: AllServices, desk: Desk
) -> Response:
    if not _rates(request).take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    language = language_of(request)
    say = texts(language).gettext
    with services.readers() as session:
        event = _event(session, url_name)
        offer = offers.of(session, event.id)
    key = text_of(fields, "key", maximum=200)
    key = key if _KEY.fullmatch(key) else _new_key()

    def again(message: str, *, status: int, key: str = key) -> Response:
        return _page(
            request, services, desk, event, Form(values=fields, message=say(message)), key=key, status=status
        )

    if offer is None or not offers.on_sale(event):
        return again(N_("No tickets are sold for this event."), status=410)
    if text_of(fields, "price", maximum=40) != str(offer.price):
        return again(N_("The price has changed. Please look at it and press again."), status=409)
    earlier = desk.by_key(event.id, event.account_id, key)
    if earlier is not None and earlier.state in ("failed", "expired"):
        key = _new_key()
    try:
        buyer = _buyer(fields, language=language, zone=event.timezone)
        found = desk.buy(
            event.id, buyer, key=key, price=offer.price, psp=_provider(fields, desk, offer.price),
            now=services.now(),
        )  # fmt: skip
    except BadEventError as exc:
        named = {f"registration[{number}]": name for name, number in _FIELDS.items()}
        errors = {
            named.get(one.field, one.field): sentence(language, one.message) for one in exc.problems
        }
        message = say(N_("Nothing is bought yet: please look at the marked fields."))
        form = Form(values=fields, errors=errors, message=message)
        return _page(request, services, desk, event, form, key=key, status=422)
    except HasTicketError:
        return again(
            N_("This address has a ticket already. Its mail was sent again; nothing was paid."), status=409
        )
    except SoldOutError:
        return again(N_("The last ticket was just sold."), status=409)
    except NotOnSaleError:
        return again(N_("No tickets are sold for this event."), status=410)
    except PriceChangedError:
        return again(N_("The price has changed. Please look at it and press again."), status=409)
    except (KeyReusedError, BadKeyError):
        return again(N_("This form was used for something else. Please press again."), status=409,
                     key=_new_key())  # fmt: skip
    except GatewayAwayError:
        return again(
            N_("The payment provider does not answer. Nothing was paid; please try again in a moment."),
            status=503,
        )
    except (GatewayRefusedError, NotPossibleError):
        return again(N_("The payment provider refused. Nothing was paid; choose another way."), status=502,
                     key=_new_key())  # fmt: skip
    page = f"/tickets/{quote(found.public_id)}"
    return RedirectResponse(f"{page}/go" if found.state == "redirected" else page, status_code=303)


def _buyer(fields: dict[str, Any], *, language: str, zone: str) -> Buyer:
    """Who buys. Raises BadEventError, names as in registrations."""
    given = {str(number): text_of(fields, name) for name, number in _FIELDS.items()}
    entry = check(RegistrationForm(enabled=True), given)
    own = text_of(fields, "timezone", maximum=64)
    return Buyer(
        first_name=entry.first_name,
        last_name=entry.last_name,
        email=entry.email,
        language=language,
        timezone=own if own in zone_names() else zone,
    )


def _provider(fields: dict[str, Any], desk: TicketDesk, price: Money) -> str:
    """The provider that was chosen, else the first that takes the price. Raises NotPossibleError."""
    offered = desk.providers(price)
    if not offered:
        raise NotPossibleError("no provider takes this price")
    chosen = text_of(fields, "provider", maximum=32)
    return chosen if chosen in offered else offered[0]


def _page(
    request: Request, services: Services, desk: TicketDesk, event: Event, form: Form, *, key: str,
    status: int | None = None,
) -> Response:  # fmt: skip
    language = language_of(request)
    with services.readers() as session:
        offer = offers.of(session, event.id)
        seller = organiser_of(session, event.account_id)
    on_sale = offer is not None and offers.on_sale(event)
    providers = [] if offer is None else desk.providers(offer.price)
    page = BuyPage(
        event_name=event.name,
        url_name=event.url_name,
        starts_at=None if event.permanent_room else event.starts_at,
        timezone=event.timezone,
        duration_min=event.duration_min,
        seller=seller[0] or seller[1],
        price="" if offer is None else offer.price.format(language),
        price_seen="" if offer is None else str(offer.price),
        left=None if offer is None else offer.left,
        on_sale=on_sale,
        providers=[(psp, texts(language).gettext(PROVIDERS.get(psp, psp))) for psp in providers],
        test_money="test" in providers,
        key=key,
        form=Form(
            values={"provider": providers[0] if providers else "", **form.values},
            errors=form.errors,
            message=form.message,
        ),
    )
    return render(request, "tickets/buy.html", page, status=status or (200 if on_sale else 410))


def _event(session: Session, url_name: str) -> Event:
    event = find_event(session, url_name) if url_name.isprintable() else None
    if event is None:
        raise not_found("page")
    return event


def _new_key() -> str:
    return f"form-{secrets.token_urlsafe(18)}"


def _rates(request: Request) -> Rates:
    """The limit of this application; made with the first form."""
    state = request.app.state
    if not hasattr(state, "ticket_rates"):
        state.ticket_rates = Rates(per_minute=PER_MINUTE, burst=BURST)
    rates: Rates = state.ticket_rates
    return rates


