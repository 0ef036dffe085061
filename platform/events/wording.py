"""Moments, PINs and numbers as a mail says them, in its reader's language (CLDR by babel). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import dates

from events.places import country_of, distance_km

LOCALES = {"en": "en_GB", "fr": "fr_FR"}
"""Languages that mails are written in → locale. The others are written in English."""

NUMBERS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A dial-in number. `country` ISO 3166, `language` that of its prompts."""

    location: str
    display: str
    country: str
    language: str


def language_of(code: str) -> str:
    """The language in which we write to a reader of `code`."""
    plain = code.strip().lower().replace("_", "-").split("-")[0]
    return plain if plain in LOCALES else "en"


def day(moment: datetime, *, zone: str, language: str) -> str:
    return dates.format_date(moment.astimezone(ZoneInfo(zone)), "full", locale=LOCALES[language])


def clock(moment: datetime, *, zone: str, language: str) -> str:
    return dates.format_time(moment.astimezone(ZoneInfo(zone)), "HH:mm", locale=LOCALES[language])


def zone_name(moment: datetime, *, zone: str, language: str) -> str:
    """`Europe/Paris (GMT+02:00)`: the offset is the one that counts at that moment."""
    local = moment.astimezone(ZoneInfo(zone))
    offset = dates.get_timezone_gmt(local, "long", locale=LOCALES[language])
    return f"{zone.replace('_', ' ')} ({offset})"


def duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest or not hours else [])])


def grouped(pin: str) -> str:
    """A PIN in threes, as people read it aloud."""
    return " ".join(pin[at : at + 3] for at in range(0, len(pin), 3))


def nearest(numbers: Sequence[Number], *, zone: str, language: str) -> list[Number]:
    """The few numbers that a reader will most likely want: those of the event's own country that speak their
    language, others of the country, then the nearest; one that speaks their language counts as half as far.
    """
    home = country_of(zone)

    def order(one: Number) -> tuple[int, float]:
        speaks = one.language.lower().split("-")[0] == language
        far_km = distance_km(zone, number=one.display, country=one.country)
        if one.country == home:
            return (0 if speaks else 1), far_km
        return 2, far_km / 2 if speaks else far_km

    return sorted(numbers, key=order)[:NUMBERS_SHOWN]
