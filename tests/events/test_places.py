"""Which numbers a mail names: those that are near, by the table of the zone database."""

from __future__ import annotations

import math

import pytest

from bridge.numbers import NumberBook
from events.places import distance_km
from events.wording import Number, nearest


@pytest.fixture(scope="module")
def numbers() -> list[Number]:
    """Those that ship."""
    book = NumberBook.load(NumberBook.default_path())
    return [
        Number(location=one.city_en, display=one.display, country=one.country, language=one.language)
        for one in book.numbers
    ]


@pytest.mark.parametrize(
    ("zone", "language", "wanted"),
    [
        ("Europe/Paris", "fr", ["Paris", "London", "Zurich"]),
        ("Europe/Paris", "en", ["Paris", "London", "Dublin"]),
        ("America/New_York", "fr", ["New York", "Philadelphia", "Chicago"]),
        ("America/Los_Angeles", "en", ["San Francisco", "Seattle", "Chicago"]),
        ("Asia/Tokyo", "en", ["Tokyo"]),
        ("Europe/Oslo", "en", ["Oslo"]),
        ("Australia/Perth", "en", ["Perth", "Melbourne"]),
    ],
)
def test_the_nearest_come_first(numbers: list[Number], zone: str, language: str, wanted: list[str]) -> None:
    found = [one.location for one in nearest(numbers, zone=zone, language=language)]
    assert found[: len(wanted)] == wanted
    assert len(found) == 3


def test_distances() -> None:
    assert distance_km("Europe/Paris", number="+44 20 3514 2063", country="GB") == pytest.approx(341, abs=15)
    assert distance_km("Pacific/Auckland", number="+1 (212) 555-0100", country="US") == pytest.approx(
        14_200, abs=100
    )
    assert distance_km("Europe/Paris", number="0 800 912 345", country="FR") == 0.0
    assert distance_km("UTC", number="+44 20 3514 2063", country="GB") == math.inf
    assert distance_km("Europe/Paris", number="800", country="XX") == math.inf


def test_without_a_place_they_stay_as_the_operator_lists_them(numbers: list[Number]) -> None:
    assert nearest(numbers, zone="UTC", language="fr") == numbers[:3]
