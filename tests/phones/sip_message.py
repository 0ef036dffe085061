"""SIP messages as a phone builds and reads them, independent of the product's own parser."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field


@dataclass(slots=True)
class Message:
    """A request or a response."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @property
    def method(self) -> str:
        """Method of a request, empty for a response."""
        return "" if self.start.startswith("SIP/2.0") else self.start.split(" ")[0]

    @property
    def status(self) -> int:
        """Status of a response, 0 for a request."""
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0") else 0

    def get(self, name: str) -> str:
        """First value of a header field, empty when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """All values of a header field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq."""
        number, _, method = self.get("CSeq").partition(" ")
        return int(number or 0), method.strip()

    def encode(self) -> bytes:
        """On the wire."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        body = self.body.encode()
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse(data: bytes) -> Message:
    """Read one message."""
    head, _, body = data.decode("utf-8", errors="replace").partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = [
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])
    ]
    return Message(start=lines[0], headers=headers, body=body)


def tag_of(value: str) -> str:
    """The tag of a From or To field."""
    match = re.search(r";\s*tag=([^;>\s]+)", value)
    return match[1] if match else ""


def authorization(
    challenge: str,
    *,
    user: str,
    password: str,
    method: str,
    uri: str,
    count: int = 1,
    cnonce: str = "0a4f113b",
) -> str:
    """Answer a digest challenge (RFC 7616 section 3.4)."""
    facts = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))
    algorithm = facts.get("algorithm", "MD5")
    hashed = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5

    def h(text: str) -> str:
        return hashed(text.encode()).hexdigest()

    ha1 = h(f"{user}:{facts['realm']}:{password}")
    ha2 = h(f"{method}:{uri}")
    nc = f"{count:08x}"
    response = h(f"{ha1}:{facts['nonce']}:{nc}:{cnonce}:auth:{ha2}")
    return (
        f'Digest username="{user}", realm="{facts["realm"]}", nonce="{facts["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm={algorithm}, cnonce="{cnonce}", qop=auth, nc={nc}'
    )


def audio_sdp(
    *,
    ip: str = "127.0.0.1",
    port: int = 40000,
    formats: tuple[tuple[int, str], ...] = (
        (0, "PCMU/8000"),
        (8, "PCMA/8000"),
        (101, "telephone-event/8000"),
    ),
    direction: str = "sendrecv",
    version: int = 1,
    extra: tuple[str, ...] = (),
) -> str:
    """A phone's session description with one audio stream; `extra` are further lines behind it."""
    family = "IP6" if ":" in ip else "IP4"
    lines = [
        "v=0",
        f"o=phone 1 {version} IN {family} {ip}",
        "s=-",
        f"c=IN {family} {ip}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(str(number) for number, _ in formats)}",
        *(f"a=rtpmap:{number} {name}" for number, name in formats),
        *(f"a=fmtp:{number} 0-15" for number, name in formats if name.startswith("telephone-event")),
        f"a={direction}",
        *extra,
        "",
    ]
    return "\r\n".join(lines)
