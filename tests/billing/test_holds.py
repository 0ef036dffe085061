"""Holds: what is kept back, that it never exceeds the wallet, and that it ends once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from billing import holds, ledger, trial_balance
from billing.holds import HoldState
from billing.ledger_errors import (
    HoldResolvedError,
    IdemConflictError,
    InsufficientFundsError,
    NoSuchHoldError,
    NotPositiveError,
)
from billing.money import Money

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = AT + timedelta(hours=2)
ANNA = 7


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        ledger.top_up(session, ANNA, eur(1000), psp="stripe", payment_ref="pi_1", at=AT)
        yield session
        session.commit()
        assert trial_balance.mismatches(session) == []


def keep(session: Session, minor: int, key: str = "session:1", account: int = ANNA) -> holds.Held:
    return holds.hold(session, account, eur(minor), key=key, session_id=1, at=AT, expires_at=LATER)


def available(session: Session) -> int:
    return ledger.balance(session, ANNA, "EUR").available.minor


def test_a_hold_takes_what_is_wanted_or_what_there_is(session: Session) -> None:
    assert keep(session, 700).amount == eur(700)
    assert keep(session, 700, "session:2").amount == eur(300)
    assert keep(session, 700, "session:3").amount == eur(0)
    assert available(session) == 0


def test_the_same_hold_again_is_the_same_hold(session: Session) -> None:
    assert keep(session, 400) == keep(session, 900)
    assert available(session) == 600
    with pytest.raises(IdemConflictError):
        keep(session, 400, account=8)


def test_extending_takes_more_but_never_gives_back(session: Session) -> None:
    keep(session, 400)
    assert holds.extend(session, "session:1", eur(600), expires_at=LATER).amount == eur(600)
    assert holds.extend(session, "session:1", eur(100), expires_at=LATER).amount == eur(600)
    much = holds.extend(session, "session:1", eur(99_999), expires_at=LATER + timedelta(hours=1))
    assert (much.amount, much.expires_at) == (eur(1000), LATER + timedelta(hours=1))


def test_ensure_opens_then_extends(session: Session) -> None:
    assert holds.ensure(session, ANNA, eur(100), session_id=5, at=AT, expires_at=LATER).amount == eur(100)
    assert holds.ensure(session, ANNA, eur(250), session_id=5, at=AT, expires_at=LATER).amount == eur(250)
    assert available(session) == 750


@pytest.mark.parametrize("end", [holds.capture, holds.release])
def test_a_hold_ends_once(session: Session, end: Callable[..., holds.Held]) -> None:
    keep(session, 400)
    first = end(session, "session:1", at=AT)
    assert end(session, "session:1", at=LATER) == first
    assert available(session) == 1000
    other = holds.release if end is holds.capture else holds.capture
    with pytest.raises(HoldResolvedError):
        other(session, "session:1", at=LATER)
    with pytest.raises(HoldResolvedError):
        holds.extend(session, "session:1", eur(500), expires_at=LATER)
    with pytest.raises(HoldResolvedError):
        keep(session, 400)
    assert holds.expire(session, now=LATER + timedelta(days=1)) == []


def test_a_hold_expires_when_nobody_came_back(session: Session) -> None:
    keep(session, 400)
    keep(session, 300, "session:2")
    holds.extend(session, "session:2", eur(300), expires_at=LATER + timedelta(minutes=1))
    assert holds.expire(session, now=LATER - timedelta(milliseconds=1)) == []
    assert [one.key for one in holds.expire(session, now=LATER)] == ["session:1"]
    assert available(session) == 700
    found = holds.find(session, "session:1")
    assert found is not None
    assert found.state is HoldState.EXPIRED


def test_held_money_is_not_spent_by_another_session(session: Session) -> None:
    keep(session, 800)
    charged = ledger.usage(session, ANNA, 2, rating_version=1, net=eur(500), vat=eur(0), vat_country=None,
                           at=AT)  # fmt: skip
    assert ledger.balance(session, ANNA, "EUR").receivable == eur(300)
    assert charged.id
    with pytest.raises(InsufficientFundsError):
        ledger.refund(session, ANNA, eur(1), psp="stripe", refund_ref="r", actor="b", reason="r", at=AT)


def test_what_is_no_hold(session: Session) -> None:
    with pytest.raises(NotPositiveError):
        keep(session, 0)
    with pytest.raises(NoSuchHoldError):
        holds.release(session, "session:9", at=AT)
    assert holds.find(session, "session:9") is None
    keep(session, 1)
    with pytest.raises(IdemConflictError):
        holds.extend(session, "session:1", Money(1, "USD"), expires_at=LATER)
