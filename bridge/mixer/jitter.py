"""The adaptive jitter buffers of all legs.

Time is counted in blocks of 10 ms, which is 80 payload bytes in every telephone codec here (G.711 and
G.722 both take 8 bytes per ms) and 960 in L16 at 48 kHz.  All arithmetic is in blocks and the same for both;
only what a block holds is kept in two places: every leg has a ring of small blocks, and the few L16 legs that
may speak are lent one of large ones (`FineRings`).

Any packet of a whole number of blocks (10, 20, 30, 40, 60 ms) is that many blocks; others are written byte by
byte.  A block's number is its RTP timestamp in blocks since the stream began, so order of arrival does not
matter, duplicates overwrite themselves, and silence suppression is simply blocks that never come.

Each leg plays two blocks per tick, at `play`.  Its delay is `offset = 2·tick − play`, in blocks.  A block p
that arrived at time A (also in blocks) would have needed an offset of A − p, and one more if it is the second
of its tick, because both leave at the tick.  Packets of 20 ms (or 40, 60) begin on the same parity all the
time, so the offset is given that parity and they are always first; others pay the block.  The largest such
need in the last 0.5 to 1 s, plus half a block of margin, is the target: it rises with the first late packet
and is forgotten a second after the last one.  Towards the target the buffer moves one block at a time, by
playing three blocks in the time of two or one in the time of two (the caller blends them): at once while the
leg is quiet or far from the target, at most every 60 ms while it talks near it.

When nothing came in time and the next packet comes late, playing resumes at that packet, so nothing that
arrives is thrown away after a stall; a packet that later ones have overtaken is discarded.

A packet that is the last one sent and still lies more than HISTORY_BLOCKS back or beyond the ring starts the
leg afresh: the line stood still for long, or the sender's clock jumped.

Only legs that may speak keep sound (`store`).  Of the others only the needs are followed, so that their
discards and delay are known and a leg that may speak from now on begins with the right delay.
"""

import numpy as np
import numpy.typing as npt

from bridge.mixer.stream import Runs

BLOCK = 80
FINE_BLOCK = 960
_FIRST_RINGS = 8
RING = 128
HISTORY_BLOCKS = 40
MARGIN = 0.5
_WINDOW_TICKS = 25
_TALKING_ADJUST_TICKS = 3
_FAR_BLOCKS = 4
_NEVER = -1e9
_NONE = np.zeros(0, np.int64)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

KEEP, SKIP, STRETCH = 0, 1, -1


class FineRings:
    """Rings of L16 blocks, lent to the legs that need one: 120 KiB each, as many as were needed at once."""

    def __init__(self, capacity: int) -> None:
        self.place = np.full(capacity, -1, np.int64)
        """Leg → ring, -1 for none."""
        self._blocks = np.zeros((0, RING, FINE_BLOCK), np.uint8)
        self._free: list[int] = []
        self._holders = _NONE

    def lend(self, rows: Ints) -> None:
        """Let exactly these legs have a ring.  Whoever had one before keeps it with what is in it."""
        if len(rows) == 0 and len(self._holders) == 0:
            return
        for row in np.setdiff1d(self._holders, rows).tolist():
            self._free.append(int(self.place[row]))
            self.place[row] = -1
        self._holders = rows.copy()
        fresh = rows[self.place[rows] < 0].tolist()
        if len(fresh) > len(self._free):
            self._grow(len(fresh) - len(self._free))
        for row in fresh:
            self.place[row] = self._free.pop()

    def _grow(self, missing: int) -> None:
        """At least double, so that the copies cost no more in all than the rings."""
        before = len(self._blocks)
        more = max(missing, before, _FIRST_RINGS)
        self._blocks = np.concatenate([self._blocks, np.zeros((more, RING, FINE_BLOCK), np.uint8)])
        self._free += range(before + more - 1, before - 1, -1)

    def write(self, rows: Ints, place: Ints, source: npt.NDArray[np.void]) -> None:
        """source (n,) of 960-byte items."""
        self._blocks.view(f"V{FINE_BLOCK}")[self.place[rows], place, 0] = source

    def take(self, rows: Ints, place: Ints) -> U8:
        return np.asarray(self._blocks[self.place[rows], place], np.uint8)

    def of(self, row: int) -> U8:
        """The leg's ring, (RING, 960)."""
        ring: U8 = self._blocks[int(self.place[row])]
        return ring


class JitterBuffers:
    def __init__(self, capacity: int) -> None:
        n = capacity
        self.ring = np.zeros((n, RING, BLOCK), np.uint8)
        self._ring_v = self.ring.view(f"V{BLOCK}")[..., 0]
        self.fine = FineRings(n)
        self.filled = np.zeros((n, RING), np.bool_)
        self.store = np.zeros(n, np.bool_)
        self.started = np.zeros(n, np.bool_)
        self.play = np.zeros(n, np.int64)
        self.head = np.zeros(n, np.int64)  # one past the newest block stored
        self.parity = np.full(n, -1, np.int64)  # of 20 ms packets; -1: packets of other lengths
        self.need_now = np.full(n, _NEVER)
        self.need_before = np.full(n, _NEVER)
        self.adjusted = np.zeros(n, np.int64)  # tick of the last adjustment
        self.discarded = np.zeros(n, np.int64)  # packets

    def reset(self, row: int) -> None:
        self.filled[row] = False
        self.started[row] = False
        self.store[row] = False
        self.discarded[row] = 0

    def restart(self, row: int, *, block: int, arrival: float, tick: int) -> None:
        """Start afresh with a packet at `block` that arrived at `arrival` (blocks)."""
        self.filled[row] = False
        self.started[row] = True
        offset = int(np.ceil(arrival - block + MARGIN))
        offset += (offset ^ block) & 1
        self.play[row] = min(2 * tick - offset, block)
        self.head[row] = block
        self.parity[row] = -1
        self.need_now[row] = self.need_before[row] = _NEVER
        self.adjusted[row] = tick

    def keep_sound(self, row: int, on: bool, *, tick: int) -> None:
        """Begin or cease to keep what the leg says.  What it said before is forgotten."""
        if on == self.store[row]:
            return
        self.filled[row] = False
        self.store[row] = on
        target, known = self._targets(np.array([row]))
        if on and known[0]:
            self.play[row] = 2 * tick - int(target[0])
        self.head[row] = self.play[row]

    def _targets(self, rows: Ints) -> tuple[Ints, Mask]:
        """The offset that each leg should have, and whether that is known."""
        need = np.maximum(self.need_now[rows], self.need_before[rows])
        known = self.started[rows] & (need > _NEVER)
        target = np.ceil(np.where(known, need, 0.0) + MARGIN).astype(np.int64)
        parity = self.parity[rows]
        target += np.where(parity >= 0, (target & 1) != parity, True)
        return target, known

    def follow(self, rows: Ints, *, block: Ints, last_sent: Mask, arrival: Floats) -> Ints:
        """Watch packets of legs that keep no sound: rows distinct, started.

        What would have come too late to be played counts as discarded.  Returns the indices of packets
        that only a restart could place.
        """
        need = arrival - block
        now = self.need_now[rows]
        most = np.maximum(now, self.need_before[rows])
        odd = np.abs(need - most) > HISTORY_BLOCKS
        jumped = _NONE
        if odd.any():
            odd &= most > _NEVER
            jumped = (odd & last_sent).nonzero()[0]
            self.discarded[rows[odd & ~last_sent]] += 1
        late = ((need > np.ceil(most + MARGIN)) & ~odd & (most > _NEVER)).nonzero()[0]
        if len(late):
            late = late[need[late] > self._targets(rows[late])[0]]
            self.discarded[rows[late]] += 1
        if odd.any():
            rows, need, now = rows[~odd], need[~odd], now[~odd]
        self.need_now[rows] = np.maximum(now, need)
        return jumped

    def put(
        self,
        rows: Ints,
        runs: Runs,
        *,
        block: Ints,
        blocks: Ints,
        even: Mask,
        last_sent: Mask,
        arrival: Floats,
    ) -> tuple[Mask, Ints]:
        """Place packets on the timelines of legs that keep sound; legs started.

        block: first block of each packet; blocks: its length; even: whether that is a whole number of ticks;
        last_sent: whether it has the highest sequence number so far; arrival: in blocks.
        Returns which packets are on time and the indices of those that only a restart could place.
        """
        play = self.play[rows]
        behind = play - block
        late = behind >= blocks
        usable = (behind <= HISTORY_BLOCKS) & (behind >= 16 - RING)
        jumped = ~usable & last_sent
        overtaken = block < self.head[rows]
        if late.any():
            for i in (late & ~overtaken & usable).nonzero()[0].tolist():
                row = int(rows[i])
                if block[i] + blocks[i] <= self.play[row]:  # else resumed by an earlier packet of this batch
                    self.play[row] = block[i]
                late[i] = False
        need = np.where(usable, arrival - block, _NEVER)
        legs = runs.legs
        self.need_now[legs] = np.maximum(self.need_now[legs], runs.max(need))
        self.parity[legs] = np.where(runs.last(even), runs.last(block) & 1, -1)
        good = usable & ~late
        if not good.all():
            np.add.at(self.discarded, rows[~good & ~jumped], 1)
        self.head[legs] = np.maximum(self.head[legs], runs.max(np.where(good, block + blocks, 0)))
        return good, jumped.nonzero()[0]

    def write(self, rows: Ints, block: Ints, source: npt.NDArray[np.void], *, fine: bool = False) -> None:
        """Store whole blocks.  rows, block (n,); source (n,) of 80-byte items, or 960-byte ones."""
        place = block & (RING - 1)
        if fine:
            self.fine.write(rows, place, source)
        else:
            self._ring_v[rows, place] = source
        self.filled[rows, place] = True
        past = block < self.play[rows]  # the first block of a packet that is half too late
        if past.any():
            self.filled[rows[past], place[past]] = False

    def write_bytes(self, row: int, at: int, payload: bytes, silence: int, *, fine: bool = False) -> None:
        """Store a payload of any length at a position in bytes."""
        ring, size = (self.fine.of(row), FINE_BLOCK) if fine else (self.ring[row], BLOCK)
        for number in range(at // size, (at + len(payload) - 1) // size + 1):
            place = number & (RING - 1)
            if number < self.play[row]:
                continue
            if not self.filled[row, place]:
                ring[place] = silence
                self.filled[row, place] = True
            begin = max(at, number * size)
            end = min(at + len(payload), (number + 1) * size)
            data = np.frombuffer(payload, np.uint8)[begin - at : end - at]
            ring[place, begin - number * size : end - number * size] = data

    def plan(self, rows: Ints, tick: int, talking: Mask) -> Ints:
        """How each of some legs moves towards its target this tick: KEEP, SKIP or STRETCH.

        rows: legs that keep sound; talking: which of them talk.  (n,)
        """
        target, known = self._targets(rows)
        excess = np.where(known, 2 * tick - self.play[rows] - target, 0)
        far = np.abs(excess) > _FAR_BLOCKS
        may = far | ~talking | (tick - self.adjusted[rows] >= _TALKING_ADJUST_TICKS)
        move = np.where(may, np.sign(excess), 0)
        moved = move != 0
        if moved.any():
            self.adjusted[rows[moved]] = tick
        return move

    def turn(self, tick: int) -> None:
        """Once a tick: the windows in which the largest need is sought move on."""
        if tick % _WINDOW_TICKS == 0:
            self.need_before, self.need_now = self.need_now, self.need_before
            self.need_now.fill(_NEVER)

    def offset(self, row: int, tick: int) -> float:
        """Blocks between a packet's time on the line and its tick, for a leg that keeps sound or would."""
        if self.store[row]:
            return float(2 * tick + 2 - self.play[row])
        return float(self._targets(np.array([row]))[0][0])

    def take(self, rows: Ints, column: int, *, fine: bool = False) -> tuple[U8, Mask]:
        """The block at play + column of each leg: bytes (n, 80) or (n, 960), and whether it came (n,)."""
        number = self.play[rows] + column
        place = number & (RING - 1)
        if fine:
            codes = self.fine.take(rows, place)
        else:
            codes = self._ring_v[rows, place].view(np.uint8).reshape(len(rows), BLOCK)
        present = self.filled[rows, place] & self.started[rows]
        return codes, present

    def advance(self, rows: Ints, blocks: Ints) -> None:
        """Move on past the blocks just played (rows unique) and forget them."""
        for column in range(3):
            gone = rows[blocks > column]
            self.filled[gone, (self.play[gone] + column) & (RING - 1)] = False
        self.play[rows] += blocks
