"""The texts of a PDF that this house has drawn (fpdf2, embedded TrueType fonts), in the order of drawing.

A text is a string of two-byte glyph numbers (ISO 32000-1 §9.7.6, Identity-H), and the font's ToUnicode map
(§9.10.3) tells which characters they are.  Other people's PDFs are not read.
"""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(?<=\n)(\d+) 0 obj\n(.*?)\nendobj", re.S)
_MAPPED = re.compile(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,})>\n")
_DRAWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:[^\\)]|\\.)*)\) Tj", re.S)
_ESCAPED = {b"\\r": b"\r", b"\\n": b"\n", b"\\(": b"(", b"\\)": b")", b"\\\\": b"\\"}


def texts_of(pdf: bytes) -> list[str]:
    """Each piece of text as it was written: a line, or the cell of a table."""
    objects = dict(_OBJECT.findall(pdf))
    fonts: dict[bytes, dict[int, str]] = {}
    for body in objects.values():
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body):
            found = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
            assert found is not None
            fonts[name] = {
                int(glyph, 16): bytes.fromhex(text.decode()).decode("utf-16-be")
                for glyph, text in _MAPPED.findall(objects[found[1]])
            }
    assert fonts, "there is no font that we know of"
    texts: list[str] = []
    for body in objects.values():
        if b"/FlateDecode" in body and b"/Length1" not in body:
            packed = body.partition(b"stream\n")[2].rpartition(b"\nendstream")[0]
            texts += _drawn(zlib.decompress(packed), fonts)
    return texts


def _drawn(page: bytes, fonts: dict[bytes, dict[int, str]]) -> list[str]:
    font: dict[int, str] = {}
    texts = []
    for chosen, written in _DRAWN.findall(page):
        if chosen:
            font = fonts[chosen]
            continue
        glyphs = re.sub(rb"\\.", lambda found: _ESCAPED[found[0]], written, flags=re.S)
        numbers = (int.from_bytes(glyphs[at : at + 2], "big") for at in range(0, len(glyphs), 2))
        texts.append("".join(font[number] for number in numbers))
    return texts
