"""L16 at 48 kHz in one channel: how browsers' sound crosses the node (RFC 3551 §4.5.11).

Samples are 16 bits in network byte order, so coding is a change of byte order and costs next to nothing; a
frame of 20 ms is 960 samples or 1,920 bytes.  The payload type is dynamic and the RTP clock is the sampling
rate.

Clips (prompts, music) are kept in the telephone codecs only: in L16 they would take four times as much memory
again, for the few legs that ever hear one.  `Unfolded` makes L16 of a clip's G.722 frames while it is
played, about 30 µs a frame, shared by all who hear the same music.
"""

import G722
import numpy as np
import numpy.typing as npt

from bridge.mixer.clips import Clip
from bridge.mixer.resample import Tripler

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

SAMPLES = 960
"""In a frame of 20 ms."""
FRAME_BYTES = 1920
TICKS_PER_FRAME = 960
"""Of the RTP clock."""

_TRIPLE = Tripler()


def encode(frames: F32) -> U8:
    """Sound (n, 960) in the scale of int16 → (n, 1920)."""
    return np.rint(frames).clip(-32768, 32767).astype(">i2").view(np.uint8)


def decode(codes: U8) -> F32:
    """(n, 2·samples), contiguous → (n, samples)."""
    return codes.view(">i2").astype(np.float32)


class Unfolded:
    """A clip's G.722 frames as L16, one after the other."""

    def __init__(self) -> None:
        self._decoder = G722.G722(16000, 64000)
        self._tail = np.zeros((1, Tripler.history), np.float32)

    def frame(self, clip: Clip, at: int) -> U8:
        """The clip's frame number `at`: (1, 1920)."""
        pcm = np.frombuffer(self._decoder.decode(clip.frames[2, at].tobytes()), np.int16)
        fine, self._tail = _TRIPLE(pcm.astype(np.float32)[None, :], self._tail)
        return encode(fine)
