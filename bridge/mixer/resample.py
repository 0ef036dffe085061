"""Changing the sample rate of many streams at once: 8 ↔ 16 kHz and 16 ↔ 48 kHz.

8 ↔ 16 kHz: one half-band low-pass of 47 taps (Kaiser window, β 6: 60 dB stop band, flat to 3.4 kHz) serves
both ways.  A frame with the tail of the one before it is multiplied by a banded matrix, so any number of
streams is one matrix product.  Delay: 23 samples at 16 kHz, 1.4 ms.

16 ↔ 48 kHz: a third-band low-pass of 95 taps of the same kind (flat to 7 kHz, 60 dB down from 9 kHz) serves
both ways.  A banded matrix for a whole frame would be 1.3 MB and mostly zeros, so a frame is cut into pieces
of 1 ms, each with what the filter sees before it, and all pieces of all streams go through one small matrix.
Delay: 47 samples at 48 kHz, 1 ms.

8 ↔ 48 kHz is one after the other.
"""

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

_TAPS = 47
_THIRD_TAPS = 95
_PIECES = 20
"""Pieces of 1 ms in a frame."""
_FINE, _COARSE = 48, 16
"""Samples in a piece at 48 and at 16 kHz."""


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


def _third_band() -> npt.NDArray[np.float64]:
    n = np.arange(_THIRD_TAPS) - _THIRD_TAPS // 2
    taps = np.sinc(n / 3) / 3 * np.kaiser(_THIRD_TAPS, 6.0)
    return np.asarray(taps / taps.sum())


def _third_matrix() -> F32:
    """(history + 48, 16): output j is the filter ending at input 3j + 2 of the piece."""
    matrix = np.zeros((_THIRD_TAPS - 1 + _FINE, _COARSE))
    for j in range(_COARSE):
        matrix[3 * j + 2 : 3 * j + 2 + _THIRD_TAPS, j] = _third_band()[::-1]
    return matrix.astype(np.float32)


def _triple_matrix() -> F32:
    """(history + 16, 48): input with two zeros after each sample, filtered, times three."""
    history = (_THIRD_TAPS - 1) // 3
    matrix = np.zeros((history + _COARSE, _FINE))
    taps = 3 * _third_band()
    for j in range(_FINE):
        for t in range(_THIRD_TAPS):
            source = j - t + 3 * history  # in the stuffed stream, which begins with the history
            if source % 3 == 0 and source >= 0:
                matrix[source // 3, j] += taps[t]
    return matrix.astype(np.float32)


class _ByPieces:
    """Streams in frames of 20 ms through a matrix for 1 ms."""

    def __init__(self, matrix: F32, step: int) -> None:
        self._matrix = matrix
        window, self._out = matrix.shape
        self._keep = window - step
        self._places = np.arange(_PIECES)[:, None] * step + np.arange(window)

    def __call__(self, frames: F32, tails: F32) -> tuple[F32, F32]:
        x = np.concatenate([tails, frames], axis=1)
        pieces = x[:, self._places].reshape(-1, self._places.shape[1])
        out = (pieces @ self._matrix).reshape(len(frames), _PIECES * self._out)
        return out, x[:, -self._keep :]


class Thirder(_ByPieces):
    """48 kHz to 16 kHz: frames (n, 960), tails (n, history) → (n, 320), new tails."""

    history = _THIRD_TAPS - 1

    def __init__(self) -> None:
        super().__init__(_third_matrix(), _FINE)


class Tripler(_ByPieces):
    """16 kHz to 48 kHz: frames (n, 320), tails (n, history) → (n, 960), new tails."""

    history = (_THIRD_TAPS - 1) // 3

    def __init__(self) -> None:
        super().__init__(_triple_matrix(), _COARSE)


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
