"""Speech quality measured: a reference through a bad line, against level, gaps, clicks and drift."""

import itertools

import numpy as np
import pytest

from bridge.mixer import conceal
from tests.bridge.mixer.loop import PCMU, WIDE, Arrival, Loop, Phone
from tests.support.sound import Sound, lag_ms, largest_step, level_db, noise, rms_db, silent_ms, speech, tone

SECONDS = 8.0


def through(sound: Sound, arrival: Arrival | None, *, codec: int) -> tuple[Sound, Phone, Loop]:
    """What comes out of the room of a sound said into it over a line."""
    loop = Loop(capacity=4)
    talker, ears = Phone(1, codec), Phone(2, codec)
    loop.add(talker)
    loop.add(ears)
    loop.stream(talker, sound, arrival=arrival)
    loop.run(round(len(sound) / talker.rate * 50))
    return ears.sound().astype(float), talker, loop


def bad(*, loss: float, jitter_ms: float, seed: int = 7) -> Arrival:
    rng = np.random.default_rng(seed)

    def arrival(_i: int, clean: float) -> float | None:
        late = rng.uniform(0, jitter_ms) if jitter_ms else 0.0
        return None if rng.random() < loss else clean + late

    return arrival


@pytest.mark.parametrize("codec", [PCMU, WIDE])
@pytest.mark.parametrize("jitter_ms", [0.0, 20.0, 60.0])
@pytest.mark.parametrize("loss", [0.0, 0.01, 0.03, 0.1])
def test_a_tone_over_a_bad_line(loss: float, jitter_ms: float, codec: int) -> None:
    rate = 16000 if codec == WIDE else 8000
    heard, talker, loop = through(
        tone(440.0, SECONDS, rate=rate), bad(loss=loss, jitter_ms=jitter_ms), codec=codec
    )
    steady = heard[2 * rate :]
    assert rms_db(steady) == pytest.approx(-20.0, abs=1.0), "level"
    assert silent_ms(steady, rate=rate) <= 1000 * loss**2 * SECONDS + 5, "gaps: concealment fills them"
    smooth = 32768 * 10 ** (-20 / 20) * np.sqrt(2) * 2 * np.pi * 440 / rate
    assert largest_step(steady) < 1.9 * smooth, "clicks"
    report = loop.report(talker)
    sent = SECONDS * 50
    assert report.lost_pkts / sent == pytest.approx(loss, abs=0.025)
    assert report.discarded_pkts <= (0.01 * sent if jitter_ms else 0)
    assert report.concealed_ms <= 20 * (report.lost_pkts + report.discarded_pkts) + 60 + 2 * jitter_ms


@pytest.mark.parametrize("jitter_ms", [0.0, 20.0, 60.0])
@pytest.mark.parametrize("loss", [0.0, 0.01, 0.03, 0.1])
def test_speech_over_a_bad_line(loss: float, jitter_ms: float) -> None:
    said = speech(seconds=SECONDS)
    heard, _, _ = through(said, bad(loss=loss, jitter_ms=jitter_ms), codec=PCMU)
    clean, _, _ = through(said, None, codec=PCMU)
    assert rms_db(heard[8000:]) == pytest.approx(rms_db(clean[8000:]), abs=0.5 + 10 * loss)
    extra = silent_ms(heard[8000:], rate=8000) - silent_ms(clean[8000:], rate=8000)
    assert extra <= 20 + 100 * loss + 2 * jitter_ms
    assert largest_step(heard) < 1.5 * largest_step(clean) + 500
    if jitter_ms == 0:
        begin = lag_ms(said[8000:16000], heard[8000:20000], rate=8000)
        end = lag_ms(said[-16000:-8000], heard[-16000:], rate=8000)
        assert abs(begin - end) < 1.0, "no drift"


@pytest.mark.parametrize("codec", [PCMU, WIDE])
@pytest.mark.parametrize("what", ["tone", "noise", "speech"])
def test_a_line_that_falls_silent_fades_within_60_to_80_ms(what: str, codec: int) -> None:
    rate = 16000 if codec == WIDE else 8000
    sound = {
        "tone": lambda: tone(440.0, 3.0, rate=rate),
        "noise": lambda: noise(3.0, rate=rate),
        "speech": lambda: speech(seconds=3.0, rate=rate),
    }[what]()
    heard, talker, loop = through(sound, lambda i, clean: clean if i < 110 else None, codec=codec)
    level = [
        rms_db(piece)
        for piece in heard[: len(heard) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
    ]
    last = max(i for i, db in enumerate(level) if db > -50)
    end = 110 * 2  # blocks said; the buffer and the codec add at most 30 ms
    assert end + 3 <= last + 1 <= end + 8 + 3
    assert loop.report(talker).concealed_ms == 60
    if what == "tone":
        fading = level[end + 2 : last]
        assert all(later <= earlier + 0.5 for earlier, later in itertools.pairwise(fading))


def test_one_lost_packet_of_a_tone_is_not_heard() -> None:
    heard, _, _ = through(tone(400.0, 3.0), lambda i, clean: None if i == 75 else clean, codec=PCMU)
    around = heard[74 * 160 : 79 * 160]
    assert level_db(around, 400.0, rate=8000) == pytest.approx(-20, abs=0.5)
    assert rms_db(around) - level_db(around, 400.0, rate=8000) < 0.5


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [100.0, 150.0, 190.0, 400.0])
def test_concealment_continues_a_voice_at_its_pitch(hz: float, rate: int) -> None:
    block = rate // 100
    whole = tone(hz, 0.06, rate=rate).astype(np.float32)
    history = whole[None, : 4 * block]
    guess = conceal.conceal_block(history, np.array([0]), block)[0]
    error = guess - whole[4 * block : 5 * block]
    assert rms_db(error) < rms_db(whole) - 12


def test_at_48_khz_a_pitch_between_the_lags_of_8_khz_is_found() -> None:
    whole = sum(tone(173.0 * k, 0.06, rate=48000, db=-30.0).astype(np.float32) for k in (1, 3, 9, 17))
    guess = conceal.conceal_block(np.asarray(whole)[None, :1920], np.array([0]), 480)[0]
    assert rms_db(guess - np.asarray(whole)[1920:2400]) < rms_db(np.asarray(whole)) - 15


def test_concealment_of_silence_is_silence() -> None:
    history = np.zeros((2, 320), np.float32)
    assert not conceal.conceal_block(history, np.array([0, 3]), 80).any()


def test_a_quiet_line_after_noise_is_not_made_louder() -> None:
    """Bursts of loss in a pause are filled with the pause."""
    sound = np.concatenate([noise(2.0, db=-20.0), np.zeros(8000, np.int16), noise(1.0, db=-20.0)])
    heard, _, _ = through(sound, lambda i, clean: None if 110 <= i < 130 and i % 3 else clean, codec=PCMU)
    assert rms_db(heard[round(2.3 * 8000) : round(2.9 * 8000)]) < -60
