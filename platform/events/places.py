"""How far a dial-in number is from where an event's clocks are. Pure, but for the zone database's own table.

Theory. Nobody tells us where guests are, but an event has a time zone, and the table `zone.tab` of the zone
database has the place for which each zone is named, country by country, in the notation of ISO 6709
(`+4852+00220`). Where a number is says its prefix (the zones of its area, by `phonenumbers`), else its
country. Between the two lies the great circle. A zone can be as wide as a continent's half, so this is good
for an order and for nothing else.
"""

from __future__ import annotations

import importlib.resources
import math
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

EARTH_KM = 6371.0
_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?", re.ASCII)

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """By name of a zone."""

    place_of: Mapping[str, Place]
    country_of: Mapping[str, str]


@lru_cache(maxsize=4096)
def distance_km(zone: str, *, number: str, country: str) -> float:
    """Kilometres from the place of a zone to that of a number (as printed, with `+`) of a country (ISO 3166).
    Infinite where either is not known.
    """
    tables = _tables()
    here = tables.place_of.get(zone)
    if here is None:
        return math.inf
    of_country = [name for name, code in tables.country_of.items() if code == country]
    there = [name for name in _zones_of(number) if name in of_country] or of_country
    return min((_great_circle_km(here, tables.place_of[name]) for name in there), default=math.inf)


def country_of(zone: str) -> str | None:
    """The country (ISO 3166) for which the zone is named; None for one that is no place's."""
    return _tables().country_of.get(zone)


def _zones_of(number: str) -> Sequence[str]:
    try:
        return time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:  # printed as one dials it at home
        return ()


def _great_circle_km(one: Place, other: Place) -> float:
    """By the haversine formula."""
    (lat, lon), (lat2, lon2) = ((math.radians(each) for each in place) for place in (one, other))
    half = math.sin((lat2 - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


@cache
def _tables() -> _Tables:
    place_of, country_of = {}, {}
    for line in _table().splitlines():
        if line and not line.startswith("#"):
            country, place, zone = line.split("\t")[:3]
            match = _PLACE.fullmatch(place)
            if match is not None:
                place_of[zone] = (_degrees(*match.group(1, 2, 3)), _degrees(*match.group(4, 5, 6)))
                country_of[zone] = country
    return _Tables(place_of=place_of, country_of=country_of)


def _degrees(sign: str, degrees: str, minutes: str) -> float:
    whole = int(degrees) + int(minutes) / 60
    return -whole if sign == "-" else whole


def _table() -> str:
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / "zone.tab"
        if path.is_file():
            return path.read_text()
    try:
        return (importlib.resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    except (ModuleNotFoundError, FileNotFoundError):
        return ""
