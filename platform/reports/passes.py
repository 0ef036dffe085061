"""The link in a thank-you mail: it says whose rating it is, signed by us. Pure.

    <session>.<seat>.<mac>      mac: HMAC-SHA256 (RFC 2104) over both, base64url (RFC 4648 §5)

The key is derived from the node's secret for this purpose alone, so that no other signature of ours passes
for one and this one opens nothing else: it lets nobody into a room. It does not grow old, because a rating
may be given late.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

_PURPOSE = b"tollbridge rating pass"
_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """Who may rate what."""

    session_id: int
    participant_id: str


def sign(one: Pass, *, secret: bytes) -> str:
    """The text of the link."""
    body = f"{one.session_id}.{one.participant_id}"
    return f"{body}.{_mac(body, secret=secret)}"


def read(text: str, *, secret: bytes) -> Pass | None:
    """What we signed; None for anything else."""
    body, _, mac = text.rpartition(".")
    if not body or len(text) > _LENGTH_MAX or not text.isascii():
        return None
    if not hmac.compare_digest(mac, _mac(body, secret=secret)):
        return None
    session_id, _, participant_id = body.partition(".")
    return Pass(session_id=int(session_id), participant_id=participant_id)


def _mac(body: str, *, secret: bytes) -> str:
    key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
    return base64.urlsafe_b64encode(hmac.digest(key, body.encode(), hashlib.sha256)).decode().rstrip("=")
