"""Event passwords: chosen by people and short, so they are kept as Argon2id (RFC 9106) only."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """The text to store."""
    return _hasher.hash(password)


def password_matches(password: str, stored: str) -> bool:
    """Whether `password` is the one behind `stored`."""
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
