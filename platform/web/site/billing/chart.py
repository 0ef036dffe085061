"""A bar chart as numbers: heights, marks on the scale, and what the table beside it says. Pure.

The picture is SVG made on the server, stretched to its box; bars are rectangles in a coordinate system of
`WIDTH` × `HEIGHT`, so nothing needs a style. Words stand outside the picture, because stretched letters are
not letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

WIDTH, HEIGHT = 1000, 200
_GAP = Fraction(1, 4)
"""Of a bar's place, what stays empty."""
_LEAST = 3
"""A bar that is not 0 is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day. Coordinates in the picture's units; `label` is what is read and shown when pointed at."""

    x: str
    y: str
    width: str
    height: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture: its bars, and the words of its scale from above: top, middle, bottom."""

    id: str
    title: str
    total: str
    bars: Sequence[Bar]
    scale: tuple[str, str, str]
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one day is shown with."""

    day: date
    value: Fraction
    label: str


def top_of(values: Sequence[Fraction]) -> Fraction:
    """The round number at which the scale ends: 1, 2 or 5 times a power of ten, at or above all values."""
    most = max(values, default=Fraction(0))
    if most <= 0:
        return Fraction(1)
    step = Fraction(1)
    while step < most:
        step *= 10
    while step / 10 >= most:
        step /= 10
    return next(top for top in (step / 5, step / 2, step) if top >= most)


def bars_of(days: Sequence[Day], *, top: Fraction) -> list[Bar]:
    """A bar for each day, from left to right."""
    place = Fraction(WIDTH, max(1, len(days)))
    bars = []
    for number, day in enumerate(days):
        height = day.value / top * HEIGHT
        if 0 < height < _LEAST:
            height = Fraction(_LEAST)
        bars.append(
            Bar(
                x=_text(place * (number + _GAP / 2)),
                y=_text(HEIGHT - height),
                width=_text(place * (1 - _GAP)),
                height=_text(height),
                label=day.label,
            )
        )
    return bars


def _text(value: Fraction) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
