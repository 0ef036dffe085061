"""Dial-in numbers as pages carry them, and where in the world a visitor's time zone is. Pure.

A page puts the numbers nearest to the visitor first, and only the browser knows where that is: it gets the
numbers and the time zones of the countries that have one (IANA zone → ISO 3166, from CLDR by babel).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import get_global

from web.services import Gateway


def numbers_json(gateways: Sequence[Gateway]) -> list[dict[str, Any]]:
    """The numbers for js/join/numbers.js; `zone` is a time zone of the number's country."""
    return [
        {
            "code": gateway.code,
            "location": gateway.location,
            "number": gateway.number,
            "display": gateway.display,
            "country": gateway.country,
            "language": gateway.language,
            "zone": _zone(gateway.country),
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
def _zone(country: str) -> str | None:
    """One zone that stands for a country: the middle one of those in Europe, or else on its main continent.

    Europe goes first because the only countries with zones there and elsewhere are European ones with islands
    (Spain, Portugal), and Russia, where most people live in its European part.
    """
    zones = get_global("territory_zones").get(country) or [
        zone for zone, home in get_global("zone_territories").items() if home == country
    ]
    continents = Counter(zone.split("/")[0] for zone in zones)
    if not continents:
        return None
    continent = "Europe" if "Europe" in continents else continents.most_common(1)[0][0]
    near = sorted((zone for zone in zones if zone.split("/")[0] == continent), key=_offset)
    return str(near[len(near) // 2])


def _offset(zone: str) -> timedelta:
    return datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
