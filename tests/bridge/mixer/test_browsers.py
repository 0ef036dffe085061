"""Browsers and telephones in one room: who hears whom, how well, and what bad L16 packets do (nothing)."""

import itertools
import random
import struct

import numpy as np
import pytest

from bridge.mixer import l16
from bridge.mixer import protocol as p
from bridge.mixer.engine import FINE_REPORT_TICKS
from bridge.mixer.sockets import BUFFER_BYTES
from tests.bridge.mixer.loop import FINE, PCMA, PCMU, WIDE, Loop, Phone, hears
from tests.support.sound import level_db, noise, playing, rms_db, silent_ms, sine, speech, tone

TONES = {"ann": 440.0, "bob": 620.0, "eve": 910.0, "joe": 1310.0, "kim": 1730.0, "lee": 2270.0}
ALL = (PCMU, PCMA, WIDE, FINE)


def browser(leg: int, *, says: object = None) -> Phone:
    return Phone(leg, FINE, says, dtmf_pt=None)  # type: ignore[arg-type]


def gathering(loop: Loop, codecs: tuple[int, ...]) -> dict[str, Phone]:
    people = {}
    for leg, (name, codec) in enumerate(zip(TONES, codecs, strict=False), start=1):
        phone = Phone(leg, codec, dtmf_pt=None if codec == FINE else 101)
        phone.says = sine(TONES[name], rate=phone.rate)
        people[name] = loop.add(phone)
    return people


@pytest.mark.parametrize("codecs", [(*ALL, FINE, WIDE), (FINE, FINE), (PCMU, FINE), (WIDE, FINE)])
def test_everybody_hears_all_others_at_their_level_and_not_himself(codecs: tuple[int, ...]) -> None:
    loop = Loop()
    people = gathering(loop, codecs)
    loop.run(150)
    for name, phone in people.items():
        sound = phone.sound(last_ticks=50).astype(float)
        assert len(sound) == phone.rate
        for other in people:
            level = level_db(sound, TONES[other], rate=phone.rate)
            assert level < -60 if other == name else level == pytest.approx(-20, abs=1.0), (name, other)


def everything_but(sound: np.ndarray, hz: float, rate: int) -> float:
    """Level (dB) of the strongest line of a spectrum that is not the tone."""
    window = np.hanning(len(sound))
    lines = np.abs(np.fft.rfft(sound * window)) * np.sqrt(2) / window.sum() / 32768
    lines[np.abs(np.fft.rfftfreq(len(sound), 1 / rate) - hz) < 20] = 0
    return float(20 * np.log10(lines.max() + 1e-9))


@pytest.mark.parametrize(
    ("codec", "hz"), [(PCMU, 300.0), (PCMU, 3400.0), (WIDE, 3400.0), (WIDE, 6000.0), (WIDE, 7000.0)]
)
def test_a_browser_hears_a_telephone_without_images(codec: int, hz: float) -> None:
    loop = Loop()
    talker = Phone(1, codec)
    talker.says = sine(hz, rate=talker.rate)
    loop.add(talker)
    ear = loop.add(browser(2))
    loop.run(120)
    sound = ear.sound(last_ticks=50).astype(float)
    assert level_db(sound, hz, rate=48000) == pytest.approx(-20, abs=1.0)
    assert everything_but(sound, hz, 48000) < -60  # 40 dB below the tone


@pytest.mark.parametrize("hz", [4700.0, 5600.0, 7900.0, 9100.0, 12500.0, 16700.0, 23000.0])
def test_what_a_telephone_cannot_carry_leaves_no_alias(hz: float) -> None:
    loop = Loop()
    loop.add(browser(1, says=sine(hz, rate=48000)))
    narrow, wide, fine = loop.add(Phone(2)), loop.add(Phone(3, WIDE)), loop.add(browser(4))
    loop.run(120)
    assert rms_db(narrow.sound(last_ticks=40)) < -60
    sound = wide.sound(last_ticks=40).astype(float)
    assert everything_but(sound, hz, 16000) < -58
    assert level_db(fine.sound(last_ticks=40).astype(float), hz, rate=48000) == pytest.approx(-20, abs=1.0)


def test_a_listening_browser_hears_everybody_and_is_heard_by_nobody() -> None:
    loop = Loop()
    people = gathering(loop, (PCMU, WIDE, FINE))
    audience = loop.add(browser(9, says=sine(2900.0, rate=48000)), speak=False)
    loop.run(120)
    tones = TONES | {"audience": 2900.0}
    assert hears(audience, tones) == {"ann", "bob", "eve"}
    for phone in people.values():
        assert "audience" not in hears(phone, tones)


def test_listeners_in_one_room_share_one_frame_and_rooms_do_not() -> None:
    loop = Loop()
    loop.add(Phone(1, says=sine(440.0)))
    loop.add(browser(2, says=sine(620.0, rate=48000)), room=2)
    for leg in (3, 4, 5):
        loop.add(browser(leg), speak=False)
    loop.add(browser(6), speak=False, room=2)
    loop.run(100)
    output = loop.mixer.output
    rows = dict(loop.mixer.rows())
    address = {leg: int(output.payloads[output.order.tolist().index(rows[leg])]) for leg in (3, 4, 5, 6)}
    assert address[3] == address[4] == address[5] != address[6]
    assert hears(loop.phones[3], TONES) == {"ann"}
    assert hears(loop.phones[6], TONES) == {"bob"}


def test_browsers_in_a_silent_room_hear_digital_silence() -> None:
    loop = Loop()
    loop.add(Phone(1))
    ear = loop.add(browser(2))
    loop.run(60)
    assert not ear.sound(last_ticks=40).any()


def test_a_room_of_telephones_never_touches_what_browsers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("48 kHz without a browser")

    loop = Loop()
    people = gathering(loop, (PCMU, PCMA, WIDE))
    monkeypatch.setattr(loop.mixer.rooms, "_from_fine", never)
    monkeypatch.setattr(loop.mixer.output, "_store_fine", never)
    monkeypatch.setattr(loop.mixer.buffers.fine, "_grow", never)
    loop.run(60)
    assert hears(people["ann"], TONES) == {"bob", "eve"}


# The floor.


def test_a_browser_that_is_given_the_floor_is_heard_from_the_next_tick_on() -> None:
    loop = Loop()
    talker = loop.add(browser(1, says=sine(620.0, rate=48000)), speak=False)
    phone, other = loop.add(Phone(2)), loop.add(browser(3), speak=False)
    loop.run(60)
    assert rms_db(phone.sound(last_ticks=20)) < -60
    loop.place(talker, speak=True)
    loop.run(5)
    # Its packet is on the way 8 ms, the jitter buffer takes two blocks, the gate opens within 5 ms.
    assert level_db(phone.sound(last_ticks=2).astype(float), 620.0, rate=8000) > -23
    loop.run(45)
    assert hears(other, TONES) == {"bob"}
    loop.place(talker, speak=False)
    loop.run(3)
    assert rms_db(other.sound(last_ticks=2)) < -60
    assert loop.mixer.buffers.fine.place.max() == -1, "its ring is given back"


def test_the_floor_costs_a_tick_for_who_hears_it_too() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, says=sine(440.0)))
    ear = loop.add(browser(2, says=sine(620.0, rate=48000)), speak=False)
    loop.run(60)
    loop.place(ear, speak=True)
    ear.heard.clear()
    loop.run(60)
    sound = ear.sound()
    assert silent_ms(sound, rate=48000) == 0, "from the shared frame to its own without a gap"
    assert hears(ear, TONES) == {"ann"}
    assert hears(talker, TONES) == {"bob"}


def test_speech_of_a_browser_is_talking_and_noise_is_not() -> None:
    loop = Loop()
    wide = np.repeat(speech(seconds=5.0), 6)
    loop.add(browser(1, says=playing(wide, rate=48000)))
    loop.add(browser(2, says=playing(noise(5.0, rate=48000, db=-50.0), rate=48000)))
    events = loop.run(200)
    assert p.Talking(1, True) in events
    assert p.Talking(2, True) not in events


def test_rings_are_lent_again_and_grow_when_all_are_lent() -> None:
    loop = Loop(capacity=64)
    for leg in range(1, 13):
        loop.add(browser(leg, says=sine(300.0 + 150 * leg, rate=48000)))
    ear = loop.add(Phone(20), speak=False)
    loop.run(80)
    sound = ear.sound(last_ticks=40).astype(float)
    levels = [level_db(sound, 300.0 + 150 * leg, rate=8000) for leg in range(1, 13)]
    assert min(levels) > -24, "ten dB too many for everybody: clipped"
    for leg in range(1, 9):
        loop.remove(loop.phones[leg])
    loop.run(1)
    for leg in range(31, 39):
        loop.add(browser(leg, says=sine(250.0 + 90 * (leg - 30), rate=48000)))
    loop.run(80)
    rings = loop.mixer.buffers.fine
    lent = rings.place[rings.place >= 0]
    assert len(set(lent.tolist())) == len(lent) == 12
    assert max(lent.tolist()) < 16


# Prompts, tones and music.


def test_music_for_browsers_is_the_music_of_the_phones() -> None:
    loop = Loop()
    music = loop.clip(tone(700.0, 2.0, rate=16000), loop=True)
    loop.mixer.output.set_music(music)
    ears = [loop.add(Phone(leg, codec), room=None, speak=False, hear="music")
            for leg, codec in enumerate(ALL, start=1)]  # fmt: skip
    second = loop.add(browser(9), room=None, speak=False, hear="music")
    loop.run(150)
    for ear in [*ears, second]:
        sound = ear.sound(last_ticks=50).astype(float)
        assert level_db(sound, 700.0, rate=ear.rate) == pytest.approx(-20, abs=0.5)
    assert everything_but(ears[3].sound(last_ticks=50).astype(float), 700.0, 48000) < -60
    assert second.heard[-20:] == ears[3].heard[-20:], "decoded once for all"


def test_a_prompt_is_played_to_a_browser_and_told_once() -> None:
    loop = Loop()
    clip = loop.clip(tone(900.0, 0.6, rate=16000))
    loop.add(Phone(1, says=sine(440.0)))
    ear = loop.add(browser(2))
    loop.run(50)
    loop.mixer.play(2, 7, [clip, clip])
    ear.heard.clear()
    frames = 2 * clip.count
    assert p.Played(2, 7) not in loop.run(frames - 1)
    assert p.Played(2, 7) in loop.run(1)
    heard = ear.sound().astype(float)
    middle = heard[48000 // 50 * 10 : 48000 // 50 * 25]
    assert level_db(middle, 900.0, rate=48000) == pytest.approx(-20, abs=0.5)
    assert level_db(middle, 440.0, rate=48000) < -60, "in place of the room"
    loop.run(60)
    assert hears(ear, TONES) == {"ann"}
    assert loop.mixer.output._unfolded == {}


def test_a_stopped_prompt_is_over_for_a_browser_too() -> None:
    loop = Loop()
    ear = loop.add(browser(1))
    loop.run(10)
    loop.mixer.play(1, 7, [loop.clip(tone(900.0, 2.0, rate=16000))])
    loop.run(20)
    loop.mixer.stop_play(1)
    assert p.Played(1, 7) not in loop.run(3)
    assert not ear.sound(last_ticks=2).any()


def test_a_room_sound_reaches_browsers() -> None:
    loop = Loop()
    ear = loop.add(browser(1), speak=False)
    loop.run(10)
    loop.mixer.room_sound(1, loop.clip(tone(800.0, 0.5, rate=16000)))
    ear.heard.clear()
    loop.run(25)
    assert level_db(ear.sound()[9600:19200].astype(float), 800.0, rate=48000) == pytest.approx(-20, abs=1.0)


# RTP.


def test_timestamps_advance_by_960_and_payloads_are_1920_bytes() -> None:
    loop = Loop()
    ear, phone = loop.add(browser(1)), loop.add(Phone(2))
    stamps: dict[int, list[tuple[int, int, int]]] = {1: [], 2: []}
    for _ in range(5):
        loop.run(1)
        for leg, row in loop.mixer.rows():
            _, kind, seq, ts, _ = struct.unpack(">BBHII", loop.mixer.output.header(row))
            stamps[leg].append((kind, seq, ts))
    for leg, step, pt in ((1, 960, 96), (2, 160, 0)):
        kinds, seqs, times = zip(*stamps[leg], strict=True)
        assert [kind & 0x7F for kind in kinds] == [pt] * 5
        assert [bool(kind & 0x80) for kind in kinds] == [True, False, False, False, False]
        assert [(b - a) & 0xFFFF for a, b in itertools.pairwise(seqs)] == [1] * 4
        assert [(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(times)] == [step] * 4
        row = loop.mixer.row(leg)
        assert row is not None
        assert loop.mixer.output.rtp_timestamp(row) == times[-1]
    assert {len(frame) for frame in ear.heard} == {1920}
    assert {len(frame) for frame in phone.heard} == {160}


def test_l16_is_network_byte_order_and_clipped() -> None:
    frame = np.zeros((1, 960), np.float32)
    frame[0, :4] = (1.0, -2.0, 40000.0, -40000.0)
    assert l16.encode(frame)[0, :8].tobytes().hex() == "0001fffe7fff8000"
    assert l16.decode(l16.encode(frame))[0, :4].tolist() == [1, -2, 32767, -32768]


def test_jitter_and_delay_of_a_browser_are_told_in_ms() -> None:
    delays = {}
    for codec in (PCMU, FINE):
        loop = Loop()
        talker = loop.add(Phone(1, codec))
        rng = random.Random(5)
        loop.stream(
            talker,
            np.zeros(talker.rate * 10, np.int16),
            arrival=lambda _, at, rng=rng: at + rng.uniform(0, 30),
        )
        loop.run(450)
        report = loop.report(talker)
        delays[codec] = (report.jitter_avg_ms, report.jitter_max_ms, report.delay_ms, report.ptime_ms)
    assert delays[FINE] == pytest.approx(delays[PCMU], abs=0.2)


def test_a_clean_line_adds_as_little_for_a_browser_as_for_a_phone() -> None:
    loop = Loop()
    talker = loop.add(browser(1, says=sine(440.0, rate=48000)))
    loop.run(150)
    assert (loop.report(talker).delay_ms or 99.0) <= 30.0


def test_browsers_report_every_two_seconds_and_phones_every_five() -> None:
    loop = Loop()
    for leg in range(1, 6):
        loop.add(browser(leg))
    loop.add(Phone(9))
    told = [leg for tick in range(500) for leg, _ in loop.mixer.report_due(tick)]
    assert [told.count(leg) for leg in (1, 2, 3, 4, 5, 9)] == [500 // FINE_REPORT_TICKS] * 5 + [2]
    loop.remove(loop.phones[1])
    assert 1 not in [leg for tick in range(500) for leg, _ in loop.mixer.report_due(tick)]


def test_a_stranger_on_the_same_host_is_not_taken_for_a_browser_that_says_nothing() -> None:
    """All L16 comes from one host, so the host alone must not latch."""
    loop = Loop()
    audience = loop.add(browser(1), speak=False)
    gone = browser(2)
    gone.address = ("127.0.0.1", 29000)
    for _ in range(5):
        loop.send(gone, gone.packet(bytes(1920)))
        loop.run(1)
    row = loop.mixer.row(1)
    assert row is not None
    assert loop.mixer.legs.remote(row) == audience.address
    assert loop.dropped["stray"] == 5


# What goes wrong.


@pytest.mark.parametrize("ptime_ms", [10, 20])
def test_packets_of_10_and_20_ms_make_the_same_sound(ptime_ms: int) -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    loop.stream(talker, tone(440.0, 3.0, rate=48000), ptime_ms=ptime_ms)
    loop.run(120)
    sound = ear.sound(last_ticks=60).astype(float)
    assert level_db(sound, 440.0, rate=48000) == pytest.approx(-20, abs=0.5)
    assert everything_but(sound, 440.0, 48000) < -60


@pytest.mark.parametrize("samples", [7, 333, 601, 959])
def test_packets_of_odd_length_are_put_together_sample_by_sample(samples: int) -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    said = tone(440.0, 3.0, rate=48000)
    count = len(said) // samples
    for i in range(count):
        data = talker.packet(talker.code(said[i * samples : (i + 1) * samples]))
        loop.deliver(talker, data, in_ms=i * samples / 48 - 8.0)
    loop.run(120)
    assert level_db(ear.sound(last_ticks=50).astype(float), 440.0, rate=48000) == pytest.approx(-20, abs=1.0)


@pytest.mark.parametrize("ptime_ms", [40, 60])
def test_packets_that_are_too_long_are_dropped_and_counted(ptime_ms: int) -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    sent = loop.stream(talker, tone(440.0, 1.0, rate=48000), ptime_ms=ptime_ms)
    loop.run(60)
    assert loop.dropped["oversize"] == sent
    assert not ear.sound().any()


@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_lost_packets_are_filled_in(loss: float) -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    rng = random.Random(3)
    loop.stream(
        talker,
        tone(440.0, 10.0, rate=48000),
        arrival=lambda _, at: None if rng.random() < loss else at,
    )
    loop.run(480)
    sound = ear.sound(last_ticks=400)
    assert silent_ms(sound, rate=48000) == 0
    assert level_db(sound.astype(float), 440.0, rate=48000) == pytest.approx(-20, abs=0.7)
    assert loop.report(talker).concealed_ms >= 10


@pytest.mark.parametrize("hz", [440.0, 1000.0, 2300.0])
def test_one_lost_packet_of_a_tone_is_not_heard(hz: float) -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    loop.stream(talker, tone(hz, 3.0, rate=48000), arrival=lambda i, at: None if i == 80 else at)
    loop.run(140)
    sound = ear.sound(last_ticks=90).astype(float)
    assert everything_but(sound, hz, 48000) < -45


def test_reordered_and_doubled_packets_change_nothing() -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    rng = random.Random(4)
    loop.stream(
        talker, tone(440.0, 6.0, rate=48000), arrival=lambda _, at: (at + rng.uniform(0, 25), at + 25)
    )
    loop.run(290)
    sound = ear.sound(last_ticks=100).astype(float)
    assert level_db(sound, 440.0, rate=48000) == pytest.approx(-20, abs=0.5)
    assert loop.report(talker).discarded_pkts <= 2


def test_no_garbage_of_a_browsers_own_end_raises_and_it_heals() -> None:
    loop = Loop()
    talker, ear = loop.add(browser(1)), loop.add(browser(2))
    rng = random.Random(6)
    for _ in range(300):
        size = rng.choice(
            [0, 1, 2, 3, 11, 12, 13, 14, 479, 960, 961, 1919, 1920, 1921, BUFFER_BYTES - 12, 3840]
        )
        head = struct.pack(
            ">BBHII",
            rng.choice([0x80, 0x80, 0x80, 0x90, 0xA0, 0x81, 0x00]),
            rng.choice([96, 96, 96, 0xE0, 0, 13, 101]),
            rng.choice([talker.seq & 0xFFFF, rng.getrandbits(16)]),
            rng.choice([talker.ts, talker.ts + rng.randrange(-5000, 5000), rng.getrandbits(32)]) & 0xFFFFFFFF,
            rng.choice([talker.ssrc, talker.ssrc, 9]),
        )
        talker.seq += 1
        talker.ts += 960
        loop.send(talker, (head + rng.randbytes(size))[: rng.choice([None, None, 12, 20])])
        loop.run(1)
    ear.heard.clear()
    loop.stream(talker, tone(440.0, 6.0, rate=48000))
    loop.run(280)
    assert level_db(ear.sound(last_ticks=50).astype(float), 440.0, rate=48000) == pytest.approx(-20, abs=1.0)


@pytest.mark.parametrize("change", [(FINE, PCMU), (PCMU, FINE), (WIDE, FINE)])
def test_a_row_used_again_by_a_leg_of_another_rate_starts_from_nothing(change: tuple[int, int]) -> None:
    loop = Loop(capacity=2)
    before, after = change
    first = Phone(1, before, dtmf_pt=None)
    first.says = sine(440.0, rate=first.rate)
    loop.add(first)
    ear = loop.add(browser(2), speak=False)
    loop.run(60)
    loop.remove(first)
    second = Phone(3, after, dtmf_pt=101)
    second.says = playing(np.zeros(second.rate // 50, np.int16), rate=second.rate)
    loop.add(second)
    loop.run(40)
    assert rms_db(ear.sound(last_ticks=10)) < -60
    assert loop.report(second).concealed_ms == 0
