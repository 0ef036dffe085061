"""Money counts minor units, never mixes currencies, and is rounded by name."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InexactAmountError, MixedCurrenciesError, UnknownCurrencyError
from billing.money import Money, exponent, from_micro, round_half_up, to_micro
from billing.rounding import Rounding, divided, rounded


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("RSD", 2), ("IQD", 3)])
def test_each_currency_has_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("code", ["", "eur", "EU", "XXX", "XTS", "XAU", "ABC", "€"])
def test_what_nobody_pays_with_is_no_currency(code: str) -> None:
    with pytest.raises(UnknownCurrencyError):
        Money(1, code)


@pytest.mark.parametrize(("value", "half_up", "up", "down", "half_even"), [
    ("0.5", 1, 1, 0, 0), ("1.5", 2, 2, 1, 2), ("-0.5", -1, -1, 0, 0), ("-1.5", -2, -2, -1, -2),
    ("0.4999", 0, 1, 0, 0), ("2.0", 2, 2, 2, 2), ("-2.0", -2, -2, -2, -2), ("0.50001", 1, 1, 0, 1),
])
def test_four_ways_to_round(value: str, half_up: int, up: int, down: int, half_even: int) -> None:
    for name, expected in (("HALF_UP", half_up), ("UP", up), ("DOWN", down), ("HALF_EVEN", half_even)):
        assert rounded(Decimal(value), 0, Rounding(name)) == expected


@given(st.integers(-10**12, 10**12), st.integers(1, 10**6), st.sampled_from(Rounding))
def test_rounding_agrees_with_decimal(numerator: int, denominator: int, rounding: Rounding) -> None:
    """The standard library rounds an exact quotient; ours may not differ wherever that one is exact."""
    oracle = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), rounding=f"ROUND_{rounding}")
    assert divided(numerator, denominator, rounding) == int(oracle)


def test_a_float_is_refused_and_a_decimal_is_exact() -> None:
    assert Money.of(Decimal("1.005"), "EUR", Rounding.HALF_UP) == Money(101, "EUR")
    with pytest.raises(TypeError):
        Money.of(1.005, "EUR", Rounding.HALF_UP)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(1.0, "EUR")  # type: ignore[arg-type]


def test_an_amount_finer_than_a_cent_needs_a_rounding() -> None:
    with pytest.raises(InexactAmountError):
        Money.of(Decimal("0.001"), "EUR")
    assert Money.of(Decimal("0.10"), "EUR").minor == 10
    assert Money.of(Decimal("7"), "JPY").minor == 7
    assert Money.of(Fraction(1, 4), "EUR").minor == 25
    assert Money.of(Decimal(10) ** 30, "EUR").minor == 10**32


def test_currencies_never_mix() -> None:
    for operation in ("__add__", "__sub__", "__lt__", "__ge__"):
        with pytest.raises(MixedCurrenciesError):
            getattr(Money(1, "EUR"), operation)(Money(1, "USD"))
    assert Money(1, "EUR") != Money(1, "USD")


@given(st.integers(-10**15, 10**15), st.integers(-10**15, 10**15))
def test_money_adds_like_integers(left: int, right: int) -> None:
    one, other = Money(left, "EUR"), Money(right, "EUR")
    assert one + other - other == one
    assert (one < other) == (left < right)
    assert -one + one == Money.zero("EUR")
    assert Money.of(one.amount, "EUR") == one
    assert Money.of_micro(one.micro, "EUR") == one


def test_people_read_it_in_their_language() -> None:
    assert Money(123450, "EUR").format("en") == "€1,234.50"
    assert Money(-123450, "EUR").format("fr").replace("\u202f", " ").replace("\xa0", " ") == "-1 234,50 €"
    assert Money(150, "RSD").format("en").replace("\xa0", " ") == "RSD 1.50"
    assert Money(1500, "JPY").format("en") == "¥1,500"
    assert str(Money(5, "EUR")) == "0.05 EUR"


def test_micro_units_are_exact_or_refused() -> None:
    assert to_micro(Decimal("0.0137")) == 13_700
    assert from_micro(13_700) == Decimal("0.0137")
    assert str(from_micro(-1)) == "-0.000001"
    with pytest.raises(InexactAmountError):
        to_micro(Decimal("0.0000001"))


def test_tax_is_rounded_once() -> None:
    assert Money(1235, "EUR").times(Decimal("0.21")) == Money(259, "EUR")
    assert Money(7345, "EUR").times(Decimal("1.21")) == Money(8887, "EUR")  # P9
    assert round_half_up(Fraction(99 * 23, 31), 2) == Decimal("73.45")  # P1
    assert round_half_up(Decimal("-0.005"), 2) == Decimal("-0.01")
