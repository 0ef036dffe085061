"""What is wrong with a field, in the reader's language.

The packages below say it in English for the HTTP API. The sentences they can say are listed here once more,
with places for what varies, so that the catalogues hold them; a test makes each of them happen. A sentence
that is not in the list is shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from events.errors import FieldProblem
from web.site.i18n import N_, texts

SENTENCES = (
    N_("is required"),
    N_("is required when access_type is 2"),
    N_("is taken"),
    N_("is reserved, choose another name"),
    N_("must be text"),
    N_("must not be longer than %(n)s characters"),
    N_("contains characters that are not text"),
    N_("must be 1 to %(n)s printable characters"),
    N_("must be at least %(n)s characters"),
    N_("must be 0 or 1"),
    N_("must be a whole number from %(low)s to %(high)s"),
    N_("must be one of: %(names)s"),
    N_("must be 3 to 60 letters, digits and inner hyphens"),
    N_("must be a web address that starts with http:// or https://"),
    N_("must be a group of named values"),
    N_("not a time zone; examples: Europe/Paris, America/New_York, UTC"),
    N_("must be hours and minutes as h:mm, from 0:01 to 24:00"),
    N_("must be a date and a time such as 2026-12-01T10:00"),
    N_("must be between the years 2000 and 2199"),
    N_("must have at least %(n)s characters"),
    N_("must not have more than %(n)s characters"),
    N_("is too easy to guess"),
    N_("must be a mail address"),
    N_("must not be a web address"),
    N_("must be one of the choices"),
    N_("must be 2 to %(n)s different lines"),
    N_("must be a country of two letters, ISO 3166"),
    N_("at most %(n)s fields"),
    N_("at most %(n)s at one time and %(all)s in one event"),
    N_("there are %(n)s groups, which is all there may be"),
    N_(
        "white words cannot be read on it: the contrast is %(ratio)s, and %(needed)s is needed; the nearest "
        "colour that passes is %(colour)s"
    ),
    N_("must be a colour such as #0f766e"),
    N_("there are %(n)s looks, which is all there may be"),
    N_("must not be larger than 1 MB"),
    N_("must be a picture: PNG, JPEG or WebP"),
    N_("is broken: this picture cannot be read"),
    N_("must be at least %(n)s pixels wide and high"),
    N_("must not have more than %(n)s million pixels"),
    N_("must be lines of text, or a list of time and title"),
    N_("must not have more than %(n)s lines"),
    N_("times must be hours and minutes as 10:00"),
    N_("titles must be 1 to %(n)s printable characters"),
    N_("must be a currency of three letters, ISO 4217"),
    N_("must be an amount such as 25 or 9.50"),
    N_("must not have more than %(n)s digits after the point"),
    N_("must be more than 0 and at most %(most)s"),
    N_("must be at least %(n)s: so many are sold"),
    N_("cannot be paid here; take another amount or currency"),
    N_("overlaps with %(name)s, %(when)s; the account may run %(n)s at a time"),
)


def sentence(language: str, message: str) -> str:
    """`message` of a package below, in a language, as a sentence of its own."""
    translate = texts(language).gettext
    for source, pattern in _patterns():
        match = pattern.fullmatch(message)
        if match is not None:
            said = translate(source)
            for name, value in match.groupdict().items():
                said = said.replace(f"%({name})s", value)
            return said[:1].upper() + said[1:] + "."
    return message[:1].upper() + message[1:] + "."


def by_field(language: str, problems: Sequence[FieldProblem]) -> Mapping[str, str]:
    """One sentence for each field."""
    return {problem.field: sentence(language, problem.message) for problem in problems}


@cache
def _patterns() -> Sequence[tuple[str, re.Pattern[str]]]:
    return [
        (source, re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", re.escape(source))))
        for source in SENTENCES
    ]
