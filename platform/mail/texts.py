"""The words of mails, in the reader's language: a text part and an HTML part from one pair of templates.

`write("reset", "fr", {...})` fills `templates/reset.txt`, whose first line is the subject, and
`templates/reset.html`, which extends `layout.html`. English stands in the templates and is the key of the
catalogues in `locale/`, as on the pages; mails have catalogues of their own because this package is below
the pages. Everything a stranger typed is escaped in HTML, and folded to one line in a subject.

Another package keeps its templates and catalogues in folders of its own and makes its own `MailTexts`; the
layout and its words come with it.
"""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mail.message import SUBJECT_CHARS_MAX, Attachment, Mail

HERE = Path(__file__).parent
DEFAULT = "en"


class MailTexts:
    """Templates of a folder (and of this package), with the catalogues of `locales` (and of this package)."""

    def __init__(self, templates: Path | None = None, locales: Path | None = None) -> None:
        self._folders = [one for one in (templates, HERE / "templates") if one is not None]
        self._locales = [one for one in (HERE / "locale", locales) if one is not None]
        self._environments: dict[tuple[str, bool], jinja2.Environment] = {}

    def write(
        self,
        template: str,
        language: str,
        values: Mapping[str, Any],
        *,
        to: str,
        to_name: str = "",
        attachments: tuple[Attachment, ...] = (),
    ) -> Mail:
        """A mail. Raises jinja2.UndefinedError for a missing value, BadMailError for a bad address."""
        subject, _, text = self._fill(f"{template}.txt", language, values).partition("\n")
        return Mail(
            to=to,
            to_name=to_name,
            subject=one_line(subject)[:SUBJECT_CHARS_MAX],
            text=text.strip() + "\n",
            html=self._fill(f"{template}.html", language, values),
            attachments=attachments,
        )

    def _fill(self, name: str, language: str, values: Mapping[str, Any]) -> str:
        environment = self._environment(language, html=name.endswith(".html"))
        return environment.get_template(name).render({"lang": language, **values})

    def _environment(self, language: str, *, html: bool) -> jinja2.Environment:
        made = self._environments.get((language, html))
        if made is None:
            made = jinja2.Environment(
                loader=jinja2.FileSystemLoader(self._folders),
                autoescape=html,
                undefined=jinja2.StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                extensions=["jinja2.ext.i18n"],
            )
            found = _translations(tuple(self._locales), language)
            made.install_gettext_translations(found, newstyle=True)  # type: ignore[attr-defined]
            made.policies["ext.i18n.trimmed"] = True
            made.filters["one_line"] = one_line
            self._environments[(language, html)] = made
        return made


def one_line(text: str) -> str:
    """`text` without line breaks and other characters that do not print."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()


@cache
def _translations(locales: tuple[Path, ...], language: str) -> gettext.NullTranslations:
    whole = Catalog(locale=language)
    for folder in locales:
        for path in sorted((folder / language / "LC_MESSAGES").glob("*.po")):
            with path.open("rb") as file:
                for message in read_po(file, locale=language):
                    if message.id and not message.fuzzy:
                        whole.add(message.id, message.string)
    if language == DEFAULT or len(whole) == 0:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
