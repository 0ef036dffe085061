"""Media messages of one stream laid on an RTP timeline. No I/O.

Theory (RFC 3550 section 5.1).  The mixer's jitter buffer places a packet by its RTP timestamp alone, counts
losses by sequence numbers, and takes packets in any order.  A media message tells `chunk`, which counts
without gaps, and `timestamp` in whole milliseconds, which need not be exact multiples of a frame.  So:

- the RTP sequence number is the chunk: what is late stays late, and a hole is a loss;
- the RTP timestamp goes by the chunk, too, while both agree, so that it moves in exact frames;
- when they differ by more than two and a half frames, sound was left out on purpose (the far end suppresses
  silence, or stopped for a while), and the timeline jumps by whole frames;
- a chunk older than the newest jump is placed by its own timestamp.

Without these fields, in messages that are not of today's protocol, order of arrival is all there is.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80
BYTES_PER_MS = 8
GAP_FRAMES = 2.5


class Timeline:
    def __init__(self, *, ssrc: int) -> None:
        self._ssrc = ssrc
        self._first: tuple[int, int] | None = None  # chunk and ms of the first message
        self._frame_bytes = 0
        self._newest = 0
        self._shift = 0  # frames by which timestamps are ahead of chunks
        self._jumped_at = 0  # chunk from which the shift holds
        self.packets = 0

    def packet(self, payload: bytes, *, chunk: int | None, timestamp_ms: int | None) -> bytes:
        """The RTP packet (PCMU, payload type 0) for one media message."""
        if self._first is None:
            self._frame_bytes = max(1, len(payload))
            self._first = (1 if chunk is None else chunk, 0 if timestamp_ms is None else timestamp_ms)
            self._newest = self._jumped_at = self._first[0]
        number = self._newest + (self.packets > 0) if chunk is None else chunk
        offset, marker = self._place(number, timestamp_ms, len(payload))
        self.packets += 1
        self._newest = max(self._newest, number)
        return (
            _HEADER.pack(
                _VERSION_2,
                _MARKER if marker else 0,
                number & 0xFFFF,
                offset & 0xFFFFFFFF,
                self._ssrc,
            )
            + payload
        )

    def _place(self, number: int, timestamp_ms: int | None, size: int) -> tuple[int, bool]:
        """RTP ticks since the first message, and whether sound begins anew here."""
        assert self._first is not None
        frames = number - self._first[0]
        if timestamp_ms is None:
            return (frames + self._shift) * self._frame_bytes, False
        told = (timestamp_ms - self._first[1]) * BYTES_PER_MS / self._frame_bytes
        if number < self._jumped_at:
            return round(told) * self._frame_bytes, False
        if size != self._frame_bytes:  # whatever comes next is that much further on
            if number >= self._newest:
                self._shift = round(told + size / self._frame_bytes) - frames - 1
                self._jumped_at = number + 1
            return round(told) * self._frame_bytes, False
        ahead = told - frames - self._shift
        jump = abs(ahead) > GAP_FRAMES and number > self._newest
        if jump:
            self._shift += round(ahead)
            self._jumped_at = number
        return (frames + self._shift) * self._frame_bytes, jump
