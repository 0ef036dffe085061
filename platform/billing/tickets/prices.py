"""What a ticket may cost, and how organisers write it. Pure.

A price is more than 0, at most 1,000 of its currency and 100,000 roubles, and has no more digits after the
point than the currency has (ISO 4217: none in yen). Point and comma are both read as the decimal sign, which
is safe because a group of three digits after one is refused: "1,000" is neither a thousand nor one.
(Currencies with three decimals want the point.) The price is what the buyer pays: the organiser is the
seller, and whatever tax there is on it is within the price and theirs to pay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.money import Money, exponent, known_currency
from events.errors import BadEventError, FieldProblem

PRICE, CURRENCY, CAPACITY = "ticket[price]", "ticket[currency]", "ticket[capacity]"
CAPACITY_MAX = 50_000
MOST = 1_000
MOST_OF: Mapping[str, int] = {"RUB": 100_000}
OFFERED = (
    "EUR", "USD", "GBP", "CHF", "AUD", "CAD", "CZK", "DKK", "HUF", "INR", "JPY", "NOK", "NZD", "PLN", "RON",
    "RUB", "SEK", "SGD",
)  # fmt: skip
"""Currencies to choose from on the page; programs may name any other."""

_TYPED = re.compile(r"(?P<whole>[0-9]{1,9})(?:(?P<sign>[.,])(?P<part>[0-9]{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWishes:
    """What an organiser says about the tickets of an event. `capacity` 0: no limit; None: not mentioned."""

    price: Money | None = None
    capacity: int | None = None


def limit(currency: str) -> Money:
    """The dearest ticket in that currency."""
    return Money.of(MOST_OF.get(currency, MOST), currency)


def parse_offer(
    data: Mapping[str, Any], *, known: Money | None, currency: str, takes: Callable[[Money], bool]
) -> OfferWishes:
    """`ticket[…]` of a form or of JSON. `known`: the price of now; `currency`: that of a first one; `takes`:
    whether any provider here can be paid so much. Raises BadEventError with everything that is wrong.
    """
    group = data.get("ticket")
    if group is None:
        return OfferWishes()
    if not isinstance(group, Mapping):
        raise _bad([("ticket", "must be a group of named values")])
    problems: list[tuple[str, str]] = []
    price = None
    code = _text(group.get("currency")).upper() or (known.currency if known is not None else currency)
    typed = _text(group.get("price"))
    if not known_currency(code):
        problems.append((CURRENCY, "must be a currency of three letters, ISO 4217"))
    elif typed:
        try:
            price = parse_price(typed, code)
        except ValueError as exc:
            problems.append((PRICE, str(exc)))
        else:
            if price != known and not takes(price):
                problems.append((PRICE, "cannot be paid here; take another amount or currency"))
    elif known is not None and code != known.currency:
        problems.append((PRICE, "is required"))
    capacity = None
    if group.get("capacity") is not None:
        wanted = _text(group.get("capacity")) or "0"
        if re.fullmatch(r"[0-9]{1,6}", wanted, re.ASCII) is None or int(wanted) > CAPACITY_MAX:
            problems.append((CAPACITY, f"must be a whole number from 0 to {CAPACITY_MAX}"))
        else:
            capacity = int(wanted)
    if problems:
        raise _bad(problems)
    return OfferWishes(price=price, capacity=capacity)


def parse_price(typed: str, currency: str) -> Money:
    """A price as somebody wrote it. Raises ValueError with a sentence."""
    match = _TYPED.fullmatch(typed)
    if match is None:
        raise ValueError("must be an amount such as 25 or 9.50")
    digits, part = exponent(currency), match["part"] or ""
    if len(part) > digits or (len(part) == 3 and match["sign"] == ","):
        raise ValueError(f"must not have more than {digits} digits after the point")
    money = Money.of(Decimal(f"{match['whole']}.{part or '0'}"), currency)
    most = limit(currency)
    if not Money.zero(currency) < money <= most:
        raise ValueError(f"must be more than 0 and at most {most.amount} {currency}")
    return money


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _bad(problems: list[tuple[str, str]]) -> BadEventError:
    return BadEventError([FieldProblem(field=field, message=message) for field, message in problems])
