"""The live meter: cost, burn, forecast, holds that are asked for, and who may still enter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.decks import DeckTerms, Rate
from billing.errors import MixedCurrenciesError
from billing.metering import (
    EntryClosed,
    EntryOpened,
    Funds,
    FundsLow,
    HoldWanted,
    LiveMeter,
    LiveRate,
    MeterEvent,
)
from billing.money import Money
from billing.rating import rate_call

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TERMS = DeckTerms(name="t", currency="EUR", valid_from=datetime(2026, 1, 1, tzinfo=UTC))
ANNA, RUN = 7, 51


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def live_rate(per_minute_u: int = 50_000, first_s: int = 60, next_s: int = 60, **more: int) -> LiveRate:
    rate = Rate(
        number_class="tollfree", called_prefix="", per_minute_u=per_minute_u, first_s=first_s,
        next_s=next_s, **more,
    )  # fmt: skip
    return LiveRate(rate=rate, terms=TERMS)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def funds(wallet: int, limit: int = 0, tax: Fraction = Fraction(0)) -> Funds:
    return Funds(wallet=eur(wallet), exposure_limit=eur(limit), tax=tax)


def answer(
    meter: LiveMeter, key: str, now: datetime = NOON, rate: LiveRate | None = None
) -> list[MeterEvent]:
    return meter.answered(key, account_id=ANNA, session_id=RUN, rate=rate or live_rate(), now=now)


def metered(wallet: int, limit: int = 0, calls: int = 4) -> LiveMeter:
    meter = LiveMeter()
    meter.funds(ANNA, funds(wallet, limit), now=NOON)
    for index in range(calls):
        answer(meter, f"c{index}")
    return meter


def test_the_golden_runway() -> None:
    """3.00 with four callers at 0.05 a minute lasts 15 minutes, first blocks included."""
    reading = metered(300).account_reading(ANNA, now=NOON)
    assert reading is not None
    assert (reading.live_calls, reading.cost, reading.per_minute) == (4, eur(20), eur(20))
    assert reading.lasts_until == NOON + minutes(15)


def test_the_forecast_does_not_jump_with_the_blocks() -> None:
    meter = metered(300)
    for second in (1, 59, 60, 61, 119, 400):
        reading = meter.account_reading(ANNA, now=NOON + timedelta(seconds=second))
        assert reading is not None
        assert reading.lasts_until == NOON + minutes(15)


def test_calls_that_are_over_still_count_until_they_are_charged() -> None:
    meter = metered(300)
    meter.ended("c0", now=NOON + timedelta(seconds=61))
    later = NOON + timedelta(seconds=61)
    reading = meter.session_reading(RUN, now=later)
    assert reading is not None
    assert (reading.live_calls, reading.cost, reading.per_minute) == (3, eur(40), eur(15))
    for key in ("c1", "c2", "c3"):
        meter.ended(key, now=later)
    assert meter.session_reading(RUN, now=NOON + minutes(90)).cost == eur(40)  # type: ignore[union-attr]
    meter.charged(RUN, funds(260), now=later)
    assert meter.session_reading(RUN, now=later) is None
    assert meter.account_reading(ANNA, now=later).cost == eur(0)  # type: ignore[union-attr]


def test_an_answer_or_an_end_told_twice_counts_once() -> None:
    meter = metered(300, calls=1)
    answer(meter, "c0", NOON + minutes(3))
    assert meter.account_reading(ANNA, now=NOON + minutes(1)).live_calls == 1  # type: ignore[union-attr]
    meter.ended("c0", now=NOON + minutes(1))
    assert meter.ended("c0", now=NOON + minutes(30)) == []
    assert meter.account_reading(ANNA, now=NOON + minutes(31)).cost == eur(5)  # type: ignore[union-attr]


def test_warned_at_80_and_100_and_closed_beyond() -> None:
    meter = metered(100)
    said = [
        (minute, event)
        for minute in range(10)
        for event in meter.tick(NOON + minutes(minute) + timedelta(seconds=1))
        if not isinstance(event, HoldWanted)
    ]
    assert said == [
        (3, FundsLow(account_id=ANNA, percent=80, used=eur(80), total=eur(100))),
        (4, FundsLow(account_id=ANNA, percent=100, used=eur(100), total=eur(100))),
        (4, EntryClosed(account_id=ANNA)),
    ]
    assert not meter.may_enter(ANNA)
    reading = meter.account_reading(ANNA, now=NOON + minutes(9))
    assert reading is not None
    assert reading.live_calls == 4, "live callers are never cut off"
    assert meter.funds(ANNA, funds(5000), now=NOON + minutes(10)) == [EntryOpened(account_id=ANNA)]
    assert meter.may_enter(ANNA)


def test_a_card_on_file_lets_the_account_run_further() -> None:
    meter = metered(100, limit=1000)
    meter.tick(NOON + minutes(10))
    assert meter.may_enter(ANNA)
    meter.tick(NOON + minutes(60))
    assert not meter.may_enter(ANNA)


def test_without_money_or_card_nobody_enters_and_unknown_funds_keep_nobody_out() -> None:
    meter = LiveMeter()
    assert meter.may_enter(ANNA)
    assert meter.funds(ANNA, funds(0), now=NOON) == [EntryClosed(account_id=ANNA)]
    assert not meter.may_enter(ANNA)
    assert meter.may_enter(8)


def test_the_first_answer_asks_for_the_expected_cost_of_the_session() -> None:
    meter = LiveMeter()
    meter.plan(RUN, ANNA, expected_callers=20, ends_at=NOON + minutes(30))
    [wanted] = answer(meter, "c0")
    assert isinstance(wanted, HoldWanted)
    assert (wanted.session_id, wanted.total) == (RUN, eur(20 * 30 * 5))
    assert answer(meter, "c1") == []


def test_a_hold_that_runs_out_in_ten_minutes_is_asked_to_grow() -> None:
    meter = LiveMeter()
    meter.plan(RUN, ANNA, expected_callers=1, ends_at=NOON + minutes(20))
    answer(meter, "c0")
    meter.held(RUN, eur(100))
    assert meter.tick(NOON + minutes(9)) == []
    [wanted] = meter.tick(NOON + minutes(10) + timedelta(seconds=1))
    assert isinstance(wanted, HoldWanted)
    assert wanted.total == eur(55 + 150)
    meter.held(RUN, eur(205))
    assert meter.tick(NOON + minutes(12)) == []


def test_tax_is_part_of_everything() -> None:
    meter = LiveMeter()
    meter.funds(ANNA, funds(363, tax=Fraction(21, 100)), now=NOON)
    for index in range(4):
        answer(meter, f"c{index}")
    reading = meter.account_reading(ANNA, now=NOON)
    assert reading is not None
    assert (reading.cost, reading.per_minute) == (eur(25), eur(25))
    assert reading.lasts_until == NOON + minutes(15)


def test_after_a_restart_the_cost_is_the_same() -> None:
    before = metered(300)
    before.ended("c0", now=NOON + minutes(2))
    after = LiveMeter()
    after.funds(ANNA, funds(300), now=NOON)
    after.recovered(RUN, ANNA, currency="EUR", costs_u=[100_000])
    for key in ("c1", "c2", "c3"):
        answer(after, key, NOON)
    now = NOON + minutes(7)
    assert after.account_reading(ANNA, now=now) == before.account_reading(ANNA, now=now)


def test_a_clock_that_is_set_back_costs_nobody_less_than_the_first_block() -> None:
    meter = metered(300)
    assert meter.account_reading(ANNA, now=NOON - minutes(5)).cost == eur(20)  # type: ignore[union-attr]


def test_a_call_at_its_largest_charge_burns_no_more() -> None:
    meter = LiveMeter()
    meter.funds(ANNA, funds(300), now=NOON)
    answer(meter, "c0", rate=live_rate(max_charge_u=100_000))
    reading = meter.account_reading(ANNA, now=NOON + minutes(30))
    assert reading is not None
    assert (reading.cost, reading.per_minute, reading.lasts_until) == (eur(10), eur(0), None)


def test_one_account_has_one_currency() -> None:
    meter = metered(300)
    with pytest.raises(MixedCurrenciesError):
        meter.funds(ANNA, Funds(wallet=Money(1, "USD"), exposure_limit=Money(0, "USD")), now=NOON)


@given(
    per_minute_u=st.integers(0, 10**6),
    blocks=st.sampled_from([(60, 60), (30, 6), (1, 1), (180, 60)]),
    elapsed_ms=st.integers(0, 10**7),
)
def test_the_meter_shows_what_will_be_charged(
    per_minute_u: int, blocks: tuple[int, int], elapsed_ms: int
) -> None:
    rate = live_rate(per_minute_u, *blocks)
    meter = LiveMeter()
    meter.funds(ANNA, funds(10**9), now=NOON)
    answer(meter, "c0", rate=rate)
    reading = meter.account_reading(ANNA, now=NOON + timedelta(milliseconds=elapsed_ms))
    assert reading is not None
    cost_u = rate_call(rate.rate, TERMS, conn_ms=elapsed_ms).cost_u
    assert 0 <= reading.cost.micro - cost_u < 10_000
