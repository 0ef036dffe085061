"""In which country a browser probably is: by its time zone, else by its languages. Pure.

No address is looked up anywhere. The IANA time zone of a computer is set by people who want the right time,
so it says where they are about as well as a database of addresses does (CLDR knows which country each zone
is in); UTC and the like say nothing. Of the languages (RFC 9110 §12.5.4) only one with a region says
something: fr-CA is Canada, fr is not France.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from babel.core import get_global

_LENGTH_MAX = 64
_LANGUAGES_READ = 400

#: Zones of today under the names that CLDR keeps for ever.
_RENAMED = {
    "Asia/Kolkata": "Asia/Calcutta", "Europe/Kyiv": "Europe/Kiev", "Asia/Ho_Chi_Minh": "Asia/Saigon",
    "Asia/Yangon": "Asia/Rangoon", "Asia/Kathmandu": "Asia/Katmandu", "Atlantic/Faroe": "Atlantic/Faeroe",
    "America/Argentina/Buenos_Aires": "America/Buenos_Aires", "Africa/Asmara": "Africa/Asmera",
}  # fmt: skip


def country_of(*, timezone: str | None, accept_language: str) -> str | None:
    """ISO 3166 alpha-2, or None when nothing tells."""
    return country_of_zone(timezone or "") or country_of_languages(accept_language)


def country_of_zone(timezone: str) -> str | None:
    """The country in which an IANA zone is."""
    if len(timezone) > _LENGTH_MAX:
        return None
    return _zones().get(_RENAMED.get(timezone, timezone))


def country_of_languages(accept_language: str) -> str | None:
    """The region of the first language that has one."""
    for part in accept_language[:_LANGUAGES_READ].split(","):
        for piece in part.partition(";")[0].strip().split("-")[1:]:
            if len(piece) == 2 and piece.isascii() and piece.isalpha() and piece.upper() in _countries():
                return piece.upper()
    return None


@cache
def _zones() -> dict[str, str]:
    aliases: Mapping[str, str] = get_global("zone_aliases")
    known: Mapping[str, str] = get_global("zone_territories")
    homes = {zone: home for zone, home in known.items() if len(home) == 2 and home != "ZZ"}
    return {**{old: homes[new] for old, new in aliases.items() if new in homes}, **homes}


@cache
def _countries() -> frozenset[str]:
    return frozenset(_zones().values())
