"""The agenda of an event: lines of a time and a title, as text that people type and as a list for programs.
Pure.

Each line is one entry; a time in front of it is optional: `10:00 Welcome`, `10h15 Results`, `Questions`.
Times are those of the event's own clocks. A time earlier than the start belongs to the next day, because an
agenda does not begin before its event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from events.models import Event

LINES_MAX = 60
TITLE_CHARS_MAX = 200
TEXT_CHARS_MAX = LINES_MAX * (TITLE_CHARS_MAX + 10)
_TIME = re.compile(r"([01]?\d|2[0-3])\s?(?::|h)\s?([0-5]\d)", re.ASCII | re.IGNORECASE)
_LINE = re.compile(rf"(?:{_TIME.pattern}(?:\s*[-–—:.]\s+|\s+|$))?(.*)", re.ASCII | re.IGNORECASE)
_LATE = timedelta(minutes=30)
"""How long before the start an agenda may begin: coffee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line. `at` is `hh:mm` on the event's clocks, or empty; `moment` is when that is, if known."""

    at: str
    title: str
    moment: datetime | None = None


def parse_agenda(value: Any) -> list[dict[str, str]]:
    """Text of lines, or a list of `{"time", "title"}` (a form's `agenda[0][time]` is one, too), in the form
    in which it is stored. Raises ValueError.
    """
    if isinstance(value, Mapping):  # a form numbers its entries
        value = [value[key] for key in sorted(value, key=lambda key: (len(str(key)), str(key)))]
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            raise ValueError(f"must not be longer than {TEXT_CHARS_MAX} characters")
        found = [_of_line(line) for line in value.splitlines() if line.strip()]
    elif isinstance(value, list | tuple):
        found = [_of_entry(entry) for entry in value]
    else:
        raise ValueError("must be lines of text, or a list of time and title")
    if len(found) > LINES_MAX:
        raise ValueError(f"must not have more than {LINES_MAX} lines")
    return found


def text_of(stored: Sequence[Mapping[str, str]]) -> str:
    """The agenda as lines, for a form and for mails."""
    return "\n".join(f"{one['time']} {one['title']}".strip() for one in stored)


def agenda_of(event: Event) -> list[Item]:
    """The lines of an event with their moments; a permanent room has no day, so its times are text."""
    starts_at = None if event.permanent_room else event.starts_at
    return [
        Item(at=one["time"], title=one["title"], moment=_moment(one["time"], starts_at, event.timezone))
        for one in event.agenda
    ]


def _of_line(line: str) -> dict[str, str]:
    match = _LINE.fullmatch(line.strip())
    assert match is not None, "the last part takes whatever there is"
    at = f"{int(match[1]):02d}:{match[2]}" if match[1] else ""
    return {"time": at, "title": _title(match[3], required=not at)}


def _of_entry(entry: Any) -> dict[str, str]:
    if isinstance(entry, str):
        return _of_line(entry) if entry.strip() else _of_entry(None)
    if not isinstance(entry, Mapping):
        raise ValueError("must be lines of text, or a list of time and title")
    at = entry.get("time") or ""
    match = _TIME.fullmatch(at.strip()) if isinstance(at, str) else None
    if at and match is None:
        raise ValueError("times must be hours and minutes as 10:00")
    return {
        "time": f"{int(match[1]):02d}:{match[2]}" if match is not None else "",
        "title": _title(entry.get("title"), required=True),
    }


def _title(value: Any, *, required: bool) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if (required and not text) or len(text) > TITLE_CHARS_MAX or not text.isprintable():
        raise ValueError(f"titles must be 1 to {TITLE_CHARS_MAX} printable characters")
    return text


def _moment(at: str, starts_at: datetime | None, zone: str) -> datetime | None:
    if not at or starts_at is None:
        return None
    clocks = ZoneInfo(zone)
    local = starts_at.astimezone(clocks)
    wanted = datetime.combine(local.date(), time.fromisoformat(at), tzinfo=clocks)
    if wanted < local - _LATE:
        wanted = datetime.combine(local.date() + timedelta(days=1), time.fromisoformat(at), tzinfo=clocks)
    return wanted
