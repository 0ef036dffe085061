"""Sessions are charged once, completely, whatever comes late, twice, or dies in between."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from billing import deck_shelf, holds, ledger, trial_balance
from billing.deck_models import CdrRating
from billing.ledger_models import LedgerTransaction, UsageLine, UsagePosting, UsageWork
from billing.money import Money
from billing.usage import Charged
from tests.billing.calls_support import ACCOUNT, SESSION, T0, a_rate, some_terms
from tests.billing.usage_support import DUE, END, CrashError, World


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    world = World(sessions)
    world.event_session()
    return world


def pay_in(world: World, minor: int) -> None:
    with world.sessions.begin() as session:
        ledger.top_up(session, ACCOUNT, eur(minor), psp="test", payment_ref="p", at=T0)


def balance(world: World) -> ledger.Balance:
    with world.sessions.begin() as session:
        return ledger.balance(session, ACCOUNT, "EUR")


def in_order(world: World) -> None:
    """Every rated call has one current line, lines sum to their postings, the books balance."""
    with world.sessions.begin() as session:
        assert trial_balance.mismatches(session) == []
        rated = set(session.scalars(select(CdrRating.cdr_id).where(CdrRating.superseded_by.is_(None))))
        lines = list(session.scalars(select(UsageLine.cdr_id).where(UsageLine.current)))
        assert sorted(lines) == sorted(rated)
        for posting in session.scalars(select(UsagePosting)):
            total_u = session.scalar(
                select(func.sum(UsageLine.cost_u)).where(UsageLine.posting_id == posting.id)
            )
            assert total_u == posting.lines_u
            assert eur(posting.net_minor).micro == posting.lines_u + posting.rounding_u


def test_a_session_is_charged_fifteen_minutes_after_its_end(world: World) -> None:
    """G18: 725.3 s, 61 s and 3 s at 60/60 and 0.05 cost 0.80."""
    for number, seconds in enumerate((725.3, 61, 3)):
        world.call(number, seconds)
    pay_in(world, 1000)
    assert world.runner.run(DUE - timedelta(milliseconds=1)).charged == []
    [charged] = world.runner.run(DUE).charged
    assert (charged.calls, charged.net) == (3, eur(80))
    assert (charged.wallet_part, charged.card_part) == (eur(80), eur(0))
    assert world.shortfalls.asked == []
    assert world.runner.run(DUE + timedelta(days=1)).charged == []
    in_order(world)


def test_the_golden_shortfall_reaches_the_card(sessions: sessionmaker[Session]) -> None:
    """Wallet 3.00, usage 12.35, VAT 2.59: 11.94 for the card."""
    world = World(sessions, tax=Fraction(21, 100))
    world.event_session()
    world.call(1, 247 * 60)
    pay_in(world, 300)
    [charged] = world.runner.run(DUE).charged
    assert (charged.net, charged.vat, charged.total) == (eur(1235), eur(259), eur(1494))
    assert (charged.wallet_part, charged.card_part) == (eur(300), eur(1194))
    assert world.shortfalls.asked == [(ACCOUNT, eur(1194), charged.transaction_id)]
    in_order(world)


def test_the_hold_ends_with_the_charge(world: World) -> None:
    pay_in(world, 1000)
    with world.sessions.begin() as session:
        expires_at = DUE + timedelta(days=1)
        holds.ensure(session, ACCOUNT, eur(900), session_id=SESSION, at=T0, expires_at=expires_at)
    world.call(1)
    [charged] = world.runner.run(DUE).charged
    assert charged.wallet_part == eur(10)
    now = balance(world)
    assert (now.posted, now.held) == (eur(990), eur(0))


def test_calls_that_come_late_are_charged_by_a_further_posting(world: World) -> None:
    world.call(1)
    pay_in(world, 1000)
    [first] = world.runner.run(DUE).charged
    world.call(2)
    world.call(3)
    [second] = world.runner.run(DUE + timedelta(hours=5)).charged
    assert ((first.version, first.net), (second.version, second.net)) == ((1, eur(10)), (2, eur(20)))
    assert world.runner.run(DUE + timedelta(hours=6)).charged == []
    in_order(world)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_total_does_not_depend_on_what_came_late(world: World, order: tuple[int, ...]) -> None:
    """G19: lines of 0.0285, 0.0216 and 0.0168 sum to 0.0669: 0.07 in all, rounding +0.0031."""
    with world.sessions.begin() as session:
        rates = [
            a_rate("491", 13_700, first_s=1, next_s=1),
            a_rate("492", 36_000, first_s=30, next_s=6),
            a_rate("493", 12_000, first_s=6, next_s=6),
        ]
        deck = deck_shelf.add_draft(session, some_terms(name="B"), rates, source="t", by="t", now=T0)
        deck_shelf.activate(session, deck.id, by="t", now=T0)
    wanted = [("+491", 125), ("+492", 31), ("+493", 82)]
    nets: list[int] = []
    for count, index in enumerate(order):
        called, seconds = wanted[index]
        world.call(index, seconds, called_e164=called)
        nets += [one.net.minor for one in world.runner.run(DUE + timedelta(hours=count)).charged]
    assert sum(nets) == 7
    with world.sessions.begin() as session:
        roundings = session.scalar(select(func.sum(UsagePosting.rounding_u))) or 0
    assert roundings == 3100
    in_order(world)


def test_free_calls_get_their_line_without_a_transaction(world: World) -> None:
    world.call(1, called_e164="+3312345")
    [charged] = world.runner.run(DUE).charged
    assert (charged.transaction_id, charged.total) == (None, eur(0))
    in_order(world)


def test_a_session_that_runs_is_looked_at_again(world: World) -> None:
    world.event_session(ended_at=None)
    world.call(1)
    assert world.runner.run(END).charged == []
    world.event_session(ended_at=END)
    assert world.runner.run(END + timedelta(minutes=1)).charged == []
    assert len(world.runner.run(DUE).charged) == 1


def test_a_session_nobody_touches_any_more_is_over(world: World) -> None:
    world.event_session(ended_at=None)
    world.call(1)
    assert world.runner.run(END + timedelta(minutes=59)).charged == []
    assert len(world.runner.run(END + timedelta(minutes=61)).charged) == 1


def test_calls_of_an_unknown_session_and_of_none_are_charged(world: World) -> None:
    world.call(1, session_id=99)
    world.call(2, session_id=None)
    world.call(3, session_id=None)
    charged = world.runner.run(DUE).charged
    assert sorted((one.session_id or 0, one.calls) for one in charged) == [(0, 1), (0, 1), (99, 1)]
    in_order(world)


def test_calls_without_a_price_wait_and_are_charged_when_they_have_one(world: World) -> None:
    world.call(1)
    world.call(2, called_e164="+7800123")
    report = world.runner.run(DUE)
    assert (report.rated, report.unrated, len(report.charged)) == (1, 1, 1)
    later = DUE + timedelta(days=3)
    with world.sessions.begin() as session:
        rates = [a_rate(), a_rate("7", 20_000)]
        deck = deck_shelf.add_draft(session, some_terms(name="B"), rates, source="t", by="t", now=T0)
        deck_shelf.activate(session, deck.id, by="t", now=T0)
        world.book.rate_waiting(session, now=later)
    [charged] = world.runner.run(later).charged
    assert (charged.version, charged.net) == (2, eur(4))
    in_order(world)


@pytest.mark.parametrize("step", ["rate", "rated", "charge", "commit", "expire"])
def test_death_between_two_steps_loses_and_doubles_nothing(world: World, step: str) -> None:
    for number in range(5):
        world.call(number)
    pay_in(world, 20)
    world.die_at = step
    with pytest.raises(CrashError):
        world.runner.run(DUE)
    world.new_runner().run(DUE + timedelta(hours=1))
    assert world.die_at is None
    world.new_runner().run(DUE + timedelta(hours=9))
    now = balance(world)
    assert (now.posted, now.receivable) == (eur(0), eur(30))
    in_order(world)
    with world.sessions.begin() as session:
        kinds = select(func.count()).where(LedgerTransaction.type == "usage")
        assert session.scalar(kinds) == 1


def test_a_charge_that_fails_is_kept_with_its_fault_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.call(1)
    world.call(2, session_id=99)

    def fail(*_args: object, **_more: object) -> None:
        raise ValueError("no such tax")

    monkeypatch.setattr(world.usage, "_taxes", fail)
    assert sorted(world.runner.run(DUE).failed) == ["4711", "99"]
    with world.sessions.begin() as session:
        work = session.get_one(UsageWork, str(SESSION))
        assert (work.tries, work.fault) == (1, "ValueError: no such tax")
        assert work.due_at is not None
        assert work.due_at > DUE
    monkeypatch.undo()
    assert world.runner.run(DUE).charged == []
    assert len(world.runner.run(DUE + timedelta(hours=1)).charged) == 2
    in_order(world)


def test_prices_nobody_told_of_are_found_by_the_next_runner(world: World) -> None:
    world.call(1)
    world.call(2, session_id=None)
    world.book._on_priced = None
    with world.sessions.begin() as session:
        world.book.rate_calls(session, world.calls.calls, now=END)
    assert world.new_runner().sweep(DUE) == 2
    assert len(world.runner.run(DUE).charged) == 2
    in_order(world)


def charged_with_card(world: World) -> Charged:
    world.call(1, 247 * 60)
    pay_in(world, 300)
    [charged] = world.runner.run(DUE).charged
    assert charged.transaction_id is not None
    with world.sessions.begin() as session:
        ledger.card_pays_shortfall(
            session, charged.transaction_id, money=charged.card_part, psp="test", payment_ref="q", at=DUE
        )
    return charged


@pytest.mark.parametrize(("cost_u", "wallet"), [(2_350_000, 1000), (12_350_000, 0), (20_000_000, 0)])
def test_rated_anew_the_session_is_reversed_and_charged_again(
    world: World, cost_u: int, wallet: int
) -> None:
    """What the card paid too much is balance; what it paid too little is asked for."""
    first = charged_with_card(world)
    with world.sessions.begin() as session:
        old = session.scalars(select(CdrRating)).one()
        new = {name: getattr(old, name) for name in CdrRating.__table__.columns.keys()}  # noqa: SIM118
        session.execute(update(CdrRating).values(superseded_by=2))
        session.add(CdrRating(**(new | {"version": 2, "cost_u": cost_u})))
        session.flush()
        reversals, [charged] = world.usage.repost(
            session, str(SESSION), actor="bea", reason="wrong deck", at=DUE + timedelta(days=1)
        )
    assert len(reversals) == 1
    assert (charged.version, charged.net) == (2, Money.of_micro(cost_u, "EUR"))
    now = balance(world)
    assert now.posted - now.receivable == eur(1235) - charged.net
    assert (now.posted, now.receivable >= eur(0)) == (eur(wallet), True)
    assert len(world.shortfalls.asked) == (2 if charged.card_part else 1)
    assert first.card_part == eur(935)
    in_order(world)
    with world.sessions.begin() as session:
        assert world.usage.repost(session, "12345", actor="b", reason="r", at=DUE) == ([], [])
