"""Which rate a call gets: longest prefixes, the moment of the answer, and what decks do to each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf, sample_deck
from billing.deck_models import RateDeck, RateRow
from billing.deck_shelf import DeckShelf
from billing.decks import DeckIndex, DeckState, Rate
from billing.errors import BadRateError, DeckStateError, NoSuchDeckError, UnknownCurrencyError
from billing.money import from_micro
from billing.rating import rate_call
from tests.billing.calls_support import T0, a_rate, some_terms

DAY = timedelta(days=1)


def find(rates: list[Rate], called: str, caller: str | None = None, at: datetime = T0) -> Rate | None:
    return DeckIndex(rates).find(number_class="tollfree", called=called, caller=caller, answer_at=at)


def test_g21_the_moment_of_the_answer_chooses() -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    rates = [a_rate("49", 20_000), a_rate("4915", 80_000), a_rate("491520", 100_000, valid_from=midnight)]
    for answered, expected in ((midnight - timedelta(milliseconds=1), "0.08"), (midnight, "0.1")):
        rate = find(rates, "+4915201234567", at=answered)
        assert rate is not None
        rated = rate_call(rate, some_terms(), conn_ms=60_000)
        assert (rated.billed_sec, from_micro(rated.cost_u).normalize()) == (60, from_micro(rated.cost_u))
        assert str(from_micro(rated.cost_u).normalize()) == expected


def test_the_longest_called_prefix_then_the_longest_origin() -> None:
    rates = [a_rate("", 1), a_rate("49", 2), a_rate("49", 3, origin_prefix="33"),
             a_rate("49", 4, origin_prefix="336"), a_rate("4980", 5, origin_prefix="44")]

    def price(called: str, caller: str | None) -> int:
        rate = find(rates, called, caller)
        assert rate is not None
        return rate.per_minute_u

    assert price("+4980123", "+441") == 5
    assert price("+4980123", "+33612") == 4  # nothing longer fits this origin
    assert price("+4980123", "+33712") == 3
    assert price("+4980123", None) == 2
    assert price("+331", "+441") == 1


def test_a_rate_ends_where_the_next_one_begins() -> None:
    rates = [a_rate("49", 1, valid_to=T0), a_rate("49", 2, valid_from=T0, valid_to=T0 + DAY)]
    assert [None if rate is None else rate.per_minute_u for rate in (
        find(rates, "+491", at=T0 - timedelta(milliseconds=1)), find(rates, "+491", at=T0),
        find(rates[::-1], "+491", at=T0), find(rates, "+491", at=T0 + DAY),
    )] == [1, 2, 2, None]


def test_another_class_is_another_price() -> None:
    index = DeckIndex([a_rate("49")])
    assert index.find(number_class="city", called="+49301", caller=None, answer_at=T0) is None
    assert find([a_rate("49")], "+4") is None


@given(st.data())
def test_look_ups_agree_with_reading_every_rate(data: st.DataObject) -> None:
    prefix = st.text("12", max_size=4)
    keys = data.draw(st.lists(st.tuples(prefix, prefix), unique=True, max_size=12))
    rates = [a_rate(called, number, origin_prefix=origin) for number, (called, origin) in enumerate(keys)]
    called = data.draw(st.text("123", min_size=1, max_size=6))
    caller = data.draw(st.none() | st.text("123", max_size=6))
    fitting = [rate for rate in rates if called.startswith(rate.called_prefix)
               and (caller or "").startswith(rate.origin_prefix)]
    best = max(fitting, key=lambda rate: (len(rate.called_prefix), len(rate.origin_prefix)), default=None)
    assert find(rates, "+" + called, None if caller is None else "+" + caller) == best


@pytest.mark.parametrize("wrong", [
    {"name": " "}, {"name": "x" * 81}, {"cost_decimals": 7}, {"cost_decimals": -1},
    {"valid_to": T0 - 60 * DAY}, {"valid_from": datetime(2026, 1, 1)},
])
def test_terms_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRateError):
        some_terms(**wrong)
    with pytest.raises(UnknownCurrencyError):
        some_terms(currency="EURO")


# -- in the database ---------------------------------------------------------------------------------------


def draft(session: Session, *rates: Rate, **more: Any) -> int:
    deck = deck_shelf.add_draft(session, some_terms(**more), rates or [a_rate()], source="file.csv", by="ann",
                                now=T0)
    return deck.id


def state(session: Session, deck_id: int) -> tuple[str, datetime | None]:
    deck = deck_shelf.get(session, deck_id)
    return deck.state, deck.valid_to


def test_a_deck_is_kept_as_it_was(sessions: sessionmaker[Session]) -> None:
    rates = [a_rate("49", 50_000, connect_fee_u=1, min_charge_u=2, max_charge_u=10**12, grace_ms=5000,
                    origin_prefix="33", valid_from=T0, valid_to=T0 + DAY, description="é"),
             a_rate("", 0, first_s=90, next_s=60, allow_uneven=True)]
    with sessions.begin() as session:
        deck_id = draft(session, *rates)
    with sessions() as session:
        kept = deck_shelf.rates_of(session, deck_id)
        assert [rate.key for rate in kept] == [rate.key for rate in rates]
        assert kept[0].max_charge_u == 10**12
        assert (kept[0].valid_from, kept[0].valid_to, kept[0].description) == (T0, T0 + DAY, "é")
        assert kept[1].first_s == 90
        assert deck_shelf.terms_of(deck_shelf.get(session, deck_id)).currency == "EUR"


def test_versions_count_by_name(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ids = [draft(session), draft(session), draft(session, name="Other")]
        assert [deck_shelf.get(session, deck_id).version for deck_id in ids] == [1, 2, 1]
        assert [deck.version for deck in deck_shelf.all_decks(session)] == [1, 2, 1]


def test_a_new_version_takes_over_from_its_day_on(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        first, second = draft(session), draft(session, valid_from=T0)
        assert deck_shelf.activate(session, first, by="bob", now=T0) == []
        gave_way = deck_shelf.activate(session, second, by="bob", now=T0)
        assert [deck.id for deck in gave_way] == [first]
        assert state(session, first) == ("active", T0)
        decks = DeckShelf().open(session)
        for moment, expected in ((T0 - timedelta(milliseconds=1), first), (T0, second)):
            found = decks.at(currency="EUR", moment=moment)
            assert found is not None
            assert found[0].id == expected
        assert decks.at(currency="USD", moment=T0) is None
        assert decks.at(currency="EUR", moment=T0 - 31 * DAY) is None


def test_a_correction_of_the_past_retires_what_it_covers(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        first, second = draft(session), draft(session)
        deck_shelf.activate(session, first, by="bob", now=T0)
        deck_shelf.activate(session, second, by="eve", now=T0 + DAY)
        row = deck_shelf.get(session, first)
        assert (row.state, row.retired_by, row.retired_at) == ("retired", "eve", T0 + DAY)


def test_a_deck_that_would_cut_another_in_two_is_refused(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        first, short = draft(session), draft(session, valid_from=T0, valid_to=T0 + DAY)
        deck_shelf.activate(session, first, by="bob", now=T0)
        with pytest.raises(DeckStateError, match="beyond the end"):
            deck_shelf.activate(session, short, by="bob", now=T0)
        assert state(session, first) == ("active", None)
        other = draft(session, valid_from=T0, valid_to=T0 + DAY, currency="USD")
        deck_shelf.activate(session, other, by="bob", now=T0)


def test_what_a_state_does_not_allow(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        deck_id = draft(session)
        with pytest.raises(DeckStateError):
            deck_shelf.retire(session, deck_id, by="bob", now=T0)
        deck_shelf.activate(session, deck_id, by="bob", now=T0)
        for wrong in (lambda: deck_shelf.activate(session, deck_id, by="bob", now=T0),
                      lambda: deck_shelf.delete_draft(session, deck_id)):
            with pytest.raises(DeckStateError):
                wrong()
        deck_shelf.retire(session, deck_id, by="bob", now=T0)
        with pytest.raises(DeckStateError):
            deck_shelf.activate(session, deck_id, by="bob", now=T0)
        with pytest.raises(NoSuchDeckError):
            deck_shelf.get(session, 999)
        empty = deck_shelf.add_draft(session, some_terms(), [], source="", by="ann", now=T0)
        with pytest.raises(DeckStateError, match="no rates"):
            deck_shelf.activate(session, empty.id, by="bob", now=T0)
        deck_shelf.delete_draft(session, empty.id)


def test_rates_never_change(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        deck_id = draft(session)
        deck_shelf.activate(session, deck_id, by="bob", now=T0)
    for statement in (update(RateRow).values(per_minute_u=0), delete(RateRow)):
        with sessions() as session, pytest.raises(DBAPIError, match="rates are never changed"):
            session.execute(statement)
    with sessions.begin() as session:
        draft_id = draft(session)
        deck_shelf.delete_draft(session, draft_id)
        assert list(session.scalars(select(RateRow.deck_id))) == [deck_id]


def test_the_shelf_reads_rates_once_and_decks_every_time(sessions: sessionmaker[Session]) -> None:
    shelf = DeckShelf(kept_max=1)
    with sessions.begin() as session:
        first = draft(session)
        deck_shelf.activate(session, first, by="bob", now=T0)
        kept = shelf.open(session).at(currency="EUR", moment=T0)
        again = shelf.open(session).at(currency="EUR", moment=T0)
        assert kept is not None
        assert again is not None
        assert kept[1] is again[1]
        second = draft(session, a_rate("49", 7), valid_from=T0)
        deck_shelf.activate(session, second, by="bob", now=T0)
        newer = shelf.open(session).at(currency="EUR", moment=T0)
        assert newer is not None
        rate = newer[1].find(number_class="tollfree", called="+491", caller=None, answer_at=T0)
        assert rate is not None
        assert rate.per_minute_u == 7
        older = shelf.open(session).at(currency="EUR", moment=T0 - DAY)
        assert older is not None
        assert older[1] is not kept[1]  # only one is kept


def test_the_sample_is_installed_where_there_is_nothing(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        deck = sample_deck.install(session, valid_from=T0, by="system", now=T0)
        assert deck is not None
        assert (deck.state, deck.sample) == (DeckState.ACTIVE.value, True)
        assert "SAMPLE" in deck.name
        assert sample_deck.install(session, valid_from=T0, by="system", now=T0) is None
        assert session.query(RateDeck).count() == 1
