"""Rating again: seen before it is done, done by two people, and nothing of the old lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from billing import rerating, unrated
from billing.deck_models import CdrRating, Rerating
from billing.errors import (
    MissingReasonError,
    NoSuchReratingError,
    NothingToRerateError,
    ReratingStateError,
    SecondPersonError,
    StaleReratingError,
    TooManyCallsError,
)
from billing.explain import explain
from billing.money import Money
from billing.rerating import Reratings, ReratingState, Selection
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

ANN, BOB = 1, 2
LATER = T0 + timedelta(days=1)
THIS = Selection(session_ids=[SESSION])


class Ledger:
    """Remembers what it was asked to post anew; `posted` are the scopes it had posted."""

    def __init__(self, *posted: str) -> None:
        self.posted = posted
        self.asked: list[tuple[str, str, str]] = []

    def repost(
        self, session: Session, scope: str, *, actor: str, reason: str, at: datetime
    ) -> tuple[Sequence[object], Sequence[object]]:
        assert at == LATER
        # The new prices are there when the ledger posts.
        wanted = select(CdrRating.version).where(CdrRating.superseded_by.is_(None))
        assert max(session.scalars(wanted)) > 1 or not self.posted
        self.asked.append((scope, actor, reason))
        return ([1], [2]) if scope in self.posted else ([], [])


@pytest.fixture
def calls() -> CallsInMemory:
    return CallsInMemory(*(a_call(number, conn_ms=conn_ms) for number, conn_ms in
                           enumerate((725_300, 61_000, 3_000))))


@pytest.fixture
def rated(sessions: sessionmaker[Session], calls: CallsInMemory) -> sessionmaker[Session]:
    """Three calls at 0.05 a minute (0.80 together), and a correction of the deck to 0.04."""
    with_deck(sessions)
    with sessions.begin() as session:
        a_book(calls).rate_session(session, SESSION, now=T0)
    with_deck(sessions, a_rate("49", 40_000))
    return sessions


def ask(sessions: sessionmaker[Session], calls: CallsInMemory, which: Selection = THIS, **more: Any) -> int:
    with sessions.begin() as session:
        known: dict[str, Any] = {"reason": "Carrier's new tariff", "by": ANN, "now": T0}
        return Reratings(a_book(calls), Ledger()).request(session, which, **(known | more)).id


def test_a_preview_shows_calls_and_totals_and_writes_nothing(
    rated: sessionmaker[Session], calls: CallsInMemory
) -> None:
    with rated() as session:
        preview = Reratings(a_book(calls), Ledger()).preview(session, THIS)
        assert not session.new
        assert not session.dirty
    assert [
        (change.old_cost_u, change.price.rated.cost_u, change.difference_u) for change in preview.changes
    ] == [(650_000, 520_000, -130_000), (100_000, 80_000, -20_000), (50_000, 40_000, -10_000)]
    (total,) = preview.sessions
    assert (total.old, total.new, total.difference) == (
        Money(80, "EUR"), Money(64, "EUR"), Money(-16, "EUR"))
    assert (preview.unchanged, preview.unrated) == (0, ())
    assert {row.version for row in ratings(rated)} == {1}


def test_the_total_of_a_session_counts_the_calls_that_stay(
    rated: sessionmaker[Session], calls: CallsInMemory
) -> None:
    with rated() as session:
        one = Selection(cdr_ids=[calls.calls[0].cdr_id])
        (total,) = Reratings(a_book(calls), Ledger()).preview(session, one).sessions
        assert (total.calls_changed, total.old, total.new) == (1, Money(80, "EUR"), Money(67, "EUR"))


def test_two_people_change_prices_and_the_old_ones_stay(
    rated: sessionmaker[Session], calls: CallsInMemory
) -> None:
    number = ask(rated, calls)
    ledger = Ledger(str(SESSION))
    with rated.begin() as session:
        done = Reratings(a_book(calls), ledger).approve(session, number, by=BOB, now=LATER, note="seen")
    assert (done.calls, done.scopes, done.reposted) == (3, 1, 1)
    assert ledger.asked == [(str(SESSION), "user:2", f"re-rating {number}: Carrier's new tariff")]
    rows = ratings(rated)
    assert [(row.version, row.superseded_by, row.cost_u) for row in rows[:2]] == [
        (1, 2, 650_000), (2, None, 520_000)]
    assert rows[1].reason == "Carrier's new tariff"
    assert (rows[1].rated_by, rows[1].rerating_id, rows[1].rated_at) == ("user:2", number, LATER)
    with rated() as session:
        kept = rerating.get(session, number)
        assert (kept.state, kept.requested_by, kept.decided_by, kept.decided_at, kept.decision_note) == (
            "applied", ANN, BOB, LATER, "seen")
        told = explain(session, calls, calls.calls[0].cdr_id)
        assert [(price.version, price.current, price.reason) for price in told.versions] == [
            (2, True, "Carrier's new tariff"), (1, False, "first")]
        assert told.price is not None
        assert (told.price.deck_version, told.price.agrees) == (2, True)


def test_one_person_alone_changes_nothing(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    number = ask(rated, calls)
    with rated.begin() as session:
        both = Reratings(a_book(calls), Ledger())
        with pytest.raises(SecondPersonError):
            both.approve(session, number, by=ANN, now=LATER)
        with pytest.raises(SecondPersonError):
            both.reject(session, number, by=ANN, now=LATER, note="no")
    with rated() as session, pytest.raises(IntegrityError, match="two_people"):
        session.execute(update(Rerating).values(state="applied", decided_by=ANN))
    with rated() as session, pytest.raises(IntegrityError, match="decided"):
        session.execute(update(Rerating).values(state="applied"))
    assert {row.version for row in ratings(rated)} == {1}


def test_a_reason_is_needed(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    with pytest.raises(MissingReasonError):
        ask(rated, calls, reason=" \n ")
    number = ask(rated, calls)
    with rated.begin() as session, pytest.raises(MissingReasonError):
        Reratings(a_book(calls), Ledger()).reject(session, number, by=BOB, now=LATER, note=" ")


def test_a_decision_is_made_once(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    number = ask(rated, calls)
    service = Reratings(a_book(calls), Ledger())
    with rated.begin() as session:
        service.reject(session, number, by=BOB, now=LATER, note="wrong month")
    with rated.begin() as session:
        for again in (service.approve, service.reject):
            with pytest.raises(ReratingStateError):
                again(session, number, by=BOB, now=LATER, note="x")
        with pytest.raises(NoSuchReratingError):
            service.approve(session, 999, by=BOB, now=LATER)
        assert [row.id for row in rerating.find(session, state=ReratingState.REJECTED)] == [number]
    assert {row.version for row in ratings(rated)} == {1}


def test_what_was_seen_is_what_is_done(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    """Another deck, or another re-rating, between the request and the approval."""
    number, twin = ask(rated, calls), ask(rated, calls)
    with rated.begin() as session:
        Reratings(a_book(calls), Ledger(str(SESSION))).approve(session, twin, by=BOB, now=LATER)
    with rated() as session, pytest.raises(StaleReratingError):
        Reratings(a_book(calls), Ledger()).approve(session, number, by=BOB, now=LATER)
    with_deck(rated, a_rate("49", 30_000))
    third = ask(rated, calls)
    with_deck(rated, a_rate("49", 20_000))
    with rated() as session, pytest.raises(StaleReratingError):
        Reratings(a_book(calls), Ledger()).approve(session, third, by=BOB, now=LATER)
    assert max(row.version for row in ratings(rated)) == 2


def test_a_failed_posting_takes_the_prices_back(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    class Broken(Ledger):
        def repost(self, *_args: object, **_more: object) -> tuple[Sequence[object], Sequence[object]]:
            raise RuntimeError("the ledger says no")

    number = ask(rated, calls)
    with pytest.raises(RuntimeError), rated.begin() as session:
        Reratings(a_book(calls), Broken()).approve(session, number, by=BOB, now=LATER)
    assert {row.version for row in ratings(rated)} == {1}
    with rated() as session:
        assert rerating.get(session, number).state == "requested"


def test_nothing_to_do_is_said(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    number = ask(rated, calls)
    with rated.begin() as session:
        Reratings(a_book(calls), Ledger(str(SESSION))).approve(session, number, by=BOB, now=LATER)
    with pytest.raises(NothingToRerateError):
        ask(rated, calls)


def test_a_call_that_waited_gets_its_first_price_here(
    sessions: sessionmaker[Session], calls: CallsInMemory
) -> None:
    with sessions.begin() as session:
        a_book(calls).rate_session(session, SESSION, now=T0)
        assert unrated.count(session) == 3
    with_deck(sessions)
    number = ask(sessions, calls)
    with sessions.begin() as session:
        Reratings(a_book(calls), Ledger()).approve(session, number, by=BOB, now=LATER)
        assert unrated.count(session) == 0
    assert [(row.version, row.reason) for row in ratings(sessions)] == [(1, "Carrier's new tariff")] * 3


def test_a_call_that_fits_no_rate_now_keeps_its_price(
    sessions: sessionmaker[Session], calls: CallsInMemory
) -> None:
    with_deck(sessions)
    with sessions.begin() as session:
        a_book(calls).rate_session(session, SESSION, now=T0)
    with_deck(sessions, a_rate("31"))
    with sessions() as session:
        preview = Reratings(a_book(calls), Ledger()).preview(session, THIS)
        assert (len(preview.changes), len(preview.unrated)) == (0, 3)


def test_the_currency_of_the_old_price_stays(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    """The account moved to dollars since; its old calls were charged in euro and stay there."""
    with_deck(rated, a_rate("49", 99_000), name="Dollars", currency="USD")
    with rated() as session:
        preview = Reratings(a_book(calls, "USD"), Ledger()).preview(session, THIS)
        assert {change.price.terms.currency for change in preview.changes} == {"EUR"}


def test_a_period_of_one_account(rated: sessionmaker[Session], calls: CallsInMemory) -> None:
    service = Reratings(a_book(calls), Ledger())
    with rated() as session:
        def changes(**more: Any) -> int:
            return len(service.preview(session, Selection(**more)).changes)

        assert changes(start=T0, end=LATER, account_id=ACCOUNT) == 3
        assert changes(start=T0, end=LATER, account_id=8) == 0
        assert changes(start=LATER, end=LATER + timedelta(days=1)) == 0


def test_calls_without_a_session_are_posted_one_by_one(sessions: sessionmaker[Session]) -> None:
    calls = CallsInMemory(a_call(1, session_id=None), a_call(2, session_id=None))
    with_deck(sessions)
    with sessions.begin() as session:
        a_book(calls).rate_calls(session, calls.calls, now=T0)
    with_deck(sessions, a_rate("49", 40_000))
    number = ask(sessions, calls, Selection(cdr_ids=[call.cdr_id for call in calls.calls]))
    ledger = Ledger(f"call-{calls.calls[0].cdr_id}")
    with sessions.begin() as session:
        done = Reratings(a_book(calls), ledger).approve(session, number, by=BOB, now=LATER)
    assert (done.scopes, done.reposted, len(ledger.asked)) == (2, 1, 2)


def test_too_many_at_once(
    sessions: sessionmaker[Session], calls: CallsInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerating, "CALLS_MAX", 2)
    with sessions() as session, pytest.raises(TooManyCallsError):
        Reratings(a_book(calls), Ledger()).preview(session, THIS)


def test_the_database_takes_no_unknown_state(sessions: sessionmaker[Session]) -> None:
    with sessions() as session, pytest.raises(IntegrityError):
        session.execute(insert(Rerating).values(state="maybe", reason="x", requested_by=1, requested_at=T0,
                                                decision_note=""))
