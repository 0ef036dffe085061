"""Packets in the order of their sequence numbers, with as little waiting as there can be.

This is no jitter buffer: timing is the mixer's business, and a packet that is next goes on at once.  Only
when one is missing do its successors wait, for a packet overtaken on the way arrives milliseconds late, and
the decoder must have it first.  After WAIT_S (half a frame), or when WINDOW packets wait, the missing one is
lost: its place is told, what waited goes on, and if it comes after all it is dropped.  So a lost packet costs
its successor 10 ms once and nothing later; a buffer that fills up instead would delay everything from then
on (aiortc issues 543 and 775).

A jump by more than JUMP packets, either way, is a stream that begins anew.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from rooms.webrtc.rtp import sequence_after

WAIT_S = 0.010
WINDOW = 3
JUMP = 500

T = TypeVar("T")


class Released(NamedTuple, Generic[T]):
    """The next packet, and how many before it are lost.  anew: unrelated to what came before."""

    item: T
    lost: int
    anew: bool


class Reorder(Generic[T]):
    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, T] = {}
        self._since_s = 0.0
        self.late = 0
        """Packets dropped because they were lost or here already."""
        self.lost = 0

    def add(self, sequence: int, item: T, *, now_s: float) -> list[Released[T]]:
        """Take a packet; whatever can go on now, in order."""
        if self._next is None:
            return self._begin(sequence, item)
        ahead = sequence_after(sequence, self._next)
        if abs(ahead) > JUMP:
            return self._begin(sequence, item)
        if ahead < 0 or sequence in self._held:
            self.late += 1
            return []
        if ahead == 0:
            self._next = (sequence + 1) & 0xFFFF
            return [Released(item, 0, False), *self._run()]
        if not self._held:
            self._since_s = now_s
        self._held[sequence] = item
        if len(self._held) >= WINDOW:
            return self._skip(now_s)
        return self.expire(now_s=now_s)

    def deadline_s(self) -> float | None:
        """When `expire` is due; None while nothing waits."""
        return self._since_s + WAIT_S if self._held else None

    def expire(self, *, now_s: float) -> list[Released[T]]:
        """Give up what has been missing for too long."""
        if not self._held or now_s < self._since_s + WAIT_S:
            return []
        return self._skip(now_s)

    def _begin(self, sequence: int, item: T) -> list[Released[T]]:
        self._held.clear()
        self._next = (sequence + 1) & 0xFFFF
        return [Released(item, 0, True)]

    def _run(self) -> list[Released[T]]:
        released: list[Released[T]] = []
        while self._next in self._held:
            released.append(Released(self._held.pop(self._next), 0, False))
            self._next = (self._next + 1) & 0xFFFF
        return released

    def _skip(self, now_s: float) -> list[Released[T]]:
        assert self._next is not None
        start = self._next
        first = min(self._held, key=lambda sequence: sequence_after(sequence, start))
        lost = sequence_after(first, start)
        self.lost += lost
        self._next = (first + 1) & 0xFFFF
        self._since_s = now_s
        return [Released(self._held.pop(first), lost, False), *self._run()]
