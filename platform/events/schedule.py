"""When an event takes place: `h:mm` durations, zone names, and local times in the event's own zone.

Clients send `starts_at` as wall-clock time of the event's `timezone` (or with an offset, which wins). What is
stored is the moment in UTC. A wall-clock time that a change to summer time skips is moved on by the length
of the gap, and the first of two equal times is meant when clocks go back: PEP 495 with fold=0.
"""

from __future__ import annotations

import importlib.resources
import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

DURATION_MAX_MIN = 24 * 60
_DURATION = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@cache
def zone_names() -> frozenset[str]:
    """The names that `timezone` may have: areas with a slash, and UTC."""
    return frozenset(
        name
        for name in available_timezones()
        if ("/" in name and not name.startswith(("Etc/", "SystemV/"))) or name == "UTC"
    )


def parse_zone(text: str) -> str:
    """`text` as a known zone name, in its official spelling. Raises ValueError."""
    wanted = text.strip()
    if wanted in zone_names():
        return wanted
    for name in zone_names():
        if name.lower() == wanted.lower():
            return name
    raise ValueError("not a time zone; examples: Europe/Paris, America/New_York, UTC")


def parse_duration(text: str) -> int:
    """Minutes of `h:mm`. Raises ValueError outside of 0:01 to 24:00."""
    match = _DURATION.fullmatch(text.strip())
    minutes = int(match[1]) * 60 + int(match[2]) if match else 0
    if not 1 <= minutes <= DURATION_MAX_MIN:
        raise ValueError("must be hours and minutes as h:mm, from 0:01 to 24:00")
    return minutes


def format_duration(minutes: int) -> str:
    """Minutes as `h:mm`."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def parse_start(text: str, *, zone: str) -> datetime:
    """The moment, in UTC, that `text` (ISO 8601, date and time) names in `zone`. Raises ValueError."""
    wanted = text.strip()
    if len(wanted) < len("2026-01-01T00:00"):
        raise ValueError("must be a date and a time such as 2026-12-01T10:00")
    try:
        moment = datetime.fromisoformat(wanted)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        utc = moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError("must be a date and a time such as 2026-12-01T10:00") from exc
    if not _EARLIEST <= utc < _LATEST:
        raise ValueError("must be between the years 2000 and 2199")
    return utc


def local(moment: datetime, *, zone: str) -> datetime:
    """`moment` on the clocks of `zone`."""
    return moment.astimezone(ZoneInfo(zone))


def offset_s(moment: datetime, *, zone: str) -> int:
    """Seconds that the clocks of `zone` are ahead of UTC at `moment`."""
    return int((local(moment, zone=zone).utcoffset() or timedelta()).total_seconds())


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """Zone names by ISO 3166 country code, from the zone database's own table; empty when it has none."""
    found: dict[str, list[str]] = {}
    for line in _zone_table().splitlines():
        if line and not line.startswith("#"):
            codes, _place, name = line.split("\t")[:3]
            for code in codes.split(","):
                found.setdefault(code, []).append(name)
    return {code: tuple(sorted(names)) for code, names in found.items()}


def _zone_table() -> str:
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / "zone1970.tab"
        if path.is_file():
            return path.read_text()
    try:
        return (importlib.resources.files("tzdata") / "zoneinfo" / "zone1970.tab").read_text()
    except (ModuleNotFoundError, FileNotFoundError):
        return ""
