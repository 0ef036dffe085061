"""Money: an integer number of a currency's smallest unit.

Theory.  ISO 4217 gives each currency an exponent: 2 for the euro (cents), 0 for the yen, 3 for the Kuwaiti
dinar.  Inside billing an amount is that integer and the currency's three letters; two currencies never mix.
Exponents come from the Unicode CLDR by way of Babel.  CLDR tells how many digits people *write*, which for
some currencies with inflation is fewer than ISO 4217 and banks *count*; those are listed here.

Rates and costs of single calls are finer than a cent: integers of 10⁻⁶ of the currency's main unit (`_u`).
They become `Money` once, when a session is posted.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from babel.core import Locale, get_global

from billing.errors import InexactAmountError, MixedCurrenciesError, UnknownCurrencyError
from billing.rounding import Exact, Rounding, round_half_up, rounded

__all__ = ["MICRO", "Money", "Rounding", "exponent", "from_micro", "known_currency", "round_half_up",
           "to_micro"]

#: Units of 10⁻⁶ in one main unit of a currency.
MICRO = 1_000_000

#: ISO 4217:2015 table A.1 where CLDR shows fewer digits.
_ISO_EXPONENTS = {"AFN": 2, "ALL": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2, "LBP": 2, "MGA": 2, "MMK": 2,
                  "RSD": 2, "SOS": 2, "SYP": 2, "YER": 2}
#: Metals, funds, tests and "no currency": nobody pays with them.
_NO_TENDER = frozenset({"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA",
                        "XXX", "XRE", "XFO", "XFU"})
#: CLDR puts a space between a currency's letters and the digits (UTS 35, currency spacing); Babel does not.
_LETTER_MEETS_DIGIT = re.compile(r"(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Z])")
_DIGITS: dict[str, tuple[int, ...]] = dict(get_global("currency_fractions"))
_KNOWN = frozenset(get_global("all_currencies")) - _NO_TENDER


def known_currency(code: str) -> bool:
    """Whether `code` (capital letters) is a currency that amounts can be in."""
    return code in _KNOWN


def exponent(currency: str) -> int:
    """Digits after the point: 2 for EUR, 0 for JPY, 3 for KWD. Raises UnknownCurrencyError."""
    if currency not in _KNOWN:
        raise UnknownCurrencyError(f"{currency!r} is not a currency of ISO 4217 (three capital letters)")
    return _ISO_EXPONENTS.get(currency) or _DIGITS.get(currency, _DIGITS["DEFAULT"])[0]


def to_micro(amount: Decimal) -> int:
    """An amount in main units as an integer of 10⁻⁶. Raises InexactAmountError for finer ones."""
    exact = Fraction(amount) * MICRO
    if exact.denominator != 1:
        raise InexactAmountError(f"{amount} has more than six digits after the point")
    return exact.numerator


def from_micro(amount_u: int) -> Decimal:
    """An integer of 10⁻⁶ in main units, with six digits."""
    return rounded(Fraction(amount_u, MICRO), 6, Rounding.DOWN)


@dataclass(frozen=True, slots=True)
class Money:
    """So many minor units of a currency; negative for a credit. Raises UnknownCurrencyError when built."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        exponent(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in that currency."""
        return cls(0, currency)

    @classmethod
    def of(cls, amount: Exact, currency: str, rounding: Rounding | None = None) -> Money:
        """`amount` in main units.

        Raises InexactAmountError when it is finer than the minor unit and no `rounding` is named, and
        TypeError for a float.
        """
        units = exponent(currency)
        cut = rounded(amount, units, rounding or Rounding.DOWN)
        if rounding is None and Fraction(cut) != Fraction(amount):
            raise InexactAmountError(f"{amount} {currency} is finer than the currency's minor unit")
        return cls(int(Fraction(cut) * 10**units), currency)

    @classmethod
    def of_micro(cls, amount_u: int, currency: str, rounding: Rounding = Rounding.HALF_UP) -> Money:
        """An amount in 10⁻⁶ units, rounded to the minor unit: what a posting does, once per session."""
        return cls.of(Fraction(amount_u, MICRO), currency, rounding)

    @property
    def amount(self) -> Decimal:
        """In main units, with as many digits as the currency has."""
        units = exponent(self.currency)
        return rounded(Fraction(self.minor, 10**units), units, Rounding.DOWN)

    @property
    def micro(self) -> int:
        """In 10⁻⁶ of the main unit; exact."""
        unit: int = 10 ** exponent(self.currency)
        return self.minor * (MICRO // unit)

    def times(self, factor: Exact, rounding: Rounding = Rounding.HALF_UP) -> Money:
        """`factor` times as much, rounded once: tax, discounts, shares."""
        return Money(int(rounded(Fraction(self.minor) * Fraction(factor), 0, rounding)), self.currency)

    def format(self, locale: str) -> str:
        """As people of `locale` (`en`, `fr_FR`) write it: €1,234.50, 1 234,50 €."""
        pattern = copy(Locale.parse(locale).currency_formats["standard"])
        pattern.frac_prec = (exponent(self.currency),) * 2
        text = pattern.apply(self.amount, locale, currency=self.currency, currency_digits=False)
        return _LETTER_MEETS_DIGIT.sub("\u00a0", text)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def _same(self, other: Any) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"money meets {type(other).__name__}")
        if other.currency != self.currency:
            raise MixedCurrenciesError(f"{self.currency} meets {other.currency}")
        return other.minor
