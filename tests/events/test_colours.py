"""Colours of looks: contrast as WCAG has it, and the nearest colour on which words can be read."""

from __future__ import annotations

import colorsys
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import colours
from events.colours import DARK_PAPER, RATIO_MIN, WHITE, contrast, nearest_reading, parse_colour

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
    ],
)  # fmt: skip
def test_the_ratio_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(
    "bad",
    ["red;}body{", "red", "", "#12345", "#1234567", "#12345g", "##12345", "#١٢٣٤٥٦", None, 7, ["#0"]],
)  # fmt: skip
def test_what_is_no_colour_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="must be a colour"):
        parse_colour(bad)


def test_colours_are_written_in_one_way() -> None:
    assert parse_colour(" #0F766E ") == "#0f766e"
    assert parse_colour("#abc") == parse_colour("aabbcc") == "#aabbcc"


@given(COLOURS)
def test_the_nearest_colour_reads_keeps_its_hue_and_is_the_nearest(colour: str) -> None:
    found = nearest_reading(colour, WHITE)
    assert contrast(found, WHITE) >= RATIO_MIN
    if found == colour:
        return
    assert contrast(colour, WHITE) < RATIO_MIN
    # A little lighter in the same hue cannot be read any more.
    hue, light, saturation = colorsys.rgb_to_hls(*(int(found[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    lighter = colours._text(colorsys.hls_to_rgb(hue, min(1.0, light + 0.012), saturation))
    assert contrast(lighter, WHITE) < RATIO_MIN


@given(COLOURS, COLOURS)
def test_all_words_of_a_look_can_be_read_on_light_and_dark_screens(wanted: str, background: str) -> None:
    accent = nearest_reading(wanted, WHITE)
    light = colours.light_palette(accent=accent, background=background)
    dark = colours.dark_palette(accent=accent, background=background)
    for palette in (light, dark):
        assert contrast(palette.on_accent, palette.accent) >= RATIO_MIN
        assert contrast(palette.on_band, palette.band) >= RATIO_MIN
    assert contrast(light.accent, WHITE) >= RATIO_MIN
    assert contrast(dark.accent, DARK_PAPER) >= RATIO_MIN
    assert contrast(light.accent_strong, light.accent_soft) >= RATIO_MIN
    sheet = colours.style_sheet(accent=accent, background=background)
    assert re.fullmatch(r"[-:;{}()@#\w\s]+", sheet)
