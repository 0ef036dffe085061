"""Colours of a look: which text can be read on them, and the nearest colour on which it can. Pure.

Theory. WCAG 2.1 measures how well two colours can be told apart by the contrast ratio (definitions "relative
luminance" and "contrast ratio"), from 1 (the same) to 21 (black on white). Text needs 4.5 (§1.4.3, level AA).

An organiser chooses two colours. The *accent* is what buttons are filled with, under white words, and what
links are written with, on white paper: one ratio decides both. The *background* is the band behind the
logo; its words are white or ink, whichever reads better, and one of the two always does. For readers with a
dark screen the accent is raised, in its own hue, until it reads on dark paper.

The nearest colour keeps hue and saturation and moves in lightness alone, because that is how people see
"the same colour, darker". Luminance rises with lightness, so a search by halves finds where a ratio begins
to hold.
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass

RATIO_MIN = 4.5
"""WCAG 2.1 §1.4.3."""

WHITE, INK = "#ffffff", "#1b211f"
DARK_PAPER = "#202725"
"""The lightest of the dark papers in style.css: what reads there reads on the others."""

_SHAPE = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_STEPS = 20


def parse_colour(text: object) -> str:
    """`#rrggbb` in small letters, from that or from `#rgb`, the `#` being optional. Raises ValueError for
    anything else.
    """
    typed = text.strip().lower() if isinstance(text, str) and len(text) <= 32 else ""
    wanted = "#" + typed.removeprefix("#")
    if re.fullmatch(r"#[0-9a-f]{3}", wanted, re.ASCII):
        wanted = "#" + "".join(2 * digit for digit in wanted[1:])
    if _SHAPE.fullmatch(wanted) is None:
        raise ValueError("must be a colour such as #0f766e")
    return wanted


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1."""
    red, green, blue = (_linear(value) for value in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def reads_on(colour: str, paper: str) -> bool:
    """Whether words of `colour` can be read on `paper`, or the other way round."""
    return contrast(colour, paper) >= RATIO_MIN


def words_on(paper: str) -> str:
    """White or ink, whichever reads better on `paper`; it reads always."""
    best = max((WHITE, INK), key=lambda colour: contrast(colour, paper))
    return best if reads_on(best, paper) else "#000000"


def nearest_reading(colour: str, paper: str) -> str:
    """`colour` itself when it reads on `paper`; else the nearest of its hue that does: darker on light paper,
    lighter on dark paper.
    """
    if reads_on(colour, paper):
        return colour
    hue, light, saturation = colorsys.rgb_to_hls(*_parts(colour))
    bad, good = light, 1.0 if luminance(paper) < 0.18 else 0.0
    found = _text(colorsys.hls_to_rgb(hue, good, saturation))
    for _ in range(_STEPS):
        middle = (bad + good) / 2
        tried = _text(colorsys.hls_to_rgb(hue, middle, saturation))
        if reads_on(tried, paper):
            good, found = middle, tried
        else:
            bad = middle
    return found


def mixed(colour: str, other: str, share: float) -> str:
    """`colour` with a `share` (0 to 1) of `other`."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    one, two, three = (a + (b - a) * share for a, b in pairs)
    return _text((one, two, three))


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one look on one kind of paper. `band`: the stripe behind the logo."""

    accent: str
    accent_strong: str
    accent_soft: str
    on_accent: str
    band: str
    on_band: str


def light_palette(*, accent: str, background: str) -> Palette:
    """For light screens."""
    return Palette(
        accent=accent,
        accent_strong=mixed(accent, "#000000", 0.22),
        accent_soft=mixed(accent, WHITE, 0.88),
        on_accent=WHITE,
        band=background,
        on_band=words_on(background),
    )


def dark_palette(*, accent: str, background: str) -> Palette:
    """For dark screens: the same hue, light enough."""
    raised = nearest_reading(accent, DARK_PAPER)
    return Palette(
        accent=raised,
        accent_strong=mixed(raised, WHITE, 0.3),
        accent_soft=mixed(DARK_PAPER, raised, 0.16),
        on_accent=words_on(raised),
        band=background,
        on_band=words_on(background),
    )


def style_sheet(*, accent: str, background: str) -> str:
    """The look as CSS: the custom properties of style.css anew, and two of the band."""
    light = _rules(light_palette(accent=accent, background=background))
    dark = _rules(dark_palette(accent=accent, background=background))
    return f":root {{\n{light}}}\n@media (prefers-color-scheme: dark) {{\n:root {{\n{dark}}}\n}}\n"


def _rules(palette: Palette) -> str:
    values = {
        "accent": palette.accent,
        "accent-strong": palette.accent_strong,
        "accent-soft": palette.accent_soft,
        "on-accent": palette.on_accent,
        "band": palette.band,
        "on-band": palette.on_band,
    }
    assert all(_SHAPE.fullmatch(value) for value in values.values()), "only colours reach a style sheet"
    return "".join(f"  --{name}: {value};\n" for name, value in values.items())


def _parts(colour: str) -> tuple[float, float, float]:
    assert _SHAPE.fullmatch(colour), "parse_colour was here first"
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _text(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(min(1.0, max(0.0, value)) * 255):02x}" for value in parts)
