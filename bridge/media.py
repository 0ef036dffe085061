"""Words about sound that signalling and mixer share: the codecs a telephone may use with us.

RTP clock, PCM rate and bytes per frame are three different numbers. G.722 is the trap: RFC 3551 section
4.5.2 gives its RTP clock as 8,000 Hz, an old mistake kept for compatibility, although it carries sound
sampled at 16,000 Hz.
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

    @property
    def payload_type(self) -> int:
        """The static RTP payload type (RFC 3551 table 4)."""
        return _STATIC[self]

    @property
    def rtp_clock_hz(self) -> int:
        """Rate of the RTP timestamp, ticks per second."""
        return 8000

    @property
    def pcm_rate_hz(self) -> int:
        """Sampling rate of the decoded sound."""
        return 16000 if self is Codec.G722 else 8000

    @property
    def bytes_per_frame(self) -> int:
        """Encoded bytes of one 20 ms frame; all three codecs are 64 kbit/s."""
        return 8 * FRAME_MS


_STATIC = {Codec.PCMU: 0, Codec.PCMA: 8, Codec.G722: 9}


def codec_of_payload_type(payload_type: int) -> Codec | None:
    """The codec a static payload type means, None for all others."""
    return _BY_PAYLOAD_TYPE.get(payload_type)


def codec_of_name(name: str) -> Codec | None:
    """The codec of an SDP encoding name in any case, None for codecs we do not speak."""
    return _BY_NAME.get(name.upper())


_BY_PAYLOAD_TYPE = {payload_type: codec for codec, payload_type in _STATIC.items()}
_BY_NAME = {codec.value: codec for codec in Codec}
