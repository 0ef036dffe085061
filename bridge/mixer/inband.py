"""Keys heard as tones, for legs that did not negotiate telephone-event (ITU-T Q.23, Q.24).

The Goertzel algorithm evaluates a Fourier sum at one frequency; for a batch of frames and eight
frequencies that is one matrix product.  A 20 ms frame shows a key when one row tone and one column tone
together hold most of its energy, each well above the others of its group, and their levels differ by no
more than Q.24's twist.  A press is reported once, when a clear frame has a neighbour of the same key: 40 ms
tones always give that, speech almost never.

The jitter buffer fills gaps and plays faster or slower, and the frame in which it does so may not look like
the key that goes on.  Up to two such frames are not the end of a press as long as they are about as loud;
a pause is quiet at once.

Tones must not reach the room, and the frame in which one begins is only recognised together with the next.
So these legs, and only these, are held back by one frame; a frame that shows a key, and both its
neighbours, are silenced.
"""

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_ROWS = (697, 770, 852, 941)
_COLUMNS = (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_CLEAR = 0.75
_HINT = 0.45
_TWIST_DB = 8.0
_REVERSE_TWIST_DB = 6.0
_APART_DB = 6.0
_QUIET = 0.1
"""Power, as a part of the key's, below which a frame is a pause."""
_BROKEN_FRAMES_MAX = 2
_FLOOR = 60.0**2  # mean square; about −55 dB


def _basis(rate: int, samples: int) -> F32:
    """(samples, 16): cosine and sine of the eight tones."""
    t = np.arange(samples)[:, None] / rate
    angle = 2 * np.pi * t * np.array(_ROWS + _COLUMNS)[None, :]
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def detect(frame: F32, basis: F32) -> tuple[Ints, F32]:
    """The most likely key of each frame as 4·row + column, and the share of energy its tones hold.

    frame (n, samples) → (n,), (n,).  The share is 0 where twist or neighbours rule a key out.
    """
    samples = frame.shape[1]
    sums = frame @ basis
    energy = (sums[:, :8] ** 2 + sums[:, 8:] ** 2) * (2.0 / samples)
    total = np.einsum("ij,ij->i", frame, frame)
    low, high = np.sort(energy[:, :4], axis=1), np.sort(energy[:, 4:], axis=1)
    row, column = np.argmax(energy[:, :4], axis=1), np.argmax(energy[:, 4:], axis=1)
    share = (low[:, 3] + high[:, 3]) / (total + 1.0)
    apart = 10 ** (_APART_DB / 10)
    fits = (
        (total > _FLOOR * samples)
        & (high[:, 3] < low[:, 3] * 10 ** (_TWIST_DB / 10))
        & (low[:, 3] < high[:, 3] * 10 ** (_REVERSE_TWIST_DB / 10))
        & (low[:, 3] > apart * low[:, 2])
        & (high[:, 3] > apart * high[:, 2])
    )
    return row * 4 + column, np.where(fits, share, 0.0).astype(np.float32)


class InbandKeys:
    """Detection and removal for all in-band legs of one PCM rate."""

    def __init__(self, capacity: int, rate: int) -> None:
        samples = rate // 50
        self._basis = _basis(rate, samples)
        self._held = np.zeros((capacity, samples), np.float32)
        self._hint_key = np.full(capacity, -1, np.int64)  # of the held frame
        self._clear = np.zeros(capacity, np.bool_)
        self._muted = np.zeros(capacity, np.bool_)  # the frame before the held one showed a key
        self._reported = np.full(capacity, -1, np.int64)
        self._power = np.zeros(capacity, np.float32)  # of the key that was reported
        self._broken = np.zeros(capacity, np.int64)  # frames since it was last seen

    def reset(self, row: int) -> None:
        self._held[row] = 0.0
        self._hint_key[row] = self._reported[row] = -1
        self._clear[row] = self._muted[row] = False

    def filter(self, rows: Ints, frame: F32) -> tuple[F32, list[tuple[int, str]]]:
        """Exchange each leg's new frame for the one before, without keys: (n, samples), [(row, key)]."""
        key, share = detect(frame, self._basis)
        hint, clear = share > _HINT, share > _CLEAR
        key = np.where(hint, key, -1)
        same = hint & (key == self._hint_key[rows])
        press = same & (clear | self._clear[rows]) & (key != self._reported[rows])
        out = self._held[rows].copy()
        out[hint | (self._hint_key[rows] >= 0) | self._muted[rows]] = 0.0
        power = np.einsum("ij,ij->i", frame, frame)
        seen = press | (hint & (key == self._reported[rows]))
        self._broken[rows] = np.where(seen, 0, self._broken[rows] + 1)
        over = ~seen & ((self._broken[rows] > _BROKEN_FRAMES_MAX) | (power < _QUIET * self._power[rows]))
        self._reported[rows] = np.where(press, key, np.where(over, -1, self._reported[rows]))
        self._power[rows] = np.where(seen, power, self._power[rows])
        self._muted[rows] = self._hint_key[rows] >= 0
        self._hint_key[rows], self._clear[rows], self._held[rows] = key, clear, frame
        pressed = [
            (int(rows[i]), _KEYS[int(key[i]) // 4][int(key[i]) % 4]) for i in np.flatnonzero(press).tolist()
        ]
        return out, pressed
