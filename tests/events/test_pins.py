"""PINs are hard to guess and never shared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import NoPinLeftError
from events.pins import PIN_DIGITS, is_trivial, new_pin


@pytest.mark.parametrize(
    "pin",
    [
        "111111111",
        "123456789",
        "987654321",
        "890123456",
        "121212121",
        "123123123",
        "112233112",
        "123454321",
        "100000001",
        "555512345",
        "123459761",
        "398765042",
    ],
)
def test_what_people_try_first_is_trivial(pin: str) -> None:
    assert is_trivial(pin)


@pytest.mark.parametrize("pin", ["492850173", "183047592", "770413926"])
def test_ordinary_numbers_are_not(pin: str) -> None:
    assert not is_trivial(pin)


def test_few_numbers_are_lost_to_the_patterns() -> None:
    step = 7_919 * 13
    sample = range(10**8, 10**9, step)
    assert sum(is_trivial(str(n)) for n in sample) / len(sample) < 0.01


def test_a_new_pin_is_nine_digits_and_free() -> None:
    seen: set[str] = set()
    for _ in range(2000):
        pin = new_pin(seen.__contains__)
        assert len(pin) == PIN_DIGITS == 9
        assert pin.isascii()
        assert pin.isdigit()
        assert pin[0] != "0"
        assert not is_trivial(pin)
        assert pin not in seen
        seen.add(pin)


def test_a_full_number_space_is_an_error_not_an_endless_loop() -> None:
    with pytest.raises(NoPinLeftError):
        new_pin(lambda _pin: True)


@given(st.text(alphabet="0123456789", min_size=9, max_size=9))
def test_every_number_is_judged(pin: str) -> None:
    assert is_trivial(pin) in (True, False)
