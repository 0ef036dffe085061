"""Tones to send and what is in a received sound.  All levels are RMS in dB relative to int16 full scale."""

from collections.abc import Callable, Mapping
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
