"""Dates as organisers write them, on the clocks of their zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import schedule


@pytest.mark.parametrize(
    ("text", "minutes"), [("0:45", 45), ("1:00", 60), ("12:30", 750), ("24:00", 1440), (" 2:05 ", 125)]
)
def test_durations(text: str, minutes: int) -> None:
    assert schedule.parse_duration(text) == minutes


@pytest.mark.parametrize(
    "text", ["", "0:00", "24:01", "1:60", "1:5", "90", "-1:00", "1:00:00", "١:00", "1:0٠"]
)
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="h:mm"):
        schedule.parse_duration(text)


@given(st.integers(1, schedule.DURATION_MAX_MIN))
def test_durations_survive_the_round_trip(minutes: int) -> None:
    assert schedule.parse_duration(schedule.format_duration(minutes)) == minutes


def test_wall_clock_time_means_the_clocks_of_the_zone() -> None:
    assert schedule.parse_start("2026-07-01T10:00", zone="Europe/Paris") == datetime(
        2026, 7, 1, 8, tzinfo=UTC
    )
    assert schedule.parse_start("2026-12-01 10:00:00", zone="Europe/Paris") == datetime(
        2026, 12, 1, 9, tzinfo=UTC
    )


def test_an_offset_in_the_text_wins() -> None:
    assert schedule.parse_start("2026-07-01T10:00-04:00", zone="Europe/Paris") == datetime(
        2026, 7, 1, 14, tzinfo=UTC
    )
    assert schedule.parse_start("2026-07-01T10:00Z", zone="Europe/Paris") == datetime(
        2026, 7, 1, 10, tzinfo=UTC
    )


def test_the_night_of_the_change_of_clocks() -> None:
    assert schedule.parse_start("2026-03-29T02:30", zone="Europe/Paris") == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    assert schedule.parse_start("2026-10-25T02:30", zone="Europe/Paris") == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-13-01T10:00",
        "2026-01-01",
        "1999-01-01T00:00",
        "9999-12-31T23:59",
        "0001-01-01T00:00+14:00",
        "2026-01-01T25:00",
    ],
)
def test_bad_starts(text: str) -> None:
    with pytest.raises(ValueError):
        schedule.parse_start(text, zone="Europe/Paris")


def test_zones() -> None:
    assert schedule.parse_zone(" europe/paris ") == "Europe/Paris"
    for bad in ("", "Paris", "Mars/Base", "../etc/passwd", "/etc/passwd"):
        with pytest.raises(ValueError):
            schedule.parse_zone(bad)
    assert schedule.offset_s(datetime(2026, 7, 1, tzinfo=UTC), zone="Europe/Paris") == 7200
    assert "Europe/Paris" in schedule.countries()["FR"]
