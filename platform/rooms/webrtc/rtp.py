"""RTP headers (RFC 3550 section 5.1) and the arithmetic of numbers that wrap.

Only what the two streams of a peer need: fixed header, CSRCs and extensions skipped, padding removed, and
the one header extension that is of use here, the sender's own audio level (RFC 6464, one-byte form of RFC
8285: 0 is full scale, 127 silence).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct("!BBHII")
HEADER_BYTES = 12
L16_PAYLOAD_TYPE = 96
_ONE_BYTE_PROFILE = 0xBEDE


class Rtp(NamedTuple):
    """A received packet; a named tuple because one is made for every packet."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    level: int | None
    """Audio level by the sender, -dBov, 0…127."""


def parse(data: bytes, *, level_id: int | None = None) -> Rtp | None:
    """A packet, or None when it is no RTP.  level_id: number of the audio level extension."""
    size = len(data)
    if size < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    at = HEADER_BYTES + 4 * (first & 15)
    level = None
    if first & 16:
        if size < at + 4:
            return None
        profile, words = struct.unpack_from("!HH", data, at)
        end = at + 4 + 4 * words
        if size < end:
            return None
        if level_id is not None and profile == _ONE_BYTE_PROFILE:
            level = _level(data, at + 4, end, level_id)
        at = end
    end = size
    if first & 32:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    if end < at:
        return None
    return Rtp(second & 127, second > 127, sequence, timestamp, ssrc, data[at:end], level)


def _level(data: bytes, at: int, end: int, wanted: int) -> int | None:
    while at < end:
        head = data[at]
        number, size = head >> 4, (head & 15) + 1
        if head == 0:
            at += 1
        elif number == 15:
            return None
        elif number == wanted and at + 1 < end:
            return data[at + 1] & 127
        else:
            at += 1 + size
    return None


def header(*, payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """A fixed header without extensions."""
    return _HEADER.pack(0x80, payload_type | (marker << 7), sequence, timestamp, ssrc)


def sequence_after(later: int, earlier: int) -> int:
    """How many packets `later` comes after `earlier`, -32768…32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def timestamp_after(later: int, earlier: int) -> int:
    """How many ticks `later` comes after `earlier`, -2^31…2^31-1."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000
