"""Rating again what was charged: the ledger takes it back and charges it anew, at once or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf, ledger, trial_balance
from billing.deck_models import CdrRating
from billing.ledger_models import LedgerTransaction
from billing.money import Money
from billing.rerating import Reratings, Selection
from tests.billing.calls_support import ACCOUNT, SESSION, T0, a_rate, some_terms
from tests.billing.usage_support import DUE, World

LATER = DUE + timedelta(days=1)


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    """A session of 13 minutes and two more calls at 0.05, 10.00 in the wallet."""
    world = World(sessions)
    world.event_session()
    for number, seconds in enumerate((725.3, 61, 3)):
        world.call(number, seconds)
    with sessions.begin() as session:
        ledger.top_up(session, ACCOUNT, Money(1000, "EUR"), psp="test", payment_ref="p", at=T0)
    return world


def correct(world: World, per_minute_u: int) -> None:
    """A deck with another price takes the place of the one in force, and the session is rated again."""
    with world.sessions.begin() as session:
        deck = deck_shelf.add_draft(
            session, some_terms(), [a_rate("", per_minute_u)], source="t", by="t", now=T0
        )
        deck_shelf.activate(session, deck.id, by="t", now=T0)
        service = Reratings(world.book, world.usage)
        asked = service.request(
            session, Selection(session_ids=[SESSION]), reason="wrong tariff", by=1, now=LATER
        )
        service.approve(session, asked.id, by=2, now=LATER)


def wallet(world: World) -> Money:
    with world.sessions.begin() as session:
        assert trial_balance.mismatches(session) == []
        return ledger.balance(session, ACCOUNT, "EUR").posted


def test_g22_a_call_delivered_three_times_is_charged_once(world: World) -> None:
    world.calls.calls *= 3
    for day in range(3):
        with world.sessions.begin() as session:
            world.book.rate_session(session, SESSION, now=T0)
        world.runner.run(DUE + timedelta(days=day))
    assert wallet(world) == Money(920, "EUR")
    with world.sessions() as session:
        assert session.scalar(select(func.count()).select_from(CdrRating)) == 3


@pytest.mark.parametrize(("per_minute_u", "left"), [(40_000, 936), (60_000, 904), (0, 1000)])
def test_a_posted_session_is_reversed_and_charged_at_its_new_price(
    world: World, per_minute_u: int, left: int
) -> None:
    world.runner.run(DUE)
    assert wallet(world) == Money(920, "EUR")
    correct(world, per_minute_u)
    assert wallet(world) == Money(left, "EUR")
    with world.sessions() as session:
        reversal = session.scalars(
            select(LedgerTransaction).where(LedgerTransaction.reverses_id.is_not(None))
        ).one()
        assert reversal.actor == "user:2"
        assert "wrong tariff" in reversal.reason
    world.runner.run(LATER)
    assert wallet(world) == Money(left, "EUR")


def test_a_session_that_was_not_posted_yet_is_charged_at_its_new_price(world: World) -> None:
    with world.sessions.begin() as session:
        world.book.rate_session(session, SESSION, now=T0)
    correct(world, 40_000)
    assert wallet(world) == Money(1000, "EUR")
    world.runner.run(LATER)
    assert wallet(world) == Money(936, "EUR")


def test_nothing_changes_when_the_ledger_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.runner.run(DUE)

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(ledger, "usage", fail)
    with pytest.raises(RuntimeError):
        correct(world, 40_000)
    assert wallet(world) == Money(920, "EUR")
    with world.sessions() as session:
        assert set(session.scalars(select(CdrRating.version))) == {1}
