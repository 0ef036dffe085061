"""The ticket of a web visitor: who they are in which event, signed by us, kept by their browser. Pure.

    v1.<payload>.<mac>     payload: compact JSON; mac: HMAC-SHA256 (RFC 2104) over "v1.<payload>";
                           both in base64url without padding (RFC 4648 §5)

The key is derived from the node's secret for this purpose alone, so that no other signature of ours passes
for a ticket. Comparison takes constant time and comes before anything of the payload is believed. The seat's
id stands in the participants' list and is no secret; the ticket is.

A ticket is good for `VALID_S`. There is no list of tickets: a ticket that was copied works in the second
browser too, and the newer socket wins (`web.socket_hub`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from rooms.modes import Role

VALID_S = 24 * 3600
"""How long a ticket is good, in seconds."""

COOKIE_PREFIX = "tb_seat_"
_VERSION = "v1"
_LENGTH_MAX = 4_096
_PURPOSE = b"tollbridge seat ticket"
_CLOCKS_S = 300
"""How far another node's clock may be ahead, in seconds."""


class BadTicketError(Exception):
    """The ticket was not made by us, or is of a form we do not know."""


class OldTicketError(BadTicketError):
    """The ticket was good once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a ticket says. `issued_s`: Unix time, whole seconds."""

    seat_id: str
    event_id: int
    role: Role
    name: str
    email: str | None
    issued_s: int


def new_seat_id() -> str:
    """128 random bits, 22 url-safe characters."""
    return secrets.token_urlsafe(16)


def cookie_name(event_id: int) -> str:
    """One cookie for each event: being in two events at once is no contradiction."""
    return f"{COOKIE_PREFIX}{event_id}"


def sign(ticket: Ticket, *, secret: bytes) -> str:
    """The ticket as the browser keeps it."""
    fields = [
        ticket.seat_id, ticket.event_id, ticket.role.value, ticket.name, ticket.email, ticket.issued_s
    ]  # fmt: skip
    payload = _encode(json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode())
    return f"{_VERSION}.{payload}.{_mac(payload, secret=secret)}"


def read(text: str, *, secret: bytes, unix_s: float) -> Ticket:
    """What the ticket says. Raises OldTicketError when it is too old, BadTicketError for anything else."""
    parts = text.split(".") if len(text) <= _LENGTH_MAX and text.isascii() else []
    if len(parts) != 3 or parts[0] != _VERSION:
        raise BadTicketError("not a ticket")
    if not hmac.compare_digest(parts[2], _mac(parts[1], secret=secret)):
        raise BadTicketError("not signed by us")
    try:
        seat_id, event_id, role, name, email, issued_s = json.loads(_decode(parts[1]))
        ticket = Ticket(
            seat_id=seat_id, event_id=event_id, role=Role(role), name=name, email=email, issued_s=issued_s
        )
    except (ValueError, TypeError, binascii.Error) as exc:  # signed, and yet of another form
        raise BadTicketError("of a form we do not know") from exc
    if not -_CLOCKS_S <= unix_s - ticket.issued_s <= VALID_S:
        raise OldTicketError("too old")
    return ticket


def _mac(payload: str, *, secret: bytes) -> str:
    key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
    return _encode(hmac.digest(key, f"{_VERSION}.{payload}".encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
