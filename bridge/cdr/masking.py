"""Callers' numbers as people without the billing role may see them.

What is left (the first three digits and the last two) tells calls of one list apart and gives nothing to
dial. The raw identity holds name and number in any form, so nothing of it is shown.
"""

from __future__ import annotations


def masked(number: str | None) -> str | None:
    """`+33123456789` → `+331******89`; numbers of six digits or fewer keep two digits."""
    if number is None:
        return None
    if len(number) <= 7:
        return number[:3] + "*" * (len(number) - 3)
    return number[:4] + "*" * (len(number) - 6) + number[-2:]
