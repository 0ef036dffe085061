"""Offer and answer (RFC 3264): which codec, whose turn to speak, what our session description says.

One audio stream is accepted: the first m=audio over plain RTP that is not itself refused; every other
m-line is answered with port 0 (RFC 3264 section 6). Encrypted RTP (SAVP) is refused, as nothing here would
decrypt it. Of the codecs both sides have, preferred ones come first, then the phone's own order.
telephone-event (RFC 4733) is accepted at 8,000 Hz, the RTP clock of all our codecs, G.722's too.

Hold has three spellings, all still met: `sendonly`, `inactive`, and the address 0.0.0.0 of RFC 2543 days.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass

from bridge.media import FRAME_MS, Codec, codec_of_name
from bridge.sip.errors import MalformedSdpError, NoCommonCodecError
from bridge.sip.messages import LocalMedia, Negotiated
from bridge.sip.sdp import Direction, Media, Session

DTMF_PAYLOAD_TYPE = 101
"""telephone-event's number in our own offers."""
_DTMF_CLOCK_HZ = 8000
_PTIME_MS = (10, 60)
_PROTOCOLS = ("RTP/AVP", "RTP/AVPF")
_MIRROR = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Our codecs: which we have, and which are taken before the phone's order counts."""

    codecs: tuple[Codec, ...]
    preferred: tuple[Codec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Our session description and what it means."""

    text: str
    media: Negotiated


class SdpWriter:
    """Our side of one call's descriptions: the session id stays, the version rises with every change.

    RFC 3264 section 8: a description whose version is unchanged must be the same description.
    """

    def __init__(self) -> None:
        self._session_id = secrets.randbits(31)
        self._version = self._session_id
        self._last = ""

    def answer(self, offer: Session, *, local: LocalMedia, preference: Preference) -> Reply:
        """Answer an offer.

        Raises:
            NoCommonCodecError: nothing in the offer that we could accept.
            MalformedSdpError: an accepted stream without an address.
        """
        index, stream = choose_stream(offer)
        codec, payload_type = choose_codecs(stream, preference)[0]
        media = negotiated(stream, codec=codec, payload_type=payload_type)
        direction = _MIRROR[stream.direction]
        if is_unspecified(stream.address):
            direction = Direction.INACTIVE
        lines = []
        for place, other in enumerate(offer.media):
            if place == index:
                port = local.port if stream.port else 0
                lines += _audio(
                    stream.protocol, port, [(codec, payload_type)], media.dtmf_payload_type, direction
                )
            else:
                formats = " ".join(other.raw_formats[:1]) or "0"
                lines.append(f"m={other.kind} 0 {other.protocol} {formats}")
        return Reply(text=self._write(lines, local), media=media)

    def offer(self, *, local: LocalMedia, preference: Preference) -> str:
        """Our own offer, for a phone that leaves it to us."""
        codecs = sorted(preference.codecs, key=lambda codec: codec not in preference.preferred)
        formats = [(codec, codec.payload_type) for codec in codecs]
        return self._write(
            _audio(_PROTOCOLS[0], local.port, formats, DTMF_PAYLOAD_TYPE, Direction.SENDRECV), local
        )

    def _write(self, media_lines: list[str], local: LocalMedia) -> str:
        family = "IP6" if ":" in local.ip else "IP4"
        body = ["s=Tollbridge", f"c=IN {family} {local.ip}", "t=0 0", *media_lines]
        if (text := "\r\n".join(body)) != self._last:
            self._version += 1 if self._last else 0
            self._last = text
        origin = f"o=- {self._session_id} {self._version} IN {family} {local.ip}"
        return "\r\n".join(["v=0", origin, text, ""])


def choose_stream(offer: Session) -> tuple[int, Media]:
    """Index and m-line of the stream to accept; a stream with port 0 only when there is no other.

    Raises:
        NoCommonCodecError: no audio over plain RTP.
    """
    streams = [
        (index, media)
        for index, media in enumerate(offer.media)
        if media.kind == "audio" and media.protocol.upper() in _PROTOCOLS
    ]
    if not streams:
        raise NoCommonCodecError("no audio over RTP/AVP in the offer")
    return next(((index, media) for index, media in streams if media.port), streams[0])


def choose_codecs(stream: Media, preference: Preference) -> list[tuple[Codec, int]]:
    """(codec, payload type) that both sides have, best first, at least one.

    Raises:
        NoCommonCodecError: there is none.
    """
    common: list[tuple[Codec, int]] = []
    for entry in stream.formats:
        codec = codec_of_name(entry.name)
        if codec in preference.codecs and codec is not None and entry.clock_hz == codec.rtp_clock_hz:
            common.append((codec, entry.payload_type))
    if not common:
        raise NoCommonCodecError("no codec in common")
    rank = {codec: place for place, codec in enumerate(preference.preferred)}
    return sorted(common, key=lambda pair: rank.get(pair[0], len(rank)))


def negotiated(stream: Media, *, codec: Codec, payload_type: int) -> Negotiated:
    """What an accepted stream means for the mixer.

    Raises:
        MalformedSdpError: the stream has no address.
    """
    if not stream.address:
        raise MalformedSdpError("the audio stream has no c-line")
    events = [
        entry.payload_type
        for entry in stream.formats
        if entry.name == "TELEPHONE-EVENT" and entry.clock_hz == _DTMF_CLOCK_HZ
    ]
    ptime_ms = stream.ptime_ms or FRAME_MS
    if stream.maxptime_ms is not None:
        ptime_ms = min(ptime_ms, stream.maxptime_ms)
    dead = stream.port == 0 or is_unspecified(stream.address)
    return Negotiated(
        codec=codec,
        payload_type=payload_type,
        dtmf_payload_type=events[0] if events else None,
        remote_ip=stream.address,
        remote_port=stream.port,
        remote_rtcp_port=stream.rtcp_port or min(stream.port + 1, 65535),
        ptime_ms=max(_PTIME_MS[0], min(_PTIME_MS[1], ptime_ms // 10 * 10)),
        send=not dead and stream.direction in (Direction.SENDRECV, Direction.RECVONLY),
        receive=not dead and stream.direction in (Direction.SENDRECV, Direction.SENDONLY),
    )


def is_unspecified(address: str) -> bool:
    """Whether an address is 0.0.0.0 or ::, the old spelling of hold (RFC 3264 section 8.4)."""
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False


def _audio(
    protocol: str, port: int, formats: list[tuple[Codec, int]], events: int | None, direction: Direction
) -> list[str]:
    numbers = [str(number) for _, number in formats] + ([str(events)] if events is not None else [])
    lines = [f"m=audio {port} {protocol} {' '.join(numbers)}"]
    lines += [f"a=rtpmap:{number} {codec.value}/{codec.rtp_clock_hz}" for codec, number in formats]
    if events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/{_DTMF_CLOCK_HZ}", f"a=fmtp:{events} 0-15"]
    return [*lines, f"a=ptime:{FRAME_MS}", f"a={direction.value}"]
