"""The trial balance: what all accounts stand at, and whether the books can be right.

Theory.  Every transaction sums to zero, so all accounts together do, in each currency; a trial balance that
does not was tampered with or is the work of a bug.  The reverse is not true, so each transaction is looked
at too, and each cached balance is held against the sum of its entries.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from billing.chart import DEBIT_KINDS, Kind
from billing.ledger_models import Hold, LedgerAccount, LedgerEntry, LedgerTransaction
from billing.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Something that should agree and does not. `check` is a slug, `subject` what to look at."""

    check: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRow:
    """One line of the trial balance: the total of one kind in one currency, on one of the two sides."""

    kind: Kind
    currency: str
    accounts: int
    debit: Money
    credit: Money


def rows(session: Session) -> list[BalanceRow]:
    """All kinds in all currencies, from the entries themselves; ordered by currency, then kind."""
    query = (
        select(
            LedgerAccount.currency,
            LedgerAccount.kind,
            func.count(func.distinct(LedgerAccount.id)),
            func.coalesce(func.sum(LedgerEntry.amount), 0),
        )
        .outerjoin(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
        .group_by(LedgerAccount.currency, LedgerAccount.kind)
        .order_by(LedgerAccount.currency, LedgerAccount.kind)
    )
    found = []
    for currency, kind, accounts, total in session.execute(query):
        signed = int(total)
        found.append(
            BalanceRow(
                kind=Kind(kind),
                currency=currency,
                accounts=accounts,
                debit=Money(max(signed, 0), currency),
                credit=Money(max(-signed, 0), currency),
            )
        )
    return found


def mismatches(session: Session) -> list[Mismatch]:
    """Everything about the ledger alone that does not agree; empty when the books are right."""
    return [*_totals(session), *_transactions(session), *_cached(session), *_held(session)]


def _totals(session: Session) -> list[Mismatch]:
    query = (
        select(LedgerAccount.currency, func.sum(LedgerEntry.amount))
        .join(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
        .group_by(LedgerAccount.currency)
        .having(func.sum(LedgerEntry.amount) != 0)
    )
    return [
        Mismatch(
            check="trial-balance",
            subject=currency,
            detail=f"all accounts together stand at {Money(int(total), currency)}, not 0",
        )
        for currency, total in session.execute(query)
    ]


def _transactions(session: Session) -> list[Mismatch]:
    unequal = (
        select(LedgerEntry.transaction_id, LedgerAccount.currency, func.sum(LedgerEntry.amount))
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .group_by(LedgerEntry.transaction_id, LedgerAccount.currency)
        .having(func.sum(LedgerEntry.amount) != 0)
    )
    empty = select(LedgerTransaction.id).where(
        ~select(LedgerEntry.id).where(LedgerEntry.transaction_id == LedgerTransaction.id).exists()
    )
    return [
        Mismatch(
            check="transaction-unbalanced",
            subject=f"transaction {transaction_id}",
            detail=f"its entries sum to {Money(int(total), currency)}, not 0",
        )
        for transaction_id, currency, total in session.execute(unequal)
    ] + [
        Mismatch(
            check="transaction-unbalanced", subject=f"transaction {transaction_id}", detail="has no entries"
        )
        for transaction_id in session.scalars(empty)
    ]


def _cached(session: Session) -> list[Mismatch]:
    natural = case((LedgerAccount.kind.in_(DEBIT_KINDS), 1), else_=-1) * func.coalesce(
        func.sum(LedgerEntry.amount), 0
    )
    query = (
        select(LedgerAccount, natural)
        .outerjoin(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
        .group_by(LedgerAccount.id)
        .having(natural != LedgerAccount.posted)
    )
    return [
        Mismatch(
            check="cached-balance",
            subject=_name(account),
            detail=f"is kept as {account.posted}, its entries sum to {int(total)} (minor units)",
        )
        for account, total in session.execute(query)
    ]


def _held(session: Session) -> list[Mismatch]:
    open_holds = func.coalesce(func.sum(Hold.amount), 0)
    query = (
        select(LedgerAccount, open_holds)
        .outerjoin(Hold, (Hold.ledger_account_id == LedgerAccount.id) & (Hold.state == "open"))
        .group_by(LedgerAccount.id)
        .having(
            or_(
                open_holds != LedgerAccount.held,
                (LedgerAccount.kind == Kind.WALLET) & (LedgerAccount.posted < LedgerAccount.held),
            )
        )
    )
    return [
        Mismatch(
            check="held",
            subject=_name(account),
            detail=f"holds {account.held} of {account.posted}, its open holds sum to {int(total)}",
        )
        for account, total in session.execute(query)
    ]


def _name(account: LedgerAccount) -> str:
    owner = f":{account.owner}" if account.owner else ""
    return f"{account.kind}{owner} {account.currency}"
