"""The short tones of the bridge: somebody joined, somebody left, something went wrong.

Two notes each: rising for a join, falling for a leave, the same low one twice for an error. Soft attacks
and decays, frequencies that every telephone carries and none that a DTMF detector could take for a key
(ITU-T Q.23 uses 697 to 1633 Hz in pairs of one low and one high; here only one note sounds at a time).
"""

import numpy as np

from bridge.ivr.prompts.sound import RATE_HZ, Pcm16, Samples, to_pcm16

__all__ = ["TONES", "tone"]

_LEVEL = 10 ** (-20 / 20)

TONES: dict[str, tuple[tuple[float, float], ...]] = {
    "join": ((587.33, 0.11), (880.0, 0.20)),
    "leave": ((880.0, 0.11), (587.33, 0.20)),
    "error": ((392.0, 0.13), (392.0, 0.22)),
}
"""Name → notes as (Hz, seconds)."""


def tone(name: str) -> Pcm16:
    """One of TONES at RATE_HZ. Raises KeyError for another name."""
    return to_pcm16(np.concatenate([_note(hz, seconds) for hz, seconds in TONES[name]]))


def _note(hz: float, seconds: float) -> Samples:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    attack = np.minimum(1.0, t / 0.008)
    release = np.minimum(1.0, (seconds - t) / 0.02)
    wave = np.sin(2 * np.pi * hz * t) + 0.2 * np.sin(4 * np.pi * hz * t)
    return np.asarray(_LEVEL * attack * release * np.exp(-t / 0.25) * wave)
