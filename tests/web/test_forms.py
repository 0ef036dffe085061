"""Bracketed form fields mean what they mean in PHP, and garbage is refused, not a crash."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.forms import DEPTH_MAX, FIELDS_MAX, BadFormError, nest


def test_groups() -> None:
    assert nest(
        [
            ("name", "a"),
            ("settings[x]", "1"),
            ("settings[y]", "2"),
            ("registration[1]", "Ann"),
            ("deep[a][b][c]", "z"),
        ]
    ) == {
        "name": "a",
        "settings": {"x": "1", "y": "2"},
        "registration": {"1": "Ann"},
        "deep": {"a": {"b": {"c": "z"}}},
    }


def test_lists_number_themselves_and_the_last_of_a_name_counts() -> None:
    assert nest([("t[]", "a"), ("t[]", "b")]) == {"t": {"0": "a", "1": "b"}}
    assert nest([("n", "a"), ("n", "b")]) == {"n": "b"}


@pytest.mark.parametrize("name", ["a[", "a]", "a[b", "a]b[", "[a]", "", "a[b]c", "a[[b]]"])
def test_brackets_that_do_not_match_are_part_of_the_name(name: str) -> None:
    assert nest([(name, "1")]) == {name or "0": "1"}


@pytest.mark.parametrize(
    "fields",
    [
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a[b]", "1"), ("a[b][c]", "2")],
        [("a" + "[b]" * DEPTH_MAX, "1")],
        [(f"f{n}", "1") for n in range(FIELDS_MAX + 1)],
    ],
)
def test_contradictions_are_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(BadFormError):
        nest(fields)


@given(st.lists(st.tuples(st.text(alphabet="ab[]0", max_size=12), st.text(max_size=3)), max_size=20))
def test_any_names_are_nested_or_refused(fields: list[tuple[str, str]]) -> None:
    with contextlib.suppress(BadFormError):
        found = nest(fields)
        assert bool(found) == bool(fields)
