"""Errors of the call records.

    CdrError
    ├── BadFactsError        facts that cannot be true: a bug of whoever wrote them
    ├── SpoolInUseError      another process writes to this spool folder: the operator's fault
    ├── SpoolFolderError     the spool folder cannot be made or written at start: the operator's fault
    └── BadSearchError       a search that makes no sense: the fault of whoever asks; `.field` and `.slug`

After a successful start the store raises none of these: a call must never fail because of its record.
Only searching raises BadSearchError.
"""

from __future__ import annotations


class CdrError(Exception):
    """Root of the package's errors."""


class BadFactsError(CdrError, ValueError):
    """A field has a value that it can never have."""


class SpoolInUseError(CdrError):
    """The spool folder is locked by another process."""


class SpoolFolderError(CdrError):
    """The spool folder is not there and cannot be made, or is not ours to write."""


class BadSearchError(CdrError, ValueError):
    """A search that makes no sense. `field` names what is wrong and `slug` how."""

    def __init__(self, field: str, slug: str, text: str) -> None:
        self.field = field
        self.slug = slug
        super().__init__(text)
