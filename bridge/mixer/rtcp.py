"""RTCP sender and receiver reports, and the round-trip time in them (RFC 3550 §6.4, §6.5).

Each leg gets a compound packet (SR with one report block, SDES with a CNAME) every five seconds, spread
over the ticks.  What legs send us gives the round-trip time: A − LSR − DLSR (§6.4.1), in units of 1/65536 s.
"""

import struct
from dataclasses import dataclass

_NTP_EPOCH = 2_208_988_800
_SR, _RR, _SDES = 200, 201, 202


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBlock:
    """What is said about one received stream (§6.4.1)."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest_seq: int
    jitter: int
    last_sr: int
    delay_since_sr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What matters of a received compound packet."""

    ssrc: int
    sender_ntp: int | None
    """Middle 32 bits of the NTP time in the SR, or None in an RR."""
    blocks: tuple[ReportBlock, ...]


def ntp_middle(realtime_ns: int) -> int:
    """Middle 32 bits of the NTP timestamp of a CLOCK_REALTIME instant."""
    seconds, rest = divmod(realtime_ns, 1_000_000_000)
    return (((seconds + _NTP_EPOCH) & 0xFFFF) << 16) | (rest << 16) // 1_000_000_000


def build(
    *,
    ssrc: int,
    realtime_ns: int,
    rtp_timestamp: int,
    packets: int,
    octets: int,
    block: ReportBlock | None,
    cname: bytes,
) -> bytes:
    """A compound packet of SR (or of RR when nothing was sent yet) and SDES CNAME."""
    report = b""
    if block is not None:
        report = struct.pack(
            ">IIIIII",
            block.ssrc,
            (block.fraction_lost << 24) | (max(-0x800000, min(0x7FFFFF, block.lost)) & 0xFFFFFF),
            block.highest_seq & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_sr,
            block.delay_since_sr & 0xFFFFFFFF,
        )
    count = 1 if report else 0
    if packets:
        seconds, rest = divmod(realtime_ns, 1_000_000_000)
        body = struct.pack(
            ">IIIIII",
            ssrc,
            (seconds + _NTP_EPOCH) & 0xFFFFFFFF,
            (rest << 32) // 1_000_000_000,
            rtp_timestamp,
            packets & 0xFFFFFFFF,
            octets & 0xFFFFFFFF,
        )
        kind = _SR
    else:
        body, kind = struct.pack(">I", ssrc), _RR
    body += report
    first = struct.pack(">BBH", 0x80 | count, kind, len(body) // 4) + body
    item = struct.pack(">IBB", ssrc, 1, len(cname)) + cname + b"\0"
    item += bytes(-len(item) % 4)
    return first + struct.pack(">BBH", 0x81, _SDES, len(item) // 4) + item


def parse(data: bytes) -> Heard | None:
    """The reports of a compound packet; None when it is not RTCP or holds none (§6.1, A.2)."""
    ssrc, sender_ntp = None, None
    blocks: list[ReportBlock] = []
    at = 0
    while len(data) - at >= 8:
        first, kind, words = struct.unpack_from(">BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            return None
        if kind in (_SR, _RR):
            start = at + 8 + (20 if kind == _SR else 0)
            if start + 24 * (first & 31) > end:
                return None
            (ssrc,) = struct.unpack_from(">I", data, at + 4)
            if kind == _SR:
                high, low = struct.unpack_from(">II", data, at + 8)
                sender_ntp = ((high & 0xFFFF) << 16) | (low >> 16)
            for i in range(first & 31):
                fields = struct.unpack_from(">IIIIII", data, start + 24 * i)
                about, loss, highest, jitter, last, delay = fields
                lost = loss & 0xFFFFFF
                blocks.append(
                    ReportBlock(
                        ssrc=about,
                        fraction_lost=loss >> 24,
                        lost=lost - 0x1000000 if lost & 0x800000 else lost,
                        highest_seq=highest,
                        jitter=jitter,
                        last_sr=last,
                        delay_since_sr=delay,
                    )
                )
        at = end
    if ssrc is None:
        return None
    return Heard(ssrc=ssrc, sender_ntp=sender_ntp, blocks=tuple(blocks))


def round_trip_ms(block: ReportBlock, arrival_middle: int) -> float | None:
    """Round-trip time told by a report block that arrived at `ntp_middle(...)`; None if it cannot be."""
    if block.last_sr == 0:
        return None
    units = (arrival_middle - block.last_sr - block.delay_since_sr) & 0xFFFFFFFF
    milliseconds = units * 1000 / 65536
    return milliseconds if milliseconds < 10_000 else None  # a negative difference wraps to hours
