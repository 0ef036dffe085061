"""The sums: what every room sounds like, and to each speaker without himself (mix-minus).

Speakers come sorted by room, so a room's sum is a segment sum.  A room with both 8 and 16 kHz phones has
two sums that are exchanged through the half-band filter: everybody hears the narrow speakers at full
quality, wide phones also hear the wide ones in full, narrow phones hear them as well as their line can carry.
Because filtering is linear, subtracting a speaker's own frame in his own rate leaves exactly the others.

A room with browsers has a third sum at 48 kHz, exchanged with that at 16 kHz in the same manner.  On the way
between 8 and 48 kHz sound passes through both filters, 2.4 ms in all.  A room without browsers has no part in
this.

Sums are float32 and wide; they are clipped once, when they are encoded.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.mixer.resample import Doubler, Halver, Thirder, Tripler

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NARROW, WIDE, FINE = 160, 320, 960
_NONE = np.zeros(0, np.int64)
RING_FRAMES = 25
"""A wide room is mixed for this long after its last sound: the filters ring on, and its G.722 coder comes to
rest together with its listeners' decoders before they are sent silence that it did not make."""


@dataclass(frozen=True, slots=True)
class RoomSums:
    """rooms (r,) sorted slots with sound; narrow (r, 160); wide (r, 320), None without wide rooms.
    fine_rooms (f,): those of them with browsers; fine (f, 960), None without any."""

    rooms: Ints
    narrow: F32
    wide: F32 | None
    fine_rooms: Ints
    fine: F32 | None

    def place(self, slots: Ints) -> Ints:
        """Index into the sums of room slots known to have sound."""
        return np.searchsorted(self.rooms, slots)

    def place_fine(self, slots: Ints) -> Ints:
        """As `place`, into `fine`."""
        return np.searchsorted(self.fine_rooms, slots)


def segment_sum(frames: F32, slots: Ints) -> tuple[Ints, F32]:
    """Sum frames (n, samples) by slot; slots sorted.  → (r,), (r, samples)"""
    first = (np.diff(slots, prepend=-1)).nonzero()[0]
    return slots[first], np.add.reduceat(frames, first, axis=0)


class RoomMixer:
    def __init__(self, slots: int) -> None:
        self._double, self._halve = Doubler(NARROW), Halver(WIDE)
        self._up_tail = np.zeros((slots, Doubler.history), np.float32)
        self._down_tail = np.zeros((slots, Halver.history), np.float32)
        self._triple, self._third = Tripler(), Thirder()
        self._triple_tail = np.zeros((slots, Tripler.history), np.float32)
        self._third_tail = np.zeros((slots, Thirder.history), np.float32)
        self._ringing: dict[int, int] = {}  # wide rooms that were heard lately → frames left
        self.wide = np.zeros(slots, np.bool_)
        """Rooms with at least one leg of 16 or 48 kHz."""
        self.fine = np.zeros(slots, np.bool_)
        """Rooms with at least one leg of 48 kHz."""

    def reset(self, slot: int) -> None:
        self._up_tail[slot] = 0.0
        self._down_tail[slot] = 0.0
        self._triple_tail[slot] = 0.0
        self._third_tail[slot] = 0.0
        self.wide[slot] = self.fine[slot] = False
        self._ringing.pop(slot, None)

    def mix(
        self,
        narrow: F32,
        narrow_slots: Ints,
        wide: F32,
        wide_slots: Ints,
        fine: F32,
        fine_slots: Ints,
        sounds: list[tuple[int, F32]],
    ) -> RoomSums:
        """Sum one frame.

        narrow (n, 160), wide (m, 320), fine (k, 960), their slots sorted; sounds: (slot, (160,)) on top.
        """
        speaking = {*narrow_slots.tolist(), *wide_slots.tolist(), *fine_slots.tolist()}
        everywhere = {*speaking, *self._ringing, *(s for s, _ in sounds)}
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
            return RoomSums(rooms, sums, None, _NONE, None)
        both = mixed.nonzero()[0]
        full = np.zeros((len(rooms), WIDE), np.float32)
        if len(wide_slots):
            slots, total = segment_sum(wide, wide_slots)
            full[np.searchsorted(rooms, slots)] = total
        browsers = self.fine[rooms].nonzero()[0]
        fine_rooms = rooms[browsers]
        if len(browsers):
            own, below = self._from_fine(fine_rooms, fine, fine_slots)
            full[browsers] += below
        up, self._up_tail[rooms[both]] = self._double(sums[both], self._up_tail[rooms[both]])
        down, self._down_tail[rooms[both]] = self._halve(full[both], self._down_tail[rooms[both]])
        sums[both] += down
        full[both] += up
        self._ringing = {slot: left - 1 for slot, left in self._ringing.items() if left > 1}
        self._ringing |= {slot: RING_FRAMES for slot in speaking if self.wide[slot]}
        if len(browsers) == 0:
            return RoomSums(rooms, sums, full, _NONE, None)
        above, self._triple_tail[fine_rooms] = self._triple(
            full[browsers] - below, self._triple_tail[fine_rooms]
        )
        return RoomSums(rooms, sums, full, fine_rooms, own + above)

    def _from_fine(self, rooms: Ints, fine: F32, slots: Ints) -> tuple[F32, F32]:
        """What browsers say in their rooms: at 48 kHz (r, 960) and at 16 kHz (r, 320)."""
        own = np.zeros((len(rooms), FINE), np.float32)
        if len(slots):
            speaking, total = segment_sum(fine, slots)
            own[np.searchsorted(rooms, speaking)] = total
        below, self._third_tail[rooms] = self._third(own, self._third_tail[rooms])
        return own, below
