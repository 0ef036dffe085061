"""What one stream sends: frames of the mixer become messages, and what is not heard yet is bounded. No I/O.

Theory.  Twilio plays what it is sent in order, as long as it takes; there is no clock in a media message and
no way to ask how much is waiting, except marks: one comes back when everything before it was played.  The
mixer gives a frame every 20 ms, so nothing needs to wait for long; but whatever was held up on the way (a
stalled network, a retransmission) arrives in one piece and is played in full, and from then on everything is
late by as much.  Delay would only ever grow.  Against that:

- a mark goes out with every MARK_FRAMES frames; its way there and back is the lag, the least one ever seen is
  what the way itself costs, and the rest is waiting sound;
- digital silence is not sent once it has lasted SETTLE_FRAMES, so every pause lets the far end catch up;
  while the lag is more than SLOW_S too long, after LEAD_FRAMES already;
- sound after such a pause goes out with LEAD_FRAMES of silence before it: what waits there evens out the
  jitter of the way;
- a lag more than LATE_S too long is cut: `clear`, and on with what is being said now;
- when more than WINDOW_FRAMES are out without an answer, frames are dropped and counted until marks come
  back.  So at most WINDOW_FRAMES of a call wait in any buffer.

Frames travel in pairs (BATCH_FRAMES): half the messages for 20 ms of delay.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FRAME_BYTES = 160
SILENCE = b"\xff" * FRAME_BYTES
BATCH_FRAMES = 2
MARK_FRAMES = 25
SETTLE_FRAMES = 10
LEAD_FRAMES = 3
WINDOW_FRAMES = 100
SLOW_S = 0.4
LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class SendMedia:
    payload: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    number: int


@dataclass(frozen=True, slots=True)
class SendClear:
    pass


Order = SendMedia | SendMark | SendClear


@dataclass(slots=True)
class PlayoutStats:
    """Frames of 20 ms, counted since the stream began."""

    sent: int = 0
    silent: int = 0
    """Left out because they were silence."""
    dropped: int = 0
    """Left out because too much was waiting."""
    clears: int = 0
    late_cuts: int = 0
    """Clears that caught up with a late stream."""
    marks_back: int = 0


@dataclass(slots=True)
class _Out:
    number: int
    sent_s: float
    frames: int
    """Frames sent up to this mark."""
    measured: bool
    """Whether its return tells the lag; not if a clear sends it back."""


class Playout:
    def __init__(self) -> None:
        self.stats = PlayoutStats()
        self._batch: list[bytes] = []
        self._out: deque[_Out] = deque()
        self._number = 0
        self._since_mark = 0
        self._answered = 0
        """Frames known to be played."""
        self._quiet = SETTLE_FRAMES + 1
        """Frames of silence on end; a stream begins as after a long pause."""
        self.lag_s = 0.0
        """How long the latest mark was on its way."""
        self.floor_s: float | None = None
        """The least lag so far: what the way itself takes."""

    @property
    def waiting(self) -> int:
        """Frames sent and not known to be played."""
        return self.stats.sent - self._answered

    def frame(self, payload: bytes, *, now_s: float) -> list[Order]:
        """Sound of 20 ms from the mixer."""
        if payload == SILENCE:
            self._quiet += 1
            if self._quiet > (LEAD_FRAMES if self._late_by() > SLOW_S else SETTLE_FRAMES):
                self.stats.silent += 1
                return self._flush(now_s)
            return self._take([payload], now_s)
        paused, self._quiet = self._quiet > SETTLE_FRAMES, 0
        late = self._late_by()
        if late > LATE_S and self.waiting:
            self.stats.late_cuts += 1
            return [*self._clear(), *self._take([payload], now_s)]
        lead = LEAD_FRAMES if paused and late <= SLOW_S else 0
        return self._take([SILENCE] * lead + [payload], now_s)

    def _late_by(self) -> float:
        """By how much the far end is later than the way takes, as the latest mark told; s.

        Marks that are still out tell nothing: what holds them up may be the way, and what is on the way
        cannot be cleared yet.
        """
        return 0.0 if self.floor_s is None else self.lag_s - self.floor_s

    def _take(self, frames: list[bytes], now_s: float) -> list[Order]:
        if self.waiting + len(self._batch) + len(frames) > WINDOW_FRAMES:
            self.stats.dropped += len(frames)
            return []
        self._batch += frames
        return self._flush(now_s) if len(self._batch) >= BATCH_FRAMES else []

    def _flush(self, now_s: float) -> list[Order]:
        if not self._batch:
            return []
        orders: list[Order] = [SendMedia(b"".join(self._batch))]
        self.stats.sent += len(self._batch)
        self._since_mark += len(self._batch)
        self._batch.clear()
        if self._since_mark >= MARK_FRAMES:
            orders.append(self._mark(now_s))
        return orders

    def _mark(self, now_s: float) -> SendMark:
        self._number += 1
        self._since_mark = 0
        self._out.append(_Out(self._number, now_s, self.stats.sent, True))
        return SendMark(self._number)

    def mark(self, *, now_s: float) -> tuple[int, list[Order]]:
        """Ask to be told when all sound so far was played: the number that `returned` will say."""
        orders = self._flush(now_s)
        if not orders or not isinstance(orders[-1], SendMark):
            orders.append(self._mark(now_s))
        return self._number, orders

    def returned(self, number: int, *, now_s: float) -> None:
        """A mark came back, and with it all before it."""
        while self._out and self._out[0].number <= number:
            out = self._out.popleft()
            self._answered = max(self._answered, out.frames)
            self.stats.marks_back += 1
            if out.measured:
                self.lag_s = now_s - out.sent_s
                self.floor_s = self.lag_s if self.floor_s is None else min(self.floor_s, self.lag_s)
        if not self._out and not self._since_mark:
            self._answered = self.stats.sent

    def interrupt(self) -> list[Order]:
        """A key was pressed: nothing that waits shall be heard."""
        return self._clear() if self._batch or self.waiting else []

    def _clear(self) -> list[Order]:
        self._batch.clear()
        self.stats.clears += 1
        self._answered = self.stats.sent
        self._since_mark = 0
        self.lag_s = self.floor_s or 0.0
        for out in self._out:
            out.measured = False
        return [SendClear()]
