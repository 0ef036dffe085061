"""The adaptive jitter buffers of all legs.

Time is counted in blocks of 10 ms, which is 80 payload bytes in every telephone codec here (G.711 and
G.722 both take 8 bytes per ms).  Any packet of a whole number of blocks (10, 20, 30, 40, 60 ms) is that
many blocks; others are written byte by byte.  A block's number is its RTP timestamp in blocks since the
stream began, so order of arrival does not matter, duplicates overwrite themselves, and silence suppression
is simply blocks that never come.

Each leg plays two blocks per tick, at `play`.  Its delay is `offset = 2·tick − play`, in blocks.  A block p
that arrived at time A (also in blocks) would have needed an offset of A − p.  The largest such need in the
last 0.75 to 1.5 s, plus half a block of margin, is the target: it rises with the first late packet and
falls within two seconds of the last one.  Towards the target the buffer moves one block at a time, by
playing three blocks in the time of two or one in the time of two (the caller blends them), at most every
60 ms while the leg talks and at once while it is quiet.

When nothing is left to play and the next packet comes late, playing resumes at that packet, so nothing
that arrives is thrown away after a stall; only a packet that later ones have overtaken is discarded.

A jump of the sender's clock (more than HISTORY_BLOCKS late with nothing to play, or beyond the ring) starts
the leg afresh.

Only legs that may speak keep sound (`store`).  For the others the same arithmetic runs on positions alone,
so their loss, discards and delay are known at no cost in memory traffic.
"""

import numpy as np
import numpy.typing as npt

BLOCK = 80
RING = 128
HISTORY_BLOCKS = 40
MARGIN = 0.5
_WINDOW_TICKS = 37
_TALKING_ADJUST_TICKS = 3
_NEVER = -1e9

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

KEEP, SKIP, STRETCH = 0, 1, -1


class JitterBuffers:
    def __init__(self, capacity: int) -> None:
        n = capacity
        self.ring = np.zeros((n, RING, BLOCK), np.uint8)
        self._ring_v = self.ring.view(f"V{BLOCK}")[..., 0]
        self._flat = self.ring.reshape(n, RING * BLOCK)
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
        self.play[row] = min(2 * tick - offset, block)
        self.head[row] = block
        self.parity[row] = -1
        self.need_now[row] = self.need_before[row] = _NEVER
        self.adjusted[row] = tick

    def keep_sound(self, row: int, on: bool) -> None:
        """Begin or cease to keep what the leg says.  What it said before is forgotten."""
        if on != self.store[row]:
            self.filled[row] = False
            self.store[row] = on
            self.head[row] = self.play[row]

    def put(self, rows: Ints, block: Ints, blocks: Ints, arrival: Floats) -> tuple[Mask, Ints]:
        """Place packets on their legs' timelines.  rows sorted, legs started.

        block: first block of each packet; blocks: its length; arrival: in blocks.
        Returns which packets are to be stored (on time, and their leg keeps sound) and the indices of
        those that only a restart could place.
        """
        late = block + blocks <= self.play[rows]
        starved = self.head[rows] <= self.play[rows]
        behind = self.play[rows] - block
        need = arrival - block
        jumped = (block - self.play[rows] > RING - 16) | (late & starved & (behind > HISTORY_BLOCKS))
        usable = ~jumped & (behind <= HISTORY_BLOCKS)
        if late.any():
            resume = late & starved & usable & self.store[rows]
            for i in np.flatnonzero(resume).tolist():
                row = int(rows[i])
                if self.head[row] <= self.play[row]:  # not resumed by an earlier packet of this batch
                    self.play[row] = block[i]
                    self.head[row] = block[i]
                late[i] = block[i] < self.play[row]
            lost = rows[late & ~jumped]
            np.add.at(self.discarded, lost, 1)
        if usable.any():
            r, d = rows[usable], need[usable]
            first = np.flatnonzero(np.diff(r, prepend=-1))
            legs = r[first]
            self.need_now[legs] = np.maximum(self.need_now[legs], np.maximum.reduceat(d, first))
            last = np.append(first[1:], len(r)) - 1
            even = (blocks[usable][last] & 1) == 0
            self.parity[legs] = np.where(even, block[usable][last] & 1, -1)
        good = usable & ~late & self.store[rows]
        if good.any():
            np.maximum.at(self.head, rows[good], (block + blocks)[good])
        return good, np.flatnonzero(jumped)

    def write(self, rows: Ints, block: Ints, source: npt.NDArray[np.void]) -> None:
        """Store whole blocks.  rows, block (n,); source (n,) of 80-byte items."""
        place = block & (RING - 1)
        self._ring_v[rows, place] = source
        self.filled[rows, place] = True
        past = block < self.play[rows]  # the first block of a packet that is half too late
        if past.any():
            self.filled[rows[past], place[past]] = False

    def write_bytes(self, row: int, ticks: int, payload: bytes, silence: int) -> None:
        """Store a payload of any length, 1 byte per tick, at a position in ticks."""
        block = ticks // BLOCK
        for number in range(block, (ticks + len(payload) - 1) // BLOCK + 1):
            place = number & (RING - 1)
            if number < self.play[row]:
                continue
            if not self.filled[row, place]:
                self.ring[row, place] = silence
                self.filled[row, place] = True
            begin = max(ticks, number * BLOCK)
            end = min(ticks + len(payload), (number + 1) * BLOCK)
            data = np.frombuffer(payload, np.uint8)[begin - ticks : end - ticks]
            self.ring[row, place, begin - number * BLOCK : end - number * BLOCK] = data

    def plan(self, tick: int, talking: Mask) -> Ints:
        """How each leg moves towards its target this tick: KEEP, SKIP or STRETCH, (capacity,)."""
        if tick % _WINDOW_TICKS == 0:
            self.need_before = self.need_now
            self.need_now = np.full_like(self.need_before, _NEVER)
        need = np.maximum(self.need_now, self.need_before)
        known = self.started & (need > _NEVER)
        offset = 2 * tick - self.play
        target = np.ceil(np.where(known, need, 0.0) + MARGIN).astype(np.int64)
        target += (self.parity >= 0) & ((target & 1) != self.parity)
        excess = np.where(known, offset - target, 0)
        may = ~talking | (tick - self.adjusted >= _TALKING_ADJUST_TICKS)
        move = np.where(may, np.sign(excess), 0)
        move[known & ~self.store] = 0
        silent = known & ~self.store
        if silent.any():
            self.play[silent] = 2 * (tick + 1) - target[silent]  # where the next tick will play
        moved = move != 0
        if moved.any():
            self.adjusted[moved] = tick
        return move

    def take(self, rows: Ints, column: int) -> tuple[U8, Mask]:
        """The block at play + column of each leg: bytes (n, 80) and whether it came (n,)."""
        number = self.play[rows] + column
        place = number & (RING - 1)
        codes = self._ring_v[rows, place].view(np.uint8).reshape(len(rows), BLOCK)
        present = self.filled[rows, place] & self.started[rows]
        return codes, present

    def advance(self, rows: Ints, blocks: Ints) -> None:
        """Move on past the blocks just played (rows unique) and forget them."""
        for column in range(3):
            gone = rows[blocks > column]
            self.filled[gone, (self.play[gone] + column) & (RING - 1)] = False
        self.play[rows] += blocks
