"""The jitter buffer seen from both ends of the line: how late, how complete, how steady."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mixer import protocol as p
from tests.bridge.mixer.loop import AGE_MS, PCMU, WIDE, Arrival, Loop, Phone
from tests.support.sound import Sound, lag_ms, noise, silent_ms, speech, tone

CODECS = (PCMU, WIDE)


class Line:
    """A talker, a line of the test's making, and an ear in the room."""

    def __init__(self, sound: Sound, arrival: Arrival | None = None, *, codec: int = PCMU, speak: bool = True,
                 ptime_ms: float = 20.0, ppm: float = 0.0, age_ms: float = AGE_MS) -> None:  # fmt: skip
        self.loop = Loop()
        self.said = sound
        self.talker, self.ears = Phone(1, codec), Phone(2, codec)
        self.loop.add(self.talker, speak=speak)
        self.loop.add(self.ears)
        earlier = age_ms - AGE_MS

        def shifted(i: int, clean: float) -> "float | list[float] | None":
            when = clean if arrival is None else arrival(i, clean)
            if when is None:
                return None
            return when - earlier if isinstance(when, int | float) else [at - earlier for at in when]

        self.age_ms = age_ms
        self.loop.stream(self.talker, sound, ptime_ms=ptime_ms, arrival=shifted, ppm=ppm)

    def run(self, seconds: float) -> None:
        self.loop.run(round(seconds * 50))

    @property
    def report(self) -> p.LegReport:
        return self.loop.report(self.talker)

    def added_ms(self, *, from_s: float, to_s: float) -> float:
        """From the arrival of a packet (on a clean line) to the tick that sends its sound on."""
        rate = self.talker.rate
        said = self.said[round(from_s * rate) : round(to_s * rate)]
        heard = self.ears.sound()[round(from_s * rate) : round((to_s + 0.6) * rate)]
        return lag_ms(said, heard, rate=rate) + self.age_ms


def jittery(ms: float, *, seed: int = 1, until_s: float = 1e9) -> Arrival:
    """Every packet late by up to so many ms."""
    rng = np.random.default_rng(seed)
    return lambda _i, clean: clean + (rng.uniform(0, ms) if clean < until_s * 1000 else 0.0)


def stalled(*, at_s: float, ms: float) -> Arrival:
    """Nothing comes for a while, then all of it at once."""

    def arrival(_i: int, clean: float) -> float:
        return max(clean, at_s * 1000 + ms) if clean >= at_s * 1000 else clean

    return arrival


# Delay.


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("age_ms", [1.0, 4.0, 8.0, 12.0, 19.0])
def test_a_clean_line_adds_little(codec: int, age_ms: float) -> None:
    line = Line(noise(4.0, rate=16000 if codec == WIDE else 8000), codec=codec, age_ms=age_ms)
    line.run(4.0)
    codec_ms = 3.0 if codec == WIDE else 0.0  # two passes through the filters of G.722
    assert line.added_ms(from_s=1.0, to_s=3.0) <= 30.0 + codec_ms
    delay = line.report.delay_ms
    assert delay is not None
    assert delay == pytest.approx(line.added_ms(from_s=1.0, to_s=3.0) - codec_ms, abs=2.0)


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_packets_of_other_lengths_add_little(ptime_ms: int) -> None:
    line = Line(noise(4.2), ptime_ms=ptime_ms)
    line.run(4.0)
    assert line.added_ms(from_s=1.0, to_s=3.0) <= 40.0


def test_delay_rises_with_jitter_so_that_nothing_is_lost_and_falls_after_it() -> None:
    sound = noise(12.0)
    line = Line(sound, jittery(60.0, until_s=6.0))
    line.run(2.0)
    lost = line.report.discarded_pkts + line.report.concealed_ms
    line.run(4.0)
    assert 40 < line.added_ms(from_s=2.5, to_s=5.0) < 110
    assert line.report.discarded_pkts + line.report.concealed_ms - lost <= 20
    line.run(2.0)
    assert (line.report.delay_ms or 99) <= 40
    line.run(4.0)
    assert line.added_ms(from_s=8.2, to_s=11.0) <= 40.0


@pytest.mark.parametrize("said", ["noise", "speech"])
@pytest.mark.parametrize("ms", [100.0, 300.0, 390.0])
def test_delay_returns_within_2_s_of_a_stall(said: str, ms: float) -> None:
    sound = noise(8.0) if said == "noise" else speech(seconds=8.0)
    line = Line(sound, stalled(at_s=3.0, ms=ms))
    line.run(3.0 + ms / 1000)
    line.run(2.0)
    assert (line.report.delay_ms or 999) <= 40
    line.run(8.0 - 5.0 - ms / 1000)
    assert line.added_ms(from_s=5.6, to_s=7.4) <= 40.0


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("ms", [60.0, 150.0, 300.0, 390.0])
def test_nothing_that_arrives_after_a_stall_is_thrown_away(codec: int, ms: float) -> None:
    """Each packet of the stall has a tone of its own; all of them are heard, in order."""
    rate = 16000 if codec == WIDE else 8000
    count = round(ms / 20)
    first = 150
    hz = [400.0 + 2600 * i / count for i in range(count)]
    frames = [tone(300.0, 0.02, rate=rate)] * first + [tone(f, 0.02, rate=rate) for f in hz]
    frames += [tone(300.0, 0.02, rate=rate)] * 100
    line = Line(np.concatenate(frames), stalled(at_s=3.0, ms=ms), codec=codec)
    line.run(4.8)
    assert line.report.discarded_pkts == 0
    got = line.ears.sound()[round(2.9 * rate) :].astype(float)
    window = rate // 100
    pieces = got[: len(got) // window * window].reshape(-1, window) * np.hanning(window)
    spectra = np.abs(np.fft.rfft(pieces, 8 * window))
    peaks = np.argmax(spectra, axis=1) * rate / (8 * window)
    loud = np.max(spectra, axis=1) > np.max(spectra) / 8
    rising = [round(float(f)) for f, ok in zip(peaks, loud, strict=True) if ok and f > 380]
    heard = sum(any(abs(f - r) < 1300 / count + 30 for r in rising) for f in hz)
    assert heard >= count - 1
    steps = np.diff(rising)
    assert np.all(steps > -60), "in order"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("ms", [500.0, 900.0, 1500.0, 5000.0])
def test_a_long_stall_heals(codec: int, ms: float) -> None:
    """Beyond what a buffer can hold sound may go; but what is heard after it is right and on time."""
    rate = 16000 if codec == WIDE else 8000
    line = Line(noise(9.0, rate=rate, seed=4), stalled(at_s=2.0, ms=ms), codec=codec)
    line.run(9.0)
    begin = 2.0 + ms / 1000 + 1.5
    assert line.added_ms(from_s=begin, to_s=begin + 0.5) <= 48.0
    got = line.ears.sound()[round((2.3 + ms / 1000) * rate) : round(8.9 * rate)]
    assert silent_ms(got, rate=rate) <= 20
    assert (line.report.delay_ms or 999) <= 40


@pytest.mark.parametrize("codec", [PCMU, WIDE])
def test_silence_suppression_does_not_disturb_the_timeline(codec: int) -> None:
    """Packets that are not sent in pauses: what is said after a pause comes on time."""
    rate = 16000 if codec == WIDE else 8000
    sound = noise(8.0, rate=rate)
    line = Line(sound, lambda i, clean: None if (i // 50) % 2 else clean, codec=codec)
    line.run(8.0)
    assert line.added_ms(from_s=4.1, to_s=4.9) <= 33.0
    assert line.report.discarded_pkts == 0


# Drift.


def test_clock_drift_keeps_delay_and_continuity() -> None:
    """What 200 ppm do in five minutes, 60 ms, in one."""
    loop = Loop(capacity=8)
    fast, slow = (loop.add(Phone(leg), room=leg) for leg in (1, 2))
    far_fast, far_slow = loop.add(Phone(11), room=1), loop.add(Phone(12), room=2)
    seconds = 60.0
    for phone, ppm in ((fast, 1000.0), (slow, -1000.0)):
        loop.stream(phone, tone(500.0, seconds), ppm=ppm)
    delays: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(round(seconds) - 1):
        loop.run(50)
        for phone in (fast, slow):
            delays[phone.leg].append(loop.report(phone).delay_ms or 0.0)
    for phone, ear in ((fast, far_fast), (slow, far_slow)):
        report = loop.report(phone)
        assert max(delays[phone.leg][3:]) <= 40.0
        assert report.discarded_pkts == 0
        assert report.concealed_ms <= 40
        assert silent_ms(ear.sound()[8000:], rate=8000) == 0


# Order.

_FRAME = 160
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


class Recorder:
    """What the buffer of one leg gives out, as bytes, block by block."""

    def __init__(self, loop: Loop, phone: Phone) -> None:
        self.blocks: list[bytes | None] = []
        row = loop.mixer.row(phone.leg)
        buffers = loop.mixer.buffers
        take = buffers.take

        def recording(rows: Rows, column: int, *, fine: bool = False):  # type: ignore[no-untyped-def]
            codes, have = take(rows, column, fine=fine)
            for i in np.flatnonzero(rows == row).tolist():
                self.blocks.append(codes[i].tobytes() if have[i] else None)
            return codes, have

        buffers.take = recording  # type: ignore[method-assign]


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(16)),
    st.lists(st.integers(0, 15), max_size=8),
    st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(lambda pace: sum(pace) >= len(pace)),
    st.sampled_from([(65530, 2**32 - 5 * 160), (0, 0), (65535, 2**32 - 1), (100, 2**31 - 300)]),
    st.integers(0, 2),
)
def test_whatever_the_order_of_arrival_the_output_is_ordered_and_without_repetition(
    order: list[int], repeated: list[int], pace: list[int], start: tuple[int, int], early: int
) -> None:
    loop = Loop(capacity=4)
    phone = loop.add(Phone(1, seq=start[0], ts=start[1]))
    packets = [phone.packet(bytes([100 + i]) * _FRAME) for i in range(16)]
    queue = list(range(early + 1)) + [i for i in order if i > early]
    for i in repeated:
        queue.insert((i * 7) % len(queue), queue[(i * 5) % len(queue)])
    recorder = Recorder(loop, phone)
    at = 0
    for tick in range(40):
        for _ in range(pace[tick % len(pace)]):
            if at < len(queue):
                loop.send(phone, packets[queue[at]])
                at += 1
        loop.run(1)
    numbers = [block[0] - 100 for block in recorder.blocks if block is not None]
    # A block may be looked at twice in a tick only when the buffer stretches; each number is two blocks.
    fresh = [n for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1]]
    assert fresh == sorted(set(fresh)), "ordered, each once"


# Statistics.


@pytest.mark.parametrize(
    "line", ["clean", "jitter 20", "jitter 60", "loss", "stall", "long stall", "drift", "late"]
)
def test_listeners_have_the_statistics_that_speakers_have(line: str) -> None:
    def arrival() -> Arrival | None:
        rng = np.random.default_rng(3)
        made: dict[str, Callable[[], Arrival | None]] = {
            "clean": lambda: None,
            "drift": lambda: None,
            "jitter 20": lambda: jittery(20.0),
            "jitter 60": lambda: jittery(60.0),
            "loss": lambda: lambda _i, clean: None if rng.random() < 0.05 else clean,
            "stall": lambda: stalled(at_s=3.0, ms=300.0),
            "long stall": lambda: stalled(at_s=3.0, ms=1500.0),
            "late": lambda: lambda i, clean: clean + (130.0 if i % 100 == 99 else 0.0),
        }
        return made[line]()

    reports = []
    for speak in (True, False):
        scene = Line(tone(440.0, 8.0), arrival(), speak=speak, ppm=200.0 if line == "drift" else 0.0)
        scene.run(8.0)
        reports.append(scene.report)
    speaker, listener = reports
    assert listener.rx_pkts == speaker.rx_pkts
    assert listener.lost_pkts == speaker.lost_pkts
    assert listener.loss_bursts == speaker.loss_bursts
    assert listener.jitter_avg_ms == pytest.approx(speaker.jitter_avg_ms, abs=0.3)
    assert listener.jitter_max_ms == pytest.approx(speaker.jitter_max_ms, abs=0.3)
    assert listener.ptime_ms == speaker.ptime_ms
    assert listener.last_rx_ns == speaker.last_rx_ns
    assert listener.discarded_pkts == pytest.approx(speaker.discarded_pkts, abs=3, rel=0.3)
    assert listener.delay_ms == pytest.approx(speaker.delay_ms, abs=15.0)


def test_what_comes_too_late_is_counted() -> None:
    line = Line(tone(440.0, 6.0), lambda i, clean: clean + (150.0 if i == 150 else 0.0))
    line.run(6.0)
    assert line.report.discarded_pkts == 1
    assert line.report.lost_pkts == 0


def test_jitter_is_measured_as_rfc_3550_does() -> None:
    line = Line(tone(440.0, 8.0), lambda i, clean: clean + (10.0 if i % 2 else 0.0))
    line.run(8.0)
    assert line.report.jitter_avg_ms == pytest.approx(10.0, abs=1.0)
    assert line.report.jitter_max_ms == pytest.approx(10.0, abs=0.5)


def test_losses_and_bursts_are_counted() -> None:
    line = Line(tone(440.0, 6.0), lambda i, clean: None if i % 50 in (10, 11, 12) else clean)
    line.run(6.0)
    assert (line.report.lost_pkts, line.report.loss_bursts) == (18, 6)
    assert line.report.rx_pkts == 282


def test_a_leg_that_may_speak_only_now_and_then_keeps_its_statistics() -> None:
    line = Line(tone(440.0, 6.0), lambda i, clean: None if i % 10 == 5 else clean)
    for i in range(6):
        line.loop.place(line.talker, speak=i % 2 == 1)
        line.run(1.0)
    assert line.report.lost_pkts == 30
    assert line.report.rx_pkts == 270
