"""Amounts, moments and lengths as people of the page's language write them. Pure.

Costs of single calls have up to six digits; zeros behind the currency's own digits are left away. Nothing
here rounds: what is shown is what is stored.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import dates, numbers
from babel.core import Locale

from billing.money import Money, exponent, from_micro
from web.site.formats import LOCALES

_COST_DIGITS = 6
NBSP = "\u00a0"


class Figures:
    """Formats of one reader: a language and a time zone."""

    def __init__(self, language: str, zone: str) -> None:
        self._locale = LOCALES[language]
        self.zone_name = zone
        self.zone = ZoneInfo(zone)

    def money(self, money: Money) -> str:
        """€1,234.50 or 1 234,50 €."""
        return money.format(self._locale)

    def cost(self, cost_u: int, currency: str) -> str:
        """An amount in 10⁻⁶ units, with the currency's digits at least."""
        return self.exact(from_micro(cost_u), currency)

    def exact(self, amount: Decimal, currency: str) -> str:
        """An amount in main units with all of its digits (nine at most)."""
        pattern = copy(Locale.parse(self._locale).currency_formats["standard"])
        pattern.frac_prec = (exponent(currency), 9)
        return str(pattern.apply(amount, self._locale, currency=currency, currency_digits=False))

    def decimal(self, value: float | Decimal | int, digits: int = 0) -> str:
        """1,234.5 with so many digits behind the point."""
        pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
        return numbers.format_decimal(value, format=pattern, locale=self._locale)

    def plain(self, value: Decimal | int) -> str:
        """A number with all of its digits and no more."""
        pattern = f"#,##0.{'#' * 9}"
        return numbers.format_decimal(value, format=pattern, locale=self._locale)

    def day(self, moment: date | datetime) -> str:
        """23 Nov 2026."""
        local = moment.astimezone(self.zone) if isinstance(moment, datetime) else moment
        return dates.format_date(local, "medium", locale=self._locale)

    def short_day(self, day: date) -> str:
        """23 Nov."""
        return dates.format_skeleton("MMMd", day, locale=self._locale)

    def clock(self, moment: datetime) -> str:
        """14:05:09."""
        return f"{moment.astimezone(self.zone):%H:%M:%S}"

    def when(self, moment: datetime) -> str:
        """23 Nov 2026, 14:05:09."""
        return f"{self.day(moment)}, {self.clock(moment)}"

    def precise(self, moment: datetime, zone: ZoneInfo | None = None) -> str:
        """2026-11-23 14:05:09.123, the same in all languages."""
        local = moment.astimezone(zone or self.zone)
        return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"

    def utc(self, moment: datetime) -> str:
        """The same moment in UTC."""
        return f"{self.precise(moment, ZoneInfo('UTC'))} UTC"

    def field(self, moment: datetime) -> str:
        """As a `datetime-local` field wants it."""
        return f"{moment.astimezone(self.zone):%Y-%m-%dT%H:%M}"

    def offset(self, moment: datetime) -> str:
        """The zone's distance to UTC at that moment: +01:00."""
        text = moment.astimezone(self.zone).strftime("%z")
        return f"{text[:3]}:{text[3:]}"

    def seconds(self, length_s: int) -> str:
        """1:02:05, or 2:05."""
        hours, minutes, rest = length_s // 3600, length_s // 60 % 60, length_s % 60
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

    def length(self, length_ms: int) -> str:
        """1:02:05.250, with the milliseconds that a price depends on."""
        point = numbers.get_decimal_symbol(self._locale)
        return f"{self.seconds(length_ms // 1000)}{point}{length_ms % 1000:03d}"

    def minutes(self, length_ms: int) -> str:
        """1,234.5, in minutes."""
        return self.decimal(Decimal(length_ms) / 60_000, 1)


def utc_of(text: str, zone: ZoneInfo) -> datetime:
    """A `datetime-local` value, or a date, of a zone. Raises ValueError."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
