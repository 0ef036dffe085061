"""Rounding, by name, once, and exactly.

Every amount that is rounded anywhere in billing passes through `rounded` or `divided`.  Both compute with
integers and fractions: a float would make 1.005 into 1.00, and `decimal` with its 28 digits would round a
quotient once before we round it for the second time.

The names are those of `decimal` and of rate decks.  All four treat a credit as the mirror image of a charge:
`HALF_UP` and `UP` go away from zero, `DOWN` towards it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

Exact = int | Decimal | Fraction
"""A number without rounding error. Floats are not among them."""


class Rounding(StrEnum):
    """What becomes of the digits that an amount cannot have."""

    HALF_UP = "HALF_UP"
    UP = "UP"
    DOWN = "DOWN"
    HALF_EVEN = "HALF_EVEN"


def divided(numerator: int, denominator: int, rounding: Rounding) -> int:
    """`numerator / denominator` as an integer. The denominator is positive."""
    assert denominator > 0
    quotient, rest = divmod(abs(numerator), denominator)
    if rest and (
        rounding is Rounding.UP
        or (rounding is Rounding.HALF_UP and 2 * rest >= denominator)
        or (
            rounding is Rounding.HALF_EVEN
            and (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
        )
    ):
        quotient += 1
    return quotient if numerator >= 0 else -quotient


def rounded(value: Exact, decimals: int, rounding: Rounding) -> Decimal:
    """`value` with `decimals` digits after the point. Raises TypeError for a float."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | Fraction):
        raise TypeError(f"money is never computed with {type(value).__name__}")
    exact = Fraction(value) * 10**decimals
    units = divided(exact.numerator, exact.denominator, rounding)
    # From its parts: Decimal arithmetic would cut very large amounts to the context's 28 digits.
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -decimals))


def round_half_up(value: Exact, decimals: int = 0) -> Decimal:
    """The rounding of every posting: half a unit goes up, away from zero."""
    return rounded(value, decimals, Rounding.HALF_UP)
