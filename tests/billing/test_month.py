"""A simulated month: 200 events, 20,000 calls, and everything that can go wrong; afterwards it all agrees."""

from __future__ import annotations

import math
import os
import secrets
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from billing import ledger, trial_balance
from billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTransaction, UsageLine, UsagePosting
from billing.money import Money
from billing.reconciliation import reconcile
from tests.billing.month import START, Month, price_u


def test_a_month_of_events(sessions: sessionmaker[Session]) -> None:
    seed = int(os.environ.get("MONTH_SEED") or secrets.randbits(32))
    print(f"the month's seed: MONTH_SEED={seed}")
    month = Month(sessions, seed=seed, events=200, calls=20_000)
    month.play()
    tally = month.tally
    assert min(tally.deaths, tally.duplicates, tally.late, tally.jumps, tally.hooks) > 5, tally
    with sessions.begin() as session:
        assert trial_balance.mismatches(session) == []
        assert reconcile(
            session, calls=month.source, now=month.end, since=START, providers=[month.provider]
        ) == []  # fmt: skip
        _each_call_is_in_exactly_one_charge(session, month)
        _documents_add_up_to_what_the_oracle_says(session, month)
        _no_wallet_was_ever_below_zero(session)
        _every_payment_is_in_the_books_once(session, month)


def _each_call_is_in_exactly_one_charge(session: Session, month: Month) -> None:
    lines = session.execute(
        select(UsagePosting.session_id, func.count(), func.count(UsageLine.cdr_id.distinct()))
        .join(UsageLine, UsageLine.posting_id == UsagePosting.id)
        .where(UsageLine.current)
        .group_by(UsagePosting.session_id)
    )
    found = {run: (count, distinct) for run, count, distinct in lines}
    assert found == {run: (len(calls), len(calls)) for run, calls in month.tally.calls.items()}


def _documents_add_up_to_what_the_oracle_says(session: Session, month: Month) -> None:
    documents = session.execute(
        select(
            UsagePosting.session_id,
            func.sum(UsagePosting.lines_u),
            func.sum(UsagePosting.rounding_u),
            func.sum(UsagePosting.net_minor),
        )
        .where(UsagePosting.current)
        .group_by(UsagePosting.session_id)
    )
    corrected = month.corrected
    for run, lines_u, rounding_u, net_minor in documents:
        costs = [price_u(number, ms, corrected=run in corrected) for number, ms in month.tally.calls[run]]
        assert int(lines_u) == sum(costs), run
        assert int(net_minor) == math.floor(Fraction(sum(costs), 10_000) + Fraction(1, 2)), run
        assert int(lines_u) + int(rounding_u) == Money(int(net_minor), "EUR").micro, run


def _no_wallet_was_ever_below_zero(session: Session) -> None:
    standing: dict[int, int] = {}
    for wallet, amount in session.execute(
        select(LedgerEntry.ledger_account_id, LedgerEntry.amount)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(LedgerAccount.kind == "wallet")
        .order_by(LedgerEntry.id)
    ):
        standing[wallet] = standing.get(wallet, 0) - amount
        assert standing[wallet] >= 0
    assert len(standing) > 10


def _every_payment_is_in_the_books_once(session: Session, month: Month) -> None:
    assert set(month.provider.charges_per_debt().values()) == {1}
    for account in month.accounts:
        known = session.scalar(
            select(func.coalesce(func.sum(LedgerEntry.amount), 0))
            .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
            .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
            .where(LedgerAccount.kind == "psp", LedgerTransaction.account_id == account)
        )
        assert int(known or 0) == month.provider.total(account)
        assert ledger.balance(session, account, "EUR").held.minor == 0
