"""What a ticket may cost."""

from __future__ import annotations

import pytest

from billing.money import Money
from billing.tickets.prices import CAPACITY, CURRENCY, PRICE, parse_offer, parse_price
from events.errors import BadEventError


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("25", "EUR", 2500),
        ("0.01", "EUR", 1),
        ("9,50", "EUR", 950),
        ("9.5", "EUR", 950),
        ("1000", "USD", 100_000),
        ("1000.00", "CHF", 100_000),
        ("1000", "JPY", 1000),
        ("100000", "RUB", 10_000_000),
        ("9.505", "KWD", 9505),
    ],
)
def test_prices_that_may_be(typed: str, currency: str, minor: int) -> None:
    assert parse_price(typed, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("typed", "currency"),
    [
        ("0", "EUR"), ("0.00", "EUR"), ("-1", "EUR"), ("1000.01", "EUR"), ("1001", "JPY"), ("1e9", "EUR"),
        ("1e2", "EUR"), ("999999999", "EUR"), ("ten", "EUR"), ("", "EUR"), ("9.505", "EUR"), ("1,000", "EUR"),
        ("1.000", "EUR"), ("1,000", "KWD"), ("7.5", "JPY"), ("100000.01", "RUB"), ("١٠", "EUR"),
        ("1 0", "EUR"), ("NaN", "EUR"), ("Infinity", "EUR"), ("+5", "EUR"),
    ],
)  # fmt: skip
def test_prices_that_may_not_be(typed: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"^must"):
        parse_price(typed, currency)


def faults(ticket: object, *, known: Money | None = None) -> set[str]:
    with pytest.raises(BadEventError) as caught:
        parse_offer({"ticket": ticket}, known=known, currency="EUR", takes=lambda money: money.minor >= 50)
    return {problem.field for problem in caught.value.problems}


def test_everything_wrong_is_told_at_once() -> None:
    assert faults({"price": "-1", "capacity": "many"}) == {PRICE, CAPACITY}
    assert faults({"price": "5", "currency": "EURO", "capacity": "-1"}) == {CURRENCY, CAPACITY}
    assert faults({"price": "0.10"}) == {PRICE}, "no provider here takes so little"
    assert faults({"currency": "USD"}, known=Money(500, "EUR")) == {PRICE}, "a price has one currency"
    assert faults("5") == {"ticket"}


def test_what_is_not_mentioned_stays() -> None:
    wishes = parse_offer({}, known=None, currency="EUR", takes=lambda _: True)
    assert (wishes.price, wishes.capacity) == (None, None)
    wishes = parse_offer({"ticket": {"price": 7.5, "capacity": ""}}, known=None, currency="EUR",
                         takes=lambda _: True)  # fmt: skip
    assert (wishes.price, wishes.capacity) == (Money(750, "EUR"), 0)
