"""From payload bytes to sound, for all legs that may speak and share a PCM rate.

Each tick gives every leg one frame of 20 ms (two blocks of 10 ms), float32 in the scale of int16.  The
jitter buffer may ask for three blocks to be played in the time of two, or one: the blocks are blended so
that the seam does not click.  What did not come is concealed.  While a telephone-event is being received,
its span is silence: a caller's keys are never heard in the room.

A bank keeps the last 40 ms of each leg, in two halves written in turn, so that concealment has a history
without anything being shifted.
"""

import G722
import numpy as np
import numpy.typing as npt

from bridge.mixer import conceal, l16
from bridge.mixer.g711 import DECODE_F32
from bridge.mixer.jitter import BLOCK, SKIP, STRETCH, JitterBuffers

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class VoiceBank:
    """Legs of one PCM rate: 8000 (G.711), 16000 (G.722) or 48000 (L16)."""

    def __init__(self, capacity: int, rate: int) -> None:
        self.rate = rate
        self.block = rate // 100
        self._fine = rate == 48000
        self._halves = np.zeros((2, capacity, 2 * self.block), np.float32)
        self.lost_run = np.full(capacity, conceal.MAX_BLOCKS)
        self.concealed_blocks = np.zeros(capacity, np.int64)
        self._decoders: dict[int, G722.G722] = {}
        self._fade = np.linspace(1.0, 0.0, self.block, dtype=np.float32)

    def reset(self, row: int) -> None:
        self.forget(row)
        self.concealed_blocks[row] = 0

    def forget(self, row: int) -> None:
        """What is heard next does not continue what was heard last."""
        self._halves[:, row] = 0
        self.lost_run[row] = conceal.MAX_BLOCKS
        self._decoders.pop(row, None)

    def hear(
        self, buffers: JitterBuffers, rows: Ints, *, law: Ints, move: Ints, silent_to: Ints, tick: int
    ) -> F32:
        """Play two blocks of each leg: (n, 2·block).

        law: 0 or 256, the offset into the G.711 table (8 kHz only); move: KEEP, SKIP or STRETCH;
        silent_to: blocks before this number are keys, not speech.
        """
        codes0, have0 = buffers.take(rows, 0, fine=self._fine)
        codes1, have1 = buffers.take(rows, 1, fine=self._fine)
        skip = (move == SKIP).nonzero()[0]
        stretch = (move == STRETCH).nonzero()[0]
        if len(stretch):
            have1[stretch] = False
        m = self.block
        frame = np.empty((len(rows), 2 * m), np.float32)
        if self.rate == 8000:
            offset = law[:, None]
            DECODE_F32.take(codes0.astype(np.int64) + offset, out=frame[:, :m])
            DECODE_F32.take(codes1.astype(np.int64) + offset, out=frame[:, m:])
        elif self._fine:
            frame[:, :m] = l16.decode(codes0)
            frame[:, m:] = l16.decode(codes1)
        else:
            self._decode_g722(rows, codes0, have0, codes1, have1, frame)
        consumed = np.full(len(rows), 2)
        if len(skip):
            codes2, have2 = buffers.take(rows[skip], 2, fine=self._fine)
            third = self._decode(rows[skip], codes2, have2, law[skip])
            both = have0[skip] & have1[skip]
            blend = np.where(have0[skip, None], frame[skip, :m], frame[skip, m:])
            blend[both] = frame[skip[both], :m] * self._fade + frame[skip[both], m:] * (1 - self._fade)
            frame[skip, :m], have0[skip] = blend, have0[skip] | have1[skip]
            frame[skip, m:], have1[skip] = third, have2
            consumed[skip] = 3
        newest = self._halves[1 - (tick & 1)]
        if len(stretch):
            before = newest[rows[stretch], m:]
            only = frame[stretch, :m]
            frame[stretch, m:] = only
            frame[stretch, :m] = only * self._fade + before * (1 - self._fade)
            have1[stretch] = have0[stretch]
            consumed[stretch] = 1
        keys = silent_to[rows] > buffers.play[rows]
        if keys.any():
            frame[keys] = 0.0
            have0[keys] = have1[keys] = True
            self.lost_run[rows[keys]] = conceal.MAX_BLOCKS
        buffers.advance(rows, consumed)
        if not (have0.all() and have1.all() and not self.lost_run[rows].any()):
            self._conceal(rows, frame, have0, have1, tick)
        self._halves[tick & 1][rows] = frame
        return frame

    def _decode(self, rows: Ints, codes: U8, have: Mask, law: Ints) -> F32:
        if self.rate == 8000:
            return DECODE_F32.take(codes.astype(np.int64) + law[:, None])
        if self._fine:
            return l16.decode(codes)
        block = np.zeros((len(rows), self.block), np.float32)
        for i in have.nonzero()[0].tolist():
            block[i] = self._run_g722(int(rows[i]), codes[i].tobytes())
        return block

    def _decode_g722(self, rows: Ints, codes0: U8, have0: Mask, codes1: U8, have1: Mask, frame: F32) -> None:
        both = np.concatenate([codes0, codes1], axis=1)
        m = self.block
        for i, (first, second) in enumerate(zip(have0.tolist(), have1.tolist(), strict=True)):
            if first and second:
                frame[i] = self._run_g722(int(rows[i]), both[i].tobytes())
            elif first:
                frame[i, :m] = self._run_g722(int(rows[i]), both[i, :BLOCK].tobytes())
            elif second:
                frame[i, m:] = self._run_g722(int(rows[i]), both[i, BLOCK:].tobytes())

    def _run_g722(self, row: int, codes: bytes) -> npt.NDArray[np.int16]:
        decoder = self._decoders.get(row)
        if decoder is None:
            decoder = self._decoders[row] = G722.G722(16000, 64000)
        return np.frombuffer(decoder.decode(codes), np.int16)

    def _conceal(self, rows: Ints, frame: F32, have0: Mask, have1: Mask, tick: int) -> None:
        m = self.block
        older, newer = self._halves[tick & 1], self._halves[1 - (tick & 1)]
        for column, have in ((0, have0), (1, have1)):
            run = self.lost_run[rows]
            lost = ~have
            # After a long loss both edges are silent, so there is nothing to continue or to blend.
            fill = (lost & (run < conceal.MAX_BLOCKS)).nonzero()[0]
            back = (have & (run > 0) & (run < conceal.MAX_BLOCKS)).nonzero()[0]
            frame[(lost & (run >= conceal.MAX_BLOCKS)).nonzero()[0], column * m : (column + 1) * m] = 0.0
            work = np.concatenate([fill, back])
            if len(work):
                past = np.concatenate([older[rows[work]], newer[rows[work]]], axis=1)
                if column == 1:
                    past = np.concatenate([past[:, m:], frame[work, :m]], axis=1)
                n = len(fill)
                if n:
                    frame[fill, column * m : (column + 1) * m] = conceal.conceal_block(past[:n], run[fill], m)
                if len(back):
                    here = frame[back, column * m : (column + 1) * m]
                    frame[back, column * m : (column + 1) * m] = conceal.rejoin(past[n:], here, m)
            self.concealed_blocks[rows[fill]] += 1
            self.lost_run[rows] = np.where(have, 0, np.minimum(run + 1, conceal.MAX_BLOCKS))
