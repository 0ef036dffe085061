"""The address behind "unsubscribe": it says who and from whom, and only we can make one. Pure.

`<account and mail address in base64url>.<HMAC-SHA256, 128 bits>`. It is good for ever, as RFC 8058 wants it,
because an old mail may be opened years later; all that it opens is not getting mail.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_MAC_BYTES = 16


def make(secret: bytes, *, account_id: int, email: str) -> str:
    """The last part of the address."""
    body = f"{account_id}:{email}".encode()
    return f"{_text(body)}.{_text(_mac(secret, body))}"


def read(secret: bytes, text: str) -> tuple[int, str] | None:
    """(account, mail address), or None when it was not made with this secret."""
    body_text, _, mac_text = text.partition(".")
    if len(text) > 600 or not text.isascii():
        return None
    try:
        body, mac = _bytes(body_text), _bytes(mac_text)
        if not hmac.compare_digest(mac, _mac(secret, body)):
            return None
        account, _, email = body.decode().partition(":")
        return int(account), email
    except (binascii.Error, ValueError):
        return None


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, b"unsubscribe\x00" + body, hashlib.sha256).digest()[:_MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
