"""The synthesiser, for real: every language makes sound, at one loudness, and pronounces what it is given."""

import threading

import numpy as np
import pytest

from bridge.ivr.errors import SpeechError
from bridge.ivr.prompt import prompt
from bridge.ivr.prompts.catalogue import load_catalogue, placeholders
from bridge.ivr.prompts.orthography import readable
from bridge.ivr.speech import Speaker

CATALOGUE = load_catalogue()
SPEAKER = Speaker()


@pytest.mark.parametrize("language", CATALOGUE.languages())
def test_voice_speaks_the_language(language: str) -> None:
    text, texts = CATALOGUE.text(prompt("pin.ask"), language)
    samples, rate_hz = SPEAKER.speak(
        readable(text, texts.base), voice=texts.voice.name, words_per_minute=texts.voice.words_per_minute
    )
    assert rate_hz >= 16_000
    assert 1.5 < len(samples) / rate_hz < 8
    assert np.sqrt((samples**2).mean()) > 0.01


@pytest.mark.parametrize("language", ["he", "ja"])
def test_no_word_of_the_difficult_languages_is_spelt_letter_by_letter(language: str) -> None:
    english = CATALOGUE.chain("en")[0].texts
    for key in CATALOGUE.prompt_keys():
        needs = placeholders(english[key])
        if "event" in needs:
            continue
        for n in (1, 2, 3, 4, 10, 11, 17, 20, 21, 99, 100, 305) if "n" in needs else (0,):
            values: dict[str, int | str] = {"n": n, "key": "#", "digits": "+01 234 56789"}
            args = {name: values[name] for name in needs}
            text, texts = CATALOGUE.text(prompt(key, **args), language)
            phonemes = SPEAKER.phonemes(readable(text, texts.base), voice=texts.voice.name)
            assert "(en)" not in phonemes, (key, text)


@pytest.mark.parametrize(
    ("language", "written", "read"),
    [
        ("ja", "イベントは まだ", "イベントわ まだ"),
        ("ja", "はじめ へ どうぞ", "はじめ え どーぞ"),
        ("ja", "はい。", "はい。"),
        ("he", "שָׁלוֹם", "שׁ" + "ָלוֹם"),
        ("he", "שִׂיחָה", "סִחָה"),
        ("he", "קֻבָּה", "קוּבּ" + "ָה"),
        ("fr", "Été", "Été"),
    ],
)
def test_spelling_for_the_voice(language: str, written: str, read: str) -> None:
    assert readable(written, language) == read


def test_particle_wa_is_pronounced_so() -> None:
    assert "wä" in SPEAKER.phonemes(readable("イベントは", "ja"), voice="ja")


def test_unknown_voice_is_an_error_and_does_no_harm() -> None:
    with pytest.raises(SpeechError, match="no voice"):
        SPEAKER.speak("hello", voice="xx-nobody", words_per_minute=150)
    SPEAKER.speak("hello", voice="en", words_per_minute=150)


def test_text_without_sound_is_an_error() -> None:
    with pytest.raises(SpeechError, match="no sound"):
        SPEAKER.speak("", voice="en", words_per_minute=150)


def test_faster_is_shorter() -> None:
    slow, _ = SPEAKER.speak("one two three four five", voice="en", words_per_minute=120)
    fast, _ = SPEAKER.speak("one two three four five", voice="en", words_per_minute=220)
    assert len(fast) < 0.75 * len(slow)


def test_many_threads_get_what_each_asked_for() -> None:
    def spoken(voice: str) -> int:
        return len(Speaker().speak("12345", voice=voice, words_per_minute=150)[0])

    alone = {voice: spoken(voice) for voice in ("en", "fr", "de")}
    got: list[tuple[str, int]] = []

    def work(voice: str) -> None:
        got.extend((voice, spoken(voice)) for _ in range(5))

    threads = [threading.Thread(target=work, args=(voice,)) for voice in alone for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 30
    # The voice varies its timing a little from one time to the next.
    assert all(length == pytest.approx(alone[voice], rel=0.02) for voice, length in got)
