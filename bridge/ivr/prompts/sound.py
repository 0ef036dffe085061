"""Shaping of finished clips: rate, band, silence, loudness. Offline work on whole arrays, in float.

- **Rate and band** in one step, in the frequency domain: a clip is finite, so its spectrum is exact;
  keeping the lower part of it resamples without aliasing for any pair of rates, and a raised-cosine slope
  at both ends of the band leaves out rumble and what the narrowest codec would throw away anyway. 0.2 s of
  silence around the clip keeps the circular transform from wrapping sound.
- **Loudness** is the level of active speech, in the spirit of ITU-T P.56: the mean power of the 20 ms
  frames that carry speech (within 25 dB of the loudest), so that pauses do not count.
- **Peaks** are limited by a gain that looks ahead: for each sample the gain that its neighbourhood needs,
  held by a sliding minimum and smoothed by a window no longer than that, which cannot let a peak pass.

Levels are dB relative to a full-scale square wave (an RMS of 32768).
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "FULL_SCALE", "RATE_HZ", "Pcm16", "Samples", "active_level_db", "at_level", "limited", "silence",
    "to_pcm16", "to_rate", "trimmed",
]  # fmt: skip

Pcm16: TypeAlias = npt.NDArray[np.int16]
"""Mono sound: shape (samples,), int16, at RATE_HZ unless said otherwise."""

Samples: TypeAlias = npt.NDArray[np.float64]
"""The same at work: shape (samples,), float64, full scale ±1."""

RATE_HZ = 16_000
FULL_SCALE = 32_768.0

FRAME_S = 0.02
ACTIVE_BELOW_LOUDEST_DB = 25.0
LIMITER_S = 0.004
PAD_S = 0.2


def silence(seconds: float) -> Pcm16:
    """Nothing, at RATE_HZ."""
    return np.zeros(round(seconds * RATE_HZ), dtype=np.int16)


def to_pcm16(samples: Samples) -> Pcm16:
    """Round to int16, clipping what exceeds full scale."""
    return np.clip(np.rint(samples * FULL_SCALE), -32768, 32767).astype(np.int16)


def to_rate(samples: Samples, rate_hz: int, *, low_hz: float = 90.0, high_hz: float = 7200.0) -> Samples:
    """Resample from `rate_hz` to RATE_HZ and keep the band from `low_hz` to `high_hz`."""
    step = rate_hz // np.gcd(rate_hz, RATE_HZ)
    pad = int(PAD_S * rate_hz)
    length = -(-(len(samples) + 2 * pad) // step) * step
    padded = np.zeros(length)
    padded[pad : pad + len(samples)] = samples
    length_out = length * RATE_HZ // rate_hz
    spectrum = np.fft.rfft(padded)[: length_out // 2 + 1]
    if len(spectrum) < length_out // 2 + 1:
        spectrum = np.pad(spectrum, (0, length_out // 2 + 1 - len(spectrum)))
    hz = np.arange(len(spectrum)) * (RATE_HZ / length_out)
    top_hz = min(high_hz, 0.46 * rate_hz)
    spectrum *= _slope(hz, low_hz * 0.5, low_hz) * (1.0 - _slope(hz, top_hz * 0.94, top_hz * 1.06))
    resampled = np.fft.irfft(spectrum, length_out) * (length_out / length)
    start = round(pad * RATE_HZ / rate_hz)
    return np.asarray(resampled[start : start + round(len(samples) * RATE_HZ / rate_hz)])


def active_level_db(samples: Samples, rate_hz: int = RATE_HZ) -> float:
    """Level of the active parts in dB; -inf for digital silence."""
    powers = _frame_powers(samples, rate_hz)
    loudest = powers.max(initial=0.0)
    if loudest <= 0.0:
        return float("-inf")
    active = powers[powers >= loudest * 10 ** (-ACTIVE_BELOW_LOUDEST_DB / 10)]
    return float(10 * np.log10(active.mean()))


def trimmed(samples: Samples, *, below_loudest_db: float = 45.0, keep_s: float = 0.03) -> Samples:
    """Cut silence off both ends, but for `keep_s`, faded."""
    powers = _frame_powers(samples, RATE_HZ)
    heard = np.flatnonzero(powers > powers.max(initial=0.0) * 10 ** (-below_loudest_db / 10))
    if not len(heard):
        return samples[:0]
    frame, keep = int(FRAME_S * RATE_HZ), int(keep_s * RATE_HZ)
    cut = samples[max(0, heard[0] * frame - keep) : (heard[-1] + 1) * frame + keep].copy()
    fade = np.linspace(0.0, 1.0, min(keep // 2, len(cut) // 2), endpoint=False)
    if len(fade):
        cut[: len(fade)] *= fade
        cut[-len(fade) :] *= fade[::-1]
    return cut


def at_level(samples: Samples, *, level_db: float = -20.0, peak_db: float = -3.0) -> Samples:
    """Bring active parts to `level_db`, and no peak over `peak_db`. Silence stays silence."""
    own_db = active_level_db(samples)
    if own_db == float("-inf"):
        return samples
    return limited(samples * 10 ** ((level_db - own_db) / 20), peak_db=peak_db)


def limited(samples: Samples, *, peak_db: float) -> Samples:
    """Lower the gain around every peak above `peak_db`."""
    peak = 10 ** (peak_db / 20)
    if np.abs(samples).max(initial=0.0) <= peak:
        return samples
    wanted = np.minimum(1.0, peak / np.maximum(np.abs(samples), 1e-9))
    half = int(LIMITER_S * RATE_HZ)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(wanted, 2 * half, constant_values=1.0), 2 * half + 1
    )
    held = windows.min(axis=1)
    window = np.hanning(2 * half + 1)
    return np.asarray(samples * np.convolve(held, window / window.sum(), mode="valid"))


def _frame_powers(samples: Samples, rate_hz: int) -> Samples:
    frame = int(FRAME_S * rate_hz)
    whole = -(-len(samples) // frame) * frame
    frames = np.pad(samples, (0, whole - len(samples))).reshape(-1, frame)
    return np.asarray((frames**2).mean(axis=1))


def _slope(hz: Samples, from_hz: float, to_hz: float) -> Samples:
    """0 below `from_hz`, 1 above `to_hz`, half a cosine between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip((hz - from_hz) / (to_hz - from_hz), 0.0, 1.0)))
