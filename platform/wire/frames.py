"""Frames on a pipe: a 4-byte little-endian length, then a MessagePack list of tagged msgspec structs.

A list per frame, not a message: whatever is due at one moment crosses in one system call.  The length is
checked before anything is kept, so that a stream that is not ours cannot make the reader collect gigabytes.

    WireError
    └── FrameTooLong    the other end claims a frame larger than the limit
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

FRAME_BYTES_MAX = 64 << 20
_LENGTH_BYTES = 4

_encoder = msgspec.msgpack.Encoder()


class WireError(Exception):
    """Root of the package's errors."""


class FrameTooLong(WireError):  # noqa: N818 - says what is the matter
    """A frame is larger than the reader's limit."""


def frame(messages: Sequence[msgspec.Struct]) -> bytes:
    """One frame."""
    body = _encoder.encode(messages)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


class FrameReader:
    """Cuts a byte stream into the bodies of frames."""

    def __init__(self, *, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._bytes_max = bytes_max

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies that are complete now.  Raises FrameTooLong."""
        self._buffer += data
        bodies: list[bytes] = []
        while len(self._buffer) >= _LENGTH_BYTES:
            size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "little")
            if size > self._bytes_max:
                raise FrameTooLong(f"a frame of {size} bytes; the limit is {self._bytes_max}")
            end = _LENGTH_BYTES + size
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[_LENGTH_BYTES:end]))
            del self._buffer[:end]
        return bodies
