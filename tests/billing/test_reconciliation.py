"""The reconciliation finds each thing that was made to disagree, and nothing in books that agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session, sessionmaker

from billing import holds, ledger, reconciliation, trial_balance
from billing.chart import Kind
from billing.deck_models import CdrRating
from billing.ledger_models import LedgerAccount, UsageLine, UsagePosting, UsageWork
from billing.money import Money
from billing.payments.gateway import ProviderTransaction
from billing.reconciliation import Mismatch, reconcile
from tests.billing.calls_support import ACCOUNT, SESSION, T0
from tests.billing.usage_support import DUE, World

LATER = DUE + timedelta(hours=6)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    """Two calls, charged; 3.00 paid in."""
    world = World(sessions)
    world.event_session()
    world.call(1)
    world.call(2)
    with sessions.begin() as session:
        ledger.top_up(session, ACCOUNT, eur(300), psp="test", payment_ref="pay_1", at=T0)
    world.runner.run(DUE)
    return world


def found(world: World, **more: object) -> list[Mismatch]:
    with world.sessions.begin() as session:
        return reconcile(session, calls=world.calls, now=LATER, **more)  # type: ignore[arg-type]


def checks(world: World, **more: object) -> set[str]:
    return {one.check for one in found(world, **more)}


def test_books_that_agree_show_nothing(world: World) -> None:
    assert found(world) == []
    with world.sessions.begin() as session:
        rows = {row.kind: row for row in trial_balance.rows(session)}
    assert (rows[Kind.PSP].debit, rows[Kind.WALLET].credit, rows[Kind.USAGE].credit) == (
        eur(300), eur(280), eur(20)
    )  # fmt: skip
    assert sum((row.debit for row in rows.values()), eur(0)) == sum(
        (row.credit for row in rows.values()), eur(0)
    )


def test_a_call_nobody_rated_or_charged(world: World) -> None:
    world.call(3)
    world.call(4, called_e164="+7800")
    assert [(one.check, one.detail) for one in found(world)] == [
        ("call-unrated", "has no price"), ("call-unrated", "has no price")
    ]  # fmt: skip
    with world.sessions.begin() as session:
        world.book.rate_calls(session, world.calls.calls, now=DUE)
    assert ("call-unrated", "waits for a price: no-rate") in {(one.check, one.detail) for one in found(world)}
    with world.sessions.begin() as session:
        session.execute(text("DELETE FROM usage_work"))
    assert checks(world) == {"call-unrated", "call-uncharged"}


def test_a_call_that_may_still_be_charged_is_no_mismatch(world: World) -> None:
    world.call(3, end_at=LATER - timedelta(hours=1))
    assert found(world) == []


def test_a_clerk_who_does_not_come_is_noticed(world: World) -> None:
    """A call that is priced and waits to be charged is no mismatch, until it waits for hours too long."""
    world.call(3)
    with world.sessions.begin() as session:
        world.book.rate_calls(session, world.calls.calls, now=DUE)
        session.execute(update(UsageWork).values(due_at=LATER - timedelta(hours=1)))
    assert found(world) == []
    with world.sessions.begin() as session:
        session.execute(update(UsageWork).values(due_at=LATER - timedelta(hours=3)))
    assert checks(world) == {"call-uncharged"}


def test_a_line_that_was_lost_or_is_outdated(world: World) -> None:
    with world.sessions.begin() as session:
        session.execute(update(UsageLine).where(UsageLine.cdr_id.like("%1")).values(current=False))
        session.execute(update(UsageLine).where(UsageLine.cdr_id.like("%2")).values(rating_version=7))
    assert checks(world) == {"call-uncharged", "call-outdated"}


def test_a_price_that_vanished(world: World) -> None:
    with world.sessions.begin() as session:
        session.execute(update(CdrRating).values(superseded_by=9))
    assert checks(world) == {"call-unrated", "call-priceless"}


def test_charges_that_do_not_add_up(world: World) -> None:
    with world.sessions.begin() as session:
        session.execute(update(UsageLine).where(UsageLine.cdr_id.like("%1")).values(cost_u=1))
    assert checks(world) == {"call-outdated", "charge-lines"}
    with world.sessions.begin() as session:
        session.execute(update(UsageLine).where(UsageLine.cdr_id.like("%1")).values(cost_u=100_000))
        session.execute(update(UsagePosting).values(vat_minor=3))
    assert checks(world) == {"charge-total"}


def test_usage_that_belongs_to_no_calls(world: World) -> None:
    with world.sessions.begin() as session:
        ledger.usage(session, ACCOUNT, 1, rating_version=1, net=eur(5), vat=eur(0), vat_country=None, at=T0)
    assert checks(world) == {"usage-without-charge"}


def test_a_cached_balance_that_was_changed(world: World) -> None:
    with world.sessions.begin() as session:
        session.execute(update(LedgerAccount).where(LedgerAccount.kind == "wallet").values(posted=281))
    [one] = found(world)
    assert (one.check, one.subject) == ("cached-balance", "wallet:7 EUR")
    with world.sessions.begin() as session:
        wallet = update(LedgerAccount).where(LedgerAccount.kind == "wallet")
        session.execute(wallet.values(posted=280, held=1))
    assert checks(world) == {"held"}


def test_holds_that_nobody_ended(world: World) -> None:
    with world.sessions.begin() as session:
        for key, run, hours in (("a", None, 1), ("b", SESSION, 100), ("c", 99, 100)):
            holds.hold(
                session, ACCOUNT, eur(5), key=key, session_id=run, at=T0,
                expires_at=T0 + timedelta(hours=hours),
            )  # fmt: skip
    assert [(one.check, one.subject) for one in found(world)] == [
        ("stale-hold", "hold a"), ("stale-hold", "hold b")
    ]  # fmt: skip


class Legs:
    def without_channel(self, session: Session, *, now: datetime) -> Sequence[str]:
        assert session.is_active
        return ["leg-1"] if now == LATER else []


def test_open_calls_without_a_channel(world: World) -> None:
    assert [(one.check, one.subject) for one in found(world, legs=Legs())] == [("open-leg", "call leg-1")]


@dataclass
class Books:
    lines: list[ProviderTransaction]
    psp: str = "test"

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        return iter([line for line in self.lines if since <= line.at < until])


PAYMENT = ProviderTransaction(
    ref="txn_1", kind="payment", payment="pay_1", amount=eur(300), fee=eur(12), at=T0 + timedelta(seconds=3)
)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([PAYMENT], set()),
        ([], {"not-at-provider"}),
        ([replace(PAYMENT, amount=eur(301))], {"amount-differs"}),
        ([replace(PAYMENT, amount=Money(300, "USD"))], {"amount-differs"}),
        ([PAYMENT, PAYMENT], {"not-in-ledger"}),
        ([PAYMENT, replace(PAYMENT, payment="pay_2")], {"not-in-ledger"}),
        ([PAYMENT, replace(PAYMENT, kind="refund", amount=eur(-50))], {"not-in-ledger"}),
        ([PAYMENT, replace(PAYMENT, kind="fee", amount=eur(-12))], set()),
    ],
)
def test_the_books_of_a_provider(world: World, lines: list[ProviderTransaction], wanted: set[str]) -> None:
    assert checks(world, providers=[Books(lines)]) == wanted


def test_refunds_and_disputes_match_by_amount_when_they_are_named_differently(world: World) -> None:
    with world.sessions.begin() as session:
        ledger.refund(
            session, ACCOUNT, eur(100), psp="test", refund_ref="re_1", actor="b", reason="r", at=T0
        )
        posted = ledger.chargeback(
            session, ACCOUNT, money=eur(150), fee=eur(15), psp="test", dispute_ref="dp_1", at=T0
        )
        ledger.reverse(session, posted.id, actor="test", reason="won", at=T0)
    refund = replace(PAYMENT, ref="txn_2", kind="refund", amount=eur(-100), fee=eur(0))
    dispute = replace(PAYMENT, ref="txn_3", kind="dispute", amount=eur(-150), fee=eur(15))
    won = replace(PAYMENT, ref="txn_4", kind="dispute_won", amount=eur(150), fee=eur(-15))
    assert found(world, providers=[Books([PAYMENT, refund, dispute, won])]) == []
    assert checks(world, providers=[Books([PAYMENT, dispute, won])]) == {"not-at-provider"}


def test_a_payment_of_this_minute_may_be_known_to_one_side_only(world: World) -> None:
    fresh = replace(PAYMENT, ref="txn_9", payment="pay_9", at=LATER - timedelta(minutes=5))
    assert found(world, providers=[Books([PAYMENT, fresh])]) == []
    assert timedelta(0) < reconciliation.PSP_SLACK
