"""Dial-in numbers as pages carry them, and where in the world a visitor's time zone is. Pure.

A page puts the numbers nearest to the visitor first, and only the browser knows where that is: it gets the
numbers and the time zones of the countries that have one (IANA zone → ISO 3166, from CLDR by babel).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from babel.core import get_global

from web.services import Gateway


def numbers_json(gateways: Sequence[Gateway]) -> list[dict[str, Any]]:
    """The numbers for js/join/numbers.js; `continent` is the first part of the country's time zones."""
    return [
        {
            "code": gateway.code,
            "location": gateway.location,
            "number": gateway.number,
            "display": gateway.display,
            "country": gateway.country,
            "language": gateway.language,
            "continent": _continent(gateway.country),
        }
        for gateway in gateways
    ]


def zone_countries(gateways: Sequence[Gateway]) -> dict[str, str]:
    """Time zone → country, for the countries of these numbers."""
    return dict(_zones(frozenset(gateway.country for gateway in gateways)))


@cache
def _zones(countries: frozenset[str]) -> tuple[tuple[str, str], ...]:
    known = sorted(get_global("zone_territories").items())
    return tuple((zone, country) for zone, country in known if country in countries)


@cache
def _continent(country: str) -> str | None:
    zones = get_global("territory_zones").get(country) or [
        zone for zone, home in get_global("zone_territories").items() if home == country
    ]
    return zones[0].split("/")[0] if zones else None
