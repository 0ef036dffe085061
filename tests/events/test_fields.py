"""Everything an organiser may send is either understood or refused with the field's name."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import BadEventError
from events.fields import DEFAULT_SETTINGS, AccessType, RoomType, parse_wishes


def test_text_and_typed_values_mean_the_same() -> None:
    form = {
        "name": " Q3  results ",
        "room_type": "meeting",
        "permanent_room": "1",
        "access_type": "2",
        "password": "s3cret",
        "lobby_enabled": "0",
        "duration": "1:30",
        "timezone": "Europe/Paris",
        "skin_id": "7",
        "registration": {"enabled": "1", "template": "2"},
        "settings": {"phonegateway_enabled": "0"},
    }
    typed = {
        **form,
        "name": "Q3 results",
        "permanent_room": True,
        "access_type": 2,
        "lobby_enabled": False,
        "skin_id": 7,
        "registration": {"enabled": True, "template": 2},
        "settings": {"phonegateway_enabled": False},
    }
    wishes = parse_wishes(form)
    assert wishes == parse_wishes(typed)
    assert wishes.name == "Q3 results"
    assert wishes.room_type is RoomType.MEETING
    assert wishes.access_type is AccessType.PASSWORD
    assert wishes.duration_min == 90
    assert wishes.settings == {"phonegateway_enabled": False}
    assert wishes.starts_at is None


def test_unknown_names_do_not_disturb() -> None:
    assert parse_wishes({"name": "abc", "colour": "red", "settings": {"future_enabled": "1"}}).settings == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 256),
        ("name", 5),
        ("name", "a\x00b"),
        ("name", "a\x07b"),
        ("name", "\ud800"),
        ("name", ["a"]),
        ("room_type", "party"),
        ("room_type", 1),
        ("room_type", ["meeting"]),
        ("permanent_room", "maybe"),
        ("permanent_room", 2),
        ("access_type", "5"),
        ("access_type", 0),
        ("access_type", True),
        ("access_type", 1.0),
        ("password", "abc"),
        ("password", "x" * 129),
        ("custom_room_url_name", "a"),
        ("custom_room_url_name", "-abc"),
        ("custom_room_url_name", "a/b/c"),
        ("custom_room_url_name", "docs"),
        ("custom_room_url_name", "v1"),
        ("lobby_description", "x" * 20_001),
        ("starts_at", "soon"),
        ("starts_at", 1767225600),
        ("duration", "90"),
        ("duration", 90),
        ("timezone", "Nowhere"),
        ("skin_id", "0"),
        ("skin_id", "9" * 30),
        ("registration", "1"),
        ("registration[enabled]", "x"),
        ("settings", []),
        ("settings[phonegateway_enabled]", "x"),
        ("settings[thank_you_page_url]", "javascript:alert(1)"),
        ("settings[thank_you_page_url]", "http://"),
        ("settings[thank_you_page_url]", "https://a b"),
        ("settings[thank_you_page_url]", "http://[::1"),
    ],
)
def test_bad_values_are_named(field: str, value: Any) -> None:
    outer, _, inner = field.partition("[")
    data = {outer: {inner.rstrip("]"): value} if inner else value}
    with pytest.raises(BadEventError) as caught:
        parse_wishes(data)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BadEventError) as caught:
        parse_wishes({"name": "", "duration": "x", "settings": {"phonegateway_enabled": "x"}})
    assert len(caught.value.problems) == 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NAMES = st.sampled_from(
    [
        "name",
        "room_type",
        "permanent_room",
        "access_type",
        "password",
        "custom_room_url_name",
        "lobby_enabled",
        "starts_at",
        "duration",
        "timezone",
        "skin_id",
        "registration",
        "settings",
    ]
)


@given(
    st.dictionaries(NAMES, VALUES | st.dictionaries(st.sampled_from([*DEFAULT_SETTINGS, "enabled"]), VALUES))
)
def test_garbage_is_refused_never_a_crash(data: dict[str, Any]) -> None:
    with contextlib.suppress(BadEventError):
        parse_wishes(data)
