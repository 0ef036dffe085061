"""The cashier, over a real ledger: who may enter, what is kept back, what is told, and after a restart."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import Engine

from accounts.models import Account
from billing import ledger, profile
from billing.metering import EntryClosed, EntryOpened, FundsLow
from billing.money import Money
from billing.payments import cards
from billing.payments.gateway import SavedCard
from billing.profile import Profile
from billing.usage import Tax
from bridge.calls.toll_books import News, Query, TollBooks
from bridge.calls.toll_clerk import ThreadClerk
from bridge.calls.tolls import FRESH_S, WAIT_S, TollCall, Tolls
from tests.billing.calls_support import ACCOUNT, SESSION, T0, with_deck
from tests.billing.usage_support import an_event
from tests.bridge.calls.toll_world import EVENT, FREE, TollWorld


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def world(engine: Engine) -> TollWorld:
    """0.05 a minute, 3.00 in the wallet, the cashier at work."""
    world = TollWorld(engine)
    with_deck(world.sessions)
    world.top_up(300)
    world.begin()
    return world


def four_callers(world: TollWorld) -> list[str]:
    assert world.may_enter()
    return [world.call(number) for number in range(4)]


def an_account(world: TollWorld, *, planned_min: int = 60) -> None:
    """The account and its event, as pages know them."""
    with world.sessions.begin() as session:
        session.add(
            Account(id=ACCOUNT, email="a@example.org", status="active", created_at=T0, updated_at=T0)
        )
        session.flush()
        event = an_event()
        event.duration_min = planned_min
        session.add(event)


def a_card(world: TollWorld, *, limit: int, exp_year: int = 2030) -> None:
    with world.sessions.begin() as session:
        saved = SavedCard(ref="c1", customer="k1", brand="visa", last4="4242", exp_month=1, exp_year=exp_year)
        cards.save_card(session, ACCOUNT, "test", saved, now=T0)
        profile.save(session, Profile(account_id=ACCOUNT, exposure_limit=limit), now=T0)


def test_the_meter_of_four_callers(world: TollWorld) -> None:
    four_callers(world)
    reading = world.tolls.session_reading(SESSION)
    assert reading is not None
    assert (reading.live_calls, reading.cost, reading.per_minute) == (4, eur(20), eur(20))
    assert reading.lasts_until == T0 + timedelta(minutes=15)
    assert world.tolls.account_reading(ACCOUNT) == reading
    assert world.tolls.session_reading(99) is None


def test_money_is_kept_back_for_what_is_planned_and_more_when_it_runs_out(world: TollWorld) -> None:
    an_account(world, planned_min=20)
    world.top_up(10_000)
    assert world.may_enter()
    world.call(0)
    assert world.held() == 100, "one caller for 20 minutes"
    for number in (1, 2, 3):
        world.call(number)
    world.pass_s(61)
    assert world.held() == 4 * 5 + 4 * 30 * 5, "their first minutes, and half an hour more"


def test_a_hold_takes_what_there_is(world: TollWorld) -> None:
    four_callers(world)
    assert world.held() == 300
    assert world.holds() == 1


def test_past_the_funds_new_callers_stay_out_until_there_are_funds_again(world: TollWorld) -> None:
    four_callers(world)
    world.pass_s(11 * 60 + 1)
    assert world.notices == [FundsLow(account_id=ACCOUNT, percent=80, used=eur(240), total=eur(300))]
    assert world.may_enter()
    world.pass_s(3 * 60)
    assert world.notices[1:] == [
        FundsLow(account_id=ACCOUNT, percent=100, used=eur(300), total=eur(300)),
        EntryClosed(account_id=ACCOUNT),
    ]
    assert not world.may_enter()
    reading = world.tolls.session_reading(SESSION)
    assert reading is not None
    assert reading.live_calls == 4, "live callers are never cut off"
    world.top_up(500)
    world.pass_s(3)
    assert world.notices[3:] == [EntryOpened(account_id=ACCOUNT)]
    assert world.may_enter()


def test_a_caller_who_comes_right_after_the_top_up_enters(world: TollWorld) -> None:
    world.may_enter()
    four_callers(world)
    world.pass_s(15 * 60)
    assert not world.may_enter()
    world.top_up(500)
    world.seconds += FRESH_S
    assert world.may_enter(), "what is known is too old to send somebody away"


def test_without_money_nobody_enters_and_a_good_card_lets_in(engine: Engine) -> None:
    world = TollWorld(engine)
    an_account(world)
    with_deck(world.sessions)
    world.begin()
    assert not world.may_enter()
    a_card(world, limit=0)
    world.seconds += FRESH_S
    assert not world.may_enter()
    a_card(world, limit=1000)
    world.seconds += FRESH_S
    assert world.may_enter()
    a_card(world, limit=1000, exp_year=2020)
    world.seconds += FRESH_S
    assert not world.may_enter(), "a card that has expired pays nothing"


def test_a_call_without_a_price_is_let_in_and_metered_once_there_is_one(engine: Engine) -> None:
    world = TollWorld(engine)
    world.begin()
    assert world.may_enter(), "no deck, no wallet"
    world.call(1)
    reading = world.tolls.account_reading(ACCOUNT)
    assert reading is None or reading.live_calls == 0
    with_deck(world.sessions)
    world.pass_s(4)
    reading = world.tolls.account_reading(ACCOUNT)
    assert reading is not None
    assert (reading.live_calls, reading.cost) == (1, eur(5))
    assert not world.may_enter()


def test_without_books_everybody_enters_and_nothing_is_counted() -> None:
    tolls = Tolls()
    told: list[bool] = []
    tolls.ask(ACCOUNT, EVENT, lambda: told.append(tolls.may_enter(ACCOUNT, called=FREE, caller=None)))
    tolls.entered(
        TollCall(
            key="k", account_id=ACCOUNT, session_id=SESSION, event_id=EVENT, called=FREE, caller=None,
            answered_at=T0,
        )
    )  # fmt: skip
    tolls.ended("k")
    tolls.tick()
    tolls.stop()
    assert told == [True]
    assert tolls.account_reading(ACCOUNT) is None


def test_a_call_ends_once_and_counts_until_it_is_charged(world: TollWorld) -> None:
    keys = four_callers(world)
    world.call(0)
    world.pass_s(61)
    for key in keys:
        world.tolls.ended(key)
        world.tolls.ended(key)
        world.recorded(key, since_s=0)
    reading = world.tolls.session_reading(SESSION)
    assert reading is not None
    assert (reading.live_calls, reading.cost, reading.lasts_until) == (0, eur(40), None)
    world.pass_s(120)
    assert world.tolls.session_reading(SESSION) == reading, "records of calls that were metered add nothing"
    world.seconds += 16 * 60
    report = world.runner.run(world.now)
    assert [charged.total for charged in report.charged] == [eur(40)]
    world.pass_s(4)
    assert world.tolls.session_reading(SESSION) is None
    assert world.tolls.account_reading(ACCOUNT).cost == eur(0)  # type: ignore[union-attr]
    assert world.may_enter()
    assert world.held() == 300, "what the hold was"


def test_after_a_restart_what_was_not_charged_still_counts(world: TollWorld) -> None:
    for key in four_callers(world):
        world.recorded(key, since_s=-50 * 15)
    world.clerk.stop()
    world.begin()
    assert world.may_enter(), "0.40 are left"
    world.pass_s(3)
    reading = world.tolls.session_reading(SESSION)
    assert reading is not None
    assert (reading.live_calls, reading.cost) == (0, eur(260)), "four calls of 12.5 minutes"
    world.call(9, session_id=SESSION + 1)
    world.pass_s(8 * 60)
    assert not world.may_enter()
    world.runner.run(world.now + timedelta(minutes=40))
    world.pass_s(4)
    assert world.tolls.session_reading(SESSION) is None
    assert world.tolls.account_reading(ACCOUNT).cost == eur(45)  # type: ignore[union-attr]


def test_a_database_away_keeps_nobody_out_and_holds_are_made_later(world: TollWorld) -> None:
    world.clerk.fails = True
    world.seconds += 60
    four_callers(world)
    world.pass_s(10)
    assert world.held() == 0
    world.clerk.fails = False
    world.pass_s(4)
    assert world.held() == 300


def test_a_clerk_who_takes_no_more_work_keeps_nobody_out(world: TollWorld) -> None:
    world.clerk.full = True
    assert world.may_enter()


def test_a_hold_is_renewed_while_people_talk(world: TollWorld) -> None:
    an_account(world, planned_min=24 * 60)
    world.top_up(100_000)
    world.may_enter()
    world.call(1)
    first = world.hold()
    world.seconds += 5 * 3600 + 1
    world.tolls.tick()
    again = world.hold()
    assert (again.amount, first.amount) == (eur(7200), eur(7200))
    assert again.expires_at > first.expires_at


class SlowBooks(TollBooks):
    """A database that does not answer until it is let."""

    def __init__(self, world: TollWorld) -> None:
        super().__init__(world.readers, world.sessions)
        self.answers = threading.Event()

    def look(self, query: Query, *, now: datetime) -> News:
        assert self.answers.wait(20)
        return super().look(query, now=now)


def test_a_slow_database_delays_a_caller_for_a_moment_only_and_the_loop_never(world: TollWorld) -> None:
    books = SlowBooks(world)

    async def scene() -> bool:
        loop = asyncio.get_running_loop()
        tolls = Tolls(books, now=lambda: world.now)
        tolls.start()
        let_in, begun_s = asyncio.Event(), loop.time()
        tolls.ask(ACCOUNT, EVENT, let_in.set)
        assert loop.time() - begun_s < 0.2
        await asyncio.wait_for(let_in.wait(), WAIT_S + 5)
        assert loop.time() - begun_s >= WAIT_S
        assert tolls.may_enter(ACCOUNT, called=FREE, caller=None)
        books.answers.set()
        known = asyncio.Event()
        tolls.ask(ACCOUNT, EVENT, known.set)
        await asyncio.wait_for(known.wait(), 5)
        await asyncio.to_thread(tolls.stop)
        return tolls.account_reading(ACCOUNT) is not None

    assert asyncio.run(scene())


def test_a_clerk_refuses_when_its_desk_is_full_and_survives_faulty_work() -> None:
    async def scene() -> list[int | None]:
        clerk = ThreadClerk(asyncio.get_running_loop(), queue_max=2)
        told: asyncio.Queue[int | None] = asyncio.Queue()
        begun, go_on = threading.Event(), threading.Event()

        def slow() -> int:
            begun.set()
            assert go_on.wait(20)
            return 1

        def faulty() -> int:
            raise ValueError("a bug")

        assert clerk.submit(slow, told.put_nowait)
        assert await asyncio.to_thread(begun.wait, 20)
        assert clerk.submit(faulty, told.put_nowait)
        assert clerk.submit(lambda: 3, told.put_nowait)
        assert not clerk.submit(lambda: 4, told.put_nowait)
        go_on.set()
        heard = [await asyncio.wait_for(told.get(), 20) for _ in range(3)]
        await asyncio.to_thread(clerk.stop)
        return heard

    assert asyncio.run(scene()) == [1, None, 3]


def test_what_is_owed_counts_against_the_limit_and_tax_is_part_of_it(world: TollWorld) -> None:
    an_account(world)
    a_card(world, limit=1000)
    with world.sessions.begin() as session:
        ledger.usage(
            session, ACCOUNT, 1, rating_version=1, net=eur(700), vat=eur(0), vat_country=None, at=T0,
            occurred_at=T0, scope="1",
        )  # fmt: skip
    dutch = Tax(rate=Fraction(21, 100), country="NL")
    books = TollBooks(world.readers, world.sessions, taxes=lambda _session, _account, _at: dutch)
    funds = books.look(Query(accounts=frozenset({ACCOUNT})), now=T0).funds[ACCOUNT]
    assert (funds.wallet, funds.exposure_limit, funds.tax) == (eur(0), eur(600), Fraction(21, 100))
