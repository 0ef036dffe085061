"""Mail addresses as people paste them: from a spreadsheet, a mail program, or typed. Pure.

Entries are separated by commas, semicolons, tabs or ends of lines, but not inside quotes or angle brackets.
An entry is an address, `Name <address>`, `"Last, First" <address>`, or a name and an address side by side.
Whatever is not understood is listed with its line, so that nobody is forgotten in silence; an address that
comes twice counts once. The cost is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mail.errors import BadMailError
from mail.message import check_address

TEXT_BYTES_MAX = 2_000_000
ENTRIES_MAX = 20_000
LISTED_MAX = 200
"""So many bad entries are listed; the others are counted."""

_ENTRY = re.compile(r'(?:"[^"\n]*"|<[^<>\n]*>|[^,;\t\n\r"<]|["<])+')
_PLAIN = re.compile(r"[a-z0-9._%+'-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,61}")


class TooMuchTextError(ValueError):
    """More text or entries than one invitation round may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A person: the address in lower case, and the name that stood beside it, or an empty one."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """An entry that is no address. `line` counts from 1."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """What was found; `bad_count` counts also those that are not listed."""

    good: Sequence[Address]
    bad: Sequence[BadEntry]
    bad_count: int
    duplicates: Sequence[str]


def read_addresses(text: str) -> Pasted:
    """Everybody in a pasted text. Raises TooMuchTextError."""
    if len(text) > TEXT_BYTES_MAX or len(text.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
        raise TooMuchTextError(f"more than {TEXT_BYTES_MAX // 1_000_000} MB of addresses")
    good: dict[str, Address] = {}
    bad: list[BadEntry] = []
    bad_count = 0
    twice: dict[str, None] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        for match in _ENTRY.finditer(line):
            entry = match[0].strip()
            if not entry:
                continue
            found = read_entry(entry)
            if found is None:
                bad_count += 1
                if len(bad) < LISTED_MAX:
                    bad.append(BadEntry(line=number, text=_shown(entry)))
            elif found.email in good:
                twice[found.email] = None
            else:
                good[found.email] = found
                if len(good) > ENTRIES_MAX:
                    raise TooMuchTextError(f"more than {ENTRIES_MAX} addresses")
    return Pasted(good=list(good.values()), bad=bad, bad_count=bad_count, duplicates=list(twice))


def read_entry(text: str) -> Address | None:
    """One entry; None when there is no address in it."""
    entry = text.strip()
    if len(entry) > 600:
        return None
    if _PLAIN.fullmatch(entry.lower()):
        return Address(email=entry.lower())
    before, bracket, rest = entry.rpartition("<")
    if bracket and rest.endswith(">"):
        name, address = before, rest[:-1]
    else:
        words = entry.split()
        places = [place for place, word in enumerate(words) if "@" in word]
        if len(places) != 1 or places[0] not in (0, len(words) - 1):
            return None
        address = words.pop(places[0])
        name = " ".join(words)
    email = normal(address)
    return None if email is None else Address(email=email, name=_name(name))


def normal(text: str) -> str | None:
    """The address in lower case, or None when it is none. A domain has a dot."""
    address = text.strip().removeprefix("mailto:").strip("'\"").lower()
    if _PLAIN.fullmatch(address):
        return address
    try:
        check_address(address)
    except BadMailError:
        return None
    domain = address.rpartition("@")[2]
    return address if "." in domain.strip(".") and ".." not in address else None


def _name(text: str) -> str:
    plain = text.strip().strip("\"'").replace('\\"', '"').strip()
    if plain.count(",") == 1:
        last, first = (part.strip() for part in plain.split(","))
        plain = f"{first} {last}".strip()
    return " ".join("".join(char if char.isprintable() else " " for char in plain).split())[:200]


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:100]
