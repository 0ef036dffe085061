"""Which of our numbers was dialled.

Asked in this order: the Request-URI (where a trunk routes the call), To (what the caller dialled, when the
trunk puts an account name into the Request-URI), then the trunk's default number.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.numbers import DialInNumber, NumberBook, parse_number
from bridge.sip.config import Trunk
from bridge.sip.headers import Request, number_in, parse_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """The number as sent, and our entry for it if we have one."""

    raw: str
    e164: str | None
    entry: DialInNumber | None


def resolve_dialled(request: Request, *, trunk: Trunk | None, book: NumberBook) -> Dialled:
    """The dialled number of an INVITE; `entry` is None when none of the places names a number of ours."""
    region = trunk.country if trunk else None
    raw = ""
    number: str | None = None
    for address in (parse_address(f"<{request.uri}>"), parse_address(request.first("to"))):
        user = number_in(address)
        raw = raw or _clean(user)
        entry = book.find(user, region)
        if (
            entry is None
            and "user=phone" not in address.parameters
            and "phone-context=" in address.parameters
        ):
            entry = book.find(f"{user};{address.parameters}", region)  # some put it behind the host
        if entry is not None:
            return Dialled(raw=_clean(user), e164=entry.number.value, entry=entry)
        if number is None and (parsed := parse_number(user, region)) is not None:
            number = parsed.value
    if trunk is not None and trunk.default_number is not None:
        entry = book.find(trunk.default_number, region)
        if entry is not None:
            return Dialled(raw=raw, e164=entry.number.value, entry=entry)
    return Dialled(raw=raw, e164=number, entry=None)


def _clean(user: str) -> str:
    return "".join(char for char in user.partition(";")[0] if char.isprintable())[:64]
