"""Session descriptions: what is accepted, what is answered, hold in all its spellings."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.media import Codec
from bridge.sip.errors import MalformedSdpError, NoCommonCodecError, RemoteError
from bridge.sip.messages import LocalMedia
from bridge.sip.negotiation import Preference, Reply, SdpWriter
from bridge.sip.sdp import Direction, parse_sdp
from tests.phones.sip_message import audio_sdp

LOCAL = LocalMedia(ip="192.0.2.9", port=30000)
ALL = Preference(codecs=(Codec.G722, Codec.PCMA, Codec.PCMU), preferred=(Codec.G722,))
PLAIN = Preference(codecs=(Codec.G722, Codec.PCMA, Codec.PCMU), preferred=())


def answer(text: str, preference: Preference = ALL) -> Reply:
    return SdpWriter().answer(parse_sdp(text), local=LOCAL, preference=preference)


def sdp(*lines: str) -> str:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *lines, ""])


def test_g722_is_preferred_and_then_the_order_of_the_phone() -> None:
    offer = audio_sdp(formats=((0, "PCMU/8000"), (9, "G722/8000"), (8, "PCMA/8000")))
    assert answer(offer).media.codec is Codec.G722
    assert answer(offer, PLAIN).media.codec is Codec.PCMU
    assert answer(audio_sdp(formats=((8, "PCMA/8000"), (0, "PCMU/8000")))).media.codec is Codec.PCMA


def test_static_payload_types_need_no_rtpmap() -> None:
    reply = answer(sdp("c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 18 8 0"))
    assert (reply.media.codec, reply.media.payload_type) == (Codec.PCMA, 8)
    assert reply.media.dtmf_payload_type is None
    assert "m=audio 30000 RTP/AVP 8\r\n" in reply.text


def test_the_phones_payload_numbers_are_used() -> None:
    reply = answer(audio_sdp(formats=((100, "g722/8000/1"), (97, "Telephone-Event/8000"))))
    assert (reply.media.payload_type, reply.media.dtmf_payload_type) == (100, 97)
    assert "a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\n" in reply.text


def test_telephone_event_at_another_clock_is_not_taken() -> None:
    reply = answer(audio_sdp(formats=((9, "G722/8000"), (97, "telephone-event/16000"))))
    assert reply.media.dtmf_payload_type is None
    assert "telephone-event" not in reply.text


@pytest.mark.parametrize(
    ("direction", "send", "receive", "answered"),
    [
        ("sendrecv", True, True, "sendrecv"),
        ("sendonly", False, True, "recvonly"),
        ("recvonly", True, False, "sendonly"),
        ("inactive", False, False, "inactive"),
    ],
)
def test_hold(direction: str, send: bool, receive: bool, answered: str) -> None:
    reply = answer(audio_sdp(direction=direction))
    assert (reply.media.send, reply.media.receive) == (send, receive)
    assert reply.text.endswith(f"a={answered}\r\n")


def test_hold_by_address_zero() -> None:
    reply = answer(audio_sdp().replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"))
    assert (reply.media.send, reply.media.receive) == (False, False)
    assert reply.text.endswith("a=inactive\r\n")


def test_media_level_values_win_over_session_level_ones() -> None:
    session = parse_sdp(
        sdp("c=IN IP4 192.0.2.1", "a=inactive", "m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.2", "a=sendonly")
    )
    assert (session.media[0].address, session.media[0].direction) == ("192.0.2.2", Direction.SENDONLY)


def test_other_streams_are_refused_in_their_place() -> None:
    offer = sdp(
        "c=IN IP4 192.0.2.1",
        "m=video 5000 RTP/AVP 96",
        "m=audio 5004 RTP/SAVP 0",
        "m=audio 5002 RTP/AVP 0",
        "m=application 9 UDP/BFCP *",
        "m=audio 5006 RTP/AVP 8",
    )
    reply = answer(offer)
    m_lines = [line for line in reply.text.split("\r\n") if line.startswith("m=")]
    assert m_lines == [
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 30000 RTP/AVP 0",
        "m=application 0 UDP/BFCP *",
        "m=audio 0 RTP/AVP 8",
    ]
    assert reply.media.remote_port == 5002


@pytest.mark.parametrize(
    "offer",
    [
        audio_sdp(formats=((3, "GSM/8000"), (18, "G729/8000"))),
        audio_sdp(formats=((101, "telephone-event/8000"),)),
        audio_sdp().replace("RTP/AVP", "RTP/SAVP"),
        audio_sdp().replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"),
        audio_sdp().replace("m=audio", "m=video"),
        sdp("c=IN IP4 192.0.2.1", "t=0 0"),
        audio_sdp(formats=((96, "PCMU/16000"),)),
        audio_sdp(formats=((96, "PCMU/8000/2"),)),
    ],
)
def test_offers_with_nothing_for_us(offer: str) -> None:
    with pytest.raises(NoCommonCodecError):
        answer(offer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=1\r\n",
        "v=0\r\nm=audio\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 70000 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio -1 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 300\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP x\r\n",
        "v=0\r\nc=IN IP4\r\nm=audio 4000 RTP/AVP 0\r\n",
        "v=0\r\nc=IN IP4 !!\r\nm=audio 4000 RTP/AVP 0\r\n",
        "v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        "v=0\r\nnonsense\r\n",
        "v=0\r\n" + "m=audio 1 RTP/AVP 0\r\n" * 100,
        "v=0\r\n" + "a=x\r\n" * 10000,
    ],
)
def test_malformed_descriptions(text: str) -> None:
    with pytest.raises(MalformedSdpError):
        answer(text)


def test_sloppy_line_ends_and_blanks_are_read() -> None:
    text = audio_sdp().replace("\r\n", "\n").replace("a=sendrecv", "a=sendrecv  ") + "\n\n"
    assert answer(text).media.codec is Codec.PCMU


def test_ipv6() -> None:
    local = LocalMedia(ip="2001:db8::9", port=30000)
    reply = SdpWriter().answer(parse_sdp(audio_sdp(ip="2001:db8::1")), local=local, preference=ALL)
    assert reply.media.remote_ip == "2001:db8::1"
    assert "c=IN IP6 2001:db8::9\r\n" in reply.text
    assert " IN IP6 2001:db8::9\r\n" in reply.text.split("\r\n")[1] + "\r\n"


def test_rtcp_attribute_and_default() -> None:
    assert answer(audio_sdp(port=4000)).media.remote_rtcp_port == 4001
    assert answer(audio_sdp(extra=("a=rtcp:5555 IN IP4 192.0.2.3",))).media.remote_rtcp_port == 5555
    assert answer(audio_sdp(extra=("a=rtcp:99999",), port=4000)).media.remote_rtcp_port == 4001


def test_rtcp_mux_and_encryption_are_not_accepted() -> None:
    reply = answer(audio_sdp(extra=("a=rtcp-mux", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc")))
    assert "rtcp-mux" not in reply.text
    assert "crypto" not in reply.text


@pytest.mark.parametrize(
    ("line", "ptime_ms"),
    [("a=ptime:20", 20), ("a=ptime:30", 30), ("a=ptime:60", 60), ("a=ptime:240", 60), ("a=ptime:5", 10),
     ("a=ptime:abc", 20), ("a=maxptime:10", 10), ("a=ptime:0", 20)],
)  # fmt: skip
def test_packet_length(line: str, ptime_ms: int) -> None:
    assert answer(audio_sdp(extra=(line,))).media.ptime_ms == ptime_ms


def test_a_refused_stream_is_neither_sent_nor_heard() -> None:
    reply = answer(audio_sdp(port=0))
    assert (reply.media.send, reply.media.receive) == (False, False)
    assert "m=audio 0 " in reply.text


def version(text: str) -> tuple[str, int]:
    words = text.split("\r\n")[1].split()
    return words[1], int(words[2])


def test_the_version_rises_with_every_change_and_only_then() -> None:
    writer = SdpWriter()
    first = writer.answer(parse_sdp(audio_sdp()), local=LOCAL, preference=ALL).text
    same = writer.answer(parse_sdp(audio_sdp(version=2)), local=LOCAL, preference=ALL).text
    held = writer.answer(parse_sdp(audio_sdp(direction="sendonly")), local=LOCAL, preference=ALL).text
    assert first == same
    assert version(held) == (version(first)[0], version(first)[1] + 1)


def test_our_own_offer_names_everything_we_speak() -> None:
    text = SdpWriter().offer(local=LOCAL, preference=ALL)
    assert "m=audio 30000 RTP/AVP 9 8 0 101\r\n" in text
    assert "a=rtpmap:9 G722/8000\r\n" in text


@given(st.text(alphabet="vomcast=0123456789 \r\n:/.INP4RTAV", max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(RemoteError):
        answer("v=0\r\n" + text)


@given(st.permutations([0, 8, 9, 3, 18, 101]), st.integers(0, 6))
def test_the_answer_holds_one_codec_of_the_offer(order: list[int], count: int) -> None:
    names = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 3: "GSM/8000", 18: "G729/8000",
             101: "telephone-event/8000"}  # fmt: skip
    chosen = tuple((number, names[number]) for number in order[:count])
    ours = [number for number, _ in chosen if number in (0, 8, 9)]
    try:
        media = answer(audio_sdp(formats=chosen), PLAIN).media
    except NoCommonCodecError:
        assert not ours
        return
    assert media.payload_type == ours[0]
    assert (media.dtmf_payload_type == 101) == (101 in order[:count])
