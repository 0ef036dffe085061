"""The engines: order, numbering, reports, headers, Opus. No sockets, no clocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from aiortc.rtp import RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSrPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from rooms.webrtc import rtp
from rooms.webrtc.counters import DROPS, Counters
from rooms.webrtc.microphone import Counts, Microphone
from rooms.webrtc.opus import FRAME_SAMPLES, Decoder, Encoder, samples_of, silence
from rooms.webrtc.outgoing import Outgoing
from rooms.webrtc.reorder import WAIT_S, WINDOW, Reorder
from rooms.webrtc.reports import Reports
from tests.support.sound import level_db, rms_db, sine

RATE = 48000


# Order


def test_packets_in_order_never_wait() -> None:
    order: Reorder[int] = Reorder()
    for n in range(65530, 65560):
        assert [r.item for r in order.add(n & 0xFFFF, n, now_s=0.0)] == [n]
        assert order.deadline_s() is None


def test_a_packet_that_was_overtaken_is_put_in_its_place() -> None:
    order: Reorder[int] = Reorder()
    order.add(1, 1, now_s=0.0)
    assert order.add(3, 3, now_s=0.02) == []
    released = order.add(2, 2, now_s=0.025)
    assert [(r.item, r.lost) for r in released] == [(2, 0), (3, 0)]
    assert order.deadline_s() is None


def test_a_lost_packet_holds_up_the_next_for_half_a_frame_and_nothing_after() -> None:
    order: Reorder[int] = Reorder()
    order.add(1, 1, now_s=0.0)
    assert order.add(3, 3, now_s=0.04) == []
    assert order.deadline_s() == pytest.approx(0.04 + WAIT_S)
    assert order.expire(now_s=0.045) == []
    assert [(r.item, r.lost) for r in order.expire(now_s=0.051)] == [(3, 1)]
    assert [(r.item, r.lost) for r in order.add(4, 4, now_s=0.06)] == [(4, 0)]
    assert order.add(2, 2, now_s=0.07) == []
    assert (order.late, order.lost) == (1, 1)


def test_a_stream_that_begins_anew_is_taken_as_it_is() -> None:
    order: Reorder[int] = Reorder()
    order.add(1, 1, now_s=0.0)
    (released,) = order.add(30000, 2, now_s=0.1)
    assert released.anew
    assert released.lost == 0


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), max_size=4))
def test_whatever_the_order_of_arrival_it_comes_out_sorted_and_once(order: list[int], lost: set[int]) -> None:
    engine: Reorder[int] = Reorder()
    out = list(engine.add(65534, -1, now_s=0.0))
    now_s = 0.0
    for n in order:
        if n in lost:
            continue
        now_s += 0.003
        out += engine.add((65535 + n) & 0xFFFF, n, now_s=now_s)
        out += engine.add((65535 + n) & 0xFFFF, n, now_s=now_s)
        assert len(engine._held) < WINDOW
    out += engine.expire(now_s=now_s + 1)
    out += engine.expire(now_s=now_s + 2)
    items = [r.item for r in out]
    assert items == sorted(set(items))
    assert items[-1] + 1 == sum(r.lost for r in out) + len(items) - 1, "each is here or lost"


# Numbering


def test_numbers_go_on_over_sources_rests_and_skipped_ticks() -> None:
    out = Outgoing(payload_type=111, ssrc=5)
    packets = []
    now_s = 10.0
    for source, step in [(1, None), (1, 960), (1, 2880), (2, 960), (2, 960), (1, None)]:
        now_s += 0.02 if step is None else step / RATE
        packets.append(rtp.parse(out.packet(b"x", source=source, step=step, now_s=now_s)))
    rests = []
    for _ in range(100):
        now_s += 0.02
        rests.append(out.rest(b"s", now_s=now_s))
    now_s += 0.02
    packets += [rtp.parse(packet) for packet in rests if packet is not None]
    packets.append(rtp.parse(out.packet(b"y", source=1, step=960, now_s=now_s)))
    heard = [packet for packet in packets if packet is not None]
    assert len(heard) == len(packets)
    assert {rtp.sequence_after(b.sequence, a.sequence) for a, b in pairwise(heard)} == {1}
    ticks = [rtp.timestamp_after(b.timestamp, a.timestamp) for a, b in pairwise(heard)]
    assert [step // 960 for step in ticks[:5]] == [1, 3, 1, 1, 1]
    assert sum(ticks[5:]) == 101 * 960
    assert 10 <= sum(packet is not None for packet in rests) <= 16
    assert [packet.marker for packet in heard] == [True, *[False] * (len(heard) - 2), True]


def test_headers_are_those_that_aiortc_reads() -> None:
    data = rtp.header(payload_type=111, marker=True, sequence=65535, timestamp=2**32 - 1, ssrc=77) + b"opus"
    packet = RtpPacket.parse(data)
    assert (packet.payload_type, packet.marker, packet.sequence_number) == (111, 1, 65535)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (2**32 - 1, 77, b"opus")


def test_headers_with_all_that_may_be_in_them_are_read() -> None:
    extension = bytes([0xBE, 0xDE, 0, 2, 0x30, 65, 0, 0x10, 0x80 | 23, 0, 0, 0])
    data = bytes([0xB1, 0x80 | 96, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2]) + b"csrc" + extension + b"hello" + b"\0\0\3"
    packet = rtp.parse(data, level_id=1)
    assert packet is not None
    assert (packet.marker, packet.payload_type, packet.sequence, packet.level) == (True, 96, 9, 23)
    assert packet.payload == b"hello"


@given(st.binary(max_size=60))
def test_rubbish_is_no_packet(data: bytes) -> None:
    packet = rtp.parse(data, level_id=3)
    assert packet is None or len(packet.payload) <= len(data) - 12


# Reports


def test_reports_say_how_the_microphone_arrives_and_measure_the_way_there_and_back() -> None:
    reports = Reports(ssrc=1, cname="us")
    for n in range(100):
        if n % 10 != 3:
            reports.received(9, n, 960 * n, now_s=100 + 0.02 * n + 0.001 * (n % 2))
    first, names = RtcpPacket.parse(
        reports.compound(packets=5, octets=50, timestamp=4800, now_s=102.0, unix_s=1_700_000_000.0)
    )
    assert isinstance(first, RtcpSrPacket)
    assert (first.sender_info.packet_count, first.sender_info.rtp_timestamp) == (5, 4800)
    (block,) = first.reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost) == (9, 10, 25)
    assert 30 < block.jitter < 60
    assert b"us" in bytes(names)
    lsr = (first.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
    back = RtcpReceiverInfo(
        ssrc=1, fraction_lost=64, packets_lost=3, highest_sequence=0, jitter=0, lsr=lsr, dlsr=65536
    )
    reports.take(RtcpRrPacket(ssrc=2, reports=[back]), now_s=103.08)
    assert reports.rtt_s == pytest.approx(0.08, abs=0.001)
    assert (reports.loss_out, reports.loss_in) == (0.25, pytest.approx(0.1))


# The microphone


def frames(count: int, hz: float = 700.0) -> list[bytes]:
    says, encoder = sine(hz, rate=RATE), Encoder()
    return [encoder.encode(says(n).tobytes()) for n in range(count)]


def heard(packets: list[bytes]) -> list[rtp.Rtp]:
    return [packet for packet in map(rtp.parse, packets) if packet is not None]


def said(n: int, payload: bytes, *, ticks: int = 960) -> rtp.Rtp:
    timestamp = (2**32 - 960 * 5 + ticks * n) & 0xFFFFFFFF
    return rtp.Rtp(111, False, (65500 + n) & 0xFFFF, timestamp, 5, payload, None)


def test_lost_frames_are_repaired_and_long_gaps_left_alone() -> None:
    counts = Counts()
    microphone = Microphone(counts, sequence=10, ssrc=3, offset=1000)
    packets: list[bytes] = []
    now_s = 0.0
    for n, payload in enumerate(frames(100)):
        now_s += 0.02
        packets += microphone.expire(now_s=now_s)
        if n not in (20, 30, 31, *range(50, 60)):
            packets += microphone.packet(said(n, payload), now_s=now_s)
            packets += microphone.expire(now_s=now_s + 0.012)
    out = heard(packets)
    assert [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(out)] == [1] * (len(out) - 1)
    gaps = [rtp.timestamp_after(b.timestamp, a.timestamp) // 960 for a, b in pairwise(out)]
    assert sorted(gaps) == [1] * (len(gaps) - 1) + [8], "of ten frames lost, seven are left to the mixer"
    assert (counts.lost, counts.concealed) == (13, 6)
    sound = np.concatenate([np.frombuffer(one.payload, ">i2") for one in out[5:45]])
    assert level_db(sound, 700, rate=RATE) == pytest.approx(-20, abs=1.5)
    assert rms_db(sound) == pytest.approx(-20, abs=1.5)


@pytest.mark.parametrize("samples", [480, 960, 1920, 2880])
def test_frames_of_any_length_become_20_ms(samples: int) -> None:
    import av

    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.format, codec.layout = RATE, "s16", "mono"  # type: ignore[attr-defined]
    codec.options = {"frame_duration": str(samples * 1000 // RATE)}
    says = sine(700.0, rate=RATE)
    sound = np.concatenate([says(n) for n in range(48)])
    microphone = Microphone(Counts(), sequence=0, ssrc=3, offset=0)
    packets: list[bytes] = []
    for n, at in enumerate(range(0, len(sound), samples)):
        frame = av.AudioFrame.from_ndarray(sound[at : at + samples].reshape(1, -1), "s16", "mono")
        frame.sample_rate = RATE
        for packet in codec.encode(frame):  # type: ignore[attr-defined]
            assert samples_of(bytes(packet)) == samples
            packets += microphone.packet(said(n, bytes(packet), ticks=samples), now_s=0.02 * n)
    out = heard(packets)
    assert 46 <= len(out) <= 48
    assert {len(one.payload) for one in out} == {2 * FRAME_SAMPLES}
    assert {rtp.timestamp_after(b.timestamp, a.timestamp) for a, b in pairwise(out)} == {960}


def test_what_is_no_opus_is_counted_and_skipped() -> None:
    counts = Counts()
    microphone = Microphone(counts, sequence=0, ssrc=3, offset=0)
    good = frames(3)
    assert microphone.packet(said(0, good[0]), now_s=0.0)
    for n, rubbish in enumerate((b"", b"\xff", b"\x03\x3f" + bytes(9)), start=1):
        assert microphone.packet(said(n, rubbish), now_s=0.1) == []
    assert counts.malformed == 3
    assert microphone.packet(said(4, good[1]), now_s=0.2)


def test_a_pause_of_the_browser_stays_a_pause() -> None:
    microphone = Microphone(Counts(), sequence=0, ssrc=3, offset=0)
    first, second = frames(2)
    packets = microphone.packet(said(0, first), now_s=0.0)
    rested = said(1, second)._replace(timestamp=(said(1, second).timestamp + 19 * 960) & 0xFFFFFFFF)
    out = heard(packets + microphone.packet(rested, now_s=0.4))
    assert rtp.timestamp_after(out[1].timestamp, out[0].timestamp) == 20 * 960
    assert len(out) == 2


# Opus


def test_a_lost_packet_is_in_its_successor() -> None:
    """In-band FEC, or concealment where a frame carries none: either way a tone goes on."""
    payloads = frames(30)
    decoder = Decoder()
    for payload in payloads[:20]:
        decoder.decode(payload)
    pcm = np.frombuffer(decoder.recover(payloads[21], FRAME_SAMPLES), np.int16)
    assert len(pcm) == FRAME_SAMPLES
    assert rms_db(pcm) > -26


def test_silence_is_silent_and_small() -> None:
    assert samples_of(silence()) == FRAME_SAMPLES
    assert len(silence()) < 30
    assert rms_db(np.frombuffer(Decoder().decode(silence()), np.int16)) < -80


def test_every_reason_to_drop_is_counted_by_name() -> None:
    counters = Counters()
    counters.drop("srtp")
    counters.microphones.late += 2
    assert set(counters.all_dropped()) == set(DROPS)
    assert (counters.all_dropped()["srtp"], counters.all_dropped()["late"]) == (1, 2)
