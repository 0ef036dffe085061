"""Each call gets one price, however often it is asked for and by however many; what has none waits."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from billing import unrated
from billing.calls import BillableCall
from billing.deck_models import CdrRating, UnratedCall
from billing.errors import NoSuchCallError
from billing.rating_book import (
    BatchResult,
    RatingBook,
    UnratedReason,
    current_rating,
    insert_ratings,
    row_of,
    session_ratings,
)
from tests.billing.calls_support import (
    ACCOUNT,
    SESSION,
    T0,
    CallsInMemory,
    a_book,
    a_call,
    a_rate,
    ratings,
    with_deck,
)


def test_a_call_is_rated_and_written_in_full(sessions: sessionmaker[Session]) -> None:
    from_britain = a_rate("4980", 90_000, origin_prefix="44")
    deck_id = with_deck(sessions, a_rate("49", connect_fee_u=20_000), from_britain)
    call = a_call()
    with sessions.begin() as session:
        rated = a_book(CallsInMemory(call)).rate_one(session, call.cdr_id, now=T0, by="system")
        assert rated is not None
    (row,) = ratings(sessions)
    assert (row.cdr_id, row.version, row.session_id, row.account_id) == (call.cdr_id, 1, SESSION, ACCOUNT)
    assert (row.deck_id, row.matched_prefix, row.matched_origin) == (deck_id, "49", "")
    assert (row.billed_sec, row.connect_fee_u, row.unit_price_u, row.cost_u) == (120, 20_000, 50_000, 120_000)
    assert (row.currency, row.rounding, row.cost_decimals, row.reason) == ("EUR", "HALF_UP", 4, "first")
    assert (row.answer_at, row.conn_ms, row.rated_by, row.superseded_by) == (
        call.answer_at, 61_000, "system", None)


def test_g22_a_call_delivered_three_times_has_one_price(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    call = a_call()
    book = a_book(CallsInMemory(call))
    for _ in range(3):
        with sessions.begin() as session:
            book.rate_calls(session, [call, call], now=T0)
    assert [row.version for row in ratings(sessions)] == [1]


def test_two_processes_may_rate_the_same_calls_at_once(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    calls = [a_call(number) for number in range(40)]
    ready = threading.Barrier(4)
    failed: list[BaseException] = []

    def work(order: int) -> None:
        book = a_book(CallsInMemory(*calls))
        ready.wait()
        try:
            for one in calls if order % 2 else calls[::-1]:
                with sessions.begin() as session:
                    book.rate_one(session, one.cdr_id, now=T0)
        except BaseException as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(ratings(sessions)) == 40


def test_the_database_allows_one_current_price(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    call = a_call()
    book = a_book(CallsInMemory(call))
    with sessions.begin() as session:
        book.rate_calls(session, [call], now=T0)
    with sessions() as session:
        prices, _ = book.price(session, [call])
        second = row_of(prices[0], version=2, reason="slip", now=T0, by="x")
        session.add(CdrRating(**second))
        with pytest.raises(IntegrityError):
            session.flush()
    with sessions.begin() as session:
        insert_ratings(session, [second])  # asked for twice: nothing happens
    assert [row.version for row in ratings(sessions)] == [1]


@pytest.mark.parametrize("values", [{"cost_u": 0}, {"billed_sec": 1}, {"reason": "other"}, {"conn_ms": None}])
def test_prices_are_never_changed(sessions: sessionmaker[Session], values: dict[str, Any]) -> None:
    with_deck(sessions)
    with sessions.begin() as session:
        a_book(CallsInMemory(a_call())).rate_calls(session, [a_call()], now=T0)
    for statement in (update(CdrRating).values(**values), delete(CdrRating)):
        with sessions() as session, pytest.raises(DBAPIError, match="only grows"):
            session.execute(statement)
    with sessions.begin() as session:
        session.execute(update(CdrRating).values(superseded_by=2))
    with sessions() as session, pytest.raises(DBAPIError, match="only grows"):
        session.execute(update(CdrRating).values(superseded_by=None))


@pytest.mark.parametrize(("change", "reason"), [
    ({"called_e164": None}, UnratedReason.NO_NUMBER), ({"number_class": None}, UnratedReason.NO_CLASS),
    ({"answer_at": T0 - timedelta(days=31)}, UnratedReason.NO_DECK),
    ({"called_e164": "+33800"}, UnratedReason.NO_RATE), ({"number_class": "city"}, UnratedReason.NO_RATE),
])
def test_a_call_without_a_rate_waits_and_is_never_free(
    sessions: sessionmaker[Session], change: dict[str, Any], reason: UnratedReason
) -> None:
    with_deck(sessions)
    call = a_call(**change)
    book = a_book(CallsInMemory(call))
    for _ in range(2):
        with sessions.begin() as session:
            assert book.rate_one(session, call.cdr_id, now=T0) is None
    assert ratings(sessions) == []
    with sessions() as session:
        (row,) = unrated.waiting(session)
        assert (row.reason, row.tries, row.first_at) == (reason.value, 2, T0)
        assert unrated.count(session) == 1
        assert [one.cdr_id for one in unrated.of_session(session, SESSION)] == [call.cdr_id]


def test_another_currency_is_another_deck(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    source = CallsInMemory(a_call())
    with sessions.begin() as session:
        assert a_book(source, "USD").rate_session(session, SESSION, now=T0).unrated == 1
        assert unrated.by_cause(session)[0].reason == "no-deck"
    with_deck(sessions, name="Dollars", currency="USD")
    with sessions.begin() as session:
        assert a_book(source, "USD").rate_waiting(session, now=T0).rated == 1
    assert ratings(sessions)[0].currency == "USD"


def test_an_account_without_a_profile_pays_in_euro(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    with sessions.begin() as session:
        RatingBook(CallsInMemory(a_call())).rate_session(session, SESSION, now=T0)
    assert ratings(sessions)[0].currency == "EUR"


def test_waiting_calls_are_priced_once_a_deck_fits(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    calls = [a_call(number, called_e164=f"+3380{number % 2}") for number in range(6)]
    book = a_book(CallsInMemory(*calls))
    with sessions.begin() as session:
        assert book.rate_session(session, SESSION, now=T0) == BatchResult(rated=0, already=0, unrated=6)
    with sessions() as session:
        groups = unrated.by_cause(session)
        assert [(group.called_e164, group.calls) for group in groups] == [("+33800", 3), ("+33801", 3)]
    with_deck(sessions, a_rate("33800"), valid_from=T0)
    with sessions.begin() as session:
        later = T0 + timedelta(hours=1)
        assert book.rate_waiting(session, now=later) == BatchResult(rated=3, already=0, unrated=3)
    with sessions() as session:
        assert {row.tries for row in unrated.waiting(session)} == {2}
        assert len(session_ratings(session, SESSION)) == 3


def test_calls_that_nobody_pays_for_are_left_alone(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    call = a_call(billable=False, answer_at=None, conn_ms=None)
    with sessions.begin() as session:
        book = a_book(CallsInMemory(call))
        assert book.rate_one(session, call.cdr_id, now=T0) is None
        assert unrated.count(session) == 0
        with pytest.raises(NoSuchCallError):
            book.rate_one(session, "nothing", now=T0)


def test_the_cause_of_the_end_plays_no_part(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    calls = [a_call(number, end_basis=basis) for number, basis in enumerate(("bye", "media_timeout", "cap"))]
    with sessions.begin() as session:
        a_book(CallsInMemory(*calls)).rate_session(session, SESSION, now=T0)
    assert {row.cost_u for row in ratings(sessions)} == {100_000}


def test_many_calls_take_few_statements(sessions: sessionmaker[Session]) -> None:
    with_deck(sessions)
    calls: list[BillableCall] = [a_call(number) for number in range(1_234)]
    book = a_book(CallsInMemory(*calls))
    with sessions.begin() as session:
        assert book.rate_calls(session, calls, now=T0) == BatchResult(rated=1_234, already=0, unrated=0)
    with sessions.begin() as session:
        assert book.rate_calls(session, calls, now=T0) == BatchResult(rated=0, already=1_234, unrated=0)
        assert session.scalar(select(func.count()).select_from(UnratedCall)) == 0
        assert current_rating(session, calls[5].cdr_id) is not None
