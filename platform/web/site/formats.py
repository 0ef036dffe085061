"""Dates, times, durations, numbers and PINs as people of the page's language write them (CLDR by babel)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel import dates, numbers

from web.site.forms import field_id

LOCALES = {"en": "en_GB", "fr": "fr_FR"}
"""Language → locale. International English: the day before the month, 24 hours."""


def filters(language: str) -> dict[str, Callable[..., Any]]:
    """The filters of templates in a language."""
    locale = LOCALES[language]

    def day(moment: datetime, zone: str = "UTC") -> str:
        return dates.format_date(moment.astimezone(ZoneInfo(zone)), "full", locale=locale)

    def short_day(moment: datetime, zone: str = "UTC") -> str:
        return dates.format_date(moment.astimezone(ZoneInfo(zone)), "medium", locale=locale)

    def clock(moment: datetime, zone: str = "UTC") -> str:
        return dates.format_time(moment.astimezone(ZoneInfo(zone)), "HH:mm", locale=locale)

    def clock_s(moment: datetime, zone: str = "UTC") -> str:
        return dates.format_time(moment.astimezone(ZoneInfo(zone)), "HH:mm:ss", locale=locale)

    def month(moment: datetime, zone: str = "UTC") -> str:
        return dates.format_date(moment.astimezone(ZoneInfo(zone)), "MMM", locale=locale)

    def day_number(moment: datetime, zone: str = "UTC") -> str:
        return str(moment.astimezone(ZoneInfo(zone)).day)

    def when(moment: datetime, zone: str = "UTC") -> str:
        local = moment.astimezone(ZoneInfo(zone))
        day_text = dates.format_date(local, "medium", locale=locale)
        return f"{day_text}, {dates.format_time(local, 'HH:mm', locale=locale)}"

    def zone_name(zone: str, moment: datetime) -> str:
        local = moment.astimezone(ZoneInfo(zone))
        offset = dates.get_timezone_gmt(local, "long", locale=locale)
        return f"{zone.replace('_', ' ')} ({offset})"

    def duration(minutes: int) -> str:
        hours, rest = divmod(int(minutes), 60)
        parts = ([f"{hours}\u00a0h"] if hours else []) + ([f"{rest}\u00a0min"] if rest or not hours else [])
        return " ".join(parts)

    def seconds(length_s: float) -> str:
        whole = int(length_s)
        hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

    def number(value: float, digits: int = 0) -> str:
        return numbers.format_decimal(round(value, digits), locale=locale)

    return {
        "day": day,
        "short_day": short_day,
        "clock": clock,
        "clock_s": clock_s,
        "month": month,
        "day_number": day_number,
        "when": when,
        "zone_name": zone_name,
        "duration": duration,
        "seconds": seconds,
        "number": number,
        "grouped": grouped,
        "field_id": field_id,
        "pair": lambda text: (text, text),
    }


def grouped(digits: str) -> str:
    """A PIN in groups of three, as one reads it aloud: 123 456 789."""
    text = str(digits)
    return " ".join(text[place : place + 3] for place in range(0, len(text), 3))
