"""Prompts, tones and music, encoded once and played by pointing at them.

A clip is kept in the three telephone codecs as a block of frames of 160 bytes (20 ms).  Playing it to a
leg means sending the address of the next frame: a prompt costs the media worker nothing per listener, and
a thousand callers who wait hear one piece of music from one place in memory.

Encoding happens in the owner of the worker (`encode_clip`), never within a tick.
"""

from dataclasses import dataclass

import G722
import msgspec
import numpy as np
import numpy.typing as npt

from bridge.mixer.g711 import ALAW_SILENCE, ULAW_SILENCE, decode, encode
from bridge.mixer.resample import halve

Pcm16 = npt.NDArray[np.int16]
FRAME_BYTES = 160
SILENCE_CODES = (ULAW_SILENCE, ALAW_SILENCE, 0xFC)
"""By codec, a byte that stands for silence within sound."""


class EncodedClip(msgspec.Struct, frozen=True):
    """One recording in all codecs, each `frames` × 160 bytes."""

    frames: int
    pcmu: bytes
    pcma: bytes
    g722: bytes


def settled_coder() -> G722.G722:
    """A G.722 coder that has heard silence for half a second.

    A fresh one begins with steps that, in a decoder which has just heard something loud, are a bang.
    """
    coder = G722.G722(16000, 64000)
    coder.encode(np.zeros(8000, np.int16))
    return coder


def encode_clip(pcm: Pcm16, *, loop: bool = False) -> EncodedClip:
    """Encode 16 kHz sound (n,) int16, padded with silence to whole frames of 20 ms.

    Unless it is to be repeated without a seam, it begins with two frames of silence, in which a G.722
    decoder comes down from what it heard before.
    """
    lead = np.zeros(0 if loop else 640, np.int16)
    padded = np.concatenate([lead, pcm, np.zeros(-len(pcm) % 320, np.int16)])
    narrow = halve(padded)
    return EncodedClip(
        frames=len(padded) // 320,
        pcmu=encode(narrow, alaw=False).tobytes(),
        pcma=encode(narrow, alaw=True).tobytes(),
        g722=bytes(settled_coder().encode(padded)),
    )


@dataclass(frozen=True, slots=True)
class Clip:
    """A loaded clip: frames (3, n, 160) and the address of each codec's first frame (3,)."""

    frames: npt.NDArray[np.uint8]
    address: tuple[int, int, int]

    @property
    def count(self) -> int:
        return int(self.frames.shape[1])

    def narrow(self) -> npt.NDArray[np.float32]:
        """The clip as 8 kHz sound in frames: (n, 160) float32."""
        return decode(self.frames[0], alaw=False).astype(np.float32)


def load(encoded: EncodedClip) -> Clip:
    """Raises ValueError when the parts do not have the length they claim."""
    parts = [np.frombuffer(data, np.uint8) for data in (encoded.pcmu, encoded.pcma, encoded.g722)]
    if encoded.frames < 1 or any(len(part) != encoded.frames * FRAME_BYTES for part in parts):
        raise ValueError("a clip's codecs differ in length")
    frames = np.stack(parts).reshape(3, encoded.frames, FRAME_BYTES)
    base = frames.ctypes.data
    step = encoded.frames * FRAME_BYTES
    return Clip(frames, (base, base + step, base + 2 * step))


_SILENCE_FROM = 120
"""Of what a fresh G.722 coder makes of silence, the second from this frame on: its end meets its beginning
best (peak 17, RMS −84 dB when repeated)."""


def silence() -> Clip:
    """A second of silence, to be repeated.

    G.722 is adaptive: one frame repeated, or one byte, leaves the listener's decoder with an offset.  What a
    coder that has settled makes of a whole second of silence does not.
    """
    codes = bytes(G722.G722(16000, 64000).encode(np.zeros((_SILENCE_FROM + 50) * 320, np.int16)))
    return load(
        EncodedClip(
            frames=50,
            pcmu=bytes([ULAW_SILENCE]) * 8000,
            pcma=bytes([ALAW_SILENCE]) * 8000,
            g722=codes[-50 * FRAME_BYTES :],
        )
    )
