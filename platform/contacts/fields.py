"""What may stand in a contact, checked and in its final form. Pure.

The names are those of the HTTP API. Only the mail address is required, and it is what tells contacts apart:
it is kept in lower case, because no mail provider of today tells cases apart, whatever RFC 5321 §2.4 allows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts.errors import BadContactError

EMAIL_CHARS_MAX = 254
GROUP_CHARS_MAX = 200
_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\]\\]{1,64}@(?:[^\s@\"(),:;<>\[\]\\.]{1,63}\.)+[^\s@\"(),:;<>\[\]\\.]{2,63}"
)
_LENGTHS = {"first_name": 100, "last_name": 100, "phone": 40, "company": 200}
#: Field → the names by which programs may send it.
NAMES: Mapping[str, tuple[str, ...]] = {
    "first_name": ("first_name", "firstname"),
    "last_name": ("last_name", "lastname"),
    "phone": ("phone",),
    "company": ("company",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFields:
    """A contact as somebody gave it; empty means not given."""

    email: str
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    company: str = ""
    country: str = ""


def parse_email(text: object) -> str | None:
    """The mail address in its final form; None when it is none."""
    if not isinstance(text, str):
        return None
    wanted = text.strip().strip("<>").lower().removeprefix("mailto:")
    good = len(wanted) <= EMAIL_CHARS_MAX and wanted.isprintable() and _EMAIL.fullmatch(wanted) is not None
    return wanted if good and ".." not in wanted and not wanted.startswith(".") else None


def parse_contact(data: Mapping[str, Any]) -> ContactFields:
    """`data` as a contact. Raises BadContactError with every problem found."""
    problems: list[tuple[str, str]] = []
    email = parse_email(data.get("email"))
    if email is None:
        problems.append(("email", "must be a mail address"))
    values: dict[str, str] = {}
    for field, names in NAMES.items():
        given = next((data[name] for name in names if data.get(name) not in (None, "")), "")
        values[field] = one_line(given) if isinstance(given, str) else ""
        if not isinstance(given, str):
            problems.append((field, "must be text"))
        elif len(values[field]) > _LENGTHS[field]:
            problems.append((field, f"must not be longer than {_LENGTHS[field]} characters"))
    country = data.get("country") or ""
    if not isinstance(country, str) or re.fullmatch(r"(?:[A-Za-z]{2})?", country.strip()) is None:
        problems.append(("country", "must be a country of two letters, ISO 3166"))
        country = ""
    if problems:
        raise BadContactError(problems)
    assert email is not None
    return ContactFields(email=email, country=country.strip().upper(), **values)


def parse_group(text: object) -> str:
    """The name of a group. Raises BadContactError."""
    name = one_line(text) if isinstance(text, str) else ""
    if not 1 <= len(name) <= GROUP_CHARS_MAX:
        raise BadContactError([("name", f"must be 1 to {GROUP_CHARS_MAX} printable characters")])
    return name


def one_line(text: str) -> str:
    """`text` without what does not print, its white space one blank each."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
