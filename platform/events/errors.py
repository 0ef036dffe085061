"""Errors of the events package.

EventsError
├── BadEventError       some fields cannot be accepted, each with a sentence: the caller's fault
├── UnknownEventError   no such event, or another account's: the caller's fault
├── TokenError          a token or personal link does not let in: the visitor's fault
│   ├── UnknownTokenError   there is none like it
│   ├── RevokedTokenError   the organiser took it back
│   └── UsedTokenError      another browser has it; says since when
├── RegistrationError   the form cannot be taken: the visitor's fault
└── NoPinLeftError      no unused PIN was found: the number space is too full, the operator's problem
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class EventsError(Exception):
    """Parent of all errors of this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field that cannot be accepted, and a sentence that says what would be."""

    field: str
    message: str


class BadEventError(EventsError):
    """The wishes for an event cannot be met; `problems` has one entry per field at fault."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in problems))
        self.problems = problems


class UnknownEventError(EventsError):
    """No such event, or it belongs to somebody else; the two are not told apart."""


class TokenError(EventsError):
    """A token or a personal link does not let in."""


class UnknownTokenError(TokenError):
    """There is no such token in this event."""


class RevokedTokenError(TokenError):
    """The organiser took the token back, or the link is too old."""


class UsedTokenError(TokenError):
    """Another browser used it first, at `since`, by `how` (`web` or `phone`)."""

    def __init__(self, *, since: datetime, how: str) -> None:
        super().__init__("this token was used before")
        self.since = since
        self.how = how


class RegistrationError(EventsError):
    """The event takes no registrations (now)."""


class NoPinLeftError(EventsError):
    """Many random PINs in a row were all in use."""
