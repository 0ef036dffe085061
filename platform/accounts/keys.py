"""API keys: `tb_` + 10 characters that find the key + 43 characters that prove it.

The secret part has 256 bits (43 characters of 62), so a fast digest is enough: nobody can try all of them,
and a slow password hash would only make every request slow. What is stored cannot be turned back into the
key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass, field

PREFIX_LENGTH = 10
SECRET_LENGTH = 43
_MARK = "tb_"
_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A fresh key. `text` is shown to its owner once; `prefix` and `digest` are what we keep."""

    text: str = field(repr=False)
    prefix: str
    digest: bytes = field(repr=False)


def new_key() -> NewKey:
    """A random API key."""
    prefix, secret = (
        "".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (PREFIX_LENGTH, SECRET_LENGTH)
    )
    text = f"{_MARK}{prefix}{secret}"
    return NewKey(text=text, prefix=prefix, digest=digest(text))


def prefix_of(text: str) -> str | None:
    """The part of a key that finds its row; None when `text` cannot be a key of ours."""
    body = text.removeprefix(_MARK)
    if body == text or len(body) != PREFIX_LENGTH + SECRET_LENGTH or not all(c in _ALPHABET for c in body):
        return None
    return body[:PREFIX_LENGTH]


def digest(text: str) -> bytes:
    """The 32 bytes that are stored in place of the key."""
    return hashlib.blake2b(text.encode(), digest_size=32, person=b"tollbridge-key").digest()


def matches(text: str, stored: bytes) -> bool:
    """Whether `text` is the key whose digest is `stored`; takes the same time either way."""
    return hmac.compare_digest(digest(text), stored)
