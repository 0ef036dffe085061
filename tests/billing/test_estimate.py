"""The calculator: the price, the assumptions beside it, and what is no question."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf
from billing.deck_shelf import DeckShelf, OpenDecks
from billing.estimate import BadEstimateError, Estimate, estimate, locations
from billing.money import Money
from billing.usage import NO_TAX, Tax
from tests.billing.calls_support import T0, a_rate, some_terms


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def decks(sessions: sessionmaker[Session]) -> OpenDecks:
    rates = [
        a_rate("33", 41_000), a_rate("33", 118_000, origin_prefix="336"), a_rate("1", 29_000),
        a_rate("49", 39_000, connect_fee_u=10_000, first_s=30, next_s=6),
    ]  # fmt: skip
    with sessions() as session:
        deck = deck_shelf.add_draft(session, some_terms(), rates, source="t", by="t", now=T0)
        deck_shelf.activate(session, deck.id, by="t", now=T0)
        session.commit()
        return DeckShelf().open(session)


def ask(decks: OpenDecks, participants: int = 50, minutes: int = 60, location: str = "DE",
        share: Fraction = Fraction(1), currency: str = "EUR", at: datetime = T0,
        tax: Tax = NO_TAX) -> Estimate:  # fmt: skip
    return estimate(
        decks, currency=currency, participants=participants, minutes=minutes, location=location, at=at,
        phone_share=share, tax=tax,
    )  # fmt: skip


def test_price_and_assumptions(decks: OpenDecks) -> None:
    answer = ask(decks, tax=Tax(rate=Fraction(21, 100), country="NL"))
    assert answer.per_caller_u == 60 * 39_000 + 10_000
    assert (answer.net, answer.vat, answer.total) == (eur(11750), eur(2468), eur(14218))
    assert (answer.callers, answer.per_minute_u, answer.connect_fee_u) == (50, 39_000, 10_000)
    assert (answer.first_s, answer.next_s, answer.matched_prefix, answer.deck) == (30, 6, "49", "Standard")
    assert (answer.location, answer.mobile_total) == ("DE", None)


def test_callers_are_whole_people(decks: OpenDecks) -> None:
    answer = ask(decks, participants=10, minutes=1, location="us", share=Fraction(1, 3))
    assert (answer.callers, answer.net, answer.location) == (4, eur(12), "US")
    assert ask(decks, share=Fraction(0)).total == eur(0)


def test_where_mobiles_cost_more_that_is_said(decks: OpenDecks) -> None:
    answer = ask(decks, participants=10, minutes=10, location="FR")
    assert (answer.total, answer.mobile_total) == (eur(410), eur(1180))


def test_countries_with_a_price(decks: OpenDecks) -> None:
    known = locations(decks, currency="EUR", at=T0)
    assert {"DE", "FR", "US", "CA"} <= set(known)
    assert "JP" not in known
    assert locations(decks, currency="USD", at=T0) == []


@pytest.mark.parametrize(
    ("question", "field", "slug"),
    [
        ({"participants": 0}, "participants", "range"),
        ({"participants": -5}, "participants", "range"),
        ({"participants": 10**9}, "participants", "range"),
        ({"minutes": 0}, "minutes", "range"),
        ({"minutes": 1441}, "minutes", "range"),
        ({"share": Fraction(3, 2)}, "phone_share", "range"),
        ({"share": Fraction(-1)}, "phone_share", "range"),
        ({"location": ""}, "location", "unknown"),
        ({"location": "Paris"}, "location", "unknown"),
        ({"location": "JP"}, "location", "no-rate"),
        ({"currency": "USD"}, "location", "no-rate"),
        ({"at": datetime(2020, 1, 1, tzinfo=UTC)}, "location", "no-rate"),
    ],
)
def test_questions_without_an_answer(
    decks: OpenDecks, question: dict[str, object], field: str, slug: str
) -> None:
    with pytest.raises(BadEstimateError) as caught:
        ask(decks, **question)  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.slug) == (field, slug)
