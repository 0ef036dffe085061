"""Money, minutes and numbers as the reader of a page writes them.

Amounts of the ledger have their currency's digits; what single calls cost is finer (10⁻⁶) and is shown with
as many digits as it has, six at most. Percentages and times follow the page's language, times the account's
time zone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import phonenumbers
from babel import Locale, numbers

from billing.money import MICRO, Money, Rounding, exponent
from billing.rounding import rounded
from web.site import formats

#: The minus of typographers; a hyphen is too short beside digits.
_MINUS = "\u2212"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How values look on one page. `zone` is the name of a time zone."""

    language: str
    zone: str

    @property
    def locale(self) -> str:
        return formats.LOCALES[self.language]

    def money(self, money: Money) -> str:
        """€1,234.50"""
        return money.format(self.locale).replace("-", _MINUS)

    def change(self, money: Money) -> str:
        """The same with a sign in front of what is more than 0."""
        return f"+{self.money(money)}" if money.minor > 0 else self.money(money)

    def rough(self, money: Money) -> str:
        """Without digits after the point when they are 0: for amounts to choose from."""
        whole = 10 ** exponent(money.currency)
        if money.minor % whole:
            return self.money(money)
        return self._currency(Decimal(money.minor // whole), money.currency, (0, 0))

    def cost(self, cost_u: int | Fraction | Decimal, currency: str) -> str:
        """An amount of 10⁻⁶ units: at least four digits, so that a column stands straight, at most six."""
        exact = Fraction(cost_u) / MICRO
        amount = Decimal(exact.numerator) / Decimal(exact.denominator)
        return self._currency(amount, currency, (max(4, exponent(currency)), 6))

    def rounded(self, cost_u: int | Fraction, currency: str) -> str:
        """An amount of 10⁻⁶ units to the currency's smallest unit: for overviews."""
        return self.money(Money.of(Fraction(cost_u) / MICRO, currency, Rounding.HALF_UP))

    def amount(self, amount: Decimal, currency: str) -> str:
        """An amount in main units, with the digits that it has, nine at most."""
        return self._currency(amount, currency, (exponent(currency), 9))

    def _currency(self, amount: Decimal, currency: str, digits: tuple[int, int]) -> str:
        pattern = copy(Locale.parse(self.locale).currency_formats["standard"])
        pattern.frac_prec = digits
        text: str = pattern.apply(amount, self.locale, currency=currency, currency_digits=False)
        return text.replace("-", _MINUS)

    def number(self, value: int | Decimal | Fraction, digits: int = 0) -> str:
        """With so many digits after the point at most."""
        return numbers.format_decimal(rounded(value, digits, Rounding.HALF_UP), locale=self.locale)

    def minutes(self, ms: int) -> str:
        """Milliseconds as minutes with one digit: 12.5"""
        return self.number(Fraction(ms, 60_000), 1)

    def clocked(self, ms: int | None) -> str:
        """Milliseconds as 1:02:05.250; the thousandths decide about the next block, so they are shown."""
        if ms is None:
            return "–"
        whole, rest = divmod(ms, 1000)
        text = self._filter("seconds")(whole)
        point = numbers.get_decimal_symbol(self.locale)
        return f"{text}{point}{rest:03d}" if rest else text

    def blocks(self, seconds: int) -> str:
        """Whole seconds as 1:02:05"""
        return str(self._filter("seconds")(seconds))

    def percent(self, rate: Fraction) -> str:
        """21/100 as 21 %"""
        return numbers.format_percent(
            Decimal(rate.numerator) / Decimal(rate.denominator), format=self._percent(), locale=self.locale
        )

    def _percent(self) -> str:
        return "#,##0.##\u202f%" if self.language == "fr" else "#,##0.##%"

    def when(self, moment: datetime) -> str:
        return str(self._filter("when")(moment, self.zone))

    def exact(self, moment: datetime) -> str:
        """With seconds and thousandths: a call's answer chooses its price."""
        day, clock = self._filter("short_day")(moment, self.zone), self._filter("clock_s")(moment, self.zone)
        point = numbers.get_decimal_symbol(self.locale)
        return f"{day}, {clock}{point}{moment.microsecond // 1000:03d}"

    def day(self, moment: datetime) -> str:
        return str(self._filter("short_day")(moment, self.zone))

    def clock(self, moment: datetime) -> str:
        return str(self._filter("clock")(moment, self.zone))

    def zone_name(self, moment: datetime) -> str:
        return str(self._filter("zone_name")(self.zone, moment))

    def phone(self, e164: str | None) -> str:
        """A whole number as it is printed: +33 1 84 88 63 00. What is none stays as it is."""
        if not e164:
            return "–"
        try:
            parsed = phonenumbers.parse(e164)
        except phonenumbers.NumberParseException:
            return e164
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    def country(self, code: str) -> str:
        """The name of a country; the code where babel has no name."""
        return str(Locale.parse(self.locale).territories.get(code, code))

    def countries(self, codes: frozenset[str] | list[str]) -> list[tuple[str, str]]:
        """(code, name) pairs, by name."""
        return sorted(((code, self.country(code)) for code in codes), key=lambda pair: _plain(pair[1]))

    def currency_name(self, code: str) -> str:
        return numbers.get_currency_name(code, locale=self.locale)

    def _filter(self, name: str) -> Callable[..., str]:
        return formats.filters(self.language)[name]


def _plain(text: str) -> str:
    """For sorting: without accents and case."""
    return "".join(
        one for one in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(one)
    )
