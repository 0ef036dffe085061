"""Offers of real browsers are understood, rubbish is a sentence."""

from __future__ import annotations

import pytest
from aioice import Candidate
from hypothesis import given, settings
from hypothesis import strategies as st

from rooms.webrtc import sdp
from rooms.webrtc.errors import BadOffer

CHROMIUM = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 7f1c
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 4a1b2c3d-0000-4000-8000-1234567890ab.local 54321 typ host generation 0
a=candidate:2 1 udp 1677729535 198.51.100.7 61000 typ srflx raddr 0.0.0.0 rport 0 generation 0
a=candidate:3 1 tcp 1518280447 198.51.100.7 9 typ host tcptype active generation 0
a=ice-ufrag:kQ0m
a=ice-pwd:2Vb0gCHUnYPT2gqGmCwzDwjv
a=ice-options:trickle
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=sendrecv
a=msid:7f1c 9e0d
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=ssrc:1001 cname:abc
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:kQ0m
a=ice-pwd:2Vb0gCHUnYPT2gqGmCwzDwjv
a=fingerprint:sha-256 FINGERPRINT
a=setup:actpass
a=mid:1
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
""".replace("\n", "\r\n").replace("FINGERPRINT", ":".join(["7B", "8B", "F0", "65"] * 8))


def answered(offer: sdp.Offer) -> str:
    return sdp.answer(
        offer,
        version=1,
        number=42,
        ufrag="abcd",
        password="x" * 22,
        fingerprint="AA:BB",
        role=offer.role,
        candidates=[Candidate("f", 1, "udp", 100, "203.0.113.9", 40000, "host")],
        ssrc=7,
        cname="us",
    )


def test_an_offer_of_chromium_is_understood() -> None:
    offer = sdp.parse(CHROMIUM)
    assert (offer.payload_type, offer.level_id, offer.role, offer.audio) == (111, 1, "client", 0)
    assert (offer.sends, offer.hears, offer.lite, offer.bundled) == (True, True, False, True)
    assert (offer.ufrag, offer.session) == ("kQ0m", "4611731400430051336")
    assert [one.host for one in offer.candidates] == ["198.51.100.7"], "neither names nor TCP"


def test_the_answer_takes_the_sound_and_refuses_the_rest() -> None:
    lines = answered(sdp.parse(CHROMIUM)).split("\r\n")
    assert [line for line in lines if line.startswith("m=")] == [
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111",
        "m=video 0 UDP/TLS/RTP/SAVPF 96",
    ]
    assert "a=group:BUNDLE 0" in lines
    assert "a=setup:active" in lines
    assert "a=candidate:f 1 udp 100 203.0.113.9 40000 typ host" in lines
    opus = next(line for line in lines if line.startswith("a=fmtp:111"))
    assert {"useinbandfec=1", "stereo=0", "usedtx=0", "maxaveragebitrate=40000"} <= set(opus[11:].split(";"))
    assert [line for line in lines if "extmap" in line] == [
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    ]
    assert not any("rtcp-fb" in line for line in lines)


def test_directions_are_answered_from_our_side() -> None:
    for theirs, ours in (("recvonly", "sendonly"), ("sendonly", "recvonly"), ("inactive", "inactive")):
        offer = sdp.parse(CHROMIUM.replace("a=sendrecv", f"a={theirs}", 1))
        assert f"a={ours}\r\n" in answered(offer)
        assert (offer.sends, offer.hears) == (theirs == "sendonly", theirs == "recvonly")


@pytest.mark.parametrize(
    ("change", "to", "about"),
    [
        ("v=0", "v=1", "v=0"),
        ("m=audio", "m=application", "no audio"),
        ("m=audio 9", "m=audio 0", "no audio"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", "encrypted"),
        ("m=audio 9", "m=audio nine", "malformed m="),
        ("a=rtcp-mux", "a=rtcp-nomux", "rtcp-mux"),
        ("a=ice-ufrag:kQ0m", "a=ice-ufrag:k!", "ICE user name"),
        ("a=ice-pwd:2Vb0gCHUnYPT2gqGmCwzDwjv", "a=ice-pwd:short", "ICE user name"),
        ("sha-256", "sha-1", "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", "setup"),
        ("opus/48000/2", "opus/16000", "Opus"),
        ("a=mid:0", "a=mid:0\0 1", "mid"),
    ],
)
def test_what_is_wrong_is_said(change: str, to: str, about: str) -> None:
    assert change in CHROMIUM
    with pytest.raises(BadOffer, match=about):
        sdp.parse(CHROMIUM.replace(change, to))


def test_size_sections_and_candidates_are_limited() -> None:
    with pytest.raises(BadOffer, match="longer"):
        sdp.parse(CHROMIUM + "a=x\r\n" * 10_000)
    with pytest.raises(BadOffer, match="sections"):
        sdp.parse(CHROMIUM + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 20)
    line = "a=candidate:2 1 udp 1677729535 198.51.100.7 61000 typ srflx raddr 0.0.0.0 rport 0\r\n"
    many = "".join(line.replace("61000", str(port)) for port in range(1000, 1100))
    assert len(sdp.parse(CHROMIUM.replace("a=ice-options", many + "a=ice-options")).candidates) == 20


@pytest.mark.parametrize(
    "host", ["224.0.0.1", "0.0.0.0", "ff02::1", "255.255.255.255", "example.org", "1.2.3"]
)
def test_candidates_that_are_no_single_address_are_left_out(host: str) -> None:
    assert sdp.parse(CHROMIUM.replace("198.51.100.7", host)).candidates == ()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_rubbish_never_crashes(data: st.DataObject) -> None:
    lines = CHROMIUM.split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        what = data.draw(st.sampled_from(["drop", "cut", "text", "twice"]))
        if what == "drop" and len(lines) > 1:
            del lines[at]
        elif what == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, 40))]
        elif what == "twice":
            lines.insert(at, lines[-1 - at])
        else:
            lines[at] = lines[at][: data.draw(st.integers(0, 20))] + data.draw(st.text(max_size=30))
    try:
        offer = sdp.parse("\r\n".join(lines))
    except BadOffer:
        pass
    else:
        answer = answered(offer)
        assert answer.count("m=") >= len(offer.sections)
        assert all(line[1:2] == "=" for line in answer.split("\r\n")[:-1]), "no line of theirs breaks ours"
