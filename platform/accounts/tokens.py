"""Random tokens for cookies and links: 256 bits, of which only a digest is stored.

Nobody can try all of them, so a fast digest is enough (as for API keys), and a stolen copy of the database
opens no session.
"""

from __future__ import annotations

import hashlib
import secrets

_LENGTH_MAX = 64


def new_token() -> str:
    """43 characters that are safe in a URL and in a cookie."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored in place of the token. Any text may be asked for."""
    cut = token[: _LENGTH_MAX + 1].encode("utf-8", "replace")
    return hashlib.blake2b(cut, digest_size=32, person=b"tollbridge-tok").digest()
