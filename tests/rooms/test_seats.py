"""A reload, another network, a tab that slept: the same seat, until the grace runs out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rooms.seats import SEAT_GRACE_S, Seats


def test_back_within_the_grace_is_never_away() -> None:
    seats = Seats()
    assert seats.connect("a", now_s=0)
    assert seats.deadline_s() is None
    seats.disconnect("a", now_s=10)
    assert "a" in seats
    assert not seats.connected("a")
    assert seats.deadline_s() == 10 + SEAT_GRACE_S
    assert not seats.connect("a", now_s=29.9)
    assert seats.deadline_s() is None
    assert seats.due(now_s=1000) == []


def test_gone_when_the_grace_is_over() -> None:
    seats = Seats()
    for number, seat in enumerate("abc"):
        seats.connect(seat, now_s=0)
        seats.disconnect(seat, now_s=number)
    assert seats.due(now_s=19.9) == []
    assert seats.due(now_s=21) == ["a", "b"]
    assert "a" not in seats
    assert seats.connect("c", now_s=22.1), "too late, even though nobody asked for the expired"
    assert len(seats) == 1


def test_a_goodbye_has_no_grace_and_strangers_are_no_error() -> None:
    seats = Seats()
    seats.connect("a", now_s=0)
    seats.disconnect("a", now_s=1)
    seats.forget("a")
    seats.disconnect("b", now_s=1)
    seats.forget("b")
    assert (len(seats), seats.deadline_s()) == (0, None)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["in", "out", "bye"]), st.floats(0, 30)),
        max_size=40,
    )
)
def test_any_order_agrees_with_the_plain_rule(steps: list[tuple[str, str, float]]) -> None:
    seats = Seats()
    lost_at: dict[str, float | None] = {}
    now_s = 0.0
    for seat, what, wait_s in steps:
        now_s += wait_s
        gone = {who for who, at in lost_at.items() if at is not None and at + SEAT_GRACE_S <= now_s}
        assert set(seats.due(now_s=now_s)) == gone
        for who in gone:
            del lost_at[who]
        if what == "in":
            assert seats.connect(seat, now_s=now_s) == (seat not in lost_at)
            lost_at[seat] = None
        elif what == "out":
            seats.disconnect(seat, now_s=now_s)
            if seat in lost_at and lost_at[seat] is None:
                lost_at[seat] = now_s
        else:
            seats.forget(seat)
            lost_at.pop(seat, None)
        waiting = [at + SEAT_GRACE_S for at in lost_at.values() if at is not None]
        assert seats.deadline_s() == min(waiting, default=None)
