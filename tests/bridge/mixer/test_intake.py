"""What a network can send and what becomes of it: nothing raises, nothing strange is heard, all counts."""

import os
import random
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.mixer import protocol as p
from bridge.mixer.intake import payload_bounds
from bridge.mixer.sockets import BUFFER_BYTES
from tests.bridge.mixer.loop import PCMA, PCMU, PT, WIDE, Loop, Phone
from tests.support.sound import level_db, noise, playing, rms_db, silent_ms, sine, tone

CODECS = (PCMU, PCMA, WIDE)
BOTH_RATES = (PCMU, WIDE)


class Scene:
    """A talker with a steady tone and one who listens to him."""

    def __init__(self, codec: int = PCMU, hz: float = 440.0, **leg: object) -> None:
        self.loop = Loop()
        self.hz = hz
        self.talker = Phone(1, codec)
        self.talker.says = sine(hz, rate=self.talker.rate)
        self.ears = Phone(2, codec)
        self.loop.add(self.talker, **leg)  # type: ignore[arg-type]
        self.loop.add(self.ears, sock=5)  # waits elsewhere, so that there is one to latch

    def run(self, ticks: int) -> list[p.Event]:
        return self.loop.run(ticks)

    def heard_db(self, last_ticks: int = 25, hz: float | None = None) -> float:
        sound = self.ears.sound(last_ticks=last_ticks).astype(float)
        return level_db(sound, hz or self.hz, rate=self.ears.rate)

    def pure(self, last_ticks: int = 25) -> bool:
        """Whether the tone is heard at its level and nothing beside it."""
        sound = self.ears.sound(last_ticks=last_ticks).astype(float)
        level = level_db(sound, self.hz, rate=self.ears.rate)
        return abs(level + 20) < 2 and rms_db(sound) - level < 1.0


def header(phone: Phone, *, first: int = 0x80, pt: int | None = None) -> bytes:
    kind = PT[phone.codec] if pt is None else pt
    return struct.pack(">BBHII", first, kind, phone.seq & 0xFFFF, phone.ts & 0xFFFFFFFF, phone.ssrc)


# Malformed.


def every_wrong_packet(phone: Phone) -> dict[str, tuple[bytes, str]]:
    loud = bytes(160)  # the loudest µ-law code: would be heard at once
    good = header(phone) + loud
    return {
        "empty": (b"", "malformed"),
        "one byte": (b"\x80", "malformed"),
        "eleven bytes": (good[:11], "malformed"),
        "header only": (good[:12], "malformed"),
        "version 0": (bytes([0x00]) + good[1:], "malformed"),
        "version 1": (bytes([0x40]) + good[1:], "malformed"),
        "version 3": (bytes([0xC0]) + good[1:], "malformed"),
        "CSRCs beyond the end": (header(phone, first=0x8F) + bytes(40), "malformed"),
        "CSRCs and nothing else": (header(phone, first=0x81) + bytes(4), "malformed"),
        "extension beyond the end": (header(phone, first=0x90) + b"\xbe\xde\xff\xff" + loud, "malformed"),
        "extension cut": (header(phone, first=0x90) + b"\xbe\xde", "malformed"),
        "padding longer than the packet": (header(phone, first=0xA0) + bytes(159) + b"\xff", "malformed"),
        "padding of all": (header(phone, first=0xA0) + bytes(159) + b"\xa0", "malformed"),
        "padding of zero": (header(phone, first=0xA0) + bytes(160), "malformed"),
        "oversize": (good + bytes(BUFFER_BYTES), "oversize"),
        "largest datagram": (good + bytes(65000), "oversize"),
        "payload type not negotiated": (header(phone, pt=8) + loud, "payload_type"),
        "dynamic payload type": (header(phone, pt=111) + loud, "payload_type"),
        "RTCP sender report": (struct.pack(">BBHI", 0x80, 200, 6, phone.ssrc) + bytes(20), "payload_type"),
        "RTCP goodbye": (struct.pack(">BBHI", 0x81, 203, 1, phone.ssrc) + bytes(8), "malformed"),
        "STUN": (struct.pack(">HHI", 1, 8, 0x2112A442) + bytes(20), "malformed"),
        "SIP": (b"OPTIONS sip:bridge SIP/2.0\r\n\r\n", "malformed"),
    }


@pytest.mark.parametrize("what", every_wrong_packet(Phone(1)))
def test_a_wrong_packet_is_dropped_counted_and_not_heard(what: str) -> None:
    scene = Scene()
    scene.run(40)
    data, reason = every_wrong_packet(scene.talker)[what]
    before = scene.loop.dropped[reason]
    received = scene.loop.report(scene.talker).rx_pkts
    for _ in range(25):
        scene.loop.send(scene.talker, data)
        scene.run(1)
    assert scene.loop.dropped[reason] == before + 25
    assert scene.pure()
    assert scene.loop.report(scene.talker).rx_pkts == received + 25, "only the good ones"


@pytest.mark.parametrize("what", every_wrong_packet(Phone(1)))
def test_a_wrong_packet_first_does_not_latch(what: str) -> None:
    scene = Scene(expected=("10.0.0.9", 4000))
    scene.talker.says = None
    data, _ = every_wrong_packet(scene.talker)[what]
    scene.loop.send(scene.talker, data)
    assert scene.run(2) == []
    scene.talker.says = sine(440.0)
    assert p.Latched(1, *scene.talker.address) in scene.run(60)
    assert scene.pure()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shape", ["CSRCs", "extension", "padding", "all three", "marker"])
def test_correct_but_unusual_headers_are_understood(codec: int, shape: str) -> None:
    scene = Scene(codec)
    scene.run(20)
    says = scene.talker.says
    scene.talker.says = None
    assert says is not None
    for _ in range(50):
        payload = scene.talker.code(says(scene.loop.tick))
        data = bytearray(scene.talker.packet(payload, marker=shape == "marker"))
        if shape in ("padding", "all three"):
            data[0] |= 0x20
            data += bytes(6) + b"\x07"
        extra = b""
        if shape in ("CSRCs", "all three"):
            data[0] |= 2
            extra += struct.pack(">II", 1, 2)
        if shape in ("extension", "all three"):
            data[0] |= 0x10
            extra += b"\xbe\xde\x00\x02" + bytes(8)
        data[12:12] = extra
        scene.loop.send(scene.talker, bytes(data))
        scene.run(1)
    assert scene.pure()
    assert not any(scene.loop.dropped.values())


@given(st.binary(max_size=200))
def test_payload_bounds_lie_within_the_packet(data: bytes) -> None:
    bounds = payload_bounds(data)
    if bounds is not None:
        offset, size = bounds
        assert offset >= 12
        assert size > 0
        assert offset + size <= len(data)


@pytest.mark.parametrize("codec", CODECS)
def test_comfort_noise_is_silence_and_no_hiss(codec: int) -> None:
    scene = Scene(codec)
    scene.run(40)
    talker = scene.talker
    talker.says = None
    for i in range(60):
        if i % 10 == 0:
            talker.seq += 1
            data = header(talker, pt=13) + bytes([70])
            scene.loop.send(talker, data)
        talker.ts += 160
        scene.run(1)
    assert rms_db(scene.ears.sound(last_ticks=45)) < -70
    assert scene.loop.dropped["payload_type"] == 0
    talker.says = sine(440.0, rate=talker.rate)
    scene.run(40)
    assert scene.pure(last_ticks=20)


# Latching.


def test_the_expected_host_is_latched_on_any_port() -> None:
    loop = Loop()
    ann = Phone(1, says=sine(440.0), address=("10.0.0.5", 5555))
    loop.add(ann, nat=False, expected=("10.0.0.5", 4000))
    ears = loop.add(Phone(2))
    assert loop.run(60).count(p.Latched(1, "10.0.0.5", 5555)) == 1
    assert level_db(ears.sound(last_ticks=25).astype(float), 440.0, rate=8000) > -22


@pytest.mark.parametrize("nat", [True, False])
def test_a_caller_behind_nat_is_heard_only_where_nat_is_allowed(nat: bool) -> None:
    loop = Loop()
    ann = Phone(1, says=sine(440.0), address=("198.51.100.7", 5555))
    loop.add(ann, nat=nat, expected=("192.168.1.5", 4000))
    ears = loop.add(Phone(2), sock=5)
    events = loop.run(60)
    assert (p.Latched(1, "198.51.100.7", 5555) in events) is nat
    heard = level_db(ears.sound(last_ticks=25).astype(float), 440.0, rate=8000)
    assert heard > -22 if nat else heard < -70
    assert nat or loop.dropped["stray"] == 60


def test_of_two_who_wait_on_a_port_the_one_whose_host_it_is_gets_the_packet() -> None:
    loop = Loop()
    ann, bob = Phone(1, address=("10.0.0.5", 5555)), Phone(2, address=("10.0.0.6", 6666))
    loop.add(ann, expected=("10.0.0.5", 4000))
    loop.add(bob, expected=("10.0.0.6", 4000))
    bob.says = sine(440.0)
    assert loop.run(1) == [p.Latched(2, "10.0.0.6", 6666)]


def test_two_behind_nat_on_one_port_are_not_guessed_apart() -> None:
    loop = Loop()
    ann, bob = Phone(1, address=("198.51.100.1", 5555)), Phone(2, address=("198.51.100.2", 6666))
    loop.add(ann, expected=("192.168.1.5", 4000))
    loop.add(bob, expected=("192.168.1.6", 4000))
    ann.says = sine(440.0)
    assert loop.run(10) == []
    loop.remove(bob)
    assert loop.run(1) == [p.Latched(1, *ann.address)]


def test_the_port_tells_apart_who_waits() -> None:
    loop = Loop()
    ann, bob = Phone(1, address=("198.51.100.1", 5555)), Phone(2, address=("198.51.100.2", 6666))
    loop.add(ann, expected=("192.168.1.5", 4000), sock=0)
    loop.add(bob, expected=("192.168.1.6", 4000), sock=1)
    loop.send(bob, bob.packet(bytes(160)), sock=1)
    assert loop.run(1) == [p.Latched(2, *bob.address)]


def test_a_packet_of_a_codec_nobody_negotiated_does_not_latch() -> None:
    loop = Loop()
    ann = Phone(1, address=("198.51.100.1", 5555))
    loop.add(ann, expected=("192.168.1.5", 4000))
    loop.send(ann, ann.packet(bytes(160), pt=96))
    assert loop.run(2) == []
    loop.send(ann, ann.event("1", 160))
    assert p.Latched(1, *ann.address) in loop.run(2), "a key does"


def test_latched_is_told_once_even_when_the_address_is_as_expected() -> None:
    scene = Scene()
    assert scene.run(30).count(p.Latched(1, *scene.talker.address)) == 1


def test_packets_that_come_along_with_the_one_that_latches_are_not_lost() -> None:
    loop = Loop()
    ann = loop.add(Phone(1, address=("198.51.100.1", 5555)), expected=("192.168.1.5", 4000))
    for _ in range(3):
        loop.send(ann, ann.packet(bytes(160)))
    loop.run(1)
    assert loop.report(ann).rx_pkts == 3
    assert loop.dropped["stray"] == 0


@pytest.mark.parametrize("stranger", [("127.0.0.1", 29999), ("203.0.113.1", 20002), ("127.0.0.2", 20002)])
def test_a_stranger_is_never_heard_after_the_latch(stranger: tuple[str, int]) -> None:
    scene = Scene()
    scene.run(30)
    evil = Phone(9, ssrc=scene.talker.ssrc)
    for _ in range(50):
        evil.seq, evil.ts = scene.talker.seq, scene.talker.ts
        scene.loop.send(evil, evil.packet(evil.code(noise(0.02, db=-6.0))), address=stranger, age_ms=4.0)
        scene.loop.send(evil, evil.event("5", 160), address=stranger, age_ms=4.0)
        assert not any(isinstance(e, p.KeyPressed) for e in scene.run(1))
    assert scene.pure()
    assert scene.loop.dropped["stray"] == 100


def test_the_right_address_on_the_wrong_port_of_ours_is_a_stranger() -> None:
    scene = Scene()
    scene.run(30)
    scene.loop.send(scene.talker, header(scene.talker) + bytes(160), sock=1)
    scene.run(2)
    assert scene.loop.dropped["stray"] == 1


def test_a_new_address_is_latched_anew_after_an_update_and_the_old_one_is_deaf() -> None:
    scene = Scene()
    scene.run(30)
    old = scene.talker.address
    scene.loop.mixer.update(1, scene.loop.media(scene.talker, expected=("192.168.7.7", 4000)))
    scene.talker.address = ("198.51.100.3", 7000)
    assert p.Latched(1, "198.51.100.3", 7000) in scene.run(30)
    assert scene.pure(last_ticks=15)
    scene.loop.send(scene.talker, header(scene.talker) + bytes(160), address=old)
    scene.run(1)
    assert scene.loop.dropped["stray"] == 1


@pytest.mark.parametrize("moves", [("::1", 7000), ("2001:db8::5", 7000)])
def test_ipv6(moves: tuple[str, int]) -> None:
    loop = Loop()
    loop.add(Phone(1, says=sine(440.0), address=moves))
    loop.add(Phone(3, says=sine(910.0), address=("2001:db8::6", 7000)))
    ears = loop.add(Phone(2))
    loop.run(40)
    sound = ears.sound(last_ticks=20).astype(float)
    assert level_db(sound, 440.0, rate=8000) > -22
    assert level_db(sound, 910.0, rate=8000) > -22
    assert loop.dropped["stray"] == 0


# Streams that do not simply go on.


def test_one_stray_ssrc_does_not_end_a_stream() -> None:
    scene = Scene()
    scene.run(40)
    for _ in range(5):
        scene.loop.send(scene.talker, struct.pack(">BBHII", 0x80, 0, 7, 9, 0xDEAD0000) + bytes(160), age_ms=4)
        scene.run(1)
        scene.run(9)
        break
    assert scene.pure(last_ticks=12)
    assert scene.loop.dropped["out_of_stream"] == 1


def test_one_stray_sequence_number_does_not_end_a_stream() -> None:
    scene = Scene()
    scene.run(40)
    data = bytearray(header(scene.talker) + bytes(160))
    data[2:4] = ((scene.talker.seq + 20000) & 0xFFFF).to_bytes(2, "big")
    scene.loop.send(scene.talker, bytes(data), age_ms=4)
    scene.run(12)
    assert scene.pure(last_ticks=12)
    assert scene.loop.report(scene.talker).lost_pkts == 0


def restart(phone: Phone, how: str) -> None:
    if "ssrc" in how:
        phone.ssrc ^= 0x5555
    if "seq" in how:
        phone.seq += 20000
    if "ts" in how:
        phone.ts += 1_000_003
    if "back" in how:
        phone.ts -= 500_000


@pytest.mark.parametrize("codec", BOTH_RATES)
@pytest.mark.parametrize(
    "how", ["ssrc", "ssrc seq", "ssrc seq ts", "ssrc back", "seq", "seq ts", "ts", "back", "seq back"]
)
def test_a_restarted_phone_is_heard_within_100_ms(codec: int, how: str) -> None:
    scene = Scene(codec)
    scene.run(60)
    restart(scene.talker, how)
    scene.talker.says = sine(1310.0, rate=scene.talker.rate)
    scene.run(7)
    assert scene.heard_db(last_ticks=2, hz=1310.0) > -24, "100 ms, and the 40 ms of two frames to look at"
    scene.run(50)
    assert scene.heard_db(last_ticks=25, hz=1310.0) == pytest.approx(-20, abs=2)
    assert scene.loop.report(scene.talker).lost_pkts <= 1
    delay = scene.loop.report(scene.talker).delay_ms
    assert delay is not None
    assert delay <= 45


@pytest.mark.parametrize("jump", [2, 5, 50, 2999])
def test_a_small_sequence_jump_is_loss_and_goes_on(jump: int) -> None:
    scene = Scene()
    scene.run(60)
    scene.talker.seq += jump
    scene.run(40)
    assert scene.pure(last_ticks=25)
    report = scene.loop.report(scene.talker)
    assert (report.lost_pkts, report.loss_bursts) == (jump, 1)


@pytest.mark.parametrize(("seq", "ts"), [(65500, 0xFFFFFFFF - 160 * 30), (65530, 5), (5, 0xFFFFFF00)])
@pytest.mark.parametrize("codec", CODECS)
def test_wraps_are_not_heard_and_not_counted(codec: int, seq: int, ts: int) -> None:
    scene = Scene(codec)
    scene.talker.seq, scene.talker.ts = seq, ts
    scene.run(100)
    assert scene.pure(last_ticks=80)
    report = scene.loop.report(scene.talker)
    assert (report.rx_pkts, report.lost_pkts, report.discarded_pkts, report.concealed_ms) == (100, 0, 0, 0)


def test_a_long_call_wraps_twice() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, seq=65000), speak=False)
    for i in range(1500):
        talker.outbox.append((talker.packet(bytes(160)), 8.0))
        talker.seq += 99
        talker.ts += 99 * 160
        if i % 100 == 0:
            loop.tick += 1
        loop.run(1)
    assert loop.report(talker).lost_pkts == 1499 * 99


def test_duplicates_change_nothing() -> None:
    scene = Scene()
    says = scene.talker.says
    scene.talker.says = None
    assert says is not None
    old: list[bytes] = []
    for tick in range(100):
        data = scene.talker.packet(scene.talker.code(says(scene.loop.tick)))
        old.append(data)
        for copy in (data, data, old[max(0, tick - 1)], old[max(0, tick - 8)]):
            scene.loop.send(scene.talker, copy)
        scene.run(1)
    assert scene.pure(last_ticks=80)


def test_pairs_that_come_the_wrong_way_round_are_put_right() -> None:
    scene = Scene()
    says = scene.talker.says
    scene.talker.says = None
    assert says is not None
    for _ in range(5):
        scene.loop.send(scene.talker, scene.talker.packet(scene.talker.code(says(scene.loop.tick))))
        scene.run(1)
    for _ in range(100):
        pair = [scene.talker.packet(scene.talker.code(says(scene.loop.tick + i))) for i in (0, 1)]
        for data in reversed(pair):
            scene.loop.send(scene.talker, data)
        scene.run(2)
    sound = scene.ears.sound(last_ticks=100).astype(float)
    assert level_db(sound, 440.0, rate=8000) == pytest.approx(-20, abs=2)
    assert scene.loop.report(scene.talker).discarded_pkts == 0
    assert scene.loop.report(scene.talker).lost_pkts == 0


@pytest.mark.parametrize("codec", BOTH_RATES)
@pytest.mark.parametrize("ptime_ms", [5, 10, 15, 20, 25, 30, 40, 50, 60, 100, 120])
def test_packets_of_any_length_make_the_same_sound(codec: int, ptime_ms: int) -> None:
    loop = Loop()
    talker, ears = Phone(1, codec), Phone(2, codec)
    loop.add(talker)
    loop.add(ears)
    sound = tone(440.0, 4.2, rate=talker.rate)
    loop.stream(talker, sound, ptime_ms=ptime_ms)
    loop.run(200)
    got = ears.sound()[talker.rate :].astype(float)
    assert level_db(got, 440.0, rate=talker.rate) == pytest.approx(-20, abs=1)
    assert rms_db(got) - level_db(got, 440.0, rate=talker.rate) < 0.5
    assert silent_ms(got, rate=talker.rate) == 0
    report = loop.report(talker)
    assert report.concealed_ms == 0
    assert report.discarded_pkts == 0


@pytest.mark.parametrize("size", [1, 79, 159, 161, 163, 239])
def test_payloads_of_odd_length_are_put_together_sample_by_sample(size: int) -> None:
    loop = Loop()
    talker, ears = loop.add(Phone(1)), loop.add(Phone(2))
    sound = tone(440.0, 3.0)
    at, spent = 0, 0.0
    while at + size <= len(sound) and size > 1:
        data = talker.packet(talker.code(sound[at : at + size]))
        loop.deliver(talker, data, in_ms=spent - 8)
        at, spent = at + size, spent + size / 8
    if size == 1:
        for _ in range(300):
            loop.deliver(talker, talker.packet(b"\x20"), in_ms=0.0)
    loop.run(140)
    if size > 1:
        got = ears.sound()[8000:].astype(float)
        assert level_db(got, 440.0, rate=8000) == pytest.approx(-20, abs=1)
        assert rms_db(got) - level_db(got, 440.0, rate=8000) < 0.5


def test_a_stream_whose_timestamps_stand_still_harms_nobody() -> None:
    scene = Scene()
    other = scene.loop.add(Phone(3, says=sine(910.0)))
    scene.run(30)
    says = scene.talker.says
    scene.talker.says = None
    assert says is not None
    for _ in range(200):
        data = scene.talker.packet(scene.talker.code(says(scene.loop.tick)))
        scene.talker.ts -= 160
        scene.loop.send(scene.talker, data)
        scene.run(1)
    assert other.heard
    assert scene.heard_db(last_ticks=25, hz=910.0) > -22
    scene.talker.says = says
    scene.run(60)
    assert scene.heard_db() > -22, "and heals when they move again"


@pytest.mark.parametrize("kind", ["stray", "own", "key", "malformed", "padded"])
def test_a_flood_in_one_tick_is_survived(kind: str) -> None:
    scene = Scene()
    scene.run(40)
    talker = scene.talker
    seq, ts = talker.seq, talker.ts
    for i in range(5000):
        if kind == "stray":
            scene.loop.send(talker, header(talker) + bytes(160), address=("203.0.113.9", 1024 + i))
        elif kind == "own":
            scene.loop.send(talker, header(talker) + bytes(160))
            talker.seq += 1
        elif kind == "key":
            scene.loop.send(talker, talker.event("1", 160))
        elif kind == "malformed":
            scene.loop.send(talker, os.urandom(i % 12))
        else:
            scene.loop.send(talker, header(talker, first=0xA0) + bytes(159) + b"\x01")
    talker.seq, talker.ts = seq, ts
    scene.run(1)
    scene.run(80)
    assert scene.pure(last_ticks=20)
    if kind in ("stray", "malformed"):
        assert sum(scene.loop.dropped.values()) == 5000


# Fuzz.

SOURCES = [("127.0.0.1", 20002), ("127.0.0.1", 20004), ("127.0.0.1", 9), ("2001:db8::1", 20002)]
rtp = st.builds(
    lambda first, kind, seq, ts, ssrc, rest: struct.pack(">BBHII", first, kind, seq, ts, ssrc) + rest,
    st.sampled_from([0x80, 0x80, 0x80, 0x81, 0x90, 0xA0, 0xB2, 0x00, 0xFF]),
    st.sampled_from([0, 0, 0, 128, 101, 101, 229, 13, 8, 9, 72, 127]),
    st.integers(0, 65535) | st.integers(990, 1010),
    st.integers(0, 2**32 - 1) | st.integers(4000, 9000),
    st.sampled_from([0x1001, 0x1001, 0x1002, 0, 0xFFFFFFFF]),
    st.binary(max_size=64) | st.sampled_from([bytes(80), bytes(160), bytes(161), bytes(480), bytes(1300)]),
)
datagram = st.tuples(
    st.binary(max_size=100) | rtp,
    st.sampled_from(SOURCES),
    st.integers(0, 1),
    st.floats(-3000, 30000),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(datagram, max_size=8), min_size=1, max_size=12), st.sampled_from(CODECS))
def test_nothing_a_network_sends_raises_and_the_mixer_still_works(
    ticks: list[list[tuple[bytes, tuple[str, int], int, float]]], codec: int
) -> None:
    loop = Loop(capacity=8)
    loop.add(Phone(1, codec))
    loop.add(Phone(2, PCMA, dtmf_pt=None), expected=("192.168.0.1", 4))
    loop.add(Phone(4), speak=False)
    for packets in ticks:
        for data, source, sock, age_ms in packets:
            loop.send(loop.phones[1], data, address=source, sock=sock, age_ms=age_ms)
        loop.run(1)
    proof, ears = Phone(5, codec), Phone(6, codec)
    proof.says = sine(1730.0, rate=proof.rate)
    loop.add(proof, room=3)
    loop.add(ears, room=3)
    loop.run(15)
    assert level_db(ears.sound(last_ticks=8).astype(float), 1730.0, rate=ears.rate) > -23
    for phone in loop.phones.values():
        report = loop.report(phone)
        assert report.lost_pkts >= 0
        assert report.discarded_pkts >= 0


def test_a_leg_heals_from_any_garbage_of_its_own_source() -> None:
    rng = random.Random(5)
    for codec in CODECS:
        scene = Scene(codec)
        scene.run(20)
        for _ in range(300):
            data = bytearray(header(scene.talker) + rng.randbytes(rng.choice([80, 160, 161, 240])))
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(12)] = rng.randrange(256)
            data[0] = 0x80
            scene.loop.send(scene.talker, bytes(data))
            scene.run(1)
        scene.run(150)
        assert abs(scene.heard_db() + 20) < 3, codec


def test_sound_of_many_legs_in_one_batch_is_not_mixed_up() -> None:
    loop = Loop()
    hz = {leg: 300.0 + 170.0 * leg for leg in range(1, 17)}
    for leg in hz:
        codec = CODECS[leg % 3]
        phone = Phone(leg, codec)
        phone.says = sine(hz[leg], rate=phone.rate)
        loop.add(phone, room=(leg - 1) // 2)
    loop.run(60)
    for leg, phone in loop.phones.items():
        partner = leg + 1 if leg % 2 else leg - 1
        sound = phone.sound(last_ticks=25).astype(float)
        level = level_db(sound, hz[partner], rate=phone.rate)
        assert level == pytest.approx(-20, abs=2)
        assert rms_db(sound) - level < 1.0


def test_a_packet_without_a_time_stamp_counts_as_just_arrived() -> None:
    scene = Scene()
    scene.talker.says = None
    sound = playing(tone(440.0, 1.0))
    for i in range(80):
        data = scene.talker.packet(scene.talker.code(sound(i)))
        scene.loop.send(scene.talker, data, age_ms=1e12)
        scene.run(1)
    got = scene.ears.sound(last_ticks=50).astype(float)
    assert level_db(got, 440.0, rate=8000) == pytest.approx(-20, abs=1)
    assert np.max(np.abs(got)) < 8000
