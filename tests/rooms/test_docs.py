"""docs/rooms.md tells every refusal and every mode, and the glossary is in order."""

from __future__ import annotations

import re
from pathlib import Path

from rooms.errors import REASONS
from rooms.modes import AudioMode

DOCS = Path(__file__).parents[2] / "docs"


def test_every_refusal_is_told() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| [^|]* \|$", (DOCS / "rooms.md").read_text(), re.MULTILINE)
    assert rows == sorted(REASONS)


def test_every_mode_is_a_row() -> None:
    text = (DOCS / "rooms.md").read_text()
    assert all(re.search(rf"^\| `{mode}`", text, re.MULTILINE) for mode in AudioMode)


def test_the_glossary_is_in_alphabetical_order() -> None:
    words = re.findall(r"^\| ([^|]+) \| ", (DOCS / "glossary.md").read_text(), re.MULTILINE)[1:]
    assert words == sorted(words, key=str.casefold)
