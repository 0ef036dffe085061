"""Agendas: as people type them, as programs send them, and on whose clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.agenda import LINES_MAX, agenda_of, parse_agenda, text_of
from events.models import Event


def test_lines_as_people_type_them() -> None:
    typed = "10:00 Welcome\n 9h15 – Coffee \n\nQuestions\n12:05: Lunch\n2026 in figures\n10:0 odd\n"
    assert [(one["time"], one["title"]) for one in parse_agenda(typed)] == [
        ("10:00", "Welcome"),
        ("09:15", "Coffee"),
        ("", "Questions"),
        ("12:05", "Lunch"),
        ("", "2026 in figures"),
        ("", "10:0 odd"),
    ]


def test_lists_of_programs_and_forms() -> None:
    wanted = [{"time": "10:00", "title": "Welcome"}, {"time": "", "title": "Questions"}]
    assert parse_agenda([{"time": "10:00", "title": " Welcome "}, {"title": "Questions"}]) == wanted
    assert parse_agenda({"0": {"time": "10h00", "title": "Welcome"}, "1": {"title": "Questions"}}) == wanted
    assert parse_agenda("") == []


@pytest.mark.parametrize(
    "bad",
    [7, [7], [{"time": "25:00", "title": "x"}], [{"time": ["10:00"], "title": "x"}], [{"time": "10:00"}],
     [{"title": 7}],
     "x" * 201, "a\x00b", "x\n" * (LINES_MAX + 1), "x" * 20_000],
)  # fmt: skip
def test_what_is_no_agenda_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"must|titles|times"):
        parse_agenda(bad)


@given(st.text(max_size=300))
def test_what_was_taken_comes_back_the_same(text: str) -> None:
    try:
        stored = parse_agenda(text)
    except ValueError:
        return
    assert parse_agenda(text_of(stored)) == stored


def test_times_are_on_the_event_s_clocks_and_after_its_start() -> None:
    event = Event(
        starts_at=datetime(2026, 10, 24, 21, 0, tzinfo=UTC),  # 23:00 in Paris, the night the clocks go back
        timezone="Europe/Paris",
        permanent_room=False,
        agenda=parse_agenda("22:45 Coffee\n23:00 Welcome\n04:00 The end\nwhenever"),
    )
    moments = [None if one.moment is None else one.moment.astimezone(UTC) for one in agenda_of(event)]
    assert moments == [
        datetime(2026, 10, 24, 20, 45, tzinfo=UTC),
        datetime(2026, 10, 24, 21, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 3, 0, tzinfo=UTC),
        None,
    ]
    event.permanent_room = True
    assert [one.moment for one in agenda_of(event)] == [None] * 4
