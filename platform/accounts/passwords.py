"""Passwords of people, kept as Argon2id (RFC 9106) only.

The parameters are OWASP's second choice: 19 MiB, two passes, one lane; about 20 ms. A hash that was made with
other parameters is still good and is made anew when its owner signs in. Whoever signs in with an address
that nobody has costs the same work as with a wrong password, so the time tells nothing.

What a password may be follows NIST SP 800-63B §5.1.1.2: length counts, no rules about kinds of characters,
Unicode is normalised (NFKC) so that the same keys make the same password on every machine.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from accounts.errors import BadPasswordError

LENGTH_MIN, LENGTH_MAX = 10, 200
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def check_new(password: str, *, email: str) -> None:
    """Whether somebody may choose this password. Raises BadPasswordError."""
    if len(password) < LENGTH_MIN:
        raise BadPasswordError("too-short", f"must have at least {LENGTH_MIN} characters")
    if len(password) > LENGTH_MAX:
        raise BadPasswordError("too-long", f"must not have more than {LENGTH_MAX} characters")
    if len(set(password)) < 4 or password.strip().lower() in (email, email.partition("@")[0]):
        raise BadPasswordError("too-easy", "is too easy to guess")


def hash_password(password: str) -> str:
    """The text to store."""
    return _hasher.hash(_normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one behind `stored`; takes its time even when there is none."""
    try:
        good = _hasher.verify(stored or _nobodys_hash(), _normal(password[: LENGTH_MAX + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return good and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("the password of nobody")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
