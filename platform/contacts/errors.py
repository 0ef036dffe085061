"""Errors of the contacts package.

ContactsError
├── BadContactError       some fields cannot be accepted, each with a sentence: the caller's fault
├── BadFileError          a file that cannot be read as a list of contacts at all
└── UnknownContactError   no such contact or group, or another account's: the caller's fault
"""

from __future__ import annotations

from collections.abc import Sequence


class ContactsError(Exception):
    """Parent of all errors of this package."""


class BadContactError(ContactsError):
    """`problems` holds a field's name and a sentence for each field at fault."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))
        self.problems = problems


class BadFileError(ContactsError):
    """The file is no list of contacts; `slug` says why: too-large, no-addresses, too-many, no-text."""

    def __init__(self, slug: str) -> None:
        super().__init__(slug)
        self.slug = slug


class UnknownContactError(ContactsError):
    """No such contact or group, or it belongs to somebody else; the two are not told apart."""
