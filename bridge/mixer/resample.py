"""Doubling and halving the sample rate of many streams at once (8 ↔ 16 kHz).

One half-band low-pass of 47 taps (Kaiser window, β 6: 60 dB stop band, flat to 3.4 kHz) serves both ways.  A
frame with the tail of the one before it is multiplied by a banded matrix, so any number of streams is one
matrix product.  Delay: 23 samples at 16 kHz, 1.4 ms.
"""

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

_TAPS = 47


def _half_band() -> npt.NDArray[np.float64]:
    n = np.arange(_TAPS) - _TAPS // 2
    taps = 0.5 * np.sinc(n / 2) * np.kaiser(_TAPS, 6.0)
    return np.asarray(taps / taps.sum())


def _down_matrix(samples: int) -> F32:
    """(history + samples, samples / 2): output j is the filter ending at input 2j + 1."""
    matrix = np.zeros((_TAPS - 1 + samples, samples // 2))
    for j in range(samples // 2):
        matrix[2 * j + 1 : 2 * j + 1 + _TAPS, j] = _half_band()[::-1]
    return matrix.astype(np.float32)


def _up_matrix(samples: int) -> F32:
    """(history + samples, 2·samples): zero-stuffed input, filtered, times two."""
    history = _TAPS // 2
    matrix = np.zeros((history + samples, 2 * samples))
    taps = 2 * _half_band()
    for j in range(2 * samples):
        for t in range(_TAPS):
            # Stuffed stream: index 2i holds input i; its history begins at stuffed index -2·history.
            source = j - t + 2 * history
            if source % 2 == 0 and 0 <= source // 2 < history + samples:
                matrix[source // 2, j] += taps[t]
    return matrix.astype(np.float32)


class Halver:
    """16 kHz to 8 kHz for `streams` streams in frames of `samples` (at 16 kHz)."""

    history = _TAPS - 1

    def __init__(self, samples: int = 320) -> None:
        self._matrix = _down_matrix(samples)

    def __call__(self, frames: F32, tails: F32) -> tuple[F32, F32]:
        """frames (n, samples), tails (n, history) → halved (n, samples / 2), new tails."""
        x = np.concatenate([tails, frames], axis=1)
        return x @ self._matrix, x[:, -self.history :]


class Doubler:
    """8 kHz to 16 kHz in frames of `samples` (at 8 kHz)."""

    history = _TAPS // 2

    def __init__(self, samples: int = 160) -> None:
        self._matrix = _up_matrix(samples)

    def __call__(self, frames: F32, tails: F32) -> tuple[F32, F32]:
        """frames (n, samples), tails (n, history) → doubled (n, 2·samples), new tails."""
        x = np.concatenate([tails, frames], axis=1)
        return x @ self._matrix, x[:, -self.history :]


def double(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """A whole recording from 8 to 16 kHz: (n,) → (2n,)."""
    wide = _whole(pcm, Doubler, 160)
    return np.clip(np.rint(wide[: 2 * len(pcm)]), -32768, 32767).astype(np.int16)


def halve(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """A whole recording from 16 to 8 kHz: (n,) → (n / 2,)."""
    narrow = _whole(pcm, Halver, 320)
    return np.clip(np.rint(narrow[: len(pcm) // 2]), -32768, 32767).astype(np.int16)


def _whole(pcm: npt.NDArray[np.int16], kind: type[Halver] | type[Doubler], samples: int) -> F32:
    padded = np.concatenate([pcm, np.zeros(-len(pcm) % samples, np.int16)]).astype(np.float32)
    convert = kind(samples)
    tail = np.zeros((1, convert.history), np.float32)
    pieces = []
    for start in range(0, len(padded), samples):
        piece, tail = convert(padded[None, start : start + samples], tail)
        pieces.append(piece[0])
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
