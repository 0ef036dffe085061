"""Pages: paying in. A form, the way to the provider's page, and what came of it.

Each form has a one-time key in its own address, so the page that the back button shows again, a reload and a
double click all ask for the same payment. What is asked for with that key under another amount is a new
payment, and the form says so before it makes one.

The provider's page is on another site. A form may only be sent to us (Content-Security-Policy, form-action,
which browsers hold against redirections, too), so the answer to the form is a page of ours that goes on.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, RedirectResponse, Response

from billing import ledger
from billing.money import Money
from billing.payments import amounts, cards, checkouts
from billing.payments.amounts import TopUpChoices
from billing.payments.errors import (
    BadAmountError,
    GatewayAwayError,
    GatewayRefusedError,
    KeyReusedError,
    NotPossibleError,
)
from billing.payments.gateway import PaymentGateway
from billing.payments.models import Checkout
from web.billing_parts import told
from web.site import formats
from web.site.billing import live, reads
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import PROVIDERS
from web.site.forms import Form, text_of
from web.site.i18n import N_
from web.site.security import PostedForm, limits_of

router = APIRouter(prefix="/billing", include_in_schema=False)
OTHER = "other"
_KEY = re.compile(r"form-[\w-]{22,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Exception):  # noqa: N818  what the form is shown with again
    """A field that cannot be accepted, with its sentence."""

    field: str
    text: str


@router.get("/top-up")
def show_form(frame: Framed, key: Annotated[str, Query(max_length=200)] = "") -> Response:
    if _KEY.fullmatch(key) is None:
        return RedirectResponse(f"/billing/top-up?key={new_key()}", status_code=303)
    with frame.services.readers() as session:
        earlier = reads.checkout_by_key(session, frame.account_id, key)
    if earlier is not None and earlier.state == "paid":
        return RedirectResponse(f"/billing/top-ups/{earlier.public_id}", status_code=303)
    offer = choices_of(frame)
    values = {"amount": str(offer.choices[len(offer.choices) // 2 - 1].minor) if offer.choices else OTHER}
    return _form(frame, Form(values={**values, "save_card": "1"}), key=key, earlier=earlier)


@router.post("/top-up")
def begin(frame: Framed, fields: PostedForm) -> Response:
    key = checked_key(text_of(fields, "key", maximum=200))
    try:
        amount = amount_of(fields, frame)
        found = frame.parts.cashier.start(
            frame.account_id, amount=amount, email=frame.visitor.email, idem_key=key,
            save_card=text_of(fields, "save_card") == "1" and can_save(frame, text_of(fields, "provider")),
            psp=_provider(fields, frame), now=frame.services.now(),
        )  # fmt: skip
    except Refusal as refusal:
        form = Form(values=fields, errors={refusal.field: refusal.text})
        return _form(frame, form, key=key, status=422)
    except KeyReusedError:
        with frame.services.readers() as session:
            earlier = reads.checkout_by_key(session, frame.account_id, key)
        said = frame.say(
            N_("You began another payment with this form. Press once more to begin this one, too.")
        )
        return _form(frame, Form(values=fields, message=said), key=new_key(), earlier=earlier, status=409)
    except (GatewayAwayError, GatewayRefusedError, NotPossibleError) as exc:
        away = isinstance(exc, GatewayAwayError)
        said = frame.say(
            N_("The payment provider does not answer. Nothing was paid; please try again in a moment.")
            if away
            else N_("The payment provider refused. Nothing was paid; choose another way or amount.")
        )
        # A refusal is final for its key; silence is not, and the same key finds what it left behind.
        form = Form(values=fields, message=said)
        return _form(frame, form, key=key if away else new_key(), status=503 if away else 502)
    return RedirectResponse(_next_page(found), status_code=303)


@router.get("/top-ups/{public_id}/go")
def go_on(frame: Framed, public_id: str) -> Response:
    """The way to the provider's page, for a checkout that is open."""
    with told(), frame.services.readers() as session:
        found = checkouts.get(session, public_id[:64], account_id=frame.account_id)
    if found.state != "redirected" or not is_web_address(found.url):
        return RedirectResponse(f"/billing/top-ups/{quote(public_id)}", status_code=303)
    host = urlsplit(found.url).netloc
    return frame.page("billing/top_up_go.html", {"checkout": found, "url": found.url, "host": host})


@router.get("/top-ups/{public_id}")
def show_state(frame: Framed, public_id: str) -> Response:
    found = _finish(frame, public_id)
    with frame.services.readers() as session:
        balance = ledger.balance(session, frame.account_id, found.currency)
    context = {
        "checkout": found,
        "amount": Money(found.amount, found.currency),
        "balance": balance,
        "can_go_on": found.state == "redirected" and is_web_address(found.url),
        "provider": PROVIDERS.get(found.psp, found.psp),
        "new_form": "/billing/top-up" if found.kind == "top_up" else "/billing/cards",
    }
    return frame.page("billing/top_up_state.html", context)


@router.get("/top-ups/{public_id}/state")
def tell_state(frame: Framed, public_id: str) -> Response:
    """For the page that waits: how it stands, as JSON."""
    found = _finish(frame, public_id)
    return JSONResponse({"state": found.state}, headers={"Cache-Control": "no-store"})


def new_key() -> str:
    """A one-time key for a form."""
    return f"form-{secrets.token_urlsafe(18)}"


def checked_key(text: str) -> str:
    """The key of a form of ours; a new one for anything else."""
    return text if _KEY.fullmatch(text) else new_key()


def is_web_address(url: str) -> bool:
    """Whether a browser may be sent there: a provider's address is data from outside."""
    return url.startswith(("https://", "http://")) and url.isprintable()


def choices_of(frame: Frame, psp: str = "") -> TopUpChoices:
    """Amounts to choose from and their limits, at the provider that was chosen or the first."""
    gateway = gateway_of(frame, psp)
    least = None if gateway is None else gateway.minimum(frame.currency)
    return amounts.choices(frame.currency, provider_minimum=least)


def gateway_of(frame: Frame, psp: str) -> PaymentGateway | None:
    """The provider of that name; the first for none."""
    found = [one for one in frame.parts.cashier.gateways if psp in ("", one.psp)]
    return found[0] if found else None


def can_save(frame: Frame, psp: str) -> bool:
    """Whether a card can be kept by this provider."""
    gateway = gateway_of(frame, psp)
    return gateway is not None and gateway.capabilities.saved_cards


def amount_of(fields: Mapping[str, Any], frame: Frame) -> Money:
    """The amount that was chosen, or typed as people of the page's language write it. Raises Refusal."""
    offer = choices_of(frame, text_of(fields, "provider"))
    chosen = text_of(fields, "amount", maximum=20)
    for each in offer.choices:
        if chosen == str(each.minor):
            return each
    typed = text_of(fields, "other_amount", maximum=200)
    if not typed:
        raise Refusal(field="other_amount", text=frame.say(N_("Please choose or type an amount.")))
    try:
        money = amounts.parse(typed, frame.currency, locale=formats.LOCALES[frame.show.language])
    except BadAmountError:
        example = {"example": frame.show.number(offer.least.amount + 15, 2)}
        said = frame.say(N_("Write the amount in digits, such as %(example)s.")) % example
        raise Refusal(field="other_amount", text=said) from None
    if not offer.least <= money <= offer.most:
        limits = {"least": frame.show.rough(offer.least), "most": frame.show.rough(offer.most)}
        said = frame.say(N_("The amount may be from %(least)s to %(most)s.")) % limits
        raise Refusal(field="other_amount", text=said)
    return money


def _provider(fields: Mapping[str, Any], frame: Frame) -> str:
    psp = text_of(fields, "provider", maximum=32)
    if gateway_of(frame, psp) is None:
        raise Refusal(field="provider", text=frame.say(N_("Please choose how to pay.")))
    return psp


def _next_page(found: Checkout) -> str:
    page = f"/billing/top-ups/{found.public_id}"
    return f"{page}/go" if found.state == "redirected" else page


def _finish(frame: Frame, public_id: str) -> Checkout:
    """How it stands; the provider is asked, though not by somebody who reloads all the time."""
    now, now_s = frame.services.now(), frame.services.clock()
    with told():
        if limits_of(frame.request).forms.take(f"payments of {frame.account_id}", now_s=now_s):
            found = frame.parts.cashier.finish(frame.account_id, public_id[:64], now=now)
        else:
            with frame.services.readers() as session:
                found = checkouts.get(session, public_id[:64], account_id=frame.account_id)
    if found.state == "paid":
        live.refresh(frame.services, frame.account_id)
    return found


def _providers(frame: Frame) -> Sequence[tuple[str, str, str]]:
    return [
        (
            gateway.psp,
            frame.say(PROVIDERS.get(gateway.psp, gateway.psp)),
            frame.say(N_("No money moves: choose on the next page what shall happen."))
            if gateway.capabilities.test_money
            else "",
        )
        for gateway in frame.parts.cashier.gateways
    ]


def _form(
    frame: Frame, form: Form, *, key: str, earlier: Checkout | None = None, status: int = 200
) -> Response:
    with frame.services.readers() as session:
        balance = ledger.balance(session, frame.account_id, frame.currency)
        has_card = cards.default_card(session, frame.account_id) is not None
    providers = _providers(frame)
    values = {"provider": providers[0][0] if providers else "", **form.values}
    offer = choices_of(frame)
    context = {
        "form": Form(values=values, errors=form.errors, message=form.message),
        "key": key,
        "choices": [(str(one.minor), frame.show.rough(one)) for one in offer.choices],
        "other": OTHER,
        "least": offer.least,
        "most": offer.most,
        "providers": providers,
        "offer_card": not has_card and any(g.capabilities.saved_cards for g in frame.parts.cashier.gateways),
        "balance": balance,
        "earlier": earlier if earlier is not None and earlier.state in ("created", "redirected") else None,
        "earlier_amount": None if earlier is None else Money(earlier.amount, earlier.currency),
    }
    return frame.page("billing/top_up.html", context, status=status)
