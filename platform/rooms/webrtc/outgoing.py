"""The one RTP stream that a browser hears, whichever source it comes from.

Sequence numbers count packets, timestamps count time (RFC 7587 section 4.1: 48,000 a second whatever is
coded), and neither knows of sources: when a peer is given another source, or none, the next packet is simply
the next.  That needs no negotiation, and the browser's jitter buffer sees no break.

How far a timestamp advances: by the source's own step while the same source goes on (so that a tick the
mixer skipped is a gap here too); by the clock, in whole frames, when the source is another or began anew.

Without a source the stream rests as Opus itself rests (DTX, RFC 7587 section 3.1.3): a few frames of
silence, then one every 400 ms; the marker bit is on the first packet after a rest.  Resting costs a twentieth
of hearing.
"""

from __future__ import annotations

import secrets

from rooms.webrtc.opus import FRAME_SAMPLES, RATE_HZ
from rooms.webrtc.rtp import header

_SETTLE_FRAMES = 10
_REST_FRAMES = 20


class Outgoing:
    def __init__(self, *, payload_type: int, ssrc: int) -> None:
        self.payload_type = payload_type
        self.ssrc = ssrc
        self._sequence = secrets.randbits(15)  # lower half: see aiortc on early wraps and SRTP
        self._timestamp = secrets.randbits(32)
        self._source: int | None = None
        self._sent_s: float | None = None
        self._rested = 0
        self.packets = self.octets = 0

    def packet(self, payload: bytes, *, source: int, step: int | None, now_s: float) -> bytes:
        """The next RTP packet with a frame of a source.

        step: ticks since the source's frame before, None when it began anew.
        """
        if source != self._source or step is None:
            step = self._elapsed(now_s)
            self._source = source
        marker = self._rested > _SETTLE_FRAMES or self._sent_s is None
        self._rested = 0
        return self._next(payload, step, marker, now_s)

    def rest(self, silence: bytes, *, now_s: float) -> bytes | None:
        """Called each 20 ms while there is no source: a packet now and then."""
        self._source = None
        self._rested += 1
        if self._rested > _SETTLE_FRAMES and self._rested % _REST_FRAMES:
            return None
        return self._next(silence, self._elapsed(now_s), False, now_s)

    def timestamp_at(self, now_s: float) -> int:
        """The RTP time of a moment, for sender reports."""
        ahead = 0 if self._sent_s is None else int((now_s - self._sent_s) * RATE_HZ)
        return (self._timestamp + ahead) & 0xFFFFFFFF

    def _elapsed(self, now_s: float) -> int:
        if self._sent_s is None:
            return FRAME_SAMPLES
        return FRAME_SAMPLES * max(1, round((now_s - self._sent_s) * RATE_HZ / FRAME_SAMPLES))

    def _next(self, payload: bytes, step: int, marker: bool, now_s: float) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + step) & 0xFFFFFFFF
        self._sent_s = now_s
        self.packets += 1
        self.octets += len(payload)
        return (
            header(
                payload_type=self.payload_type,
                marker=marker,
                sequence=self._sequence,
                timestamp=self._timestamp,
                ssrc=self.ssrc,
            )
            + payload
        )
