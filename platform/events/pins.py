"""Telephone PINs: nine random digits that are neither in use nor easy to guess.

A PIN is the only thing between a stranger and a room, typed on a keypad. Nine digits from `secrets` make
9·10⁸ values (the first is never 0, so that clients which keep numbers as integers lose nothing). With
10,000 joinable PINs a guess hits with probability 1.1·10⁻⁵, and the guard on the telephone side allows few
guesses an hour. People who guess try patterns first, so the patterns that people would try are never given
out; that costs less than one value in a hundred.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import pairwise

from events.errors import NoPinLeftError

PIN_DIGITS = 9
_TRIES = 200
_LONGEST_RUN = 3
_LONGEST_STAIRCASE = 4
_FEWEST_DIGITS = 4
_PERIODS = (1, 2, 3, 4)


def is_trivial(pin: str) -> bool:
    """Whether a person would try this PIN first: repeats, staircases, few digits, blocks, mirror images."""
    if len(set(pin)) < _FEWEST_DIGITS or pin == pin[::-1]:
        return True
    if any(pin == (pin[:period] * len(pin))[: len(pin)] for period in _PERIODS):
        return True
    steps = [(int(b) - int(a)) % 10 for a, b in pairwise(pin)]
    return (
        _longest(steps, 0) >= _LONGEST_RUN
        or _longest(steps, 1) >= _LONGEST_STAIRCASE
        or _longest(steps, 9) >= _LONGEST_STAIRCASE
    )


def _longest(steps: list[int], wanted: int) -> int:
    """The length of the longest stretch of `wanted` in `steps`."""
    best = run = 0
    for step in steps:
        run = run + 1 if step == wanted else 0
        best = max(best, run)
    return best


def new_pin(is_taken: Callable[[str], bool]) -> str:
    """A PIN of `PIN_DIGITS` digits for which `is_taken` is false. Raises NoPinLeftError."""
    low = 10 ** (PIN_DIGITS - 1)
    for _ in range(_TRIES):
        pin = str(low + secrets.randbelow(9 * low))
        if not is_trivial(pin) and not is_taken(pin):
            return pin
    raise NoPinLeftError(f"{_TRIES} random PINs in a row were in use")
