"""Reading a session description (RFC 8866) as far as a telephone call needs it.

Lenient where phones are sloppy (line ends, blanks, unknown lines, missing rtpmap of static payload types),
strict where a wrong guess would send sound to the wrong place: port, address and payload numbers must be
what they claim.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from bridge.sip.errors import MalformedSdpError

_RTPMAP = re.compile(r"(\d{1,3})\s+([^/\s]+)/(\d{1,6})(?:/(\d{1,3}))?\s*")
_SIZE_MAX = 32 * 1024
_MEDIA_MAX = 32
_STATIC_FORMATS = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000)}


class Direction(StrEnum):
    """RFC 8866 section 6.7, seen from whoever wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


_DIRECTIONS = frozenset(direction.value for direction in Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One payload type of an m-line."""

    payload_type: int
    name: str
    """Encoding name, upper case; empty when unknown."""
    clock_hz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One m-line with everything that applies to it, session-level values merged in."""

    kind: str
    port: int
    protocol: str
    raw_formats: tuple[str, ...]
    formats: tuple[Format, ...]
    """Those of an RTP stream, in order of preference; empty for other protocols."""
    address: str
    """IP address, or a host name as sent; empty when there is no c-line at all."""
    direction: Direction
    ptime_ms: int | None
    maxptime_ms: int | None
    rtcp_port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session description: its m-lines in order."""

    media: tuple[Media, ...]


def parse_sdp(text: str) -> Session:
    """Read a session description.

    Raises:
        MalformedSdpError: no session description, or one with impossible numbers.
    """
    if len(text) > _SIZE_MAX:
        raise MalformedSdpError("longer than any telephone's")
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    if not lines or not lines[0].replace(" ", "").startswith("v=0"):
        raise MalformedSdpError("does not begin with v=0")
    blocks: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        letter, equals, value = line.partition("=")
        letter = letter.strip()
        if not equals or len(letter) != 1:
            raise MalformedSdpError("a line is not letter=value")
        if letter == "m":
            blocks.append([])
        blocks[-1].append((letter, value.strip()))
    if len(blocks) > _MEDIA_MAX:
        raise MalformedSdpError("too many m-lines")
    session = blocks[0]
    return Session(media=tuple(_media(block, session) for block in blocks[1:]))


def _media(block: list[tuple[str, str]], session: list[tuple[str, str]]) -> Media:
    words = block[0][1].split()
    if len(words) < 3:
        raise MalformedSdpError("an m-line is too short")
    kind, port_text, protocol, *raw_formats = words
    port = _number(port_text.partition("/")[0], 65535, "port")
    rtp = protocol.upper().startswith("RTP/")
    attributes = _attributes(block)
    return Media(
        kind=kind.lower(),
        port=port,
        protocol=protocol,
        raw_formats=tuple(raw_formats),
        formats=_formats(raw_formats, attributes) if rtp else (),
        address=_address(block) or _address(session),
        direction=_direction(block) or _direction(session) or Direction.SENDRECV,
        ptime_ms=_milliseconds(attributes.get("ptime")),
        maxptime_ms=_milliseconds(attributes.get("maxptime")),
        rtcp_port=_rtcp_port(attributes.get("rtcp")),
    )


def _attributes(block: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for letter, value in block:
        if letter == "a":
            name, _, content = value.partition(":")
            found.setdefault(name.strip().lower(), []).append(content.strip())
    return found


def _formats(raw: list[str], attributes: dict[str, list[str]]) -> tuple[Format, ...]:
    maps: dict[int, tuple[str, int]] = {}
    for value in attributes.get("rtpmap", ()):
        match = _RTPMAP.fullmatch(value)
        if match and match[4] in (None, "1"):
            maps[int(match[1])] = (match[2].upper(), int(match[3]))
    formats: list[Format] = []
    for text in raw:
        payload_type = _number(text, 127, "payload type")
        name, clock_hz = maps.get(payload_type, _STATIC_FORMATS.get(payload_type, ("", 0)))
        formats.append(Format(payload_type=payload_type, name=name, clock_hz=clock_hz))
    return tuple(formats)


def _address(block: list[tuple[str, str]]) -> str:
    for letter, value in block:
        if letter == "c":
            words = value.split()
            if len(words) != 3 or words[0].upper() != "IN" or words[1].upper() not in ("IP4", "IP6"):
                raise MalformedSdpError("a c-line is not IN IP4 or IN IP6")
            address = words[2].partition("/")[0]
            try:
                return str(ipaddress.ip_address(address))
            except ValueError:
                if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252})", address):
                    return address
                raise MalformedSdpError("a c-line has no address") from None
    return ""


def _direction(block: list[tuple[str, str]]) -> Direction | None:
    for letter, value in block:
        if letter == "a" and value.lower() in _DIRECTIONS:
            return Direction(value.lower())
    return None


def _milliseconds(values: list[str] | None) -> int | None:
    if not values:
        return None
    match = re.match(r"(\d{1,4})", values[0])
    return int(match[1]) if match and 0 < int(match[1]) <= 1000 else None


def _rtcp_port(values: list[str] | None) -> int | None:
    """RFC 3605: `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4`; we use the port at the RTP address."""
    if not values:
        return None
    match = re.match(r"(\d{1,5})", values[0])
    return int(match[1]) if match and 0 < int(match[1]) <= 65535 else None


def _number(text: str, maximum: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > maximum:
        raise MalformedSdpError(f"{what} is not a number up to {maximum}")
    return int(text)
