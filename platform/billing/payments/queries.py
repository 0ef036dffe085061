"""What pages show of payments: top-ups, cards, charges, payments, and the queues that staff works through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Account
from billing.money import Money
from billing.payments.models import Attempt, Charge, Checkout, Hook, Refund

QUEUE_STATES = ("failed", "no_card", "waiting", "action", "small")
"""Debts that somebody may want to look at; the first two wait for somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedCharge:
    """A debt in the queue of failed cards, with whose it is and what was tried."""

    charge_id: int
    account_id: int
    email: str
    left: Money
    state: str
    reason: str
    tries: int
    next_try_at: datetime | None
    since: datetime


def top_ups(session: Session, account_id: int, *, limit: int = 50, offset: int = 0) -> Sequence[Checkout]:
    """Top-ups of an account, newest first."""
    query = select(Checkout).where(Checkout.account_id == account_id, Checkout.kind == "top_up")
    return session.scalars(query.order_by(Checkout.id.desc()).limit(limit).offset(offset)).all()


def charges_of(session: Session, account_id: int, *, limit: int = 50, offset: int = 0) -> Sequence[Charge]:
    """Shortfalls of an account, newest first."""
    query = select(Charge).where(Charge.account_id == account_id)
    return session.scalars(query.order_by(Charge.id.desc()).limit(limit).offset(offset)).all()


def attempts_of(session: Session, charge_id: int) -> Sequence[Attempt]:
    """The tries at one debt, in their order."""
    return session.scalars(select(Attempt).where(Attempt.charge_id == charge_id).order_by(Attempt.n)).all()


def refunds_of(session: Session, account_id: int) -> Sequence[Refund]:
    """Refunds of an account, newest first."""
    query = select(Refund).where(Refund.account_id == account_id)
    return session.scalars(query.order_by(Refund.id.desc())).all()


def failed_charges(
    session: Session, *, states: Sequence[str] = QUEUE_STATES[:2], limit: int = 50, offset: int = 0
) -> list[QueuedCharge]:
    """The queue of failed cards, oldest first."""
    tries = select(func.count()).where(Attempt.charge_id == Charge.id).scalar_subquery()
    query = (
        select(Charge, Account.email, tries)
        .join(Account, Account.id == Charge.account_id)
        .where(Charge.state.in_(states))
        .order_by(Charge.id)
    )
    return [
        QueuedCharge(
            charge_id=charge.id,
            account_id=charge.account_id,
            email=email,
            left=Money(charge.amount - charge.covered, charge.currency),
            state=charge.state,
            reason=charge.reason,
            tries=count,
            next_try_at=charge.next_try_at,
            since=charge.created_at,
        )
        for charge, email, count in session.execute(query.limit(limit).offset(offset))
    ]


def count_failed(session: Session) -> int:
    """How many debts wait for somebody."""
    query = select(func.count()).select_from(Charge).where(Charge.state.in_(QUEUE_STATES[:2]))
    return session.scalar(query) or 0


def odd_hooks(session: Session, *, limit: int = 50) -> Sequence[Hook]:
    """Signed messages that fitted nothing of ours: newest first."""
    odd = ("unknown-checkout", "unknown-charge", "unknown-payment", "unknown-dispute", "amount-differs")
    return session.scalars(
        select(Hook).where(Hook.outcome.in_(odd)).order_by(Hook.id.desc()).limit(limit)
    ).all()


def odd_top_ups(session: Session, *, limit: int = 50) -> Sequence[Checkout]:
    """Top-ups that brought another amount than was asked for: newest first."""
    query = select(Checkout).where(Checkout.reason == "amount-differs")
    return session.scalars(query.order_by(Checkout.id.desc()).limit(limit)).all()
