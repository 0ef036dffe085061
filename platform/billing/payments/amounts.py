"""Amounts to choose from when topping up, and the limits of what may be typed.

Per currency: round sums of about the same worth, the least and the most. Currencies that are not listed take
the numbers of the euro, which is right to a factor of a few; the provider's own minimum applies besides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import NumberFormatError, get_group_symbol, parse_decimal

from billing.errors import MoneyError
from billing.money import Money
from billing.payments.errors import BadAmountError

_CHOICES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "EUR": (5, 5_000, (20, 50, 100, 250)),
    "AUD": (10, 10_000, (30, 80, 150, 400)),
    "CAD": (10, 10_000, (30, 80, 150, 400)),
    "CZK": (150, 150_000, (500, 1_000, 2_500, 5_000)),
    "DKK": (40, 40_000, (150, 400, 750, 2_000)),
    "HUF": (2_000, 2_000_000, (10_000, 20_000, 40_000, 100_000)),
    "INR": (500, 500_000, (2_000, 5_000, 10_000, 25_000)),
    "JPY": (800, 800_000, (3_000, 8_000, 15_000, 40_000)),
    "KRW": (7_000, 7_000_000, (30_000, 70_000, 150_000, 350_000)),
    "KZT": (2_500, 2_500_000, (10_000, 25_000, 50_000, 125_000)),
    "NOK": (60, 60_000, (200, 600, 1_200, 3_000)),
    "PLN": (20, 20_000, (100, 200, 400, 1_000)),
    "RUB": (500, 500_000, (2_000, 5_000, 10_000, 25_000)),
    "SEK": (60, 60_000, (200, 600, 1_200, 3_000)),
    "UAH": (200, 200_000, (1_000, 2_000, 4_000, 10_000)),
}
"""Currency → least, most, sums to choose from; all in main units."""

_TYPED = re.compile(r"[0-9][0-9.,']*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpChoices:
    """What the top-up page offers."""

    choices: tuple[Money, ...]
    least: Money
    most: Money


def choices(currency: str, *, provider_minimum: Money | None = None) -> TopUpChoices:
    """Sums to choose from and the limits of typed ones. Raises UnknownCurrencyError."""
    low, high, sums = _CHOICES.get(currency, _CHOICES["EUR"])
    least = Money.of(low, currency)
    if provider_minimum is not None:
        least = max(least, provider_minimum)
    offered = tuple(Money.of(each, currency) for each in sums)
    return TopUpChoices(
        choices=tuple(each for each in offered if each >= least), least=least, most=Money.of(high, currency)
    )


def parse(text: str, currency: str, *, locale: str) -> Money:
    """What somebody typed, with the decimal and thousands signs of `locale`. Raises BadAmountError."""
    trimmed = text.strip()
    if get_group_symbol(locale).isspace():
        trimmed = "".join(trimmed.split())
    try:
        if len(trimmed) > 32 or _TYPED.fullmatch(trimmed) is None:
            raise ValueError
        amount = parse_decimal(trimmed, locale=locale, strict=True)
    except (NumberFormatError, ValueError) as exc:
        raise BadAmountError("write the amount in digits, such as 25") from exc
    return of(amount, currency)


def of(amount: Decimal, currency: str) -> Money:
    """A decimal amount in `currency`. Raises BadAmountError for what it cannot express."""
    if not amount.is_finite() or abs(amount) > 10**12:
        raise BadAmountError("this is no amount that can be paid")
    try:
        return Money.of(amount, currency)
    except MoneyError as exc:
        raise BadAmountError(f"{currency} has no such small units") from exc


def check(money: Money, *, currency: str, provider_minimum: Money | None = None) -> None:
    """Whether a top-up may be `money`. Raises BadAmountError with a sentence for the payer."""
    if money.currency != currency:
        raise BadAmountError(f"this account pays in {currency}")
    limits = choices(currency, provider_minimum=provider_minimum)
    if money < limits.least:
        raise BadAmountError(f"at least {limits.least}")
    if money > limits.most:
        raise BadAmountError(f"at most {limits.most}")
