"""The codecs' facts, and that L16 stays inside the node."""

import pytest

from bridge.media import Codec, codec_of_name, codec_of_payload_type
from bridge.mixer.legs import CODEC_NAMES
from bridge.sip.config import SipConfig
from bridge.sip.errors import NoCommonCodecError
from bridge.sip.messages import LocalMedia
from bridge.sip.negotiation import Preference, SdpWriter
from bridge.sip.sdp import parse_sdp
from tests.phones.sip_message import audio_sdp

LOCAL = LocalMedia(ip="192.0.2.9", port=30000)


@pytest.mark.parametrize(
    ("codec", "pt", "clock_hz", "pcm_hz", "size", "ticks"),
    [
        (Codec.PCMU, 0, 8000, 8000, 160, 160),
        (Codec.PCMA, 8, 8000, 8000, 160, 160),
        (Codec.G722, 9, 8000, 16000, 160, 160),
        (Codec.L16, 96, 48000, 48000, 1920, 960),
    ],
)
def test_clock_rate_and_bytes_are_three_numbers(
    codec: Codec, pt: int, clock_hz: int, pcm_hz: int, size: int, ticks: int
) -> None:
    assert codec.payload_type == pt
    assert (codec.rtp_clock_hz, codec.pcm_rate_hz) == (clock_hz, pcm_hz)
    assert (codec.bytes_per_frame, codec.rtp_ticks_per_frame) == (size, ticks)


def test_the_mixer_knows_every_codec_by_the_same_name() -> None:
    assert [Codec(name) for name in CODEC_NAMES] == list(Codec)


def test_l16_is_found_neither_by_name_nor_by_number() -> None:
    assert codec_of_name("L16") is None
    assert codec_of_name("l16") is None
    assert codec_of_payload_type(96) is None
    assert codec_of_name("pcmu") is Codec.PCMU


@pytest.mark.parametrize("clock", ["L16/48000", "L16/48000/1", "l16/48000", "L16/8000", "L16/44100/2"])
def test_a_telephone_that_offers_l16_is_not_given_it(clock: str) -> None:
    everything = Preference(codecs=tuple(Codec), preferred=(Codec.L16,))
    reply = SdpWriter().answer(
        parse_sdp(audio_sdp(formats=((96, clock), (0, "PCMU/8000")))), local=LOCAL, preference=everything
    )
    assert reply.media.codec is Codec.PCMU
    assert "L16" not in reply.text
    with pytest.raises(NoCommonCodecError):
        SdpWriter().answer(parse_sdp(audio_sdp(formats=((96, clock),))), local=LOCAL, preference=everything)


def test_we_do_not_offer_l16() -> None:
    config = SipConfig(hosts=("127.0.0.1",))
    preference = Preference(codecs=config.codecs, preferred=config.preferred_codecs)
    assert "L16" not in SdpWriter().offer(local=LOCAL, preference=preference)
