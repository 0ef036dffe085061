"""Values of statistics as people of the page's language read them, and the bars of the chart. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_compact_decimal

from reports.figures import Month
from reports.session_pdf import duration
from web.site.formats import LOCALES, filters
from web.site.i18n import N_, texts
from web.site.statistics.tables import DEVICES, KINDS, ROLES, WAYS

_NAMED = {"kind": KINDS, "way": WAYS, "device": DEVICES, "role": ROLES}
BAR_HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One month of the chart: heights in hundredths of the scale. `label` says it, `count` the same in
    as little room as there is on a phone (1.5K).
    """

    short: str
    label: str
    y: str
    height: str
    count: str


def bars_of(months: Sequence[Month], *, language: str) -> list[Bar]:
    """A bar for each month, as high as it has participants."""
    most = max((month.sums.participants for month in months), default=0) or 1
    locale, bars = LOCALES[language], []
    for month in months:
        count = month.sums.participants
        height = max(count * BAR_HEIGHT / most, 1.5 if count else 0)
        name = format_date(month.first, "LLLL yyyy", locale=locale)
        bars.append(
            Bar(
                short=format_date(month.first, "LLL", locale=locale),
                label=f"{name}: {filters(language)['number'](count)}",
                y=f"{BAR_HEIGHT - height:.2f}",
                height=f"{height:.2f}",
                count=format_compact_decimal(count, locale=locale, fraction_digits=1) if count else "",
            )
        )
    return bars


def show_with(language: str, zone: str) -> Callable[[object, str], str]:
    """`show(value, kind)` for the templates; see `tables.Column`. `–` is what is not known."""
    formats, translate = filters(language), texts(language).gettext
    locale = Locale.parse(LOCALES[language])

    def show(value: object, kind: str) -> str:
        match value:
            case None:
                return "–"
            case datetime():
                return str(formats["when"](value, zone))
            case date():
                return str(format_date(value, "LLLL yyyy", locale=locale))
            case int() if kind == "duration":
                return duration(value)
            case int() | float():
                return str(formats["number"](value, 1 if kind == "rating" else 0))
        text = str(value)
        if kind in _NAMED:
            return translate(_NAMED[kind].get(text, text))
        if kind == "country":
            return str(locale.territories.get(text, text)) if text else translate(N_("Not known"))
        return translate(N_("Other")) if text == "other" else text or "–"

    return show
