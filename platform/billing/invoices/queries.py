"""What pages show of invoices, and the queue of VAT numbers of which VIES has said nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Account
from billing.invoices.issue import accounts_with_open_lines
from billing.invoices.models import Invoice, VatCheck
from billing.profile import BillingProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNumber:
    """A VAT number that VIES could not tell about when last asked."""

    account_id: int
    email: str
    vat_number: str
    known_as: str
    fault: str
    tries: int
    next_try_at: datetime


def invoices_of(session: Session, account_id: int, *, limit: int = 50, offset: int = 0) -> Sequence[Invoice]:
    """Invoices and credit notes of an account, newest first."""
    query = select(Invoice).where(Invoice.account_id == account_id)
    return session.scalars(query.order_by(Invoice.id.desc()).limit(limit).offset(offset)).all()


def all_invoices(session: Session, *, limit: int = 50, offset: int = 0) -> Sequence[Invoice]:
    """All documents, newest first: for billing staff."""
    return session.scalars(select(Invoice).order_by(Invoice.id.desc()).limit(limit).offset(offset)).all()


def unknown_numbers(session: Session, *, limit: int = 50) -> list[UnknownNumber]:
    """The queue "VIES unknown": numbers in use whose last question had no answer, the oldest first."""
    query = (
        select(VatCheck, Account.email)
        .join(Account, Account.id == VatCheck.account_id)
        .join(
            BillingProfile,
            (BillingProfile.account_id == VatCheck.account_id)
            & (BillingProfile.vat_number == VatCheck.vat_number),
        )
        .where(VatCheck.tries > 0)
        .order_by(VatCheck.id)
    )
    return [
        UnknownNumber(
            account_id=check.account_id,
            email=email,
            vat_number=check.vat_number,
            known_as=check.state,
            fault=check.fault,
            tries=check.tries,
            next_try_at=check.next_try_at,
        )
        for check, email in session.execute(query.limit(limit))
    ]


def without_address(session: Session) -> list[int]:
    """Accounts with usage to be invoiced that have given no name or address yet."""
    query = select(BillingProfile.account_id).where(
        BillingProfile.legal_name != "",
        BillingProfile.address_line1 != "",
        BillingProfile.city != "",
        BillingProfile.country != "",
    )
    complete = set(session.scalars(query))
    return [each for each in accounts_with_open_lines(session) if each not in complete]
