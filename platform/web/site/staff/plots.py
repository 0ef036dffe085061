"""Geometry of charts: values → rectangles, lines and marks of an SVG of 720 × 220. Pure.

Templates draw it, styles colour it, a table beside it says the same in numbers. Nothing is computed in the
browser and nothing carries inline style, which the content policy would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 26
_GAP = 0.22
_LABELS_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One rectangle; `title` is said when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A text at a place of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a chart draws. `line` and `area` are point lists of polygons, empty for bars."""

    bars: Sequence[Bar]
    below: Sequence[Mark]
    beside: Sequence[Mark]
    line: str = ""
    area: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def ceiling(value: float) -> float:
    """The smallest of 1, 2, 4, 6, 8 × a power of ten that is not below `value`; 1 for nothing."""
    if value <= 0:
        return 1.0
    step = 1.0
    while step < value:
        step *= 10
    while step / 10 >= value:
        step /= 10
    return next(top for top in (step / 5, step * 0.4, step * 0.6, step * 0.8, step) if top >= value)


def bars(
    values: Sequence[float], labels: Sequence[str], titles: Sequence[str], scale: Sequence[str], top: float,
    kinds: Sequence[str] = (),
) -> Plot:  # fmt: skip
    """A bar for each value. `scale` are the texts at 0, a half and all of `top`."""
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    drawn = []
    for number, value in enumerate(values):
        height = _high(value, top)
        drawn.append(
            Bar(
                x=round(LEFT + slot * (number + _GAP / 2), 2),
                y=round(HEIGHT - BOTTOM - height, 2),
                width=round(slot * (1 - _GAP), 2),
                height=round(height, 2),
                title=titles[number],
                kind=kinds[number] if kinds else "",
            )
        )
    return Plot(bars=drawn, below=_below(labels, slot, slot / 2), beside=_beside(scale))


def steps(values: Sequence[float], labels: Sequence[str], scale: Sequence[str], top: float) -> Plot:
    """A line in steps: each value holds for its interval."""
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    points = []
    for number, value in enumerate(values):
        y = round(HEIGHT - BOTTOM - _high(value, top), 2)
        points += [f"{round(LEFT + slot * number, 2)},{y}", f"{round(LEFT + slot * (number + 1), 2)},{y}"]
    base = HEIGHT - BOTTOM
    area = f"{LEFT},{base} {' '.join(points)} {WIDTH - RIGHT},{base}" if points else ""
    line = " ".join(points)
    return Plot(bars=(), below=_below(labels, slot, 0), beside=_beside(scale), line=line, area=area)


def _high(value: float, top: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * min(value, top) / top if top > 0 else 0.0


def _below(labels: Sequence[str], slot: float, shift: float) -> list[Mark]:
    every = -(-len(labels) // _LABELS_MAX) or 1
    return [
        Mark(at=round(LEFT + slot * number + shift, 2), text=label)
        for number, label in enumerate(labels)
        if number % every == 0
    ]


def _beside(scale: Sequence[str]) -> list[Mark]:
    room = HEIGHT - TOP - BOTTOM
    last = max(1, len(scale) - 1)
    return [
        Mark(at=round(HEIGHT - BOTTOM - room * number / last, 2), text=text)
        for number, text in enumerate(scale)
    ]
