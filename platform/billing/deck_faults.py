"""What can be wrong in a rate file, as data: a slug, the values to fill in, and the English sentence.

Every sentence says what is wrong and what to do about it.  Pages translate them by slug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from billing.errors import RatingError

SENTENCES: Mapping[str, str] = {
    # the file
    "empty": "The file is empty. Save the price list with a header line and at least one rate.",
    "no-rates": "The file has a header and no rates. Add a line for each rate.",
    "too-big": "The file has {size} bytes; at most {max} are read. Split it, or remove what is no rate.",
    "too-many": "The file has more than {max} rates. Split it into decks for different currencies.",
    "workbook": "This is a workbook or another program's own file. Save it as CSV (UTF-8) and try again.",
    "not-text": "The file is not text. Save it as CSV (UTF-8) and try again.",
    "quote": "A quotation mark is not closed, or stands inside a cell. Write it twice, or remove it.",
    # the header
    "missing-column": "The column {name} is missing. Add it to the first line.",
    "unknown-column": "There is no column {value}. Use one of: {known}.",
    "twice-column": "The column {name} is there twice. Remove one.",
    "cells": "The line has {found} cells and the header {wanted}. Check commas and quotation marks.",
    # cells
    "required": "The cell is empty. Write {what}.",
    "class": "{value} is no class of numbers. Write one of: {known}.",
    "prefix": "{value} is no prefix. Write 1 to 15 digits with or without a plus, or * for all numbers.",
    "mangled": "{value} was made by a spreadsheet from a long number. Format the column as text and type it "
    "again.",
    "amount": "{value} is no amount. Write digits with a point, such as 0.05.",
    "comma": "{value} has a comma, which separates the cells of this file. Write a point, such as 0.05.",
    "negative": "{value} is below 0. Write 0 or more; to give money back, use a correction.",
    "digits": "{value} has more than 6 digits after the point. Shorten it.",
    "absurd": "{value} {currency} is more than {max}, which looks like a slip. Check the point; import with "
    "large amounts allowed if it is meant.",
    "whole": "{value} is no whole number. Write {what}.",
    "range": "{value} is not between {min} and {max}. Write {what}.",
    "uneven": "The first block ({first} s) is no multiple of the next ({next} s), so that hanging up and "
    "redialling is cheaper. Change one, or import with uneven blocks allowed.",
    "min-max": "The largest charge ({max}) is below the smallest ({min}). Exchange or correct them.",
    "date": "{value} is no date. Write 2026-12-01 (midnight UTC) or 2026-12-01T00:00Z.",
    "naive": "{value} does not say its time zone. Add Z for UTC, or an offset such as +01:00.",
    "order": "The end ({end}) is not after the beginning ({begin}). Correct one; the end itself is not "
    "included.",
    "unknown-currency": "{value} is no currency. Write three capital letters, such as EUR.",
    "mixed-currency": "The line is in {value} and the deck in {currency}. A deck has one currency: make a "
    "deck of its own.",
    "duplicate": "The same rate is in line {other}. Remove one of the two.",
    "overlap": "Line {other} is for the same numbers at the same time. Let one end when the other begins.",
    "long": "The text has {found} characters; {max} are kept. Shorten it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in a rate file. `line` counts from 1, 0 is the whole file; `column` is '' for a whole
    line.
    """

    line: int
    column: str
    slug: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The English sentence."""
        return SENTENCES[self.slug].format_map(self.values)

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "file"
        return f"{where}{', ' + self.column if self.column else ''}: {self.text}"


class DeckImportError(RatingError, ValueError):
    """A rate file has faults, and nothing of it was taken."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        assert faults
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line, fault.column)))
        super().__init__("\n".join(map(str, self.faults)))
