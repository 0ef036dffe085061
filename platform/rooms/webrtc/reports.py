"""RTCP of one peer (RFC 3550 section 6): what we tell it, and what it tells us.

Our compound packet is a sender report with a report block about the microphone, and an SDES with the CNAME.
Jitter after appendix A.8, loss after A.3, round-trip time from LSR and DLSR (section 6.4.1).  aiortc's RTCP
classes do the bytes; its statistics read the wall clock themselves, so these are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

from rooms.webrtc.opus import RATE_HZ
from rooms.webrtc.rtp import sequence_after

NTP_EPOCH_S = 2_208_988_800
"""From 1900 to 1970."""
_CNAME = 1
_JUMP = 3000


def ntp(unix_s: float) -> int:
    """64-bit NTP timestamp."""
    return int((unix_s + NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


@dataclass(slots=True)
class Incoming:
    """Counts of one received stream."""

    ssrc: int
    base: int
    highest: int
    """Extended: with cycles."""
    received: int = 0
    expected_prior: int = 0
    received_prior: int = 0
    jitter_ticks: float = 0.0
    transit: float | None = None

    def add(self, sequence: int, timestamp: int, *, now_s: float) -> None:
        ahead = sequence_after(sequence, self.highest & 0xFFFF)
        if abs(ahead) > _JUMP:
            self.base = self.highest = sequence
            self.received = self.expected_prior = self.received_prior = 0
            self.transit = None
        elif ahead > 0:
            self.highest += ahead
        self.received += 1
        transit = (now_s * RATE_HZ - timestamp) % (1 << 32)
        if self.transit is not None:
            difference = abs((transit - self.transit + (1 << 31)) % (1 << 32) - (1 << 31))
            self.jitter_ticks += (min(difference, 10.0 * RATE_HZ) - self.jitter_ticks) / 16
        self.transit = transit

    @property
    def lost(self) -> int:
        return self.highest - self.base + 1 - self.received

    def fraction_lost(self) -> float | None:
        """Lost since the last call, 0…1; None when nothing was expected."""
        expected = self.highest - self.base + 1
        interval, here = expected - self.expected_prior, self.received - self.received_prior
        self.expected_prior, self.received_prior = expected, self.received
        return max(0.0, (interval - here) / interval) if interval > 0 else None


class Reports:
    """The RTCP of one peer.  now_s: monotonic; unix_s: wall clock, which goes into NTP timestamps."""

    def __init__(self, *, ssrc: int, cname: str) -> None:
        self._ssrc, self._cname = ssrc, cname
        self._incoming: Incoming | None = None
        self._sent: dict[int, float] = {}
        self._heard: tuple[int, float] | None = None
        """LSR of the browser's last sender report, and when it came."""
        self.rtt_s: float | None = None
        self.loss_out: float | None = None
        self.loss_in: float | None = None

    @property
    def jitter_ms(self) -> float | None:
        return None if self._incoming is None else self._incoming.jitter_ticks / (RATE_HZ / 1000)

    def received(self, ssrc: int, sequence: int, timestamp: int, *, now_s: float) -> None:
        """Count a packet of the microphone."""
        incoming = self._incoming
        if incoming is None or incoming.ssrc != ssrc:
            incoming = self._incoming = Incoming(ssrc, sequence, sequence)
        incoming.add(sequence, timestamp, now_s=now_s)

    def take(self, packet: AnyRtcpPacket, *, now_s: float) -> None:
        """What the browser reports."""
        if isinstance(packet, RtcpSrPacket):
            self._heard = ((packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, now_s)
        if isinstance(packet, RtcpSrPacket | RtcpRrPacket):
            for block in packet.reports:
                if block.ssrc != self._ssrc:
                    continue
                self.loss_out = block.fraction_lost / 256
                sent_s = self._sent.get(block.lsr)
                if sent_s is not None:
                    rtt_s = max(0.0, now_s - sent_s - block.dlsr / 65536)
                    self.rtt_s = rtt_s if self.rtt_s is None else 0.7 * self.rtt_s + 0.3 * rtt_s

    def compound(self, *, packets: int, octets: int, timestamp: int, now_s: float, unix_s: float) -> bytes:
        """Our report.  timestamp: RTP time of this very moment."""
        now_ntp = ntp(unix_s)
        self._sent[(now_ntp >> 16) & 0xFFFFFFFF] = now_s
        while len(self._sent) > 8:
            del self._sent[next(iter(self._sent))]
        report = RtcpSrPacket(
            ssrc=self._ssrc,
            sender_info=RtcpSenderInfo(
                ntp_timestamp=now_ntp,
                rtp_timestamp=timestamp,
                packet_count=packets & 0xFFFFFFFF,
                octet_count=octets & 0xFFFFFFFF,
            ),
            reports=self._blocks(now_s),
        )
        names = RtcpSdesPacket(
            chunks=[RtcpSourceInfo(ssrc=self._ssrc, items=[(_CNAME, self._cname.encode())])]
        )
        return bytes(report) + bytes(names)

    def bye(self) -> bytes:
        return bytes(RtcpRrPacket(ssrc=self._ssrc)) + bytes(RtcpByePacket(sources=[self._ssrc]))

    def _blocks(self, now_s: float) -> list[RtcpReceiverInfo]:
        incoming = self._incoming
        if incoming is None:
            return []
        self.loss_in = incoming.fraction_lost()
        lsr, dlsr = 0, 0
        if self._heard is not None:
            lsr = self._heard[0]
            dlsr = min(int((now_s - self._heard[1]) * 65536), 0xFFFFFFFF)
        return [
            RtcpReceiverInfo(
                ssrc=incoming.ssrc,
                fraction_lost=min(255, int((self.loss_in or 0.0) * 256)),
                packets_lost=max(-(1 << 23), min((1 << 23) - 1, incoming.lost)),
                highest_sequence=incoming.highest & 0xFFFFFFFF,
                jitter=int(incoming.jitter_ticks),
                lsr=lsr,
                dlsr=dlsr,
            )
        ]
