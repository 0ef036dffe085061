"""Page: the cards that pay what the balance lacks. Their numbers are typed at the provider and never here."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from billing.money import Money
from billing.payments import cards, queries
from billing.payments.errors import GatewayAwayError, GatewayRefusedError, KeyReusedError, NotPossibleError
from billing.payments.models import Card
from web.access import parse_id
from web.billing_parts import told
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import brand_name
from web.site.billing.top_ups import checked_key, new_key
from web.site.forms import Form, text_of
from web.site.i18n import N_
from web.site.render import notices
from web.site.security import PostedForm

router = APIRouter(prefix="/billing/cards", include_in_schema=False)
notices(
    card_removed=N_("The card is removed, here and at the payment provider."),
    card_default=N_("This card pays from now on."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """One card as the page shows it."""

    id: int
    brand: str
    last4: str
    expires: str
    expired: bool
    is_default: bool


@router.get("")
def show(frame: Framed) -> Response:
    return _page(frame)


@router.post("")
def add(frame: Framed, fields: PostedForm) -> Response:
    """Leave a card at the provider, without paying."""
    key = checked_key(text_of(fields, "key", maximum=200))
    try:
        found = frame.parts.cashier.start(
            frame.account_id, amount=None, email=frame.visitor.email, idem_key=key, save_card=True,
            now=frame.services.now(),
        )  # fmt: skip
    except (GatewayAwayError, GatewayRefusedError, KeyReusedError, NotPossibleError):
        said = frame.say(N_("No card can be left with the payment provider now. Please try again later."))
        return _page(frame, message=said, status=503)
    page = f"/billing/top-ups/{found.public_id}"
    return RedirectResponse(f"{page}/go" if found.state == "redirected" else page, status_code=303)


@router.post("/{card_id}/default")
def make_default(frame: Framed, _fields: PostedForm, card_id: str) -> Response:
    with told():
        frame.parts.cashier.set_default_card(frame.account_id, _id(card_id), now=frame.services.now())
    return RedirectResponse("/billing/cards?done=card_default", status_code=303)


@router.post("/{card_id}/remove")
def remove(frame: Framed, _fields: PostedForm, card_id: str) -> Response:
    with told():
        frame.parts.cashier.remove_card(frame.account_id, _id(card_id), now=frame.services.now())
    return RedirectResponse("/billing/cards?done=card_removed", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="card")


def _row(card: Card, frame: Frame) -> CardRow:
    return CardRow(
        id=card.id, brand=brand_name(card.brand), last4=card.last4,
        expires=f"{card.exp_month:02d}/{card.exp_year % 100:02d}",
        expired=cards.is_expired(card, at=frame.services.now()), is_default=card.is_default,
    )  # fmt: skip


def _page(frame: Frame, *, message: str | None = None, status: int = 200) -> Response:
    with frame.services.readers() as session:
        found = [_row(card, frame) for card in cards.list_cards(session, frame.account_id)]
        debts = [
            (charge, Money(charge.amount - charge.covered, charge.currency))
            for charge in queries.charges_of(session, frame.account_id)
            if charge.state in ("failed", "no_card", "waiting", "action") and charge.amount > charge.covered
        ]
    context = {
        "cards": found,
        "debts": debts,
        "states": DEBT_STATES,
        "form": Form(message=message),
        "key": new_key(),
        "can_save": any(gateway.capabilities.saved_cards for gateway in frame.parts.cashier.gateways),
        "exposure": Money(frame.payer.exposure_limit, frame.currency),
    }
    return frame.page("billing/cards.html", context, tab="/billing/cards", status=status)


DEBT_STATES = {
    "failed": N_("The card refused. Add another card or choose a different one."),
    "no_card": N_("There is no card to charge. Add one, or top up."),
    "waiting": N_("The card found too little money; it is asked again on %(day)s."),
    "action": N_("Your bank wants you to confirm: open the link in our mail."),
}
"""Of what waits for a card: state → what is to be done."""
