"""Who calls, as Twilio tells it in `From`.

A telephone number comes as E.164; a SIP device as `sip:…`, an application as `client:…`.  Callers who
withhold their number come with a word spelt on a keypad and a plus before it (ANONYMOUS, RESTRICTED,
BLOCKED, UNKNOWN, UNAVAILABLE), which looks like a number and is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.numbers import parse_caller

_WITHHELD = frozenset(("+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"))
_WORDS = frozenset(("anonymous", "restricted", "blocked", "withheld", "private"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """raw: as it came; user: what names a caller without a number; presentation: as in a call record."""

    raw: str
    e164: str | None
    user: str | None
    presentation: str

    @classmethod
    def of(cls, text: str) -> Caller:
        """The caller (or the dialled number) that a field of a web hook means."""
        text = text.strip()
        if text in _WITHHELD or text.lower() in _WORDS:
            return cls(raw=text, e164=None, user=None, presentation="anonymous")
        scheme, colon, rest = text.partition(":")
        if colon:
            user = rest.partition("@")[0]
            number = parse_caller(user) if scheme in ("sip", "sips") else None
        else:
            user, number = text, parse_caller(text)
        return cls(
            raw=text,
            e164=number.value if number else None,
            user=user or None,
            presentation="allowed" if number else "unavailable",
        )
