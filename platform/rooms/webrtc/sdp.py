"""Offers read with suspicion (RFC 8866, 8829, 8839, 8842, 7587), answers written.

An offer comes from whoever opened the page, so everything here is bounded and everything wrong is a sentence
(`BadOffer`), never a crash.  One audio section with Opus is accepted; all other sections (video, data, a
second microphone) are refused with port 0 as RFC 3264 section 6 says.  Only the first CANDIDATES_MAX usable
candidates count: each makes us send checks to an address that somebody else chose.  Names instead of
addresses (mDNS, which Chromium uses before a microphone is granted) are left out: the browser's own checks
tell where it is (peer-reflexive candidates, RFC 8445 section 7.3.1.3), without multicast.

No header extension but the audio level (RFC 6464) and no feedback but plain RTCP are accepted, since every
byte and packet would cost per listener.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from aioice import Candidate

from rooms.webrtc.errors import BadOffer
from rooms.webrtc.opus import BITRATE_BPS

OFFER_BYTES_MAX = 32 << 10
SECTIONS_MAX = 16
CANDIDATES_MAX = 20
LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]{1,64}")
_FINGERPRINT = re.compile(
    r"(sha-256|sha-384|sha-512) ((?:[0-9A-Fa-f]{2}:){31,63}[0-9A-Fa-f]{2})", re.IGNORECASE
)
_MEDIA = re.compile(r"m=([a-z]{1,20}) (\d{1,5})(?:/\d{1,3})? ([A-Za-z/]{1,40}) (.{1,1000})")
_RTPMAP = re.compile(r"rtpmap:(\d{1,3}) opus/48000/2", re.IGNORECASE)
_EXTMAP = re.compile(r"extmap:(\d{1,2})(?:/\w+)? (\S+)")
_PROFILES = {"UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP"}
_DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}
_OUR_ROLE = {"actpass": "client", "passive": "client", "active": "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """An m= section, as far as an answer must repeat it."""

    kind: str
    profile: str
    formats: str
    mid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    session: str
    """Number of the browser's session (o=): another one is another RTCPeerConnection."""
    sections: tuple[Section, ...]
    audio: int
    """Index of the section that is accepted."""
    bundled: bool
    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]
    """(algorithm, value) in lower and upper case."""
    role: str
    """Our DTLS role: "client" or "server"."""
    direction: str
    """The browser's direction."""
    payload_type: int
    level_id: int | None
    lite: bool
    candidates: tuple[Candidate, ...]

    @property
    def sends(self) -> bool:
        """Whether the browser may send sound."""
        return self.direction in ("sendrecv", "sendonly")

    @property
    def hears(self) -> bool:
        """Whether the browser takes sound."""
        return self.direction in ("sendrecv", "recvonly")


@dataclass(slots=True)
class _Lines:
    """Attributes of the session or of one section."""

    media: re.Match[str] | None = None
    attributes: list[str] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        prefix = f"{name}:"
        return next((a[len(prefix) :].strip() for a in self.attributes if a.startswith(prefix)), None)

    def values(self, name: str) -> list[str]:
        prefix = f"{name}:"
        return [a[len(prefix) :].strip() for a in self.attributes if a.startswith(prefix)]


def parse(sdp: str) -> Offer:
    """Read an offer.  Raises BadOffer."""
    if len(sdp) > OFFER_BYTES_MAX:
        raise BadOffer(f"The offer is longer than {OFFER_BYTES_MAX} characters.")
    origin, session, sections = _split(sdp)
    index = next((i for i, one in enumerate(sections) if _is_audio(one)), None)
    if index is None:
        raise BadOffer("The offer has no audio section.")
    audio = sections[index]
    assert audio.media is not None
    if audio.media[3] not in _PROFILES:
        raise BadOffer("The audio section is not encrypted RTP with feedback (UDP/TLS/RTP/SAVPF).")
    if "rtcp-mux" not in audio.attributes:
        raise BadOffer("The audio section does not multiplex RTCP (a=rtcp-mux).")
    ufrag, password = (audio.value(name) or session.value(name) or "" for name in ("ice-ufrag", "ice-pwd"))
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise BadOffer("The offer has no usable ICE user name and password.")
    setup = audio.value("setup") or session.value("setup") or "actpass"
    if setup not in _OUR_ROLE:
        raise BadOffer("The offer's DTLS setup is none of actpass, active and passive.")
    mids = [one.value("mid") for one in sections]
    for mid in mids:
        if mid is not None and not _TOKEN.fullmatch(mid):
            raise BadOffer("A section of the offer has a malformed mid.")
    groups = [group.split() for group in session.values("group")]
    return Offer(
        session=origin,
        sections=tuple(_section(one, mid) for one, mid in zip(sections, mids, strict=True)),
        audio=index,
        bundled=any(group[:1] == ["BUNDLE"] and mids[index] in group[1:] for group in groups),
        ufrag=ufrag,
        password=password,
        fingerprints=_fingerprints(audio.values("fingerprint") or session.values("fingerprint")),
        role=_OUR_ROLE[setup],
        direction=_direction(audio, session),
        payload_type=_opus(audio),
        level_id=_level_id(audio),
        lite="ice-lite" in session.attributes,
        candidates=_candidates(audio.values("candidate")),
    )


def _split(sdp: str) -> tuple[str, _Lines, list[_Lines]]:
    lines = sdp.replace("\r\n", "\n").split("\n")
    if lines[0] != "v=0":
        raise BadOffer("The offer does not begin with v=0: it is no session description.")
    origin = ""
    session = here = _Lines()
    sections: list[_Lines] = []
    for line in lines:
        if line.startswith("m="):
            if len(sections) == SECTIONS_MAX:
                raise BadOffer(f"The offer has more than {SECTIONS_MAX} sections.")
            media = _MEDIA.fullmatch(line.strip())
            if media is None:
                raise BadOffer("The offer has a malformed m= line.")
            here = _Lines(media)
            sections.append(here)
        elif line.startswith("a="):
            here.attributes.append(line[2:].strip())
        elif line.startswith("o=") and not sections:
            words = line.split()
            origin = words[1] if len(words) == 6 else ""
    return origin, session, sections


def _is_audio(lines: _Lines) -> bool:
    assert lines.media is not None
    return lines.media[1] == "audio" and int(lines.media[2]) > 0


def _section(lines: _Lines, mid: str | None) -> Section:
    assert lines.media is not None
    kind, _, profile, formats = lines.media.groups()
    if not all(_TOKEN.fullmatch(word) for word in formats.split(" ")):
        raise BadOffer("The offer has a malformed m= line.")
    return Section(kind=kind, profile=profile, formats=formats, mid=mid)


def _fingerprints(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found = tuple(
        (match[1].lower(), match[2].upper())
        for match in map(_FINGERPRINT.fullmatch, values)
        if match is not None
    )
    if not found:
        raise BadOffer("The offer has no certificate fingerprint that we can check (SHA-256 or longer).")
    return found


def _direction(audio: _Lines, session: _Lines) -> str:
    found = [a for lines in (audio, session) for a in lines.attributes if a in _DIRECTIONS]
    return found[0] if found else "sendrecv"


def _opus(audio: _Lines) -> int:
    assert audio.media is not None
    formats = audio.media[4].split(" ")
    for attribute in audio.attributes:
        match = _RTPMAP.fullmatch(attribute)
        if match is not None and match[1] in formats and int(match[1]) < 128:
            return int(match[1])
    raise BadOffer("The offer has no Opus, the only codec spoken here.")


def _level_id(audio: _Lines) -> int | None:
    for attribute in audio.attributes:
        match = _EXTMAP.match(attribute)
        if match is not None and match[2] == LEVEL_URI and 1 <= int(match[1]) <= 14:
            return int(match[1])
    return None


def _candidates(values: Sequence[str]) -> tuple[Candidate, ...]:
    usable: list[Candidate] = []
    for value in values:
        if len(usable) == CANDIDATES_MAX:
            break
        try:
            candidate = Candidate.from_sdp(value)
            address = ipaddress.ip_address(candidate.host)
        except (ValueError, IndexError):
            continue
        if (
            candidate.transport.lower() == "udp"
            and candidate.component == 1
            and candidate.type in ("host", "srflx", "relay")
            and 0 < candidate.port < 65536
            and 0 <= candidate.priority < 1 << 32
            and not (address.is_multicast or address.is_unspecified or address.is_reserved)
        ):
            usable.append(candidate)
    return tuple(usable)


def answer(
    offer: Offer,
    *,
    version: int,
    number: int,
    ufrag: str,
    password: str,
    fingerprint: str,
    role: str,
    candidates: Sequence[Candidate],
    ssrc: int,
    cname: str,
) -> str:
    """The answer.  number and version: of our session (o=); role: "client" or "server" of DTLS."""
    audio = offer.sections[offer.audio]
    lines = ["v=0", f"o=- {number} {version} IN IP4 127.0.0.1", "s=-", "t=0 0"]
    if offer.bundled:
        lines.append(f"a=group:BUNDLE {audio.mid}")
    lines.append("a=msid-semantic: WMS room")
    for index, section in enumerate(offer.sections):
        if index != offer.audio:
            lines += [f"m={section.kind} 0 {section.profile} {section.formats}", "c=IN IP4 0.0.0.0"]
            lines += ["a=inactive", *([f"a=mid:{section.mid}"] if section.mid is not None else [])]
            continue
        first = candidates[0] if candidates else None
        host, port = (first.host, first.port) if first else ("0.0.0.0", 9)
        pt = offer.payload_type
        lines += [
            f"m=audio {port} {section.profile} {pt}",
            f"c=IN IP{6 if ':' in host else 4} {host}",
            "a=rtcp:9 IN IP4 0.0.0.0",
            *([f"a=mid:{section.mid}"] if section.mid is not None else []),
            f"a={_REVERSED.get(offer.direction, offer.direction)}",
            "a=rtcp-mux",
            f"a=rtpmap:{pt} opus/48000/2",
            f"a=fmtp:{pt} minptime=20;useinbandfec=1;stereo=0;sprop-stereo=0;usedtx=0;"
            f"maxaveragebitrate={BITRATE_BPS}",
            "a=ptime:20",
            *([f"a=extmap:{offer.level_id} {LEVEL_URI}"] if offer.level_id is not None else []),
            "a=msid:room audience",
            f"a=ssrc:{ssrc} cname:{cname}",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{password}",
            f"a=fingerprint:sha-256 {fingerprint}",
            f"a=setup:{'active' if role == 'client' else 'passive'}",
            *(f"a=candidate:{candidate.to_sdp()}" for candidate in candidates),
            "a=end-of-candidates",
        ]
    return "\r\n".join(lines) + "\r\n"
