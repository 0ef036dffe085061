"""Errors of the events package.

EventsError
├── BadEventError       some fields cannot be accepted, each with a sentence: the caller's fault
├── UnknownEventError   no such event, or another account's: the caller's fault
└── NoPinLeftError      no unused PIN was found: the number space is too full, the operator's problem
"""

from __future__ import annotations

from dataclasses import dataclass


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


class NoPinLeftError(EventsError):
    """Many random PINs in a row were all in use."""
