"""How long somebody was there: unions of intervals, against counting every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.people import people_of
from reports.visits import Visit, Way, most_at_once, present_ms

T0 = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)


def visit(who: str, way: Way, begin: int, end: int) -> Visit:
    """Begin and end in ms."""
    return Visit(
        session_id=1, participant_id=who, way=way, join_at=T0 + timedelta(milliseconds=begin),
        leave_at=T0 + timedelta(milliseconds=end),
    )  # fmt: skip


def moments(visits: list[Visit]) -> set[int]:
    """Every ms in which somebody of these is there."""
    ms = timedelta(milliseconds=1)
    return {
        moment for one in visits for moment in range((one.join_at - T0) // ms, (one.leave_at - T0) // ms)
    }


spans = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.sampled_from(list(Way)), st.integers(0, 60), st.integers(0, 40)
)
stories = st.lists(spans, max_size=9).map(
    lambda found: [visit(who, way, begin, begin + length) for who, way, begin, length in found]
)


@given(stories)
def test_presence_is_the_number_of_moments_in_the_room(visits: list[Visit]) -> None:
    assert present_ms(visits) == len(moments(visits))
    for person in people_of(visits):
        mine = [one for one in visits if one.participant_id == person.participant_id]
        assert person.present_ms == len(moments(mine))
        assert person.phone_ms == len(moments([one for one in mine if one.way is Way.PHONE]))
        assert max(person.phone_ms, person.browser_ms) <= person.present_ms
        assert person.present_ms <= person.phone_ms + person.browser_ms
        assert person.present_ms <= (person.left_at - person.joined_at) // timedelta(milliseconds=1)


@given(stories)
def test_the_most_people_at_once(visits: list[Visit]) -> None:
    by_person = {one.participant_id: moments([v for v in visits if v.participant_id == one.participant_id])
                 for one in visits}  # fmt: skip
    counts = (sum(moment in own for own in by_person.values()) for moment in range(110))
    assert most_at_once(visits) == max(counts)


def test_a_visit_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        visit("a", Way.PHONE, 5, 4)
