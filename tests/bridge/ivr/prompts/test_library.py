"""Prompts as callers get them: recordings win, the cache works, and nothing that fails is an exception."""

import os
import struct
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from structlog.testing import capture_logs

from bridge.ivr.errors import RecordingError, SpeechError
from bridge.ivr.prompt import prompt
from bridge.ivr.prompts.library import PromptLibrary
from bridge.ivr.prompts.recordings import recording_name
from bridge.ivr.prompts.sound import RATE_HZ, active_level_db
from bridge.ivr.prompts.store import ClipStore
from bridge.ivr.prompts.wav import parse_wav, read_wav, wav_bytes
from bridge.ivr.speech import Speaker

ASK = prompt("pin.ask")


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(cache_dir=tmp_path / "cache", recordings_dir=tmp_path / "prompts")


def wav(
    samples: np.ndarray,
    *,
    rate_hz: int = 8000,
    bits: int = 16,
    channels: int = 1,
    extensible: bool = False,
    coding: int = 1,
) -> bytes:
    """A WAV file from samples of full scale ±1."""
    frames = np.repeat(samples, channels)
    if coding == 3:
        body = frames.astype("<f4").tobytes()
    elif bits == 8:
        body = (np.clip(frames * 127 + 128, 0, 255)).astype(np.uint8).tobytes()
    elif bits == 24:
        whole = (frames * (2**23 - 1)).astype("<i4")
        body = whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        body = (frames * (2 ** (bits - 1) - 1)).astype(f"<i{bits // 8}").tobytes()
    block = channels * bits // 8
    shown = 0xFFFE if extensible else coding
    head = struct.pack("<HHIIHH", shown, channels, rate_hz, rate_hz * block, block, bits)
    if extensible:
        head += struct.pack("<HHIH", 22, bits, 0, coding) + b"\0" * 14
    chunks = b"fmt " + struct.pack("<I", len(head)) + head + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def sine(hz: float, rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def pitch(clip: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(clip * np.hanning(len(clip))))
    return float(spectrum.argmax() * RATE_HZ / len(clip))


def put(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / "prompts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "language", ["en", "fr", "de", "es", "da", "nb", "cs", "pt", "he", "ja", "pl", "ru", "tr"]
)
def test_prompt_sounds_in_every_language_at_one_level(library: PromptLibrary, language: str) -> None:
    clip = library.clip(ASK, language)
    assert clip.dtype == np.int16
    assert clip.ndim == 1
    assert 1.5 < len(clip) / RATE_HZ < 8
    assert active_level_db(clip / 32768.0) == pytest.approx(-20.0, abs=1.0)
    assert np.abs(clip.astype(int)).max() <= 32768 * 10 ** (-3 / 20) + 1
    assert library.failures == 0


def test_numbers_and_names_sound(library: PromptLibrary) -> None:
    few, many = (library.clip(prompt("headcount", n=n), "en") for n in (7, 777))
    assert len(many) > len(few) > RATE_HZ
    assert len(library.clip(prompt("join.welcome", event="Quarterly results"), "en")) > RATE_HZ
    assert library.failures == 0


def test_recording_wins(tmp_path: Path, library: PromptLibrary) -> None:
    put(tmp_path, "fr/pin.ask.wav", wav(sine(440, 8000)))
    assert pitch(library.clip(ASK, "fr")) == pytest.approx(440, abs=3)
    assert active_level_db(library.clip(ASK, "fr") / 32768.0) == pytest.approx(-20, abs=0.5)
    assert pitch(library.clip(ASK, "fr-CA")) == pytest.approx(440, abs=3), "also for regions of the language"
    assert len(library.clip(ASK, "de")) != len(library.clip(ASK, "fr")), "not for other languages"


def test_english_recording_does_not_displace_another_language(tmp_path: Path, library: PromptLibrary) -> None:
    put(tmp_path, "en/pin.ask.wav", wav(sine(440, 8000)))
    assert abs(pitch(library.clip(ASK, "de")) - 440) > 20


def test_recording_dropped_in_later_replaced_and_removed_is_noticed(
    tmp_path: Path, library: PromptLibrary
) -> None:
    synthetic = library.clip(ASK, "en")
    path = put(tmp_path, "en/pin.ask.wav", wav(sine(440, 8000)))
    assert pitch(library.clip(ASK, "en")) == pytest.approx(440, abs=3)
    put(tmp_path, "en/pin.ask.wav", wav(sine(660, 8000)))
    os.utime(path, ns=(1, 1))
    assert pitch(library.clip(ASK, "en")) == pytest.approx(660, abs=3)
    path.unlink()
    assert np.array_equal(library.clip(ASK, "en"), synthetic)


def test_recording_of_a_prompt_with_a_number_or_key(tmp_path: Path, library: PromptLibrary) -> None:
    put(tmp_path, "en/headcount.7.wav", wav(sine(440, 8000)))
    put(tmp_path, "en/help.headcount.hash.wav", wav(sine(550, 8000)))
    assert pitch(library.clip(prompt("headcount", n=7), "en")) == pytest.approx(440, abs=3)
    assert abs(pitch(library.clip(prompt("headcount", n=8), "en")) - 440) > 20
    assert pitch(library.clip(prompt("help.headcount", key="#"), "en")) == pytest.approx(550, abs=3)
    assert recording_name(prompt("join.welcome", event="../../etc/passwd")) is None
    assert library.check() == []


@pytest.mark.parametrize(
    ("bits", "channels", "rate_hz", "extensible", "coding"),
    [(8, 1, 8000, False, 1), (16, 2, 44_100, False, 1), (24, 1, 48_000, True, 1), (24, 2, 96_000, False, 1),
     (32, 1, 16_000, False, 1), (32, 1, 22_050, True, 3)],
)  # fmt: skip
def test_any_usual_wav_is_understood(
    bits: int, channels: int, rate_hz: int, extensible: bool, coding: int
) -> None:
    tone = sine(440, rate_hz)
    data = wav(tone, rate_hz=rate_hz, bits=bits, channels=channels, extensible=extensible, coding=coding)
    samples, got_hz = parse_wav(data)
    assert got_hz == rate_hz
    assert samples == pytest.approx(tone, abs=0.02)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no WAV"),
        (b"ID3 this is an mp3", "no WAV"),
        (wav(sine(440, 8000))[:30], "no format"),
        (wav(np.zeros(0)), "empty"),
        (wav(sine(440, 8000), coding=7), "coding 7"),
        (wav(sine(440, 8000), rate_hz=0), "0 Hz"),
        (wav(np.array([np.nan, 1.0]), bits=32, coding=3), "no numbers"),
        (wav(np.zeros(8000 * 121)), "longer"),
    ],
)
def test_unusable_recording_says_why_is_logged_and_synthesis_takes_over(
    tmp_path: Path, library: PromptLibrary, data: bytes, why: str
) -> None:
    with pytest.raises(RecordingError, match=why):
        parse_wav(data)
    synthetic = library.clip(ASK, "en")
    put(tmp_path, "en/pin.ask.wav", data)
    with capture_logs() as logs:
        assert np.array_equal(library.clip(ASK, "en"), synthetic)
        library.clip(ASK, "en")
    assert [(log["event"], log["file"]) for log in logs] == [
        ("prompt_recording_unusable", "en/pin.ask.wav")
    ], "once"
    problems = library.check()
    assert len(problems) == 1
    assert "en/pin.ask.wav" in problems[0]
    assert why in problems[0]


@pytest.mark.parametrize("name", ["en/pin.aks.wav", "xx/pin.ask.wav", "pin.ask.wav", "en/pin.ask.mp3"])
def test_recording_that_no_prompt_will_use_is_reported(
    tmp_path: Path, library: PromptLibrary, name: str
) -> None:
    put(tmp_path, name, wav(sine(440, 8000)))
    assert len(library.check()) == 1
    assert name in library.check()[0]


def test_everything_in_order_is_no_problem(library: PromptLibrary) -> None:
    assert library.check() == []


class CountingSpeaker(Speaker):
    """A speaker that counts its work."""

    def __init__(self) -> None:
        super().__init__()
        self.spoken = 0

    def speak(self, text: str, *, voice: str, words_per_minute: int) -> tuple[np.ndarray, int]:
        self.spoken += 1
        return super().speak(text, voice=voice, words_per_minute=words_per_minute)


def test_clip_is_made_once_and_kept_on_disk(tmp_path: Path) -> None:
    first = CountingSpeaker()
    library = PromptLibrary(cache_dir=tmp_path / "c", recordings_dir=tmp_path / "r", speaker=first)
    clip = library.clip(ASK, "en")
    assert library.clip(ASK, "en") is clip
    assert first.spoken == 1
    second = CountingSpeaker()
    again = PromptLibrary(cache_dir=tmp_path / "c", recordings_dir=tmp_path / "r", speaker=second).clip(
        ASK, "en"
    )
    assert second.spoken == 0
    assert np.array_equal(again, clip)
    assert [path.suffix for path in (tmp_path / "c").iterdir()] == [".wav"], "no temporary file stays"


def test_names_of_events_are_not_written_to_disk(tmp_path: Path, library: PromptLibrary) -> None:
    library.clip(prompt("join.welcome", event="Secret merger"), "en")
    assert not (tmp_path / "cache").exists()


def test_damaged_cache_file_is_made_again(tmp_path: Path, library: PromptLibrary) -> None:
    clip = library.clip(ASK, "en")
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(b"RIFF garbage")
    other = PromptLibrary(cache_dir=tmp_path / "cache", recordings_dir=tmp_path / "r")
    assert len(other.clip(ASK, "en")) == pytest.approx(len(clip), rel=0.02)
    assert len(read_wav(path)[0]) == len(other.clip(ASK, "en"))


def test_full_disk_costs_the_cache_and_not_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    speaker = CountingSpeaker()
    library = PromptLibrary(cache_dir=tmp_path / "c", recordings_dir=tmp_path / "r", speaker=speaker)
    with capture_logs() as logs:
        assert len(library.clip(ASK, "en")) > RATE_HZ
        assert len(library.clip(prompt("bye"), "en")) > 0
        assert library.clip(ASK, "en") is library.clip(ASK, "en")
    assert speaker.spoken == 2, "memory still holds what was made"
    assert library.cache_failures == 2
    assert len(logs) == 1, "logged once a minute, not once a prompt"
    assert list((tmp_path / "c").iterdir()) == []


def test_cache_folder_that_cannot_be_is_a_problem_told_by_doctor(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    library = PromptLibrary(cache_dir=tmp_path / "file" / "cache", recordings_dir=tmp_path / "r")
    assert len(library.clip(ASK, "en")) > RATE_HZ
    assert any("prompt cache" in problem for problem in library.check())


class BrokenSpeaker(Speaker):
    """eSpeak NG is not installed."""

    def speak(self, *_args: object, **_named: object) -> NoReturn:
        raise SpeechError("eSpeak NG cannot be loaded: no such file")

    def check(self, voice: str) -> NoReturn:
        raise SpeechError(f"eSpeak NG cannot be loaded: no {voice}")


def test_without_a_synthesiser_callers_hear_a_tone_and_recordings_still_work(tmp_path: Path) -> None:
    library = PromptLibrary(
        cache_dir=tmp_path / "c", recordings_dir=tmp_path / "prompts", speaker=BrokenSpeaker()
    )
    put(tmp_path, "en/bye.wav", wav(sine(440, 8000)))
    with capture_logs() as logs:
        assert np.array_equal(library.clip(ASK, "en"), library.tone("error"))
    assert logs[0]["event"] == "prompt_failed"
    assert library.failures == 1
    assert pitch(library.clip(prompt("bye"), "en")) == pytest.approx(440, abs=3)
    assert any("eSpeak NG cannot be loaded" in problem for problem in library.check())


def test_unknown_prompt_and_unknown_tone_are_the_error_tone(library: PromptLibrary) -> None:
    error = library.tone("error")
    assert np.array_equal(library.clip(prompt("no.such"), "en"), error)
    assert np.array_equal(library.tone("no-such"), error)
    assert np.array_equal(library.clip(prompt("tone.join"), "en"), library.tone("join"))


def test_utterance_joins_prompts_with_pauses(library: PromptLibrary) -> None:
    both = library.utterance((ASK, prompt("bye")), "en")
    assert len(both) > len(library.clip(ASK, "en")) + len(library.clip(prompt("bye"), "en"))
    assert len(library.utterance((), "en")) == 0


def test_music_is_kept_and_read_only(tmp_path: Path, library: PromptLibrary) -> None:
    music = library.music()
    assert library.music() is music
    assert not music.flags.writeable
    again = PromptLibrary(cache_dir=tmp_path / "cache", recordings_dir=tmp_path / "r").music()
    assert np.array_equal(again, music)


def test_warming_makes_every_prompt_without_arguments(tmp_path: Path) -> None:
    speaker = CountingSpeaker()
    library = PromptLibrary(cache_dir=tmp_path / "c", recordings_dir=tmp_path / "r", speaker=speaker)
    assert library.warm(["fr"]) > 50
    made = speaker.spoken
    library.clip(prompt("welcome"), "fr")
    assert speaker.spoken == made


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.ivr.prompts.store.MEMORY_BYTES_MAX", 10_000)
    store = ClipStore(tmp_path)
    made: list[str] = []

    def make(name: str) -> np.ndarray:
        made.append(name)
        return np.ones(2000, dtype=np.int16)

    for name in "abcd":
        store.get(name, lambda name=name: make(name), on_disk=False)  # type: ignore[misc]
    store.get("d", lambda: make("d"), on_disk=False)
    store.get("a", lambda: make("a"), on_disk=False)
    assert made == ["a", "b", "c", "d", "a"]


def test_our_own_files_can_be_read_back() -> None:
    pcm = (sine(440, RATE_HZ) * 32767).astype(np.int16)
    samples, rate_hz = parse_wav(wav_bytes(pcm))
    assert rate_hz == RATE_HZ
    assert np.array_equal(np.rint(samples * 32768).astype(np.int16), pcm)
