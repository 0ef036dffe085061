"""Errors of the call records.

    CdrError
    ├── BadFactsError        facts that cannot be true: a bug of whoever wrote them
    ├── SpoolInUseError      another process writes to this spool folder: the operator's fault
    └── SpoolFolderError     the spool folder cannot be made or written at start: the operator's fault

After a successful start the store raises none of these: a call must never fail because of its record.
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
