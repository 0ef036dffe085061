"""Addresses of PDF reports that programs hand to people: good for a day, without a key. Pure.

    /reports/<session>/<language>/<until>/<mac>.pdf

`until` is Unix time in seconds; mac: HMAC-SHA256 (RFC 2104) over the three, base64url (RFC 4648 §5), with a
key that is derived from the node's secret for this purpose alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

VALID_S = 24 * 3600
_PURPOSE = b"tollbridge report link"


def path_for(session_id: int, language: str, *, secret: bytes, unix_s: float) -> str:
    """The address of the report, from now on for `VALID_S`."""
    until = int(unix_s) + VALID_S
    return f"/reports/{session_id}/{language}/{until}/{_mac(session_id, language, until, secret=secret)}.pdf"


def is_good(session_id: int, language: str, until: int, mac: str, *, secret: bytes, unix_s: float) -> bool:
    """Whether we made the address and it is not too old."""
    wanted = _mac(session_id, language, until, secret=secret)
    return hmac.compare_digest(mac.encode("utf-8", "replace"), wanted.encode()) and unix_s <= until


def _mac(session_id: int, language: str, until: int, *, secret: bytes) -> str:
    key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
    body = f"{session_id}/{language}/{until}".encode()
    return base64.urlsafe_b64encode(hmac.digest(key, body, hashlib.sha256)).decode().rstrip("=")
