"""Nothing waits for long at Twilio, whatever the network does."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest

from bridge.twilio import playout as po
from bridge.twilio.playout import Order, Playout, SendClear, SendMark, SendMedia

VOICE = b"\x20" * 160


@dataclass
class FarEnd:
    """Twilio at the end of a network: what is sent arrives later, and is played 20 ms a tick."""

    engine: Playout = field(default_factory=Playout)
    way_s: float = 0.1
    stalled_until_s: float = 0.0
    arriving: deque[tuple[float, Order]] = field(default_factory=deque)
    coming_back: deque[tuple[float, int]] = field(default_factory=deque)
    buffer: deque[int | float] = field(default_factory=deque)
    """Ages of frames that wait, and numbers of marks as ints."""
    played: list[float | None] = field(default_factory=list)
    """For every tick: when the frame that was heard was made; None for silence."""
    now_s: float = 0.0

    def run(self, frames: list[bytes]) -> None:
        for frame in frames:
            self.now_s += 0.02
            self.post(self.engine.frame(frame, now_s=self.now_s))
            self.tick()

    def post(self, orders: list[Order]) -> None:
        for order in orders:
            self.arriving.append((max(self.now_s + self.way_s, self.stalled_until_s), order))

    def tick(self) -> None:
        while self.arriving and self.arriving[0][0] <= self.now_s:
            match self.arriving.popleft()[1]:
                case SendMedia(payload):
                    self.buffer.extend([self.now_s - self.way_s] * (len(payload) // 160))
                case SendMark(number):
                    self.buffer.append(number)
                case SendClear():
                    for each in self.buffer:
                        if isinstance(each, int):
                            self.answer(each)
                    self.buffer.clear()
        while self.buffer and isinstance(self.buffer[0], int):
            self.answer(int(self.buffer.popleft()))
        self.played.append(self.buffer.popleft() if self.buffer else None)
        while self.buffer and isinstance(self.buffer[0], int):
            self.answer(int(self.buffer.popleft()))
        while self.coming_back and self.coming_back[0][0] <= self.now_s:
            self.engine.returned(self.coming_back.popleft()[1], now_s=self.now_s)

    def answer(self, number: int) -> None:
        self.coming_back.append((max(self.now_s + self.way_s, self.stalled_until_s), number))

    @property
    def waiting(self) -> int:
        """Frames that wait at Twilio."""
        return sum(not isinstance(each, int) for each in self.buffer)


def test_frames_travel_in_pairs_with_a_mark_every_half_second() -> None:
    engine = Playout()
    orders = [order for n in range(120) for order in engine.frame(VOICE, now_s=n * 0.02)]
    media = [order for order in orders if isinstance(order, SendMedia)]
    assert {len(each.payload) for each in media[1:]} == {320}
    assert sum(isinstance(order, SendMark) for order in orders) == 3
    assert engine.stats.dropped > 0, "without any answer no more than the window is sent"
    assert engine.stats.sent <= po.WINDOW_FRAMES


def test_a_clean_way_costs_little_and_loses_nothing() -> None:
    far = FarEnd()
    far.run([VOICE] * 500)
    stats = far.engine.stats
    assert (stats.dropped, stats.late_cuts, stats.silent) == (0, 0, 0)
    assert far.waiting <= po.LEAD_FRAMES + po.BATCH_FRAMES
    assert None not in far.played[20:], "what waits at Twilio evens out the pairs"


def test_long_silence_is_not_sent() -> None:
    far = FarEnd()
    far.run([VOICE] * 50 + [po.SILENCE] * 500 + [VOICE] * 10)
    assert far.engine.stats.silent == 500 - po.SETTLE_FRAMES
    assert far.waiting <= po.LEAD_FRAMES + po.BATCH_FRAMES


@pytest.mark.parametrize("stall_s", [0.3, 1.0, 3.0, 10.0])
def test_after_a_stall_the_caller_is_back_in_the_present(stall_s: float) -> None:
    """A network that held everything up delivers it at once; the caller must not be late ever after."""
    far = FarEnd()
    far.run([VOICE] * 300)
    far.stalled_until_s = far.now_s + stall_s
    far.run([VOICE] * round(stall_s * 50 + 150))
    most = max(po.LATE_S, 0.3)
    assert far.waiting * 0.02 <= most + 0.1
    assert far.engine.waiting <= po.WINDOW_FRAMES
    far.run([VOICE] * 25 + [po.SILENCE] * 60 + [VOICE] * 25)
    assert far.waiting <= po.LEAD_FRAMES + po.BATCH_FRAMES + 1, "the next pause takes care of the rest"
    assert None not in far.played[-15:]


def test_jitter_leaves_no_growing_delay() -> None:
    rng = np.random.default_rng(3)
    far = FarEnd()
    for _ in range(40):
        far.way_s = 0.1 + float(rng.exponential(0.05))
        far.run([VOICE] * 40 + [po.SILENCE] * 20)
    assert far.waiting * 0.02 < 0.5
    assert far.engine.stats.dropped == 0


def test_a_key_empties_the_buffer_and_marks_come_back() -> None:
    far = FarEnd(way_s=0.02)
    far.run([VOICE] * 30)
    number, orders = far.engine.mark(now_s=far.now_s)
    far.post(orders)
    orders = far.engine.interrupt()
    assert orders == [SendClear()]
    far.post(orders)
    far.run([po.SILENCE] * 5)
    assert far.waiting <= 5
    assert far.engine.stats.marks_back >= 1
    assert number not in [out.number for out in far.engine._out]


def test_nothing_to_clear_sends_nothing() -> None:
    engine = Playout()
    assert engine.interrupt() == []
    engine.frame(po.SILENCE, now_s=0.0)
    assert engine.interrupt() == []


def test_a_mark_asks_for_the_rest_of_a_pair_first() -> None:
    engine = Playout()
    engine.frame(VOICE, now_s=0.0)  # with its lead, two pairs
    assert engine.frame(VOICE, now_s=0.02) == []
    number, orders = engine.mark(now_s=0.03)
    assert [type(order) for order in orders] == [SendMedia, SendMark]
    assert orders[-1] == SendMark(number)


def test_marks_out_of_order_or_never_sent_do_no_harm() -> None:
    engine = Playout()
    for n in range(60):
        engine.frame(VOICE, now_s=n * 0.02)
    engine.returned(99, now_s=2.0)
    engine.returned(1, now_s=2.1)
    engine.returned(0, now_s=2.1)
    assert engine.waiting >= 0
