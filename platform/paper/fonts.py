"""A font with the letters that names have: Latin with all accents, Greek, Cyrillic.

PDF's built-in fonts cover Western Europe only. DejaVu Sans (Debian: fonts-dejavu-core) has them all; where
it is missing, other common families that do are taken. `embedded` means: the PDF carries its letters along.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FAMILIES = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
)
_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path("/Library/Fonts"),
)


class FontMissingError(Exception):
    """No font with the letters we need was found on this machine: the operator's to install one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FontFiles:
    """Two files of one family."""

    regular: Path
    bold: Path


@cache
def find_fonts(folders: Iterable[Path] = _FOLDERS) -> FontFiles:
    """The first family that is complete, by preference. Raises FontMissingError."""
    found = {path.name: path for folder in folders if folder.is_dir() for path in folder.rglob("*.ttf")}
    for regular, bold in _FAMILIES:
        if regular in found and bold in found:
            return FontFiles(regular=found[regular], bold=found[bold])
    raise FontMissingError("no font for documents: install DejaVu Sans (Debian package fonts-dejavu-core)")
