"""Languages: which one a request wants, and the texts in it.

English is the source: what stands in templates and scripts is the English text and at the same time the key
of its translation (GNU gettext). The other languages are catalogues, `locale/<language>/LC_MESSAGES/*.po`,
read when the process starts; all files of a language count as one catalogue, so that parts of the house
can each keep a file. `scripts/messages.py` brings the files up to date with the sources.

A request's language is, in this order: `?lang=`, the cookie `tb_lang`, Accept-Language (RFC 9110 §12.5.4),
English. Scripts get their texts as JSON in the page; they are found by reading the scripts themselves.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from babel.core import parse_locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import HTTPConnection

LANGUAGES: Mapping[str, str] = {"en": "English", "fr": "Français"}
"""Language code → its name in itself."""

DEFAULT = "en"
COOKIE = "tb_lang"
LOCALES = Path(__file__).parent / "locale"
STATIC = Path(__file__).parent / "static"
SCRIPT_KEYWORDS = {"t": None, "tn": (1, 2)}
"""The functions of static/i18n.js: `t(text, values)` and `tn(one, many, n, values)`."""


def N_(text: str) -> str:  # noqa: N802  the name that every gettext tool knows
    """Marks a text for the catalogue; it is translated where it is shown."""
    return text


@cache
def catalogue(language: str) -> Catalog:
    """All translations of a language in one catalogue; empty for English."""
    whole = Catalog(locale=language)
    for path in sorted((LOCALES / language / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id and not message.fuzzy:
                    whole.add(message.id, message.string, context=message.context)
    return whole


@cache
def texts(language: str) -> gettext.NullTranslations:
    """`gettext` and `ngettext` of a language."""
    if language == DEFAULT:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def script_messages(language: str) -> Mapping[str, str | Sequence[str]]:
    """The texts of all scripts: source text → translation, or → plural forms. Empty for English."""
    if language == DEFAULT:
        return {}
    found: dict[str, str | Sequence[str]] = {}
    for path in sorted(STATIC.rglob("*.js")):
        for _line, text, _comments, _context in extract_from_file(
            "javascript", path, keywords=SCRIPT_KEYWORDS
        ):
            key = text if isinstance(text, str) else text[0]
            message = catalogue(language).get(key)
            if message is not None and message.string:
                found[key] = message.string
    return found


def language_of(request: HTTPConnection) -> str:
    """The language in which this request is to be answered."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish is not None and wish in LANGUAGES:
            return wish
    return negotiate(request.headers.get("accept-language", ""))


def negotiate(accept_language: str) -> str:
    """The best of our languages for an Accept-Language header; anything may be in it."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:400].split(",")):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
            code = parse_locale(tag.strip(), sep="-")[0].lower()
        except ValueError:
            continue
        if code in LANGUAGES and 0 < quality <= 1:
            wishes.append((-quality, place, code))
    return min(wishes)[2] if wishes else DEFAULT
