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


class EncodedClip(msgspec.Struct, frozen=True):
    """One recording in all codecs, each `frames` × 160 bytes."""

    frames: int
    pcmu: bytes
    pcma: bytes
    g722: bytes


def encode_clip(pcm: Pcm16) -> EncodedClip:
    """Encode 16 kHz sound (n,) int16, padded with silence to whole frames of 20 ms."""
    padded = np.concatenate([pcm, np.zeros(-len(pcm) % 320, np.int16)])
    narrow = halve(padded)
    coder = G722.G722(16000, 64000)
    return EncodedClip(
        frames=len(padded) // 320,
        pcmu=encode(narrow, alaw=False).tobytes(),
        pcma=encode(narrow, alaw=True).tobytes(),
        g722=bytes(coder.encode(padded)),
    )


def silence_rows() -> npt.NDArray[np.uint8]:
    """(3, 160): one frame of silence in PCMU, PCMA and G.722.

    G.722 is adaptive: only what its coder says after it has settled decodes to silence when it is repeated.
    """
    coder = G722.G722(16000, 64000)
    coder.encode(np.zeros(32000, np.int16))
    rows = np.empty((3, FRAME_BYTES), np.uint8)
    rows[0], rows[1] = ULAW_SILENCE, ALAW_SILENCE
    rows[2] = np.frombuffer(coder.encode(np.zeros(320, np.int16)), np.uint8)
    return rows


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
