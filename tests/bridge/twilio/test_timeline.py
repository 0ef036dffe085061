"""Media messages become RTP that the jitter buffer can sort."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from bridge.twilio.timeline import Timeline

FRAME = bytes(160)


def fields(packet: bytes) -> tuple[int, int, bool]:
    """Sequence number, timestamp, marker."""
    version, kind, seq, ts, ssrc = struct.unpack_from(">BBHII", packet)
    assert (version, kind & 0x7F, ssrc) == (0x80, 0, 7)
    return seq, ts, bool(kind & 0x80)


def play(messages: list[tuple[int | None, int | None]]) -> list[tuple[int, int, bool]]:
    line = Timeline(ssrc=7)
    return [fields(line.packet(FRAME, chunk=chunk, timestamp_ms=ms)) for chunk, ms in messages]


def test_steady_sound_moves_in_exact_frames() -> None:
    """Timestamps of Twilio are whole milliseconds of its own clock, not multiples of a frame."""
    heard = play([(n, ms) for n, ms in enumerate((5, 25, 46, 64, 85, 106, 125), start=1)])
    assert [ts for _, ts, _ in heard] == [0, 160, 320, 480, 640, 800, 960]
    assert [seq for seq, _, _ in heard] == [1, 2, 3, 4, 5, 6, 7]


def test_a_lost_message_leaves_a_hole_and_counts_as_lost() -> None:
    assert [(seq, ts) for seq, ts, _ in play([(1, 0), (2, 20), (5, 80)])] == [(1, 0), (2, 160), (5, 640)]


def test_a_pause_of_the_sender_is_a_pause_and_no_loss() -> None:
    heard = play([(1, 0), (2, 20), (3, 1040), (4, 1060)])
    assert heard == [(1, 0, False), (2, 160, False), (3, 8320, True), (4, 8480, False)]


def test_messages_from_before_a_pause_that_come_after_it_find_their_place() -> None:
    heard = play([(1, 0), (2, 20), (4, 1060), (3, 40), (5, 1080)])
    assert [ts for _, ts, _ in heard] == [0, 160, 8480, 320, 8640]


def test_slow_drift_of_a_clock_is_followed() -> None:
    """A clock that is off by 1 % needs a jump of a frame every few seconds, and no jump without need."""
    heard = play([(n, round(20.2 * (n - 1))) for n in range(1, 1001)])
    jumps = sum(marker for _, _, marker in heard)
    assert 2 <= jumps <= 5
    for index, (_, ts, _) in enumerate(heard):
        assert abs(ts - 20.2 * index * 8) <= 2.5 * 160 + 8


@given(st.permutations(range(1, 12)))
def test_any_order_of_arrival_gives_the_same_packets(order: list[int]) -> None:
    """The first to arrive sets the origin; relative to it, everything is where it belongs."""
    heard = play([(n, 20 * n) for n in order])
    for n, (seq, ts, _) in zip(order, heard, strict=True):
        assert seq == n
        assert (ts - (n - order[0]) * 160) % (1 << 32) == 0


def test_numbers_wrap() -> None:
    heard = play([(65535, 0), (65536, 20), (65537, 40)])
    assert [seq for seq, _, _ in heard] == [65535, 0, 1]


def test_without_numbers_the_order_of_arrival_counts() -> None:
    assert [(seq, ts) for seq, ts, _ in play([(None, None)] * 3)] == [(1, 0), (2, 160), (3, 320)]


def test_other_lengths_go_by_their_timestamps() -> None:
    line = Timeline(ssrc=7)
    sizes = [(1, 0, 160), (2, 20, 320), (3, 60, 160)]
    placed = [fields(line.packet(bytes(size), chunk=c, timestamp_ms=ms))[1] for c, ms, size in sizes]
    assert placed == [0, 160, 480]
