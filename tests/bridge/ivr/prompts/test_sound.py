"""Shaping: rate, band, level, silence; and the music and tones made from nothing."""

import numpy as np
import pytest

from bridge.ivr.prompts import music
from bridge.ivr.prompts.music import LEVEL_DB, PEAK_DB, hold_music
from bridge.ivr.prompts.sound import (
    RATE_HZ,
    active_level_db,
    at_level,
    limited,
    silence,
    to_pcm16,
    to_rate,
    trimmed,
)
from bridge.ivr.prompts.tones import TONES, tone


def sine(hz: float, rate_hz: int, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 22_051])
def test_a_tone_keeps_its_pitch_level_and_length_at_any_rate(rate_hz: int) -> None:
    out = to_rate(sine(1000, rate_hz), rate_hz)
    assert abs(len(out) - RATE_HZ) <= 1
    middle = out[2000:14000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(spectrum.argmax() * RATE_HZ / len(middle) - 1000) < 2
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_nothing_folds_back_from_above_the_new_rate() -> None:
    out = to_rate(sine(11_000, 48_000), 48_000)
    assert np.abs(out[2000:14000]).max() < 0.002


def test_rumble_is_removed() -> None:
    assert np.abs(to_rate(sine(20, 16_000), 16_000)[2000:14000]).max() < 0.02


def test_active_level_does_not_count_pauses() -> None:
    speech = sine(500, RATE_HZ, 1.0, 0.1)
    with_pause = np.concatenate([speech, np.zeros(4 * RATE_HZ), speech])
    assert active_level_db(with_pause) == pytest.approx(active_level_db(speech), abs=0.1)
    assert active_level_db(np.zeros(100)) == float("-inf")


def test_levelling_reaches_the_level_and_keeps_peaks_under_theirs() -> None:
    rng = np.random.default_rng(1)
    peaky = sine(300, RATE_HZ, 2.0, 0.02)
    peaky[rng.integers(0, len(peaky), 40)] = 0.9
    out = at_level(peaky, level_db=-20.0, peak_db=-3.0)
    assert np.abs(out).max() <= 10 ** (-3 / 20) + 1e-9
    quiet = at_level(sine(300, RATE_HZ, 2.0, 0.001))
    assert active_level_db(quiet) == pytest.approx(-20.0, abs=0.2)
    assert not at_level(np.zeros(1000)).any()


def test_limiter_leaves_alone_what_is_quiet_enough() -> None:
    calm = sine(300, RATE_HZ, 1.0, 0.3)
    assert limited(calm, peak_db=-3.0) is calm


def test_trimming_takes_silence_off_the_ends_only() -> None:
    word = sine(400, RATE_HZ, 0.5)
    out = trimmed(np.concatenate([np.zeros(8000), word, np.zeros(4000), word, np.zeros(16000)]))
    assert len(out) == pytest.approx(8000 + 4000 + 8000, abs=2000)
    assert len(trimmed(np.zeros(5000))) == 0


def test_rounding_clips_and_never_wraps() -> None:
    assert to_pcm16(np.array([2.0, -2.0, 0.0])).tolist() == [32767, -32768, 0]
    assert len(silence(0.5)) == 8000


MUSIC = hold_music()


def test_music_lasts_a_minute_or_more_at_its_level_without_clipping() -> None:
    samples = MUSIC / 32768.0
    assert 60 <= len(MUSIC) / RATE_HZ <= 90
    assert 10 * np.log10((samples**2).mean()) == pytest.approx(LEVEL_DB, abs=0.3)
    assert np.abs(samples).max() <= 10 ** (PEAK_DB / 20) + 1e-4


def test_music_loops_without_a_seam() -> None:
    joint = np.concatenate([MUSIC[-200:], MUSIC[:200]]).astype(np.float64)
    steps = np.abs(np.diff(joint))
    usual = np.percentile(np.abs(np.diff(MUSIC.astype(np.float64))), 99.9)
    assert steps[199] <= usual


def test_a_note_that_rings_past_the_end_goes_on_at_the_beginning() -> None:
    circle = np.zeros(RATE_HZ)
    late = music._Note(at_s=0.9, seconds=0.5, hz=440.0, level=1.0)
    music._play(circle, music._PLUCK, [late])
    assert np.abs(circle[: RATE_HZ // 4]).max() > 0.1
    assert not circle[int(0.7 * RATE_HZ) : int(0.89 * RATE_HZ)].any()


def test_music_lies_in_the_telephone_band() -> None:
    power = np.abs(np.fft.rfft(MUSIC / 32768.0)) ** 2
    hz = np.fft.rfftfreq(len(MUSIC), 1 / RATE_HZ)
    assert power[(hz >= 280) & (hz <= 3400)].sum() / power.sum() > 0.85
    assert power[hz > 3900].sum() / power.sum() < 1e-6


def test_music_is_never_silent_and_never_sudden() -> None:
    seconds = (MUSIC[: len(MUSIC) // RATE_HZ * RATE_HZ] / 32768.0).reshape(-1, RATE_HZ)
    levels = 10 * np.log10((seconds**2).mean(axis=1))
    assert levels.min() > LEVEL_DB - 8
    assert levels.max() < LEVEL_DB + 6


def test_music_is_a_piece_and_not_one_chord() -> None:
    bars = MUSIC[: len(MUSIC) // 24 * 24].reshape(24, -1) / 32768.0
    spectra = np.abs(np.fft.rfft(bars * np.hanning(bars.shape[1]), axis=1))[:, : bars.shape[1] // 8]
    spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
    alike = spectra @ spectra.T
    assert (alike < 0.7).sum() > 0.5 * alike.size


def test_music_is_the_same_each_time() -> None:
    assert np.array_equal(MUSIC, hold_music())


@pytest.mark.parametrize("name", TONES)
def test_tones_are_short_soft_and_no_keys(name: str) -> None:
    sound = tone(name) / 32768.0
    assert 0.15 < len(sound) / RATE_HZ < 0.6
    assert 0.02 < np.abs(sound).max() < 0.3
    assert abs(sound[0]) < 0.01
    assert abs(sound[-1]) < 0.01
    spectrum = np.abs(np.fft.rfft(sound, RATE_HZ))
    low, high = spectrum[680:960].max(), spectrum[1190:1650].max()
    assert high < 0.5 * low or low < 0.5 * high or max(low, high) < 0.5 * spectrum.max()
