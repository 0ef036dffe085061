"""Telephone keys, as events and as tones: each press once, whatever the network does, and never heard."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.mixer import protocol as p
from bridge.mixer.rfc4733 import KeyReceiver
from tests.bridge.mixer.loop import KEYS, PCMA, PCMU, WIDE, Loop, Phone, keys_of
from tests.support.sound import Sound, level_db, noise, playing, rms_db, sine, speech, tone

CODECS = (PCMU, PCMA, WIDE)
ROWS, COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
GRID = "123A456B789C*0#D"


def press(phone: Phone, key: str, *, ticks: int = 5, marker: bool = True, ends: int = 3) -> list[bytes]:
    """The packets of one press, in the order of sending; the timestamp then stands at its end."""
    packets = [phone.event(key, 160 * (i + 1), marker=marker and i == 0) for i in range(ticks)]
    packets += [phone.event(key, 160 * ticks, end=True) for _ in range(ends)]
    phone.ts += 160 * ticks
    return packets


class Keypad:
    """A phone that presses keys, and who is in the room with it."""

    def __init__(self, **phone: object) -> None:
        self.loop = Loop()
        self.phone = Phone(1, **phone)  # type: ignore[arg-type]
        self.loop.add(self.phone)
        self.ears = self.loop.add(Phone(2))

    def send(self, packets: list[bytes], *, per_tick: int = 1) -> None:
        for i in range(0, len(packets), per_tick):
            for data in packets[i : i + per_tick]:
                self.loop.send(self.phone, data)
            self.loop.run(1)

    @property
    def keys(self) -> str:
        return keys_of(self.loop.events, 1)


def without(packets: list[bytes], *gone: int) -> list[bytes]:
    return [data for i, data in enumerate(packets) if i not in gone]


LOSSES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "nothing": lambda packets: packets,
    "the marker": lambda packets: [
        packets[0][:1] + bytes([packets[0][1] & 0x7F]) + packets[0][2:],
        *packets[1:],
    ],
    "the first packet": lambda packets: packets[1:],
    "the first four": lambda packets: packets[4:],
    "all but one end": lambda packets: packets[-1:],
    "all ends": lambda packets: packets[:5],
    "two ends": lambda packets: without(packets, 5, 6),
    "all but the first": lambda packets: packets[:1],
    "every second": lambda packets: packets[::2],
}


@pytest.mark.parametrize("lost", LOSSES)
def test_a_press_is_one_key_whatever_is_lost_of_it(lost: str) -> None:
    pad = Keypad()
    for key in KEYS:
        pad.send(LOSSES[lost](press(pad.phone, key)))
        pad.phone.ts += 800
    assert pad.keys == KEYS


def test_the_same_key_twice_is_two_keys() -> None:
    pad = Keypad()
    for _ in range(3):
        pad.send(press(pad.phone, "5"))
        pad.phone.ts += 160
    assert pad.keys == "555"


def test_the_same_key_twice_without_any_end() -> None:
    pad = Keypad()
    for _ in range(3):
        pad.send(press(pad.phone, "5", ends=0))
    assert pad.keys == "555"


def test_a_key_is_told_with_its_first_packet() -> None:
    pad = Keypad()
    pad.loop.send(pad.phone, pad.phone.event("9", 0, marker=True))
    assert p.KeyPressed(1, "9") in pad.loop.run(1)


def test_duplicated_and_reordered_packets_are_still_one_key() -> None:
    pad = Keypad()
    packets = press(pad.phone, "7")
    pad.send([packets[i] for i in (2, 2, 0, 1, 7, 3, 5, 3, 6, 4, 0)], per_tick=3)
    assert pad.keys == "7"


def test_late_packets_of_an_older_press_are_not_a_new_one() -> None:
    pad = Keypad()
    first = press(pad.phone, "1")
    second = press(pad.phone, "2")
    pad.send([*first[:5], *second, *first[5:], *second[5:]])
    assert pad.keys == "12"


def test_a_key_goes_on_across_a_jump_of_the_sequence_numbers() -> None:
    pad = Keypad()
    pad.phone.says = sine(440.0)
    pad.loop.run(20)
    pad.phone.says = None
    packets = [pad.phone.event("3", 160 * (i + 1)) for i in range(3)]
    pad.phone.seq += 20000
    packets += [pad.phone.event("3", 160 * (i + 4)) for i in range(4)]
    pad.send(packets)
    assert pad.keys == "3"
    pad.phone.ts += 7 * 160
    pad.phone.says = sine(440.0)
    pad.loop.run(50)
    assert level_db(pad.ears.sound(last_ticks=20).astype(float), 440.0, rate=8000) > -22, (
        "and the sound is back"
    )


def test_keys_before_any_sound() -> None:
    pad = Keypad()
    pad.send(press(pad.phone, "4"))
    assert pad.keys == "4"


def test_keys_of_a_phone_whose_clock_began_anew() -> None:
    """A re-INVITE often restarts the stream with another SSRC and a clock from zero."""
    pad = Keypad(ts=40000)
    pad.phone.says = sine(440.0)
    pad.loop.run(10)
    pad.phone.says = None
    pad.send(press(pad.phone, "1"))
    pad.phone.ssrc, pad.phone.ts = 0x7777, 24000
    pad.phone.says = sine(440.0)
    pad.loop.run(10)
    pad.phone.says = None
    pad.send(press(pad.phone, "2"))
    assert pad.keys == "12"


def test_a_long_press_overflows_its_duration_and_is_one_key() -> None:
    pad = Keypad()
    held, at = 0, 0
    for _ in range(1200):  # 24 s; a 16-bit duration holds 8.2 s
        at += 160
        if at > 0xFFFF:
            pad.send([pad.phone.event("6", 0xFFFF)])
            pad.phone.ts += 0xFFFF
            at -= 0xFFFF
            held += 1
        pad.send([pad.phone.event("6", at)])
    assert held == 2
    assert pad.keys == "6"


@pytest.mark.parametrize("codec", CODECS)
def test_sound_sent_along_with_a_key_is_not_heard(codec: int) -> None:
    """Some phones send the tone in the sound as well as the event."""
    pad = Keypad(codec=codec)
    pad.phone.says = sine(440.0, rate=pad.phone.rate)
    pad.loop.run(40)
    pad.phone.says = sine(1336.0, rate=pad.phone.rate)
    begin = pad.phone.ts
    for i in range(10):
        body = struct.pack(">BBH", 5, 10, 160 * (i + 1))
        head = struct.pack(">BBHII", 0x80, 101, pad.phone.seq & 0xFFFF, begin, pad.phone.ssrc)
        pad.phone.seq += 1
        pad.loop.send(pad.phone, head + body, age_ms=9.0)
        pad.loop.run(1)
    pad.phone.says = sine(440.0, rate=pad.phone.rate)
    pad.loop.run(40)
    assert pad.keys == "5"
    heard = pad.ears.sound()[30 * 160 :].astype(float)
    assert level_db(heard[8 * 160 : 25 * 160], 1336.0, rate=8000) < -45
    assert level_db(heard[-20 * 160 :], 440.0, rate=8000) == pytest.approx(-20, abs=2)


def test_a_key_held_while_no_sound_comes_is_silence() -> None:
    pad = Keypad()
    pad.phone.says = sine(440.0)
    pad.loop.run(40)
    pad.phone.says = None
    pad.ears.heard.clear()
    pad.send(press(pad.phone, "8", ticks=50))
    assert rms_db(pad.ears.sound()[12 * 160 :]) < -70
    pad.phone.says = sine(440.0)
    pad.loop.run(40)
    assert level_db(pad.ears.sound(last_ticks=25).astype(float), 440.0, rate=8000) == pytest.approx(
        -20, abs=2
    )
    assert (pad.loop.report(pad.phone).delay_ms or 99) <= 40


def test_200_keys_in_a_second() -> None:
    pad = Keypad()
    expected = "".join(KEYS[i % 16] for i in range(200))
    packets: list[bytes] = []
    for key in expected:
        packets += press(pad.phone, key, ticks=1, ends=3)
    pad.send(packets, per_tick=16)
    assert pad.keys == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x05",
        b"\x05\x0a",
        b"\x05\x0a\x00",
        b"\x10\x0a\x00\xa0",
        b"\x11\x0a\x00\xa0",
        b"\xff" * 4,
        b"\xff" * 40,
    ],
    ids=["empty", "1 byte", "2 bytes", "3 bytes", "flash", "17", "all ones", "long"],
)
def test_malformed_events_and_no_keys_are_dropped(payload: bytes) -> None:
    pad = Keypad()
    pad.phone.says = sine(440.0)
    pad.loop.run(30)
    for _ in range(20):
        pad.loop.send(pad.phone, pad.phone.packet(payload, pt=101))
        pad.loop.run(1)
    assert pad.keys == ""
    assert pad.loop.dropped["bad_key" if payload else "malformed"] == 20
    assert level_db(pad.ears.sound(last_ticks=18).astype(float), 440.0, rate=8000) == pytest.approx(
        -20, abs=2
    )


def test_an_event_longer_than_it_need_be_is_a_key() -> None:
    pad = Keypad()
    pad.loop.send(pad.phone, pad.phone.packet(b"\x05\x0a\x00\xa0" + b"\x06\x0a\x00\xa0", pt=101))
    pad.loop.run(1)
    assert pad.keys == "5"


def test_a_listener_and_a_muted_leg_may_press_keys() -> None:
    loop = Loop()
    phone = loop.add(Phone(1), speak=False)
    for data in press(phone, "0"):
        loop.send(phone, data)
    loop.run(1)
    assert keys_of(loop.events, 1) == "0"


def test_a_leg_that_did_not_negotiate_events_has_none() -> None:
    loop = Loop()
    phone = loop.add(Phone(1, dtmf_pt=None))
    loop.send(phone, phone.packet(b"\x05\x0a\x00\xa0", pt=101))
    loop.run(2)
    assert keys_of(loop.events, 1) == ""
    assert loop.dropped["payload_type"] == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**32 - 1), st.binary(max_size=8)), max_size=50))
def test_the_receiver_takes_anything(packets: list[tuple[int, int, bytes]]) -> None:
    receiver = KeyReceiver()
    for row, ts, payload in packets:
        packet = receiver.receive(row, ts, payload)
        assert packet is None or packet.key is None or packet.key in KEYS


# Tones.


def dtmf(key: str, *, rate: int, ms: float, low_db: float = -20.0, high_db: float = -20.0) -> Sound:
    at = GRID.index(key)
    seconds = ms / 1000
    return tone(ROWS[at // 4], seconds, rate=rate, db=low_db) + tone(
        COLUMNS[at % 4], seconds, rate=rate, db=high_db
    )


def typed(sound: Sound, codec: int) -> tuple[str, Sound]:
    """What is recognised of a sound without events, and what the room hears of it."""
    loop = Loop()
    phone, ears = Phone(1, codec, dtmf_pt=None), Phone(2, codec)
    loop.add(phone)
    loop.add(ears)
    padded = np.concatenate([np.zeros(phone.rate // 5), sound, np.zeros(phone.rate // 5)]).astype(np.int16)
    count = loop.stream(phone, padded)
    loop.run(count + 5)
    return keys_of(loop.events, 1), ears.sound()


def sequence(keys: str, *, rate: int, on_ms: float, off_ms: float, **levels: float) -> Sound:
    pause = np.zeros(round(off_ms * rate / 1000), np.int16)
    return np.concatenate(
        [part for key in keys for part in (dtmf(key, rate=rate, ms=on_ms, **levels), pause)]
    )


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("db", [-6.0, -20.0, -30.0])
def test_all_keys_are_recognised_as_tones(codec: int, db: float) -> None:
    rate = 16000 if codec == WIDE else 8000
    sound = sequence(GRID, rate=rate, on_ms=80, off_ms=60, low_db=db - 3, high_db=db - 3)
    assert typed(sound, codec)[0] == GRID


@pytest.mark.parametrize("codec", [PCMU, WIDE])
@pytest.mark.parametrize("shift_ms", [0.0, 3.7, 7.1, 10.0, 13.3, 18.9])
def test_tones_of_40_ms_with_pauses_of_40_ms(codec: int, shift_ms: float) -> None:
    """The shortest that Q.24 asks for, at any place in the frames."""
    rate = 16000 if codec == WIDE else 8000
    keys = "1590#*73A62D84CB"
    sound = sequence(keys, rate=rate, on_ms=40, off_ms=40, low_db=-12, high_db=-12)
    shift = np.zeros(round(shift_ms * rate / 1000), np.int16)
    assert typed(np.concatenate([shift, sound]), codec)[0] == keys


@pytest.mark.parametrize(("low_db", "high_db"), [(-20.0, -16.0), (-16.0, -20.0), (-22.0, -16.0)])
def test_twist(low_db: float, high_db: float) -> None:
    sound = sequence(GRID, rate=8000, on_ms=80, off_ms=60, low_db=low_db, high_db=high_db)
    assert typed(sound, PCMU)[0] == GRID


def test_tones_in_noise() -> None:
    sound = sequence(GRID, rate=8000, on_ms=80, off_ms=60, low_db=-15, high_db=-15)
    assert typed((sound + noise(len(sound) / 8000, db=-32.0)[: len(sound)]).astype(np.int16), PCMU)[0] == GRID


def test_the_same_tone_key_three_times() -> None:
    assert typed(sequence("555", rate=8000, on_ms=60, off_ms=60), PCMU)[0] == "555"


def test_a_long_tone_is_one_key() -> None:
    assert typed(dtmf("9", rate=8000, ms=3000), PCMU)[0] == "9"


@pytest.mark.parametrize("hz", [697.0, 941.0, 1209.0, 1633.0, 425.0, 1004.0])
def test_one_tone_is_no_key(hz: float) -> None:
    assert typed(tone(hz, 1.0), PCMU)[0] == ""


def test_a_dial_tone_and_a_ring_tone_are_no_keys() -> None:
    for pair in ((350.0, 440.0), (440.0, 480.0), (480.0, 620.0), (697.0, 770.0), (1209.0, 1336.0)):
        assert typed(tone(pair[0], 1.0) + tone(pair[1], 1.0), PCMU)[0] == ""


@pytest.mark.parametrize("codec", [PCMU, WIDE])
@pytest.mark.parametrize("voice", ["en", "fr", "de"])
def test_speech_is_no_key(codec: int, voice: str) -> None:
    """A minute and more of three voices at two rates, none of which presses a key."""
    rate = 16000 if codec == WIDE else 8000
    assert typed(speech(seconds=12.0, rate=rate, voice=voice, db=-18.0), codec)[0] == ""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("on_ms", [40.0, 45.0, 100.0, 500.0])
def test_tones_are_not_heard_in_the_room(codec: int, on_ms: float) -> None:
    rate = 16000 if codec == WIDE else 8000
    for shift_ms in (0.0, 6.0, 13.0):
        shift = np.zeros(round(shift_ms * rate / 1000), np.int16)
        sound = np.concatenate([shift, sequence("159D", rate=rate, on_ms=on_ms, off_ms=120)])
        _, heard = typed(sound, codec)
        pieces = heard[: len(heard) // (rate // 100) * (rate // 100)].astype(float).reshape(-1, rate // 100)
        loud = np.count_nonzero(10 * np.log10(np.mean(pieces**2, axis=1) / 32768**2 + 1e-12) > -45)
        assert loud <= 4, "at most a trace of a few ms at the edges of each key"


def test_speech_of_a_leg_with_tones_is_heard_whole() -> None:
    said = speech(seconds=6.0)
    loop = Loop()
    loop.add(Phone(1, dtmf_pt=None, says=playing(said)))
    loop.add(Phone(3, says=playing(said)), room=2)
    toned, plain = loop.add(Phone(2)), loop.add(Phone(4), room=2)
    loop.run(300)
    ours, theirs = toned.sound()[160:].astype(float), plain.sound()[:-160].astype(float)
    assert rms_db(ours) == pytest.approx(rms_db(theirs), abs=0.5)
    power = np.mean(theirs[: len(theirs) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    got = np.mean(ours[: len(ours) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    cut = np.count_nonzero((power > 1e5) & (got < power / 100))
    assert cut <= 3, "frames taken for the beginning of a key"


def test_no_tone_from_before_a_hold_is_heard_after_it() -> None:
    loop = Loop()
    phone = loop.add(Phone(1, dtmf_pt=None, says=sine(440.0)))
    ears = loop.add(Phone(2))
    loop.run(40)
    loop.mixer.update(1, loop.media(phone, receive=False))
    phone.says = None
    loop.run(20)
    loop.mixer.update(1, loop.media(phone))
    ears.heard.clear()
    loop.run(20)
    assert rms_db(ears.sound()) < -70
