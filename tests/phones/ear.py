"""What somebody hears in a telephone: which prompt, in which language, the hold music, which voices.

Prompts and music are recognised by normalised cross-correlation with the clip as the prompt library makes
it, brought to the line's rate by an ideal low-pass of our own.  Measured over all prompts: a line that
carries exactly that clip comes out above 0.95 in any of the three codecs, the same sentence with one word
changed below 0.7.  Voices are sines, one per person, recognised in the spectrum: what
their power does not explain is reported as `other`, so that "hears exactly Ann and Bob" means just that.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bridge.ivr.prompt import Prompt
from bridge.ivr.prompts.library import PromptLibrary
from tests.support.sound import Sound, level_db, rms_db

SAME = 0.85
SILENT_DB = -60.0
VOICE_DB = -45.0
EXPLAINED = 0.75
"""Part of the power that the voices in a sound must make up; less on a busy machine, which conceals a lot."""
_WIDE_HZ = 16000


class Ear:
    """Recognises sounds.  Thread-safe.  `cache_dir` may be shared with running products."""

    def __init__(self, cache_dir: Path) -> None:
        self.folder = cache_dir
        self.library = PromptLibrary(cache_dir=cache_dir, recordings_dir=cache_dir / "no recordings")
        self._known: dict[tuple[Prompt | None, str, int], Sound] = {}
        self._lock = threading.Lock()

    def clip(self, prompt: Prompt, language: str, rate: int) -> Sound:
        """A prompt as a line of that rate carries it."""
        return self._at_rate(prompt, language, rate)

    def music(self, rate: int) -> Sound:
        """The whole hold music."""
        return self._at_rate(None, "", rate)

    def _at_rate(self, prompt: Prompt | None, language: str, rate: int) -> Sound:
        with self._lock:
            key = (prompt, language, rate)
            if key not in self._known:
                clip = self.library.music() if prompt is None else self.library.clip(prompt, language)
                self._known[key] = _resampled(clip, rate)
            return self._known[key]

    def find(
        self, prompt: Prompt, language: str, sound: Sound, rate: int, *, first_s: float = 60.0
    ) -> tuple[float, int]:
        """How well the best place in a sound matches a prompt, or its first seconds (0 to 1), and the sample
        after its end.
        """
        # A G.722 decoder that comes from other sound needs a moment to settle, and its filters delay.
        clip = self.clip(prompt, language, rate)[: int(first_s * rate)]
        clip = clip[rate // 5 if rate == _WIDE_HZ else 0 :]
        score, start = best_match(clip, sound)
        return score, start + len(clip)

    def resembles(self, prompt: Prompt, language: str, sound: Sound, rate: int) -> float:
        """As `find`, by the course of the spectrum: for prompts with a name in them, which each process
        speaks for itself and never twice with the same samples.  Above 0.8 for the same words, below 0.7
        for others.
        """
        return _likeness(_spectra(self.clip(prompt, language, rate), rate), _spectra(sound, rate))

    def is_music(self, sound: Sound, rate: int) -> bool:
        """Whether a sound is a piece of the hold music and nothing else."""
        loop = self.music(rate)
        return best_match(sound, np.concatenate([loop, loop[: len(sound)]]))[0] > SAME

    def hears(self, sound: Sound, voices: Mapping[str, float], rate: int) -> str:
        """One word for a sound: "silence", "music", or the voices in it, such as "ann+bob".

        Args:
            sound: at least half a second of it.
            voices: name → Hz.
        """
        if rms_db(sound) < SILENT_DB:
            return "silence"
        levels = {name: level_db(sound, hz, rate=rate) for name, hz in voices.items()}
        heard = sorted(name for name, level in levels.items() if level > VOICE_DB)
        explained = sum(10 ** (levels[name] / 10) for name in heard)
        if explained > EXPLAINED * 10 ** (rms_db(sound) / 10):
            return "+".join(heard)
        if self.is_music(sound, rate):
            return "music"
        return "+".join([*heard, "other"])


def best_match(piece: Sound, sound: Sound) -> tuple[float, int]:
    """The normalised correlation (0 to 1) of a piece with the best place in a sound, and that place."""
    if len(sound) < len(piece) or not len(piece):
        return 0.0, 0
    piece, sound = np.asarray(piece, np.float64), np.asarray(sound, np.float64)
    size = 1 << (len(sound) + len(piece)).bit_length()
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(piece, size)), size)
    products = products[: len(sound) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    window = energy[len(piece) :] - energy[: -len(piece)]
    own = float(np.sum(piece**2))
    # A place much quieter than the piece is no match, however alike.
    scores = products / np.sqrt(own * np.maximum(window, 0.05 * own) + 1e-9)
    place = int(np.argmax(scores))
    return float(scores[place]), place


def _spectra(sound: Sound, rate: int) -> Sound:
    """(bins, frames): loudness of bands of 100 Hz every 10 ms, without each band's mean."""
    size, hop = rate // 50, rate // 100
    count = max(0, (len(sound) - size) // hop + 1)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(sound, np.float64), size)[
        : count * hop : hop
    ]
    bands = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))[:, 2:68].T
    loudness = np.log10(bands + 100.0)
    return loudness - loudness.mean(axis=1, keepdims=True)


def _likeness(piece: Sound, whole: Sound) -> float:
    n = piece.shape[1]
    if whole.shape[1] < n:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(whole, n, axis=1)  # (bins, places, n)
    products = np.einsum("bpn,bn->p", windows, piece)
    energy = np.einsum("bpn,bpn->p", windows, windows)
    return float(np.max(products / np.sqrt(energy * np.sum(piece**2) + 1e-9)))


def _resampled(clip: Sound, rate: int) -> Sound:
    if rate == _WIDE_HZ:
        return np.asarray(clip, np.float64)
    spectrum = np.fft.rfft(np.asarray(clip, np.float64))[: len(clip) // 4 + 1]
    return np.fft.irfft(spectrum, len(clip) // 2) / 2
