"""Dial-in numbers, the ones nearest to a visitor first. Pure.

The visitor's time zone tells their country (the zone database's own table), the languages of their browser
tell countries (`fr-CH`) and languages. Nearer is: the zone's country, a country of the browser's languages,
a number whose prompts speak one of these languages, all others; in each group as the operator lists them.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.places import country_of
from web.services import Gateway


def nearest_first(
    gateways: Sequence[Gateway], *, timezone: str | None, accept_language: str | None
) -> list[Gateway]:
    """All numbers in order. `timezone`: IANA name; `accept_language`: the header (RFC 9110 §12.5.4)."""
    of_zone = country_of(timezone) if timezone else None
    tags = [
        tag.split(";")[0].strip().lower().split("-") for tag in (accept_language or "")[:500].split(",")[:10]
    ]
    of_languages = {part.upper() for tag in tags for part in tag[1:] if len(part) == 2}
    spoken = {tag[0] for tag in tags}

    def distance(gateway: Gateway) -> int:
        if gateway.country == of_zone:
            return 0
        if gateway.country in of_languages:
            return 1
        return 2 if gateway.language.lower().split("-")[0] in spoken else 3

    return sorted(gateways, key=distance)
