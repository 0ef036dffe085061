"""Page: who is billed — name, address, tax number, time zone, and the currency while no money is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from babel.numbers import list_currencies
from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import profile
from billing.invoices.models import VatCheck
from billing.invoices.vat_rates import EU
from billing.money import known_currency
from billing.profile import COUNTRIES, BadProfileError, BillingProfile, CurrencyFixedError
from events.schedule import zone_names
from web.site.billing.frame import Frame, Framed
from web.site.forms import Form, text_of
from web.site.i18n import LANGUAGES, N_
from web.site.render import notices
from web.site.security import PostedForm

router = APIRouter(prefix="/billing/profile", include_in_schema=False)
notices(billing_saved=N_("Your billing details are saved."))
LINE_MAX = 500
"""Longer texts are no slips; they are refused unread."""

LINES = ("legal_name", "address_line1", "address_line2", "postal_code", "city", "vat_number")
PROBLEMS: Mapping[str, str] = {
    "legal_name": N_("At most 120 letters, digits and signs."),
    "address_line1": N_("At most 120 letters, digits and signs."),
    "address_line2": N_("At most 120 letters, digits and signs."),
    "city": N_("At most 120 letters, digits and signs."),
    "postal_code": N_("At most 20 letters, digits and signs."),
    "country": N_("Please choose a country."),
    "timezone": N_("Please choose a time zone."),
    "locale": N_("Please choose a language."),
    "currency": N_("Please choose a currency."),
    "vat_number": N_("This is no VAT number of the country that is chosen; check its digits."),
}
"""What is wrong with a field, in one sentence."""


@router.get("")
def show(frame: Framed) -> Response:
    payer = frame.payer
    values = {
        **{name: getattr(payer, name) for name in (*LINES, "country", "currency", "locale")},
        "business": "1" if payer.business else "0",
        "timezone": frame.show.zone,
        "locale": payer.locale if payer.stored else frame.show.language,
    }
    return _page(frame, Form(values=values))


@router.post("")
def save(frame: Framed, fields: PostedForm) -> Response:

    def line(name: str) -> str:
        return text_of(fields, name, maximum=LINE_MAX)

    wanted = replace(
        frame.payer,
        legal_name=line("legal_name"),
        address_line1=line("address_line1"),
        address_line2=line("address_line2"),
        postal_code=line("postal_code"),
        city=line("city"),
        vat_number=line("vat_number"),
        country=text_of(fields, "country", maximum=8),
        business=text_of(fields, "business") == "1",
        timezone=text_of(fields, "timezone", maximum=100),
        locale=text_of(fields, "locale", maximum=8),
        currency=text_of(fields, "currency", maximum=8) or frame.currency,
    )
    errors = {
        name: frame.say(PROBLEMS[name])
        for name in LINES
        if isinstance(fields.get(name), str) and len(fields[name].strip()) > LINE_MAX
    }
    if errors:
        return _refused(frame, fields, errors)
    try:
        with frame.services.sessions.begin() as session:
            profile.save(session, wanted, now=frame.services.now())
    except BadProfileError as exc:
        found = {name: _problem(frame, name, wanted.country) for name, _ in exc.problems}
        return _refused(frame, fields, found)
    except CurrencyFixedError:
        said = frame.say(N_("There is money in another currency already; it cannot change any more."))
        return _refused(frame, fields, {"currency": said})
    return RedirectResponse("/billing/profile?done=billing_saved", status_code=303)


def _problem(frame: Frame, name: str, country: str) -> str:
    if name == "vat_number" and not country:
        return frame.say(N_("Choose the country that the VAT number is from."))
    return frame.say(PROBLEMS.get(name, N_("This cannot be accepted.")))


def _refused(frame: Frame, fields: Mapping[str, Any], errors: Mapping[str, str]) -> Response:
    message = frame.say(N_("Nothing is saved yet: please look at the marked fields."))
    return _page(frame, Form(values=fields, errors=errors, message=message), status=422)


def _page(frame: Frame, form: Form, *, status: int = 200) -> Response:
    with frame.services.readers() as session:
        row = session.get(BillingProfile, frame.account_id)
        vies = vies_state(session, frame.account_id, frame.payer.vat_number)
    asked = frame.payer.business and frame.payer.country in EU and bool(frame.payer.vat_number)
    context = {
        "form": form,
        "payer": frame.payer,
        "currency_fixed": row is not None and row.currency_fixed,
        "currencies": [
            (code, f"{code} · {frame.show.currency_name(code)}")
            for code in sorted(list_currencies()) if known_currency(code)
        ],
        "countries": frame.show.countries(COUNTRIES),
        "zones": sorted(zone_names()),
        "bill_languages": list(LANGUAGES.items()),
        "vies": vies if asked else None,
    }  # fmt: skip
    return frame.page("billing/profile.html", context, tab="/billing/profile", status=status)


def vies_state(session: Session, account_id: int, vat_number: str) -> str:
    """What VIES says of the number: valid, invalid or unknown."""
    query = select(VatCheck.state).where(
        VatCheck.account_id == account_id, VatCheck.vat_number == vat_number
    )
    return session.scalar(query) or "unknown"
