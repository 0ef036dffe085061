"""Reading a raw SIP request: start line, header fields, addresses.

pjsip has already accepted the message when we see it; this reads the fields that pjsua2 does not hand out.
It is lenient (RFC 3261 section 7.3.1: compact names, folded lines, any case) and never raises for strange
content: what cannot be read is absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_COMPACT = {
    "f": "from", "t": "to", "i": "call-id", "m": "contact", "v": "via", "s": "subject", "k": "supported",
    "c": "content-type", "l": "content-length", "e": "content-encoding", "x": "session-expires",
    "u": "allow-events", "o": "event", "r": "refer-to", "b": "referred-by", "j": "reject-contact",
}  # fmt: skip
_FOLD = re.compile(r"\r?\n[ \t]+")
_URI_IN_BRACKETS = re.compile(
    r"^\s*(?P<name>\"(?:[^\"\\]|\\.)*\"|[^<\"]*)\s*<(?P<uri>[^>]*)>(?P<rest>.*)$", re.S
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A SIP request as text."""

    method: str
    uri: str
    fields: dict[str, tuple[str, ...]]
    """Lower-case long name → values, one per header line."""
    body: str

    def first(self, name: str) -> str:
        """First value of a header field, empty when absent."""
        values = self.fields.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a header field, one per line."""
        return self.fields.get(name, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A name-addr: display name and URI, taken apart."""

    display_name: str
    scheme: str
    user: str
    """Undecoded user part, with its parameters (`;phone-context=…`)."""
    host: str
    parameters: str
    """URI parameters behind the host."""


def parse_request(text: str) -> Request:
    """Take a message apart; a response or garbage gives a request with empty fields."""
    head, separator, body = text.partition("\r\n\r\n")
    if not separator:
        head, _, body = text.partition("\n\n")
    lines = _FOLD.sub(" ", head).splitlines()
    start = lines[0].split(" ") if lines else []
    method = start[0] if len(start) >= 3 else ""
    uri = start[1] if len(start) >= 3 else ""
    fields: dict[str, list[str]] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            fields.setdefault(_COMPACT.get(name, name), []).append(value.strip())
    return Request(
        method=method, uri=uri, fields={name: tuple(values) for name, values in fields.items()}, body=body
    )


def parse_address(value: str) -> Address:
    """Read `"Name" <sip:user@host>;tag=…` or a bare URI; unreadable parts come back empty."""
    match = _URI_IN_BRACKETS.match(value)
    if match:
        name = match["name"].strip()
        if name.startswith('"') and name.endswith('"') and len(name) >= 2:
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        return _address(name, match["uri"].strip())
    # Without brackets, parameters behind the first semicolon belong to the header (RFC 3261 section 20).
    uri = value.strip()
    if not uri.lower().startswith("tel:"):
        user, at, rest = uri.rpartition("@")
        uri = f"{user}{at}{rest.split(';', 1)[0]}"
    return _address("", uri)


def _address(name: str, uri: str) -> Address:
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return Address(display_name=name, scheme="", user="", host="", parameters="")
    scheme = scheme.strip().lower()
    if scheme == "tel":
        return Address(display_name=name, scheme=scheme, user=rest, host="", parameters="")
    rest = rest.partition("?")[0]
    user, at, hostpart = rest.rpartition("@")
    if not at:
        user = ""
    host, _, parameters = hostpart.partition(";")
    user = user.partition(":")[0]  # a password in a URI is nobody's business
    return Address(display_name=name, scheme=scheme, user=user, host=host, parameters=parameters)


def number_in(address: Address) -> str:
    """The address's user part, percent-decoded, ready for `bridge.numbers`."""
    return unquote(address.user)


def split_list(value: str) -> list[str]:
    """Split a comma-separated header value, leaving commas in quotes and brackets alone."""
    parts: list[str] = []
    start = depth = 0
    quoted = escaped = False
    for index, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char == "<":
            depth += 1
        elif char == ">":
            depth = max(0, depth - 1)
        elif char == "," and depth == 0:
            parts.append(value[start:index].strip())
            start = index + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]
