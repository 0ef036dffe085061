"""The golden cases of rating, and what is true of every rate and duration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.decks import DeckTerms, Rate
from billing.errors import BadRateError
from billing.money import Money, from_micro, to_micro
from billing.rating import Free, Limit, Rated, rate_call, session_charge
from billing.rounding import Rounding
from bridge.cdr.record import EndBasis
from tests.bridge.cdr.support import ended

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def a_rate(blocks: str, per_minute: str, **more: str | int) -> Rate:
    first, following = map(int, blocks.split("/"))
    amounts: dict[str, Any] = {f"{name}_u": to_micro(Decimal(str(more.pop(name))))
               for name in ("connect_fee", "min_charge", "max_charge") if name in more}
    return Rate(
        number_class="tollfree", called_prefix="", per_minute_u=to_micro(Decimal(per_minute)), first_s=first,
        next_s=following, grace_ms=int(more.pop("grace_ms", 0)), **amounts,
    )


def terms(currency: str = "EUR", decimals: int = 4, rounding: str = "HALF_UP") -> DeckTerms:
    return DeckTerms(name="golden", currency=currency, cost_decimals=decimals, rounding=Rounding(rounding),
                     valid_from=T0)


def cost(rated: Rated) -> Decimal:
    return from_micro(rated.cost_u)


GOLDEN = [
    ("G1", a_rate("60/60", "0.05"), terms(), 1, 60, "0.0500"),
    ("G2", a_rate("60/60", "0.05"), terms(), 60_000, 60, "0.0500"),
    ("G2 a millisecond more", a_rate("60/60", "0.05"), terms(), 60_001, 120, "0.1000"),
    ("G3", a_rate("30/6", "0.036"), terms(), 10_000, 30, "0.0180"),
    ("G4", a_rate("30/6", "0.036"), terms(), 31_000, 36, "0.0216"),
    ("G5", a_rate("1/1", "0.0137"), terms(), 125_000, 125, "0.0285"),
    ("G5 up", a_rate("1/1", "0.0137"), terms(rounding="UP"), 125_000, 125, "0.0286"),
    ("G6", a_rate("6/6", "0.012"), terms(), 82_000, 84, "0.0168"),
    ("G7", a_rate("60/60", "0.02", connect_fee="0.02"), terms(), 62_000, 120, "0.0600"),
    ("G8", a_rate("1/1", "0.01", min_charge="0.02"), terms(), 30_000, 30, "0.0200"),
    ("G9 below", a_rate("60/60", "0.05", grace_ms=5000), terms(), 4_999, 0, "0"),
    ("G9", a_rate("60/60", "0.05", grace_ms=5000), terms(), 5_000, 60, "0.0500"),
    ("G10", a_rate("60/60", "0.05", connect_fee="0.02"), terms(), None, 0, "0"),
    ("G11", a_rate("30/6", "2.50"), terms("RUB"), 47_000, 48, "2.0000"),
    ("G12", a_rate("60/60", "7"), terms("JPY", 0), 125_000, 180, "21"),
    ("G13", a_rate("180/60", "0.03"), terms(), 181_000, 240, "0.1200"),
    ("G14", a_rate("60/60", "0.05", max_charge="5.00"), terms(), 3 * 3600_000, 10800, "5.0000"),
    ("G15", a_rate("1/1", "0.001"), terms(), 3_000, 3, "0.0001"),
    ("G15 half even", a_rate("1/1", "0.001"), terms(rounding="HALF_EVEN"), 3_000, 3, "0.0000"),
    ("G16", a_rate("60/60", "1.005"), terms(decimals=2), 60_000, 60, "1.01"),
]


@pytest.mark.parametrize(("rate", "deck", "conn_ms", "billed", "expected"), [case[1:] for case in GOLDEN],
                         ids=[case[0] for case in GOLDEN])
def test_golden(rate: Rate, deck: DeckTerms, conn_ms: int | None, billed: int, expected: str) -> None:
    rated = rate_call(rate, deck, conn_ms=conn_ms)
    assert (rated.billed_sec, cost(rated)) == (billed, Decimal(expected))


def test_g17_a_stuck_leg_is_billed_to_its_last_sound() -> None:
    """BYE after twelve hours, the last RTP after 754.2 s: the record's end is the last sound."""
    answered = datetime(2026, 11, 23, 12, tzinfo=UTC)
    record = ended(answer_at=answered, join_at=None, leave_at=None, ring_at=None, setup_at=answered,
                   end_at=answered + timedelta(seconds=754.2), end_basis=EndBasis.MEDIA_TIMEOUT)
    rated = rate_call(a_rate("60/60", "0.05"), terms(), conn_ms=record.conn_ms)
    assert (rated.billed_sec, cost(rated)) == (780, Decimal("0.6500"))


def test_g18_a_session() -> None:
    rated = [rate_call(a_rate("60/60", "0.05"), terms(), conn_ms=ms) for ms in (725_300, 61_000, 3_000)]
    assert [one.billed_sec for one in rated] == [780, 120, 60]
    assert session_charge([one.cost_u for one in rated], "EUR").total == Money(80, "EUR")


def test_g19_a_document_adds_up_through_its_rounding_line() -> None:
    golden = {case[0]: case for case in GOLDEN}
    lines = [rate_call(golden[name][1], golden[name][2], conn_ms=golden[name][3]).cost_u
             for name in ("G5", "G4", "G6")]
    charge = session_charge(lines, "EUR")
    assert from_micro(charge.lines_u) == Decimal("0.0669")
    assert charge.total == Money(7, "EUR")
    assert from_micro(charge.rounding_u) == Decimal("0.0031")
    assert charge.lines_u + charge.rounding_u == charge.total.micro


@pytest.mark.parametrize(("decimals", "expected"), [(6, "0.65"), (4, "0.70"), (2, "0.00")])
def test_g20_few_decimals_round_a_thousand_calls_away(decimals: int, expected: str) -> None:
    one = rate_call(a_rate("1/1", "0.0039"), terms(decimals=decimals), conn_ms=10_000)
    assert one.billed_sec == 10
    assert session_charge([one.cost_u] * 1000, "EUR").total == Money.of(Decimal(expected), "EUR")


def test_free_calls_cost_no_connect_fee_and_say_why() -> None:
    rate = a_rate("60/60", "0.05", connect_fee="0.02", min_charge="0.5", grace_ms=5000)
    assert rate_call(rate, terms(), conn_ms=None).free is Free.NOT_ANSWERED
    short = rate_call(rate, terms(), conn_ms=4_999)
    assert (short.free, short.cost_u, short.connect_fee_u) == (Free.GRACE, 0, 0)
    assert rate_call(rate, terms(), conn_ms=5_000).limit is Limit.MIN


def test_an_answered_call_of_no_length_costs_its_first_block() -> None:
    assert rate_call(a_rate("60/60", "0.05"), terms(), conn_ms=0).billed_sec == 60


# -- what is true of all -----------------------------------------------------------------------------------

durations = st.integers(0, 20 * 3600_000)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    following = draw(st.integers(1, 180))
    lowest = draw(st.none() | st.integers(0, 10**6))
    return Rate(
        number_class="city", called_prefix="", per_minute_u=draw(st.integers(0, 10**8)), next_s=following,
        first_s=following * draw(st.integers(1, 10)), connect_fee_u=draw(st.integers(0, 10**6)),
        min_charge_u=lowest,
        max_charge_u=draw(st.none() | st.integers(lowest or 0, 10**8)),
    )


decks = st.builds(terms, st.just("EUR"), st.integers(0, 6), st.sampled_from([r.value for r in Rounding]))


@given(rates(), decks, durations, durations)
def test_longer_is_never_cheaper(rate: Rate, deck: DeckTerms, one: int, other: int) -> None:
    shorter, longer = sorted((one, other))
    assert rate_call(rate, deck, conn_ms=shorter).cost_u <= rate_call(rate, deck, conn_ms=longer).cost_u


@given(rates(), decks, durations)
def test_billed_time_covers_the_call_and_goes_beyond_by_less_than_a_block(
    rate: Rate, deck: DeckTerms, conn_ms: int
) -> None:
    billed_ms = rate_call(rate, deck, conn_ms=conn_ms).billed_sec * 1000
    assert billed_ms >= conn_ms
    if conn_ms > rate.first_s * 1000:
        assert billed_ms - conn_ms < rate.next_s * 1000
    else:
        assert billed_ms == rate.first_s * 1000


@given(rates(), decks, durations, durations)
def test_a_call_cut_in_two_is_never_cheaper(rate: Rate, deck: DeckTerms, one: int, other: int) -> None:
    whole = rate_call(rate, deck, conn_ms=one + other)
    parts = [rate_call(rate, deck, conn_ms=part) for part in (one, other)]
    assert sum(part.billed_sec for part in parts) >= whole.billed_sec
    assert sum(part.charged_u for part in parts) >= whole.charged_u
    if deck.rounding is Rounding.UP:
        assert sum(part.cost_u for part in parts) >= whole.cost_u


@given(rates(), decks, durations)
def test_costs_are_exact_and_rounded_once(rate: Rate, deck: DeckTerms, conn_ms: int) -> None:
    rated = rate_call(rate, deck, conn_ms=conn_ms)
    step = 10 ** (6 - deck.cost_decimals)
    assert rated.exact_u == rate.connect_fee_u + Fraction(rate.per_minute_u * rated.billed_sec, 60)
    assert rated.cost_u % step == 0
    assert abs(rated.cost_u - rated.charged_u) < step
    if deck.rounding in (Rounding.HALF_UP, Rounding.HALF_EVEN):
        assert abs(rated.cost_u - rated.charged_u) * 2 <= step


@given(st.integers(1, 600), st.integers(1, 600))
def test_a_first_block_that_is_no_multiple_is_refused(first: int, following: int) -> None:
    assume(first % following)
    with pytest.raises(BadRateError) as caught:
        a_rate(f"{first}/{following}", "0.05")
    assert (caught.value.field, caught.value.slug) == ("first_s", "uneven")


def test_with_such_a_block_redialling_would_pay() -> None:
    rate = Rate(number_class="city", called_prefix="", per_minute_u=60_000, first_s=7, next_s=5,
                allow_uneven=True)
    whole = rate_call(rate, terms(), conn_ms=14_000)
    halves = [rate_call(rate, terms(), conn_ms=7_000) for _ in range(2)]
    assert sum(half.cost_u for half in halves) < whole.cost_u
