"""Errors of the mail package.

MailError
├── BadMailError        a mail that cannot be written: an address or a line that is none: the caller's fault
└── SendError           the mail did not leave
    ├── TryLaterError   the server is away, busy, or says 4xx: the same mail may leave later
    └── RefusedError    the server will never take this mail (5xx)
"""

from __future__ import annotations


class MailError(Exception):
    """Parent of all errors of this package."""


class BadMailError(MailError):
    """The address is no address, or the subject is not one line."""


class SendError(MailError):
    """The mail did not leave."""


class TryLaterError(SendError):
    """It may leave later."""


class RefusedError(SendError):
    """It never will."""
