"""A browser's Opus packets become L16 packets for its mixer leg (RFC 3551 section 4.5.11, 48 kHz, PT 96).

One object per stretch of speaking: it is made when the peer may speak and thrown away when it may not, so
nothing from before can play after, and the decoder begins fresh.  Timestamps are carried over with a fixed
offset: the mixer's adaptive jitter buffer does all timing.  Frames are always 960 samples: longer Opus
packets are cut, shorter ones collected.

Lost packets: the last of a gap comes from the FEC of the packet after it, up to two before that are made up
by the decoder; more is left to the mixer.  A gap in timestamps without one in sequence numbers is a browser
that rests (DTX), and stays a gap.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np

from rooms.webrtc.opus import FRAME_SAMPLES, Decoder, samples_of
from rooms.webrtc.reorder import Released, Reorder
from rooms.webrtc.rtp import L16_PAYLOAD_TYPE, Rtp, header, timestamp_after

_CONCEAL_MAX = 3


class Counts:
    """Shared by all microphones of the process."""

    __slots__ = ("concealed", "decodes", "late", "lost", "malformed")

    def __init__(self) -> None:
        self.decodes = self.concealed = self.late = self.lost = self.malformed = 0


class Out(NamedTuple):
    """Identity of the L16 stream of one peer at one source; survives stretches of silence."""

    ssrc: int
    offset: int


class Microphone:
    def __init__(self, counts: Counts, *, sequence: int, ssrc: int, offset: int) -> None:
        """sequence: number of the first L16 packet; offset: added to the browser's timestamps."""
        self._counts = counts
        self.sequence = sequence
        self._ssrc, self._offset = ssrc, offset
        self._reorder: Reorder[Rtp] = Reorder()
        self._decoder = Decoder()
        self._source_ssrc: int | None = None
        self._pending = b""
        self._pending_timestamp = 0
        self._expected: int | None = None
        """Browser's timestamp right after the sound decoded last."""
        self._marker = True

    def packet(self, rtp: Rtp, *, now_s: float) -> list[bytes]:
        """RTP packets for the mixer, as many as can be made now."""
        if rtp.ssrc != self._source_ssrc:
            self._source_ssrc = rtp.ssrc
            self._reorder = Reorder()
        late = self._reorder.late
        released = self._reorder.add(rtp.sequence, rtp, now_s=now_s)
        self._counts.late += self._reorder.late - late
        return self._decode(released)

    def deadline_s(self) -> float | None:
        return self._reorder.deadline_s()

    def expire(self, *, now_s: float) -> list[bytes]:
        """What was held back long enough."""
        return self._decode(self._reorder.expire(now_s=now_s))

    def _decode(self, released: list[Released[Rtp]]) -> list[bytes]:
        packets: list[bytes] = []
        for rtp, lost, anew in released:
            samples = samples_of(rtp.payload)
            if not samples:
                self._counts.malformed += 1
                continue
            if anew:
                self._decoder = Decoder()
                self._expected, self._pending, self._marker = None, b"", True
            if lost:
                self._counts.lost += lost
                packets += self._fill(rtp, samples, lost)
            pcm = self._decoder.decode(rtp.payload)
            if not pcm:
                self._counts.malformed += 1
                continue
            self._counts.decodes += 1
            packets += self._emit(pcm, rtp.timestamp)
        return packets

    def _fill(self, rtp: Rtp, samples: int, lost: int) -> list[bytes]:
        """Sound for packets that were lost just before this one."""
        missing = samples * lost if self._expected is None else timestamp_after(rtp.timestamp, self._expected)
        frames = min(lost, missing // samples, _CONCEAL_MAX)
        packets: list[bytes] = []
        for before in range(frames, 0, -1):
            pcm = (
                self._decoder.recover(rtp.payload, samples) if before == 1 else self._decoder.conceal(samples)
            )
            self._counts.concealed += 1
            packets += self._emit(pcm, (rtp.timestamp - before * samples) & 0xFFFFFFFF)
        return packets

    def _emit(self, pcm: bytes, timestamp: int) -> list[bytes]:
        if self._pending and timestamp == self._expected:
            pcm, timestamp = self._pending + pcm, self._pending_timestamp
        self._pending = b""
        big = np.frombuffer(pcm, np.int16).astype(">i2").tobytes()
        packets: list[bytes] = []
        size = 2 * FRAME_SAMPLES
        whole = len(big) - len(big) % size
        for at in range(0, whole, size):
            packets.append(self._rtp(big[at : at + size], timestamp))
            timestamp = (timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self._pending, self._pending_timestamp = pcm[whole:], timestamp
        self._expected = (timestamp + (len(pcm) - whole) // 2) & 0xFFFFFFFF
        return packets

    def _rtp(self, payload: bytes, timestamp: int) -> bytes:
        marker, self._marker = self._marker, False
        head = header(
            payload_type=L16_PAYLOAD_TYPE,
            marker=marker,
            sequence=self.sequence,
            timestamp=(timestamp + self._offset) & 0xFFFFFFFF,
            ssrc=self._ssrc,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        return head + payload


def new_out() -> Out:
    """A stream identity nobody can guess."""
    return Out(secrets.randbits(32), secrets.randbits(32))
