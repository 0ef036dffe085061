"""Codecs, resampler, wrap arithmetic and RTCP against numbers that others published or computed otherwise."""

import struct

import G722
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mixer import rtcp
from bridge.mixer.clips import encode_clip, load, silence
from bridge.mixer.g711 import decode, encode
from bridge.mixer.resample import Doubler, Halver, double, halve
from bridge.mixer.wrap import diff16, diff32
from tests.support.sound import lag_ms, level_db, noise, rms_db, tone

# G.711.  µ-law: table 2a, positive values scaled by 4; A-law: table 1a, scaled by 8.
ULAW = {0xFF: 0, 0xFE: 8, 0xF0: 120, 0xEF: 132, 0xE0: 372, 0xDF: 396, 0xD0: 876, 0xC0: 1884, 0xB0: 3900,
        0xA0: 7932, 0x90: 15996, 0x8F: 16764, 0x80: 32124, 0x00: -32124, 0x7E: -8, 0x10: -15996}  # fmt: skip
ALAW = {0xD5: 8, 0xD4: 24, 0xDA: 248, 0xC5: 264, 0xCA: 504, 0xF5: 528, 0xE5: 1056, 0x95: 2112, 0x85: 4224,
        0xB5: 8448, 0xA5: 16896, 0xAA: 32256, 0x2A: -32256, 0x55: -8, 0x25: -16896}  # fmt: skip


@pytest.mark.parametrize(("alaw", "table"), [(False, ULAW), (True, ALAW)])
def test_golden_codes(alaw: bool, table: dict[int, int]) -> None:
    codes = np.array(list(table), np.uint8)
    values = np.array(list(table.values()), np.int16)
    assert decode(codes, alaw=alaw).tolist() == values.tolist()
    assert encode(values, alaw=alaw).tolist() == codes.tolist()


def test_silence_on_the_wire_is_what_everybody_sends() -> None:
    zero = np.zeros(3, np.int16)
    assert encode(zero, alaw=False).tolist() == [0xFF] * 3
    assert encode(zero, alaw=True).tolist() == [0xD5] * 3


@pytest.mark.parametrize("alaw", [False, True])
def test_a_code_decoded_and_encoded_is_itself(alaw: bool) -> None:
    codes = np.arange(256, dtype=np.uint8)
    back = encode(decode(codes, alaw=alaw), alaw=alaw)
    assert [(c, b) for c, b in zip(codes.tolist(), back.tolist(), strict=True) if c != b] in (
        [],
        [(0x7F, 0xFF)],
    )


@pytest.mark.parametrize("alaw", [False, True])
def test_every_value_gets_the_nearest_code_and_none_wraps(alaw: bool) -> None:
    values = np.arange(-32768, 32768, dtype=np.int32)
    back = decode(encode(values.astype(np.int16), alaw=alaw), alaw=alaw).astype(np.int32)
    levels = np.unique(decode(np.arange(256, dtype=np.uint8), alaw=alaw).astype(np.int32))
    nearest = np.min(np.abs(values[::97, None] - levels[None, :]), axis=1)
    assert np.array_equal(np.abs(values[::97] - back[::97]), nearest)
    assert np.all(np.diff(back) >= 0)


@pytest.mark.parametrize("alaw", [False, True])
def test_g711_is_37_db_clean(alaw: bool) -> None:
    sound = tone(1004.0, 1.0, db=-15.0).astype(np.int32)
    error = decode(encode(sound.astype(np.int16), alaw=alaw), alaw=alaw) - sound
    assert rms_db(sound) - rms_db(error) > 36


def test_repeated_silence_of_every_codec_is_silence() -> None:
    ulaw, alaw, wide = (frames.tobytes() * 3 for frames in silence().frames)
    assert not decode(np.frombuffer(ulaw, np.uint8), alaw=False).any()
    assert np.max(np.abs(decode(np.frombuffer(alaw, np.uint8), alaw=True))) <= 8
    for before, at_most_db in ((np.zeros(320, np.int16), -75), (noise(0.5, rate=16000, db=-6.0), -58)):
        decoder = G722.G722(16000, 64000)
        decoder.decode(G722.G722(16000, 64000).encode(before))
        settled = np.frombuffer(decoder.decode(wide), np.int16)[16000:].astype(float)
        assert rms_db(settled) < at_most_db
        assert abs(settled.mean()) <= 2, "no DC"


def test_a_clip_is_the_same_sound_in_every_codec() -> None:
    sound = tone(1000.0, 1.0, rate=16000)
    clip = encode_clip(sound, loop=True)
    assert clip.frames == 50
    narrow = [
        decode(np.frombuffer(data, np.uint8), alaw=alaw)
        for data, alaw in ((clip.pcmu, False), (clip.pcma, True))
    ]
    wide = np.frombuffer(G722.G722(16000, 64000).decode(clip.g722), np.int16)
    for got, rate in ((narrow[0], 8000), (narrow[1], 8000), (wide, 16000)):
        assert len(got) == rate
        assert level_db(got[rate // 4 :].astype(float), 1000.0, rate=rate) == pytest.approx(-20, abs=0.5)


def test_a_clip_is_padded_to_whole_frames() -> None:
    assert encode_clip(np.ones(321, np.int16), loop=True).frames == 2


def test_a_clip_whose_parts_differ_is_refused() -> None:
    import msgspec

    good = encode_clip(np.zeros(640, np.int16))
    for bad in ({"frames": 0}, {"frames": 3}, {"pcma": good.pcma[:-1]}, {"g722": b""}):
        with pytest.raises(ValueError, match="length"):
            load(msgspec.structs.replace(good, **bad))


# Resampling.


@pytest.mark.parametrize("hz", [100.0, 300.0, 1000.0, 2000.0, 3000.0, 3300.0])
def test_the_pass_band_is_flat(hz: float) -> None:
    up = double(tone(hz, 1.0))[4000:-4000].astype(float)
    assert level_db(up, hz, rate=16000) == pytest.approx(-20, abs=0.5)
    down = halve(tone(hz, 1.0, rate=16000))[2000:-2000].astype(float)
    assert level_db(down, hz, rate=8000) == pytest.approx(-20, abs=0.5)


@pytest.mark.parametrize("hz", [4700.0, 5000.0, 6000.0, 7000.0, 7900.0])
def test_what_8_khz_cannot_carry_leaves_no_alias(hz: float) -> None:
    down = halve(tone(hz, 1.0, rate=16000, db=-10.0))[2000:-2000].astype(float)
    assert rms_db(down) < -60


@pytest.mark.parametrize("hz", [300.0, 1000.0, 2500.0, 3300.0])
def test_doubling_leaves_no_image(hz: float) -> None:
    up = double(tone(hz, 1.0, db=-10.0))[4000:-4000].astype(float)
    assert level_db(up, 8000 - hz, rate=16000) < -60


def test_the_filters_delay_1_4_ms_each_way() -> None:
    said = noise(1.0)
    assert lag_ms(np.repeat(said, 2), double(said), rate=16000) == pytest.approx(1.44, abs=0.1)
    wide = double(said)
    assert lag_ms(said, halve(wide), rate=8000) == pytest.approx(2.875, abs=0.13)


def test_frames_one_by_one_are_the_same_as_a_whole() -> None:
    sound = noise(0.2).astype(np.float32)
    double_, tail = Doubler(160), np.zeros((1, Doubler.history), np.float32)
    pieces = []
    for start in range(0, len(sound), 160):
        piece, tail = double_(sound[None, start : start + 160], tail)
        pieces.append(piece[0])
    assert np.allclose(np.concatenate(pieces), double(sound.astype(np.int16)), atol=1.0)


def test_streams_of_a_batch_do_not_touch() -> None:
    halver = Halver(320)
    frames = np.zeros((3, 320), np.float32)
    frames[1] = 1000.0
    out, tails = halver(frames, np.zeros((3, Halver.history), np.float32))
    assert not out[[0, 2]].any()
    assert not tails[[0, 2]].any()
    assert out[1, -1] == pytest.approx(1000.0, rel=0.01)


# Wrap arithmetic.


@given(st.integers(0, 0xFFFF), st.integers(-32768, 32767))
def test_diff16_finds_any_distance_across_the_wrap(a: int, distance: int) -> None:
    assert diff16((a + distance) & 0xFFFF, a) == distance


@given(st.integers(0, 0xFFFFFFFF), st.integers(-(2**31), 2**31 - 1))
def test_diff32_finds_any_distance_across_the_wrap(a: int, distance: int) -> None:
    assert diff32((a + distance) & 0xFFFFFFFF, a) == distance


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)), min_size=1))
def test_arrays_are_treated_as_single_numbers_are(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    assert diff32(a, b).tolist() == [diff32(x, y) for x, y in pairs]
    assert diff16(a & 0xFFFF, b & 0xFFFF).tolist() == [diff16(x & 0xFFFF, y & 0xFFFF) for x, y in pairs]


# RTCP.

NOW_NS = 1_700_000_000_250_000_000


def block(**other: int) -> rtcp.ReportBlock:
    fields = {"ssrc": 0x11223344, "fraction_lost": 3, "lost": 17, "highest_seq": 0x10005, "jitter": 80,
              "last_sr": 0xABCD1234, "delay_since_sr": 65536}  # fmt: skip
    return rtcp.ReportBlock(**(fields | other))


def built(**other: object) -> bytes:
    arguments: dict[str, object] = {
        "ssrc": 0xAABBCCDD,
        "realtime_ns": NOW_NS,
        "rtp_timestamp": 160,
        "packets": 2,
        "octets": 320,
        "block": None,
        "cname": b"x@y",
    }
    return rtcp.build(**(arguments | other))  # type: ignore[arg-type]


def test_a_golden_sender_report() -> None:
    ntp = 1_700_000_000 + 2_208_988_800
    assert built(block=block()).hex(" ", 4) == (
        "81c8000c aabbccdd "
        + f"{ntp:08x} 40000000 000000a0 00000002 00000140 "
        + "11223344 03000011 00010005 00000050 abcd1234 00010000 "
        + "81ca0003 aabbccdd 01037840 79000000"
    )


def test_a_receiver_report_when_nothing_was_sent() -> None:
    assert built(packets=0, octets=0).hex(" ", 4) == "80c90001 aabbccdd 81ca0003 aabbccdd 01037840 79000000"


@given(
    st.integers(0, 255),
    st.integers(-0x800000, 0x7FFFFF),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=1, max_size=60),
    st.booleans(),
)
def test_what_is_built_is_understood(
    fraction: int, lost: int, seq: int, delay: int, cname: bytes, sent: bool
) -> None:
    one = block(fraction_lost=fraction, lost=lost, highest_seq=seq, delay_since_sr=delay)
    data = built(block=one, cname=cname, packets=5 if sent else 0)
    heard = rtcp.parse(data)
    assert heard is not None
    assert heard.blocks == (one,)
    assert heard.ssrc == 0xAABBCCDD
    assert heard.sender_ntp == (rtcp.ntp_middle(NOW_NS) if sent else None)
    assert len(data) % 4 == 0


def test_losses_beyond_24_bits_are_held_at_the_end_of_the_scale() -> None:
    for lost, told in ((10**9, 0x7FFFFF), (-(10**9), -0x800000)):
        heard = rtcp.parse(built(block=block(lost=lost)))
        assert heard is not None
        assert heard.blocks[0].lost == told


MALFORMED = {
    "empty": b"",
    "short": b"\x80\xc8\x00",
    "version 1": b"\x41" + built()[1:],
    "length beyond the end": struct.pack(">BBHI", 0x80, 201, 50, 1),
    "SR without its body": struct.pack(">BBHI", 0x80, 200, 1, 1),
    "blocks beyond the end": struct.pack(">BBHI", 0x9F, 201, 1, 1),
    "RR of length 0": struct.pack(">BBHI", 0x80, 201, 0, 1),
    "only SDES": struct.pack(">BBHIBB", 0x81, 202, 2, 1, 1, 1) + b"x\0",
    "RTP": bytes.fromhex("80000001000000a011223344") + bytes(160),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_rtcp_is_nothing(what: str) -> None:
    assert rtcp.parse(MALFORMED[what]) is None


@given(st.binary(max_size=200))
def test_any_bytes_as_rtcp_raise_nothing(data: bytes) -> None:
    rtcp.parse(data)
    rtcp.parse(b"\x81\xc8" + data)


@given(st.integers(0, 63), st.integers(0, 255))
def test_any_changed_byte_raises_nothing(at: int, value: int) -> None:
    data = bytearray(built(block=block()))
    data[at % len(data)] = value
    rtcp.parse(bytes(data))


def test_round_trip_time() -> None:
    sent = rtcp.ntp_middle(NOW_NS)
    arrived = rtcp.ntp_middle(NOW_NS + 180_000_000)
    told = rtcp.round_trip_ms(block(last_sr=sent, delay_since_sr=65536 * 100 // 1000), arrived)
    assert told == pytest.approx(80.0, abs=0.1)
    assert rtcp.round_trip_ms(block(last_sr=0), arrived) is None
    assert rtcp.round_trip_ms(block(last_sr=sent, delay_since_sr=65536 * 5), arrived) is None, (
        "longer than it took"
    )


def test_round_trip_time_across_the_wrap_of_the_ntp_time() -> None:
    assert rtcp.round_trip_ms(block(last_sr=0xFFFFF000, delay_since_sr=0), 0x1000) == pytest.approx(125.0)
