"""Page: why a call costs what it costs, step by step, with every price that it ever had.

`billing.explain` gives keys and values; here they become sentences in the page's language. A test holds both
lists of keys against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from fastapi import APIRouter
from fastapi.responses import Response

from billing.explain import Step, explain
from bridge.cdr.masking import masked
from web.billing_parts import told
from web.errors import not_found
from web.site.billing import reads
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import CLASSES
from web.site.i18n import N_

router = APIRouter(prefix="/billing/calls", include_in_schema=False)

SENTENCES: Mapping[str, str] = {
    "not-answered": N_("The call was not answered, so it costs nothing."),
    "not-billable": N_("The call is not billed: it came over %(channel)s, and nobody pays for it."),
    "not-yet": N_("The call has no price yet; it gets one within a minute after its end."),
    "unrated-no-number": N_("It waits for a price: the number that was called is not known."),
    "unrated-no-class": N_("It waits for a price: the class of the number that was called is not known."),
    "unrated-no-deck": N_("It waits for a price: no price list was in force on %(answer_at)s."),
    "unrated-no-rate": N_(
        "It waits for a price: the price list has none for %(number_class)s numbers like %(called)s."
    ),
    "answered": N_("Answered on %(answer_at)s. This moment chooses price list and price."),
    "end-basis": N_("No hang-up was received (%(end_basis)s): the call counts up to the last sound heard."),
    "deck": N_("Price list “%(name)s”, version %(version)s."),
    "sample": N_("This price list is a sample with made-up prices."),
    "prefix": N_(
        "%(called)s is a %(number_class)s number; its longest beginning in the price list is %(prefix)s."
    ),
    "prefix-all": N_(
        "%(called)s is a %(number_class)s number; the price for all numbers of this class fits."
    ),
    "origin": N_("The caller’s number begins with %(origin)s, which has a price of its own."),
    "connected": N_("Connected for %(connected_ms)s."),
    "grace": N_("Calls shorter than %(grace_ms)s are free."),
    "first-block": N_("The first block of %(first_s)s s covers it: %(billed_sec)s s are billed."),
    "blocks": N_(
        "First block of %(first_s)s s + %(blocks)s × %(next_s)s s = %(billed_sec)s s are billed."
    ),
    "minutes": N_("%(billed_sec)s s at %(per_minute)s a minute = %(amount)s."),
    "connect-fee": N_("Plus %(connect_fee)s for each connection."),
    "sum": N_("Together %(amount)s."),
    "limit-min": N_("The smallest charge for a call applies: %(amount)s."),
    "limit-max": N_("The largest charge for a call applies: %(amount)s."),
    "rounding": N_("%(before)s, rounded (%(rounding)s) to %(decimals)s digits: %(after)s."),
    "exact": N_("Nothing had to be rounded."),
    "cost": N_("Cost of the call: %(amount)s, before tax."),
    "session-rounding": N_(
        "A session’s calls are added up first; the sum is rounded once to the currency’s smallest unit."
    ),
}
ROUNDINGS: Mapping[str, str] = {
    "HALF_UP": N_("half up"),
    "HALF_EVEN": N_("half to even"),
    "UP": N_("up"),
    "DOWN": N_("down"),
}
END_BASES: Mapping[str, str] = {
    "media_timeout": N_("the sound stopped"),
    "node_crash": N_("a machine of ours failed"),
    "reaper": N_("found open afterwards"),
    "cap": N_("the longest call was reached"),
}
REASONS: Mapping[str, str] = {"first": N_("first price")}
_AMOUNTS = ("amount", "per_minute", "connect_fee", "before", "after")


@router.get("/{cdr_id}")
def show(frame: Framed, cdr_id: str) -> Response:
    sound = len(cdr_id) <= 36 and cdr_id.isascii() and cdr_id.isprintable()
    with frame.services.readers() as session:
        call = frame.parts.calls.get(session, cdr_id) if sound else None
        if call is None or call.account_id != frame.account_id:
            raise not_found("call")
        with told():
            found = explain(session, frame.parts.calls, cdr_id)
        run = reads.runs_of(session, frame.account_id, [call.session_id]).get(call.session_id or 0)
        charges = (
            reads.charges_of_call(session, frame.account_id, cdr_id) if found.price is not None else []
        )
    context = {
        "call": call,
        "caller": masked(call.caller_e164),
        "found": found,
        "price": found.price,
        "steps": [(step.key, sentence(step, frame, currency_of(found.price, frame))) for step in found.steps],
        "run": run,
        "charges": charges,
        "classes": CLASSES,
        "reasons": REASONS,
    }
    return frame.page("billing/call.html", context, tab="/billing/transactions")


def currency_of(price: object, frame: Frame) -> str:
    """The currency of the price that is explained; the account's when there is none."""
    return str(getattr(price, "currency", frame.currency))


def sentence(step: Step, frame: Frame, currency: str) -> str:
    """One step in the page's language, with numbers as its readers write them."""
    values = {name: _said(name, value, frame, currency) for name, value in step.values.items()}
    return frame.say(SENTENCES[step.key]) % values


def _said(name: str, value: str | int | Decimal | datetime, frame: Frame, currency: str) -> str:
    show = frame.show
    if isinstance(value, datetime):
        return show.exact(value)
    if isinstance(value, Decimal):
        return show.amount(value, currency) if name in _AMOUNTS else show.number(value, 9)
    if name in ("connected_ms", "grace_ms") and isinstance(value, int):
        return f"{show.number(Decimal(value) / 1000, 3)}\u00a0s"
    if isinstance(value, int):
        return str(value) if name == "version" else show.number(value)
    match name:
        case "called":
            return show.phone(value)
        case "number_class":
            return frame.say(CLASSES.get(value, value))
        case "rounding":
            return frame.say(ROUNDINGS.get(value, value))
        case "end_basis":
            return frame.say(END_BASES.get(value, value))
    return value
