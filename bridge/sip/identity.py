"""Who is calling: the identity a trunk vouches for, the number the caller claims, and whether it may be
shown.

Order of belief, from a trusted trunk: P-Asserted-Identity (RFC 3325 section 9.1), the older
Remote-Party-ID, From. `Privacy: id`, `header` or `user` (RFC 3323 section 4.2, RFC 3325 section 9.3), an
anonymous From (RFC 3323 section 4.1.1.3) or `privacy=full` in a Remote-Party-ID ask us not to show it. The
number itself is kept either way: bills and the guard against PIN guessing need it, lists do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.numbers import parse_caller
from bridge.sip.headers import Address, Request, number_in, parse_address, split_list
from bridge.sip.messages import Presentation

_HIDING = frozenset({"id", "header", "user", "session"})
_TEXT_MAX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller as we understand the INVITE."""

    raw: str
    e164: str | None
    presentation: Presentation
    display_name: str


def read_caller(request: Request, *, region: str | None) -> Caller:
    """The caller of an INVITE from a trunk of country `region`."""
    sender = parse_address(request.first("from"))
    asserted = _asserted(request)
    identity = next((address for address in asserted if parse_caller(number_in(address), region)), sender)
    if identity is sender and asserted and not number_in(sender):
        identity = asserted[0]
    raw = _clean(number_in(identity).partition(";")[0])
    number = parse_caller(number_in(identity), region)
    hidden = _hidden(request, sender)
    if hidden:
        presentation = Presentation.ANONYMOUS
    elif number is None:
        presentation = Presentation.UNAVAILABLE
    else:
        presentation = Presentation.ALLOWED
    name = "" if hidden else _clean(identity.display_name or sender.display_name)
    return Caller(
        raw=raw, e164=number.value if number else None, presentation=presentation, display_name=name
    )


def _asserted(request: Request) -> list[Address]:
    values = [part for line in request.all("p-asserted-identity") for part in split_list(line)]
    values += [part for line in request.all("remote-party-id") for part in split_list(line)]
    return [parse_address(value) for value in values]


def _hidden(request: Request, sender: Address) -> bool:
    wanted = {part.strip().lower() for line in request.all("privacy") for part in re.split("[;,]", line)}
    if wanted & _HIDING:
        return True
    if any("privacy=full" in line.lower() for line in request.all("remote-party-id")):
        return True
    user = number_in(sender).lower()
    return user == "anonymous" or sender.host.lower().endswith("anonymous.invalid")


def _clean(text: str) -> str:
    """Printable, bounded: what a stranger sends ends up in lists and files."""
    return "".join(char for char in text if char.isprintable())[:_TEXT_MAX].strip()
