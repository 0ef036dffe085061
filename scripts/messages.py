"""Bring the catalogues up to date with the sources.

    python scripts/messages.py            extract all texts, update every .po file, say what is missing
    python scripts/messages.py --check    change nothing, fail when a file is not up to date or a text missing

Each part of the pages keeps its own file per language, so that people who work on different parts do not
edit the same file: `messages.po` has what is nobody else's. A text that two parts use stands in the file of
the first of them, in the order of `PARTS`. The files are read when the server starts; nothing is compiled.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "platform"
LOCALES = PAGES / "web" / "site" / "locale"
MAIL_LOCALES = PAGES / "mail" / "locale"
COMMON = "messages"
MAIL = "mail"

#: Part → beginnings of paths below platform/web/.
PARTS: dict[str, tuple[str, ...]] = {
    "join": (
        "site/join",
        "site/room",
        "site/templates/join",
        "site/templates/room",
        "site/static/join",
        "site/static/room",
        "site/static/js/join",
        "site/static/js/room",
        "joining",
        "room_",
        "socket",
    ),
    "skins": ("site/skins", "site/templates/skins", "site/static/js/skins"),
    "access": ("site/access", "site/templates/access", "site/static/js/access"),
    "tickets": ("site/tickets", "site/templates/tickets"),
    "planning": ("site/planning", "site/templates/planning"),
    "contacts": ("site/contacts", "site/templates/contacts"),
    "billing": (
        "site/billing",
        "site/templates/billing",
        "site/static/billing",
        "site/static/js/billing",
        "site/cdr",
        "site/templates/cdr",
        "site/static/cdr",
    ),
    "statistics": (
        "site/statistics",
        "site/templates/statistics",
        "site/static/statistics",
        "site/thanks",
        "site/templates/thanks",
    ),
    "staff": (
        "site/staff/",
        "site/templates/staff/",
        "site/static/staff",
        "site/static/js/staff/",
    ),
}
METHODS = [
    ("web/site/static/**.js", "javascript"),
    ("web/site/templates/**.html", "jinja2"),
    ("web/**.py", "python"),
    ("mail/templates/**.html", "jinja2"),
    ("mail/templates/**.txt", "jinja2"),
]
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "translate": None,
    "t": None,
    "tn": (1, 2),
}
Key = str | tuple[str, str]


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    texts = extracted()
    stale = False
    for language in sorted(path.name for path in LOCALES.iterdir() if path.is_dir()):
        known = translations(LOCALES / language, language) | translations(MAIL_LOCALES / language, language)
        for part in texts:
            path = (MAIL_LOCALES if part == MAIL else LOCALES) / language / "LC_MESSAGES" / f"{part}.po"
            updated = as_po(language, {key: known.get(key) for key in texts[part]})
            if texts[part] and updated != (path.read_bytes() if path.exists() else b""):
                stale = True
                if not check:
                    path.write_bytes(updated)
        missing = [key for part in texts.values() for key in part if not _complete(known.get(key))]
        for key in missing:
            print(f"{language}: not translated: {key!r}")
        stale = stale or bool(missing)
    return 1 if check and stale else 0


def extracted() -> dict[str, list[Key]]:
    """The texts of each part, in alphabetical order, every text in one part only."""
    found: dict[str, set[Key]] = {part: set() for part in (COMMON, *PARTS, MAIL)}
    for file, text in _texts():
        found[part_of(file)].add(text)
    taken: set[Key] = set()
    for part, texts in found.items():
        if part != MAIL:  # which is read without the others
            texts -= taken
            taken |= texts
    return {part: sorted(texts, key=str) for part, texts in found.items()}


def part_of(file: str) -> str:
    """The part that a file below platform/ belongs to."""
    if file.startswith("mail/"):
        return MAIL
    file = file.removeprefix("web/")
    for part, beginnings in PARTS.items():
        if file.startswith(beginnings):
            return part
    return COMMON


def _texts() -> Iterator[tuple[str, Key]]:
    html = {"silent": "false", "trimmed": "true", "extensions": "jinja2.ext.do"}  # as `render` has it
    options = {"**.html": html, "**.txt": {"silent": "false"}}
    rows = extract_from_dir(PAGES, METHODS, options, keywords=KEYWORDS)
    for file, _line, text, _comments, _context in rows:
        yield Path(file).as_posix(), text if isinstance(text, str) else (text[0], text[1])


def translations(folder: Path, language: str) -> dict[Key, str | tuple[str, ...]]:
    """Everything that is translated already, whichever file it is in."""
    known: dict[Key, str | tuple[str, ...]] = {}
    for path in sorted((folder / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id and _complete(message.string):
                    known[message.id] = message.string
    return known


def as_po(language: str, texts: dict[Key, str | tuple[str, ...] | None]) -> bytes:
    """The bytes of a .po file; no dates and no places, so that it changes only with its texts."""
    catalog = Catalog(locale=language, fuzzy=False)
    for key, string in texts.items():
        flags = ("python-format",) if "%(" in str(key) else ()
        catalog.add(key, string or ("" if isinstance(key, str) else ("", "")), flags=flags)
    body = io.BytesIO()
    write_po(body, catalog, width=100, omit_header=True, sort_output=True)
    head = (
        f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return head.encode() + body.getvalue()


def _complete(string: str | tuple[str, ...] | None) -> bool:
    return bool(string) and (isinstance(string, str) or all(string or ()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
