"""Words about sound that signalling and mixer share: the codecs a leg may use with us.

RTP clock, PCM rate and bytes per frame are three different numbers. G.722 is the trap: RFC 3551 section
4.5.2 gives its RTP clock as 8,000 Hz, an old mistake kept for compatibility, although it carries sound
sampled at 16,000 Hz.

L16 (RFC 3551 section 4.5.11: linear samples of 16 bits, network byte order) at 48 kHz in one channel is how
browsers' sound travels inside a node, between the WebRTC process and the mixer. It is never spoken of with a
telephone: no look-up here finds it by name or by number.
"""

from __future__ import annotations

from enum import StrEnum

FRAME_MS = 20
"""Length of one mixer frame in milliseconds."""


class Codec(StrEnum):
    """A codec by its SDP encoding name (RFC 3551 table 4)."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"
    L16 = "L16"

    @property
    def payload_type(self) -> int:
        """The static RTP payload type (RFC 3551 table 4); of L16 the dynamic one that a node uses inside."""
        return _PAYLOAD_TYPE[self]

    @property
    def rtp_clock_hz(self) -> int:
        """Rate of the RTP timestamp, ticks per second."""
        return 48000 if self is Codec.L16 else 8000

    @property
    def pcm_rate_hz(self) -> int:
        """Sampling rate of the decoded sound."""
        return _PCM_RATE_HZ[self]

    @property
    def bytes_per_frame(self) -> int:
        """Encoded bytes of one 20 ms frame: 64 kbit/s in all codecs of telephones, 768 kbit/s in L16."""
        return 96 * FRAME_MS if self is Codec.L16 else 8 * FRAME_MS

    @property
    def rtp_ticks_per_frame(self) -> int:
        """What the RTP timestamp advances in one 20 ms frame."""
        return self.rtp_clock_hz * FRAME_MS // 1000


_STATIC = {Codec.PCMU: 0, Codec.PCMA: 8, Codec.G722: 9}
_PAYLOAD_TYPE = _STATIC | {Codec.L16: 96}
_PCM_RATE_HZ = {Codec.PCMU: 8000, Codec.PCMA: 8000, Codec.G722: 16000, Codec.L16: 48000}


def codec_of_payload_type(payload_type: int) -> Codec | None:
    """The telephone codec a static payload type means, None for all others."""
    return _BY_PAYLOAD_TYPE.get(payload_type)


def codec_of_name(name: str) -> Codec | None:
    """The telephone codec of an SDP encoding name in any case, None for those we do not speak with phones."""
    return _BY_NAME.get(name.upper())


_BY_PAYLOAD_TYPE = {payload_type: codec for codec, payload_type in _STATIC.items()}
_BY_NAME = {codec.value: codec for codec in _STATIC}
