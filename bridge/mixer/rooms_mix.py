"""The sums: what every room sounds like, and to each speaker without himself (mix-minus).

Speakers come sorted by room, so a room's sum is a segment sum.  A room with both 8 and 16 kHz phones has
two sums that are exchanged through the half-band filter: everybody hears the narrow speakers at full
quality, wide phones also hear the wide ones in full, narrow phones hear them as well as their line can carry.
Because filtering is linear, subtracting a speaker's own frame in his own rate leaves exactly the others.

Sums are float32 and wide; they are clipped once, when they are encoded.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.mixer.resample import Doubler, Halver

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NARROW, WIDE = 160, 320
RING_FRAMES = 25
"""A wide room is mixed for this long after its last sound: the filters ring on, and its G.722 coder comes to
rest together with its listeners' decoders before they are sent silence that it did not make."""


@dataclass(frozen=True, slots=True)
class RoomSums:
    """rooms (r,) sorted slots with sound; narrow (r, 160) and wide (r, 320), or None without wide rooms."""

    rooms: Ints
    narrow: F32
    wide: F32 | None

    def place(self, slots: Ints) -> Ints:
        """Index into the sums of room slots known to have sound."""
        return np.searchsorted(self.rooms, slots)


def segment_sum(frames: F32, slots: Ints) -> tuple[Ints, F32]:
    """Sum frames (n, samples) by slot; slots sorted.  → (r,), (r, samples)"""
    first = (np.diff(slots, prepend=-1)).nonzero()[0]
    return slots[first], np.add.reduceat(frames, first, axis=0)


class RoomMixer:
    def __init__(self, slots: int) -> None:
        self._double, self._halve = Doubler(NARROW), Halver(WIDE)
        self._up_tail = np.zeros((slots, Doubler.history), np.float32)
        self._down_tail = np.zeros((slots, Halver.history), np.float32)
        self._ringing: dict[int, int] = {}  # wide rooms that were heard lately → frames left
        self.wide = np.zeros(slots, np.bool_)
        """Rooms with at least one 16 kHz leg."""

    def reset(self, slot: int) -> None:
        self._up_tail[slot] = 0.0
        self._down_tail[slot] = 0.0
        self.wide[slot] = False
        self._ringing.pop(slot, None)

    def mix(
        self, narrow: F32, narrow_slots: Ints, wide: F32, wide_slots: Ints, sounds: list[tuple[int, F32]]
    ) -> RoomSums:
        """Sum one frame.  narrow (n, 160), wide (m, 320), slots sorted; sounds: (slot, (160,)) on top."""
        everywhere = {*narrow_slots.tolist(), *wide_slots.tolist(), *self._ringing, *(s for s, _ in sounds)}
        rooms = np.array(sorted(everywhere), np.int64)
        sums = np.zeros((len(rooms), NARROW), np.float32)
        if len(narrow_slots):
            slots, total = segment_sum(narrow, narrow_slots)
            sums[np.searchsorted(rooms, slots)] = total
        for slot, frame in sounds:
            sums[np.searchsorted(rooms, slot)] += frame
        mixed = self.wide[rooms]
        if not mixed.any():
            self._ringing = {}
            return RoomSums(rooms, sums, None)
        both = mixed.nonzero()[0]
        full = np.zeros((len(rooms), WIDE), np.float32)
        if len(wide_slots):
            slots, total = segment_sum(wide, wide_slots)
            full[np.searchsorted(rooms, slots)] = total
        up, self._up_tail[rooms[both]] = self._double(sums[both], self._up_tail[rooms[both]])
        down, self._down_tail[rooms[both]] = self._halve(full[both], self._down_tail[rooms[both]])
        sums[both] += down
        full[both] += up
        sounding = {*narrow_slots.tolist(), *wide_slots.tolist()}
        self._ringing = {slot: left - 1 for slot, left in self._ringing.items() if left > 1}
        self._ringing |= {slot: RING_FRAMES for slot in sounding if self.wide[slot]}
        return RoomSums(rooms, sums, full)
