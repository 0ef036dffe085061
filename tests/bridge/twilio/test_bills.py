"""Prices come late, and nobody waits for them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from bridge.twilio import repository
from bridge.twilio.api import CallState, TwilioApi, price_in_millionths
from bridge.twilio.bills import TRIES_MAX, Bills
from bridge.twilio.errors import ApiError
from bridge.twilio.models import TwilioCall
from bridge.twilio.reconcile import finding
from bridge.twilio.repository import Pair
from tests.phones.twilio_cloud import TwilioCloud
from tests.support.outage import outage

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SID = "CA" + "1" * 32


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def row(sessions: sessionmaker[Session]) -> TwilioCall:
    with sessions() as session:
        found = repository.find(session, SID)
        assert found is not None
        return found


async def settle(bills: Bills) -> None:
    """One round of what the task does."""
    await bills._write_pending()
    await bills._ask_prices()


def test_a_price_that_comes_later_is_asked_for_until_it_is_there(sessions: sessionmaker[Session]) -> None:
    clock = Clock()
    with TwilioCloud() as cloud:
        cloud.status[SID] = "completed"
        api = TwilioApi(account_sid=cloud.account_sid, auth_token=cloud.auth_token, base_url=cloud.url)

        async def run() -> None:
            bills = Bills(sessions, api=api, now=clock)
            for _ in range(2):  # Twilio repeats what it saw no answer to
                bills.ended(SID, status="completed", sip_status=200, duration_s=61, at=START)
            await settle(bills)
            assert (row(sessions).duration_s, row(sessions).price_u, row(sessions).tries) == (61, None, 0)
            clock.now += timedelta(seconds=15)
            await settle(bills)
            assert (row(sessions).price_u, row(sessions).tries) == (None, 1)
            assert row(sessions).next_try_at == clock.now + timedelta(seconds=60)
            cloud.prices[SID] = "-0.00850"
            await settle(bills)
            assert row(sessions).price_u is None, "it is not asked for before its time"
            clock.now += timedelta(seconds=60)
            await settle(bills)
            done = row(sessions)
            assert (done.price_u, done.currency, done.next_try_at) == (8500, "USD", None)

        try:
            asyncio.run(run())
        finally:
            api.close()


def test_a_price_that_never_comes_is_given_up(sessions: sessionmaker[Session]) -> None:
    clock = Clock()
    with TwilioCloud() as cloud:
        cloud.failing = True
        api = TwilioApi(account_sid=cloud.account_sid, auth_token=cloud.auth_token, base_url=cloud.url)

        async def run() -> None:
            bills = Bills(sessions, api=api, now=clock)
            bills.ended(SID, status="completed", sip_status=None, duration_s=None, at=START)
            for _ in range(TRIES_MAX + 2):
                clock.now += timedelta(days=1)
                await settle(bills)
            assert row(sessions).tries == TRIES_MAX
            assert row(sessions).next_try_at is None

        try:
            asyncio.run(run())
        finally:
            api.close()


def test_calls_wait_in_memory_while_the_database_is_away(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    async def run() -> None:
        bills = Bills(sessions, api=None, now=Clock())  # type: ignore[arg-type]
        bills.ended(SID, status="completed", sip_status=200, duration_s=5, at=START)
        with outage(engine):
            assert not await bills._write_pending()
        assert await bills._write_pending()
        assert row(sessions).duration_s == 5

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "price_u"),
    [
        (None, None),
        ("", None),
        ("-0.00850", 8500),
        ("-0.0000015", 2),
        ("0", 0),
        ("0.5", -500_000),
        ("NaN", None),
        ("free", None),
    ],
)
def test_prices(text: str | None, price_u: int | None) -> None:
    """Twilio writes what it takes as negative; a positive one is money back. Halves go to even."""
    assert price_in_millionths(text) == price_u


def test_the_api_says_whose_fault_it_is() -> None:
    with TwilioCloud() as cloud:
        wrong = TwilioApi(account_sid=cloud.account_sid, auth_token="wrong", base_url=cloud.url)
        right = TwilioApi(account_sid=cloud.account_sid, auth_token=cloud.auth_token, base_url=cloud.url)
        away = TwilioApi(account_sid=cloud.account_sid, auth_token="x", base_url="http://127.0.0.1:9")

        async def run() -> None:
            with pytest.raises(ApiError) as caught:
                await wrong.hang_up(SID)
            assert caught.value.status == 401
            assert "wrong" not in str(caught.value)
            with pytest.raises(ApiError) as caught:
                await right.call(SID)
            assert caught.value.status == 404
            with pytest.raises(ApiError) as caught:
                await away.hang_up(SID)
            assert caught.value.status is None
            cloud.status[SID] = "in-progress"
            assert (await right.call(SID)).alive
            await right.hang_up(SID)
            await right.hang_up(SID)  # over already: as it should be
            assert await right.call(SID) == CallState(
                status="completed", duration_s=7, price_u=None, currency="USD"
            )

        asyncio.run(run())
        for api in (wrong, right, away):
            api.close()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, ""),
        ({"reason_slug": None, "ours_ms": None}, "no-record"),
        ({"status": None, "theirs_s": None, "price_u": None}, "no-callback"),
        ({"theirs_s": 70}, "duration-differs"),
        ({"theirs_s": 64}, ""),
        ({"price_u": None}, "no-price"),
        ({"ours_ms": None, "theirs_s": 0, "price_u": None, "status": "no-answer"}, ""),
    ],
)
def test_what_differs_has_a_word(values: dict[str, object], word: str) -> None:
    facts: dict[str, object] = {
        "call_sid": SID,
        "ended_at": START,
        "ours_ms": 60_400,
        "theirs_s": 61,
        "status": "completed",
        "price_u": 8500,
        "currency": "USD",
        "reason_slug": "caller-hung-up",
        **values,
    }
    assert finding(Pair(**facts)) == word  # type: ignore[arg-type]
