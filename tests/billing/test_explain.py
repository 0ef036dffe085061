"""Explain this cost: every step of the arithmetic, and all prices a call ever had."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from billing.calls import BillableCall
from billing.decks import Rate
from billing.errors import NoSuchCallError
from billing.explain import SENTENCES, Explanation, State, explain
from billing.rating_book import UnratedReason
from billing.rounding import Rounding
from tests.billing.calls_support import T0, CallsInMemory, a_book, a_call, a_rate, with_deck


def explained(sessions: sessionmaker[Session], call: BillableCall, *rates: Rate, **deck: Any) -> Explanation:
    source = CallsInMemory(call)
    with_deck(sessions, *rates, **deck)
    with sessions.begin() as session:
        a_book(source).rate_calls(session, [call], now=T0)
    with sessions() as session:
        return explain(session, source, call.cdr_id)


def keys(explanation: Explanation) -> list[str]:
    return [step.key for step in explanation.steps]


def text(explanation: Explanation) -> str:
    return "\n".join(step.text for step in explanation.steps)


def test_a_price_is_taken_apart_step_by_step(sessions: sessionmaker[Session]) -> None:
    rate = a_rate("49", 13_700, first_s=30, next_s=6, connect_fee_u=20_000, origin_prefix="33",
                  description="Germany")
    told = explained(sessions, a_call(conn_ms=125_000), rate)
    assert keys(told) == ["answered", "deck", "prefix", "origin", "connected", "blocks", "minutes",
                          "connect-fee", "sum", "rounding", "cost", "session-rounding"]
    price = told.price
    assert price is not None
    assert (price.deck_name, price.deck_version, price.matched_prefix) == ("Standard", 1, "49")
    assert (price.billed_sec, price.blocks, price.first_s, price.next_s) == (126, 16, 30, 6)
    assert price.before_rounding == Decimal("0.02877") + Decimal("0.02")
    assert (price.cost, price.rounding, price.cost_decimals) == (Decimal("0.0488"), "HALF_UP", 4)
    assert price.agrees
    assert "First block 30 s + 16 × 6 s = 126 s billed." in text(told)
    assert "126 s at 0.0137 EUR a minute = 0.02877 EUR." in text(told)
    assert "0.04877 rounded (HALF_UP) to 4 digits: 0.0488 EUR." in text(told)
    assert "+4980012345 is a tollfree number; its longest prefix in the deck is +49." in text(told)
    assert told.connected_ms == 125_000


@pytest.mark.parametrize(("more", "conn_ms", "expected"), [
    ({"min_charge_u": 900_000}, 61_000, "limit-min"), ({"max_charge_u": 50_000}, 61_000, "limit-max"),
    ({"grace_ms": 5000}, 4_999, "grace"), ({}, 59_000, "first-block"), ({}, 61_000, "exact"),
])
def test_what_else_decided(
    sessions: sessionmaker[Session], more: dict[str, int], conn_ms: int, expected: str
) -> None:
    told = explained(sessions, a_call(conn_ms=conn_ms), a_rate("49", **more))
    assert expected in keys(told)
    assert told.price is not None
    assert told.price.agrees


def test_thirds_are_shown_with_nine_digits(sessions: sessionmaker[Session]) -> None:
    told = explained(sessions, a_call(conn_ms=1_000), a_rate("", 100, first_s=1, next_s=1), cost_decimals=6,
                     rounding=Rounding.UP)
    assert "1 s at 0.0001 EUR a minute = 0.000001667 EUR." in text(told)
    assert "0.000001667 rounded (UP) to 6 digits: 0.000002 EUR." in text(told)
    assert "prefix-all" in keys(told)


def test_a_call_without_a_hang_up_says_so(sessions: sessionmaker[Session]) -> None:
    told = explained(sessions, a_call(end_basis="media_timeout"))
    assert "media_timeout" in text(told)
    assert told.end_basis == "media_timeout"


@pytest.mark.parametrize(("change", "state", "key"), [
    ({"billable": False, "answer_at": None, "conn_ms": None}, State.NOT_BILLABLE, "not-answered"),
    ({"billable": False, "channel": "webrtc"}, State.NOT_BILLABLE, "not-billable"),
    ({"called_e164": "+33800"}, State.UNRATED, "unrated-no-rate"),
    ({"answer_at": T0 - timedelta(days=400)}, State.UNRATED, "unrated-no-deck"),
])
def test_a_call_without_a_price_says_why(
    sessions: sessionmaker[Session], change: dict[str, Any], state: State, key: str
) -> None:
    told = explained(sessions, a_call(**change))
    assert (told.state, keys(told), told.price) == (state, [key], None)
    assert text(told)


def test_a_call_that_nobody_rated_yet(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        told = explain(session, CallsInMemory(a_call()), a_call().cdr_id)
        assert (told.state, keys(told)) == (State.NOT_YET, ["not-yet"])
        with pytest.raises(NoSuchCallError):
            explain(session, CallsInMemory(), "nothing")


def test_every_reason_has_a_sentence() -> None:
    assert {f"unrated-{reason}" for reason in UnratedReason} <= set(SENTENCES)


def test_a_price_that_its_rate_does_not_give_is_noticed(sessions: sessionmaker[Session]) -> None:
    """The record says another duration than the one that was priced: somebody tampered with a database."""
    call = a_call()
    explained(sessions, call)
    with sessions() as session:
        told = explain(session, CallsInMemory(replace(call, conn_ms=500_000)), call.cdr_id)
        assert told.price is not None
        assert not told.price.agrees
