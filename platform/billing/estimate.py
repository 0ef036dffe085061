"""The calculator: what toll-free minutes of an event will cost, before anybody called. Pure over decks.

    callers = participants × share by telephone, rounded up
    price   = callers × the cost of one call of the whole duration, + value-added tax

One call is rated exactly as it will be: blocks, connect fee, smallest and largest charge.  The number that
people of a country call is taken to be one of the country's toll-free numbers, called from a landline.  Where
calls from mobiles cost more, the price with everybody on a mobile is told beside it: the truth lies between.
The assumptions are part of the answer, because a price without them is a promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import phonenumbers

from billing.deck_shelf import OpenDecks
from billing.decks import DeckIndex, DeckTerms, Rate
from billing.errors import BillingError
from billing.money import Money
from billing.rating import rate_call
from billing.rounding import Rounding
from billing.usage import NO_TAX, Tax

PARTICIPANTS_MAX = 100_000
MINUTES_MAX = 24 * 60
_TOLL_FREE = "tollfree"


class BadEstimateError(BillingError):
    """A question that has no answer; `field` and `slug` say why: the caller's fault."""

    def __init__(self, field: str, slug: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.slug = slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The answer with its assumptions. `mobile_total` is None where mobiles cost the same."""

    location: str
    """ISO 3166-1 country the callers are in."""
    participants: int
    minutes: int
    phone_share: Fraction
    callers: int
    deck: str
    """The price list; a sample says so in its name."""
    deck_version: int
    matched_prefix: str
    per_minute_u: int
    connect_fee_u: int
    first_s: int
    next_s: int
    per_caller_u: int
    tax_rate: Fraction
    net: Money
    vat: Money
    mobile_total: Money | None

    @property
    def total(self) -> Money:
        return self.net + self.vat


def estimate(
    decks: OpenDecks, *, currency: str, participants: int, minutes: int, location: str, at: datetime,
    phone_share: Fraction = Fraction(1), tax: Tax = NO_TAX,
) -> Estimate:  # fmt: skip
    """What `participants` in `location` calling for `minutes` will cost, at the prices in force `at`.

    Raises BadEstimateError: fields `participants`, `minutes`, `location`, `phone_share`.
    """
    if not 1 <= participants <= PARTICIPANTS_MAX:
        raise BadEstimateError("participants", "range", f"say 1 to {PARTICIPANTS_MAX:,} participants")
    if not 1 <= minutes <= MINUTES_MAX:
        raise BadEstimateError("minutes", "range", f"say 1 to {MINUTES_MAX:,} minutes")
    if not 0 <= phone_share <= 1:
        raise BadEstimateError("phone_share", "range", "the share by telephone lies between 0 and 1")
    country = location.strip().upper()
    if country not in phonenumbers.SUPPORTED_REGIONS:
        raise BadEstimateError("location", "unknown", "the location is a country of two letters, such as FR")
    deck = decks.at(currency=currency, moment=at)
    found = None if deck is None else _rate(deck[1], country, phonenumbers.PhoneNumberType.FIXED_LINE, at)
    if deck is None or found is None:
        raise BadEstimateError("location", "no-rate", f"there is no toll-free price for {country} yet")
    terms = deck[0]
    callers = -(-participants * phone_share.numerator // phone_share.denominator)
    net = _price(found, terms, callers, minutes)
    mobile = _rate(deck[1], country, phonenumbers.PhoneNumberType.MOBILE, at)
    mobile_net = net if mobile is None else _price(mobile, terms, callers, minutes)
    return Estimate(
        location=country, participants=participants, minutes=minutes, phone_share=phone_share,
        callers=callers, deck=terms.name, deck_version=terms.version,
        matched_prefix=found.called_prefix, per_minute_u=found.per_minute_u,
        connect_fee_u=found.connect_fee_u, first_s=found.first_s, next_s=found.next_s,
        per_caller_u=rate_call(found, terms, conn_ms=minutes * 60_000).cost_u, tax_rate=tax.rate, net=net,
        vat=net.times(tax.rate),
        mobile_total=None if mobile_net == net else mobile_net + mobile_net.times(tax.rate),
    )  # fmt: skip


def locations(decks: OpenDecks, *, currency: str, at: datetime) -> list[str]:
    """The countries an estimate can be made for, by their two letters."""
    deck = decks.at(currency=currency, moment=at)
    if deck is None:
        return []
    fixed = phonenumbers.PhoneNumberType.FIXED_LINE
    return [one for one in sorted(phonenumbers.SUPPORTED_REGIONS) if _rate(deck[1], one, fixed, at)]


def _price(rate: Rate, terms: DeckTerms, callers: int, minutes: int) -> Money:
    cost_u = rate_call(rate, terms, conn_ms=minutes * 60_000).cost_u
    return Money.of_micro(cost_u * callers, terms.currency, Rounding.HALF_UP)


def _rate(index: DeckIndex, country: str, caller: int, at: datetime) -> Rate | None:
    called = _example(country, phonenumbers.PhoneNumberType.TOLL_FREE) or f"+{_code(country)}"
    return index.find(number_class=_TOLL_FREE, called=called, caller=_example(country, caller), answer_at=at)


def _example(country: str, kind: int) -> str | None:
    number = phonenumbers.example_number_for_type(country, kind)
    if number is None:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _code(country: str) -> int:
    return phonenumbers.country_code_for_region(country)
