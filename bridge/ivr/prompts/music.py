"""The hold music: a small piece, composed and played by this module.

"Waiting Room", 76.8 s at 75 beats a minute, in C: eight bars of arpeggios (A), eight with a melody over new
harmony (B), eight with both (A'). Made for telephone lines: nothing that matters lies outside 300 to 3400
Hz, so the bass is played by its harmonics; no percussion and no sudden starts, which codecs with voice
detection chop; and a level a little below speech.

The loop has no seam because time is a circle here: a note that rings past the end is added to the
beginning, and reverberation and filters are circular convolutions of the whole piece.

Cost: about a second of one core, once; the result is cached on disk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bridge.ivr.prompts.sound import RATE_HZ, Pcm16, Samples, limited, to_pcm16

__all__ = ["MUSIC_VERSION", "hold_music"]

MUSIC_VERSION = 1
"""Raised whenever the piece changes, so that a cached one is not used."""

LEVEL_DB = -24.0
PEAK_DB = -9.0
BAND_HZ = (220.0, 3500.0)

BEAT_S = 0.8
BEATS_PER_BAR = 4

_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_CHORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (bass, upper voices from low to high)
    "Cmaj7": ("C3", ("E4", "G4", "B4", "D5")),
    "Am7": ("A2", ("E4", "G4", "C5", "E5")),
    "Fmaj7": ("F3", ("E4", "A4", "C5", "E5")),
    "G6": ("G2", ("D4", "G4", "B4", "E5")),
    "Em7": ("E3", ("D4", "G4", "B4", "D5")),
    "Dm9": ("D3", ("F4", "A4", "C5", "E5")),
    "G7": ("G2", ("F4", "G4", "B4", "D5")),
    "Bbmaj7": ("Bb2", ("D4", "F4", "A4", "C5")),
    "Gsus": ("G2", ("F4", "G4", "C5", "D5")),
    "Fm6": ("F3", ("D4", "Ab4", "C5", "F5")),
}

_A = ("Cmaj7", "Am7", "Fmaj7", "G6", "Em7", "Am7", "Dm9", "G7")
_B = ("Fmaj7", "Em7", "Dm9", "Cmaj7", "Bbmaj7", "Fmaj7", "Dm9", "Gsus")
_A2 = ("Cmaj7", "Am7", "Fmaj7", "Fm6", "Cmaj7", "Am7", "Dm9", "G7")

_BARS = _A + _B + _A2

_ARPEGGIO = (0, 1, 2, 3, 2, 1, 2, 1)
"""Which upper voice sounds on each eighth of a bar."""

_MELODY_B = (
    # bar of the section, beat, length in beats, note
    (0, 0.0, 2.0, "A4"), (0, 2.0, 1.0, "C5"), (0, 3.0, 1.0, "E5"),
    (1, 0.0, 3.0, "D5"), (1, 3.0, 1.0, "B4"),
    (2, 0.0, 2.0, "C5"), (2, 2.0, 1.0, "A4"), (2, 3.0, 1.0, "F4"),
    (3, 0.0, 4.0, "G4"),
    (4, 0.0, 2.0, "F4"), (4, 2.0, 1.0, "A4"), (4, 3.0, 1.0, "D5"),
    (5, 0.0, 3.0, "C5"), (5, 3.0, 1.0, "A4"),
    (6, 0.0, 2.0, "F5"), (6, 2.0, 1.0, "E5"), (6, 3.0, 1.0, "C5"),
    (7, 0.0, 4.0, "D5"),
)  # fmt: skip

_MELODY_A2 = (
    (0, 0.0, 3.0, "E5"), (0, 3.0, 1.0, "D5"),
    (1, 0.0, 2.0, "C5"), (1, 2.0, 2.0, "G4"),
    (2, 0.0, 3.0, "A4"), (2, 3.0, 1.0, "C5"),
    (3, 0.0, 4.0, "Ab4"),
    (4, 0.0, 2.0, "G4"), (4, 2.0, 2.0, "E5"),
    (5, 0.0, 3.0, "C5"), (5, 3.0, 1.0, "E5"),
    (6, 0.0, 2.0, "F5"), (6, 2.0, 2.0, "A4"),
    (7, 0.0, 3.0, "B4"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """One sound of an instrument."""

    at_s: float
    seconds: float
    hz: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instrument:
    """Additive synthesis: a sum of harmonics, each with its own decay, under one envelope."""

    harmonics: tuple[float, ...]
    attack_s: float
    release_s: float
    decay_s: float
    """Time in which the fundamental falls to 1/e; harmonic k falls k times as fast."""
    vibrato_hz: float = 0.0
    detune: float = 0.0
    """A second voice beside the first, this much higher as a ratio: a slow beat that makes a pad live."""


_PLUCK = _Instrument(harmonics=(1.0, 0.45, 0.25, 0.12, 0.06), attack_s=0.006, release_s=0.25, decay_s=0.9)
_PAD = _Instrument(
    harmonics=(1.0, 0.35, 0.22, 0.1, 0.05), attack_s=0.9, release_s=1.1, decay_s=40.0, detune=0.0035
)
_BASS = _Instrument(harmonics=(0.5, 1.0, 0.8, 0.5, 0.25, 0.1), attack_s=0.04, release_s=0.5, decay_s=3.0)
_FLUTE = _Instrument(
    harmonics=(1.0, 0.3, 0.12, 0.04), attack_s=0.09, release_s=0.35, decay_s=25.0, vibrato_hz=4.6
)


def hold_music() -> Pcm16:
    """The piece: a loop at RATE_HZ that can be played round and round."""
    seconds = len(_BARS) * BEATS_PER_BAR * BEAT_S
    mix = np.zeros(round(seconds * RATE_HZ))
    for instrument, notes in (
        (_PAD, _pad_notes()), (_BASS, _bass_notes()), (_PLUCK, _arpeggio_notes()), (_FLUTE, _melody_notes()),
    ):  # fmt: skip
        _play(mix, instrument, notes)
    mix = _in_band(_with_room(mix))
    mix *= 10 ** (LEVEL_DB / 20) / np.sqrt((mix**2).mean())
    return to_pcm16(limited(mix, peak_db=PEAK_DB))


def _hz(name: str) -> float:
    """Frequency of a note such as `Bb3`, equal temperament, A4 = 440 Hz."""
    step = _NOTES[name[0]] - name.count("b")
    return float(440.0 * 2.0 ** ((step - 9) / 12 + int(name[-1]) - 4))


def _bars() -> Iterator[tuple[int, float, str, tuple[str, ...]]]:
    """Number, start in seconds, bass and upper voices of each bar."""
    for number, chord in enumerate(_BARS):
        bass, upper = _CHORDS[chord]
        yield number, number * BEATS_PER_BAR * BEAT_S, bass, upper


def _pad_notes() -> Iterator[_Note]:
    for _, at_s, _, upper in _bars():
        for name in upper[:3]:
            yield _Note(at_s=at_s, seconds=BEATS_PER_BAR * BEAT_S, hz=_hz(name), level=0.13)


def _bass_notes() -> Iterator[_Note]:
    for _, at_s, bass, _ in _bars():
        yield _Note(at_s=at_s, seconds=2.6 * BEAT_S, hz=_hz(bass), level=0.22)
        yield _Note(at_s=at_s + 2.5 * BEAT_S, seconds=1.4 * BEAT_S, hz=_hz(bass), level=0.13)


def _arpeggio_notes() -> Iterator[_Note]:
    for number, at_s, _, upper in _bars():
        quiet = 0.75 if len(_A) <= number < len(_A + _B) else 1.0
        for eighth, voice in enumerate(_ARPEGGIO):
            accent = 1.0 if eighth in (0, 4) else 0.75
            # A little late and uneven, as fingers are; the same each time round.
            sway_s = 0.006 * ((eighth * 5 + number * 3) % 4)
            yield _Note(
                at_s=at_s + eighth * BEAT_S / 2 + sway_s,
                seconds=0.9,
                hz=_hz(upper[voice]),
                level=0.34 * accent * quiet,
            )


def _melody_notes() -> Iterator[_Note]:
    for first_bar, melody in ((len(_A), _MELODY_B), (len(_A + _B), _MELODY_A2)):
        for bar, beat, beats, name in melody:
            at_s = ((first_bar + bar) * BEATS_PER_BAR + beat) * BEAT_S
            yield _Note(at_s=at_s, seconds=beats * BEAT_S, hz=_hz(name), level=0.36)


def _play(mix: Samples, instrument: _Instrument, notes: Iterable[_Note]) -> None:
    """Add notes to `mix`, which is a circle."""
    known: dict[tuple[float, float], Samples] = {}
    for note in notes:
        wave = known.get((note.hz, note.seconds))
        if wave is None:
            wave = known[note.hz, note.seconds] = _wave(instrument, note.hz, note.seconds)
        start = round(note.at_s * RATE_HZ)
        first = min(len(wave), len(mix) - start)
        mix[start : start + first] += note.level * wave[:first]
        mix[: len(wave) - first] += note.level * wave[first:]


def _wave(instrument: _Instrument, hz: float, seconds: float) -> Samples:
    t = np.arange(round((seconds + instrument.release_s) * RATE_HZ)) / RATE_HZ
    vibrato = 0.0022 * np.sin(2 * np.pi * instrument.vibrato_hz * t) * np.minimum(1.0, t / 0.6)
    voices = (1.0, 1.0 + instrument.detune) if instrument.detune else (1.0,)
    total = np.zeros_like(t)
    for ratio in voices:
        phase = 2 * np.pi * hz * ratio * (t + np.cumsum(vibrato) / RATE_HZ)
        for k, level in enumerate(instrument.harmonics, start=1):
            if hz * k < BAND_HZ[1]:
                total += level / len(voices) * np.exp(-t * k / instrument.decay_s) * np.sin(k * phase)
    attack = np.sin(np.pi / 2 * np.minimum(1.0, t / instrument.attack_s)) ** 2
    release = np.cos(np.pi / 2 * np.clip((t - seconds) / instrument.release_s, 0.0, 1.0)) ** 2
    return np.asarray(total * attack * release)


def _with_room(mix: Samples) -> Samples:
    """Reverberation: convolution with a decaying noise, the same noise each time."""
    t = np.arange(int(1.6 * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(1876).standard_normal(len(t))
    noise *= np.exp(-t / 0.32) * np.minimum(1.0, t / 0.012)
    noise /= np.sqrt((noise**2).sum())
    room = np.fft.irfft(np.fft.rfft(mix) * np.fft.rfft(noise, len(mix)), len(mix))
    return np.asarray(mix + 0.35 * room)


def _in_band(mix: Samples) -> Samples:
    spectrum = np.fft.rfft(mix)
    hz = np.fft.rfftfreq(len(mix), 1 / RATE_HZ)
    low, high = BAND_HZ
    spectrum *= np.clip((hz - low * 0.6) / (low * 0.4), 0, 1)
    spectrum *= np.clip((high * 1.1 - hz) / (high * 0.1), 0, 1)
    return np.fft.irfft(spectrum, len(mix))
