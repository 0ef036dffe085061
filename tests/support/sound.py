"""Tones to send and what is in a received sound.  All levels are RMS in dB relative to int16 full scale."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[Any]
Says = Callable[[int], Sound]

AUDIBLE_DB = -45.0


def sine(hz: float, *, rate: int = 8000, db: float = -20.0) -> Says:
    """A steady tone in frames of 20 ms, by number of the frame."""
    amplitude = 32768 * 10 ** (db / 20) * np.sqrt(2)
    n = rate // 50

    def frame(tick: int) -> Sound:
        t = (tick * n + np.arange(n)) / rate
        return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)

    return frame


def playing(sound: Sound, *, rate: int = 8000) -> Says:
    """A recording in frames of 20 ms, over and over."""
    n = rate // 50
    frames = sound[: len(sound) // n * n].reshape(-1, n)
    return lambda tick: frames[tick % len(frames)]


def level_db(sound: Sound, hz: float, *, rate: int) -> float:
    """Level of one tone within a sound."""
    n = len(sound)
    if n == 0:
        return -200.0
    window = np.hanning(n)
    basis = np.exp(-2j * np.pi * hz * np.arange(n) / rate)
    amplitude = 2 * abs(np.sum(sound * window * basis)) / window.sum()
    return float(20 * np.log10(amplitude / np.sqrt(2) / 32768 + 1e-9))


def rms_db(sound: Sound) -> float:
    """Level of everything in a sound."""
    if len(sound) == 0:
        return -200.0
    power = float(np.mean(np.square(np.asarray(sound, np.float64))))
    return float(10 * np.log10(power / 32768**2 + 1e-12))


def tones_in(sound: Sound, tones: Mapping[str, float], *, rate: int) -> set[str]:
    """Names of the tones that can be heard in a sound."""
    return {name for name, hz in tones.items() if level_db(sound, hz, rate=rate) > AUDIBLE_DB}


_TEXTS = (
    "Good morning everybody, and welcome to our meeting about the third quarter of this year.",
    "As you can see on the second page, the numbers have grown by almost eleven percent since March.",
    "Could somebody from the Paris office please explain why the delivery was postponed again?",
    "Thank you. I would like to ask what happens to the people who registered after the deadline.",
    "We shall answer all questions at the end, so please keep them until then, or type them in.",
)


@cache
def speech(*, seconds: float = 5.0, rate: int = 8000, voice: str = "en", db: float = -22.0) -> Sound:
    """Somebody speaking without end: int16, the voice's active level at about `db`."""
    from bridge.ivr.prompts.sound import at_level, to_rate
    from bridge.ivr.speech import Speaker

    pieces: list[Sound] = []
    while sum(map(len, pieces)) < seconds * rate:
        text = _TEXTS[len(pieces) % len(_TEXTS)]
        samples, hz = Speaker().speak(text, voice=voice, words_per_minute=150)
        wide = at_level(to_rate(samples, hz), level_db=db)
        narrow = np.asarray(wide * 32767, np.float64)
        if rate == 8000:
            narrow = _halved(narrow)
        pieces.append(np.clip(narrow, -32768, 32767).astype(np.int16))
    return np.concatenate(pieces)[: round(seconds * rate)]


def _halved(sound: Sound) -> Sound:
    spectrum = np.fft.rfft(sound)[: len(sound) // 4 + 1]
    return np.fft.irfft(spectrum, len(sound) // 2) / 2


def noise(seconds: float, *, rate: int = 8000, db: float = -20.0, seed: int = 1) -> Sound:
    """White noise, int16."""
    sound = np.random.default_rng(seed).normal(0, 32768 * 10 ** (db / 20), round(seconds * rate))
    return np.clip(sound, -32768, 32767).astype(np.int16)


def tone(hz: float, seconds: float, *, rate: int = 8000, db: float = -20.0) -> Sound:
    """A sine, int16."""
    t = np.arange(round(seconds * rate)) / rate
    return (32768 * 10 ** (db / 20) * np.sqrt(2) * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def lag_ms(said: Sound, heard: Sound, *, rate: int, longest_ms: float = 1000.0) -> float:
    """How much later `heard` has what `said` says, by cross-correlation."""
    n = 1 << (len(said) + len(heard)).bit_length()
    ours, theirs = (np.fft.rfft(np.asarray(sound, np.float64), n) for sound in (heard, said))
    match = np.fft.irfft(ours * np.conj(theirs), n)[: round(longest_ms * rate / 1000)]
    return float(np.argmax(match)) * 1000 / rate


def silent_ms(sound: Sound, *, rate: int, below_db: float = -50.0) -> int:
    """Length of all 5 ms pieces that are quieter than a level."""
    n = rate // 200
    pieces = np.asarray(sound[: len(sound) // n * n], np.float64).reshape(-1, n)
    level = 10 * np.log10(np.mean(pieces**2, axis=1) / 32768**2 + 1e-12)
    return 5 * int(np.count_nonzero(level < below_db))


def largest_step(sound: Sound) -> float:
    """The largest difference of neighbouring samples: a click is a step that the signal would not make."""
    return float(np.max(np.abs(np.diff(np.asarray(sound, np.float64))))) if len(sound) > 1 else 0.0
