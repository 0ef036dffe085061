"""Standard rates of value-added tax by country and day.

TO BE CHECKED BY THE OPERATOR before the first invoice and at every turn of the year: rates change by law of
each country, and nobody tells this program. Telecommunications services bear the standard rate everywhere in
the European Union (Directive 2006/112/EC, articles 96–98). The table was written in November 2026.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

_BEGINNING = date(1, 1, 1)

RATES: dict[str, tuple[tuple[date, str], ...]] = {
    "AT": ((_BEGINNING, "20"),),
    "BE": ((_BEGINNING, "21"),),
    "BG": ((_BEGINNING, "20"),),
    "CH": ((_BEGINNING, "7.7"), (date(2024, 1, 1), "8.1")),
    "CY": ((_BEGINNING, "19"),),
    "CZ": ((_BEGINNING, "21"),),
    "DE": ((_BEGINNING, "19"),),
    "DK": ((_BEGINNING, "25"),),
    "EE": ((_BEGINNING, "20"), (date(2024, 1, 1), "22"), (date(2025, 7, 1), "24")),
    "ES": ((_BEGINNING, "21"),),
    "FI": ((_BEGINNING, "24"), (date(2024, 9, 1), "25.5")),
    "FR": ((_BEGINNING, "20"),),
    "GB": ((_BEGINNING, "20"),),
    "GR": ((_BEGINNING, "24"),),
    "HR": ((_BEGINNING, "25"),),
    "HU": ((_BEGINNING, "27"),),
    "IE": ((_BEGINNING, "23"),),
    "IT": ((_BEGINNING, "22"),),
    "LT": ((_BEGINNING, "21"),),
    "LU": ((_BEGINNING, "17"),),
    "LV": ((_BEGINNING, "21"),),
    "MT": ((_BEGINNING, "18"),),
    "NL": ((_BEGINNING, "21"),),
    "NO": ((_BEGINNING, "25"),),
    "PL": ((_BEGINNING, "23"),),
    "PT": ((_BEGINNING, "23"),),
    "RO": ((_BEGINNING, "19"), (date(2025, 8, 1), "21")),
    "SE": ((_BEGINNING, "25"),),
    "SI": ((_BEGINNING, "22"),),
    "SK": ((_BEGINNING, "20"), (date(2025, 1, 1), "23")),
}
"""Country → (first day, per cent), by day. Territories with a tax of their own are not modelled."""

EU = frozenset(RATES) - {"CH", "GB", "NO"}
_SAME_TAX = {"MC": "FR", "IM": "GB"}
"""Monaco and the Isle of Man are part of a neighbour's tax territory (article 7)."""


def tax_country(country: str) -> str:
    """The country whose tax applies in `country`."""
    return _SAME_TAX.get(country, country)


def standard_rate(country: str, day: date) -> Fraction | None:
    """The rate, 21/100 for 21 %, on that day; None for a country that is not in the table."""
    found = None
    for first, per_cent in RATES.get(tax_country(country), ()):
        if first <= day:
            found = Fraction(per_cent) / 100
    return found
