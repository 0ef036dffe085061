"""Errors of reports.

ReportError
├── BadRatingError      stars or comment cannot be accepted: whoever rates
└── NoSuchWordsError    no report is written in this language: whoever asks
"""

from __future__ import annotations


class ReportError(Exception):
    """Parent of the errors of this package."""


class BadRatingError(ReportError):
    """`field` is stars or comment."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NoSuchWordsError(ReportError):
    """No report is written in this language."""
