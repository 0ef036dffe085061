"""What a token looks like. Pure.

Six characters of an alphabet without vowels (so that no words appear) and without the look-alikes 0 O, 1 I L.
27⁶ is 3.9·10⁸: with 10,000 tokens a guess hits once in 39,000, and guesses are slowed down at the door.
Typing is forgiven case, spaces and hyphens.
"""

from __future__ import annotations

import secrets

ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"
TOKEN_CHARS = 6
_SEAT_PREFIX = "tk-"


def new_token() -> str:
    """A random token."""
    return "".join(secrets.choice(ALPHABET) for _ in range(TOKEN_CHARS))


def parse_token(text: str) -> str | None:
    """The token that somebody typed or pasted; None when it cannot be one."""
    wanted = "".join(char for char in text[:40] if not char.isspace() and char not in "-.").upper()
    good = len(wanted) == TOKEN_CHARS and all(char in ALPHABET for char in wanted)
    return wanted if good else None


def new_token_seat() -> str:
    """The seat of a token: 128 random bits behind a sign by which it is known."""
    return _SEAT_PREFIX + secrets.token_urlsafe(16)


def is_token_seat(seat_id: str) -> bool:
    """Whether a token lets this seat in."""
    return seat_id.startswith(_SEAT_PREFIX)
