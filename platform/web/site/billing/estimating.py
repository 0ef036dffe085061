"""Page: the calculator — so many people for so long from there cost so much — also beside an event's form.

It works without scripts, as a form that asks for its own page. With them, the answer alone is fetched while
one types; it is made here in either case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from billing.estimate import MINUTES_MAX, PARTICIPANTS_MAX, BadEstimateError, Estimate, estimate, locations
from billing.invoices import vat
from web.site.billing.frame import Frame, Framed
from web.site.forms import Form
from web.site.i18n import N_

router = APIRouter(prefix="/billing/estimate", include_in_schema=False)
DEFAULTS: Mapping[str, str] = {"participants": "20", "minutes": "60", "share": "100"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands in the form, as it was typed."""

    participants: str
    minutes: str
    location: str
    share: str

    @property
    def values(self) -> Mapping[str, str]:
        return {
            "participants": self.participants, "minutes": self.minutes, "location": self.location,
            "share": self.share,
        }  # fmt: skip


def read_asked(
    participants: Annotated[str, Query(max_length=32)] = "",
    minutes: Annotated[str, Query(max_length=32)] = "",
    location: Annotated[str, Query(max_length=8)] = "",
    share: Annotated[str, Query(max_length=8)] = "",
) -> Asked:
    return Asked(participants=participants, minutes=minutes, location=location, share=share)


Question = Annotated[Asked, Depends(read_asked)]


@router.get("")
def show(frame: Framed, asked: Question) -> Response:
    return frame.page("billing/estimate.html", _context(frame, asked), tab="/billing/estimate")


@router.get("/result")
def show_result(frame: Framed, asked: Question) -> Response:
    """The answer alone, for the script of the page."""
    return frame.page("billing/_estimate_result.html", _context(frame, asked))


@router.get("/part")
def show_part(frame: Framed, asked: Question) -> Response:
    """Fields and answer for the form of an event. They have no names, so that form does not send them."""
    return frame.page("billing/_estimate_part.html", _context(frame, asked))


def whole(text: str, most: int) -> int | None:
    """A whole number as people type it, from 1 to `most`; None for anything else."""
    digits = "".join(text.split()).replace("\u202f", "").replace(",", "").replace(".", "")
    sound = digits.isascii() and digits.isdigit() and len(digits) <= 9
    return int(digits) if sound and 1 <= int(digits) <= most else None


def _context(frame: Frame, asked: Asked) -> dict[str, object]:
    now = frame.services.now()
    with frame.services.readers() as session:
        decks = frame.parts.decks.open(session)
        known = locations(decks, currency=frame.currency, at=now)
        values = {**DEFAULTS, "location": _home(frame, known), **{k: v for k, v in asked.values.items() if v}}
        errors: dict[str, str] = {}
        answer: Estimate | None = None
        people = whole(values["participants"], PARTICIPANTS_MAX)
        minutes = whole(values["minutes"], MINUTES_MAX)
        share = 0 if values["share"].strip() == "0" else whole(values["share"], 100)
        between = frame.say(N_("Write a whole number from %(low)s to %(high)s."))
        if people is None:
            errors["participants"] = between % {"low": 1, "high": frame.show.number(PARTICIPANTS_MAX)}
        if minutes is None:
            errors["minutes"] = between % {"low": 1, "high": frame.show.number(MINUTES_MAX)}
        if share is None:
            errors["share"] = between % {"low": 0, "high": 100}
        if people is not None and minutes is not None and share is not None and known:
            try:
                answer = estimate(
                    decks, currency=frame.currency, participants=people, minutes=minutes,
                    location=values["location"], at=now, phone_share=Fraction(share, 100),
                    tax=vat.taxes(frame.parts.seller)(session, frame.account_id, now),
                )  # fmt: skip
            except BadEstimateError:
                errors["location"] = frame.say(N_("There is no toll-free price for this country yet."))
    return {
        "form": Form(values=values, errors=errors),
        "answer": answer,
        "countries": frame.show.countries(known),
    }


def _home(frame: Frame, known: list[str]) -> str:
    """The country to begin with: the account's, else one that speaks the page's language, else the first."""
    for code in (frame.payer.country, "FR" if frame.show.language == "fr" else "GB", *known):
        if code in known:
            return code
    return ""
