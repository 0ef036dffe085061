"""What the meter is told from the database: after a restart it shows what it showed before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from sqlalchemy.orm import Session, sessionmaker

from billing import ledger, profile
from billing.meter_facts import funds_of, live_rate, uncharged_costs
from billing.metering import LiveMeter
from billing.money import Money
from billing.payments import cards
from billing.profile import Profile
from billing.usage import Tax
from tests.billing.calls_support import ACCOUNT, SESSION, T0
from tests.billing.provider_support import CARD
from tests.billing.usage_support import DUE, World


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    world = World(sessions)
    world.event_session()
    return world


def test_the_rate_of_a_call_that_was_answered_now(world: World) -> None:
    with world.sessions.begin() as session:
        rate = live_rate(
            session, world.book, account_id=ACCOUNT, called_e164="+4980012345", caller_e164=None, answer_at=T0
        )
        none = live_rate(
            session, world.book, account_id=ACCOUNT, called_e164="+7800", caller_e164=None, answer_at=T0
        )
    assert rate is not None
    assert (rate.rate.per_minute_u, rate.currency, none) == (50_000, "EUR", None)


def test_a_card_opens_the_exposure_limit(world: World) -> None:
    def funds() -> tuple[Money, Money, Fraction]:
        with world.sessions.begin() as session:
            found = funds_of(
                session, ACCOUNT, taxes=lambda *_: Tax(rate=Fraction(21, 100), country="NL"), at=T0
            )
        return found.wallet, found.exposure_limit, found.tax

    with world.sessions.begin() as session:
        ledger.top_up(session, ACCOUNT, eur(700), psp="test", payment_ref="p", at=T0)
        profile.save(session, Profile(account_id=ACCOUNT, exposure_limit=5000), now=T0)
    assert funds() == (eur(700), eur(0), Fraction(21, 100))
    with world.sessions.begin() as session:
        cards.save_card(session, ACCOUNT, "test", CARD, now=T0)
    assert funds() == (eur(700), eur(5000), Fraction(21, 100))


def test_the_cost_after_a_restart_is_that_of_before(world: World) -> None:
    """Two calls are over, one is up; then they are charged, and nothing of them is left."""
    rate = None
    with world.sessions.begin() as session:
        rate = live_rate(
            session, world.book, account_id=ACCOUNT, called_e164="+4980012345", caller_e164=None, answer_at=T0
        )
    assert rate is not None
    before, after = LiveMeter(), LiveMeter()
    for number, seconds in ((1, 61), (2, 130)):
        world.call(number, seconds)
        before.answered(str(number), account_id=ACCOUNT, session_id=SESSION, rate=rate, now=T0)
        before.ended(str(number), now=T0 + timedelta(seconds=seconds))
    world.call(3, number_class="city")
    world.calls.calls.append(replace(world.calls.calls[0], cdr_id="x", billable=False))
    with world.sessions.begin() as session:
        [left] = uncharged_costs(session, world.book, [SESSION, 99])
    after.recovered(SESSION, left.account_id, currency=left.currency, costs_u=left.costs_u)
    for meter in (before, after):
        meter.answered("up", account_id=ACCOUNT, session_id=SESSION, rate=rate, now=T0)
    now = T0 + timedelta(minutes=9)
    assert after.session_reading(SESSION, now=now) == before.session_reading(SESSION, now=now)
    world.runner.run(DUE)
    with world.sessions.begin() as session:
        assert uncharged_costs(session, world.book, [SESSION]) == []
