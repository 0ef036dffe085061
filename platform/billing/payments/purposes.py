"""What a payment is for, and what that changes: top-ups here, whatever else is sold where it belongs.

Theory. A checkout is one visit to a provider's page, whatever is paid there; asking the provider, hearing its
web hooks, expiring and refunding are the same for all. What differs stands in a `Purpose`, found by
`Checkout.kind`: the account that the money belongs to, what happens when it came, and who must know when it
goes back. All methods run in the transaction that learns of it and none commits or calls a provider, so what
they do happens once: they are called only when the payment's own posting is new.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from sqlalchemy.orm import Session

from billing import chart, ledger, profile
from billing.chart import AccountName, Kind
from billing.money import Money
from billing.payments import charges
from billing.payments.gateway import CheckoutPaid
from billing.payments.models import Checkout, Refund
from events import web_hooks

TOP_UP, CARD = "top_up", "card"
OWN = frozenset({TOP_UP, CARD})
"""Kinds of checkouts that an account makes for itself."""


class Purpose(Protocol):
    """What one kind of payment is for."""

    @property
    def refunds_from(self) -> Kind:
        """The account, owned by the customer, out of which a payment goes back."""

    @property
    def disputes_from(self) -> Kind:
        """The account that bears a chargeback."""

    def accounts(self, account_id: int, currency: str) -> tuple[AccountName, ...]:
        """Accounts that `paid` may touch besides the provider's; they are locked first."""

    def paid(self, session: Session, checkout: Checkout, paid: CheckoutPaid, *, now: datetime) -> bool:
        """Money came (`paid.amount` and `.payment` are there): post it. False: it was posted before."""

    def refund_ended(self, session: Session, refund: Refund, *, now: datetime) -> None:
        """A refund is done, or the provider declined it: `refund.state`."""

    def disputed(self, session: Session, checkout: Checkout, *, won: bool, now: datetime) -> None:
        """The payer's bank took the payment back, or gave it back again (`won`)."""


class TopUps:
    """Balance paid in advance; it first pays what is owed, unless a card is paying that at the moment."""

    refunds_from = Kind.WALLET
    disputes_from = Kind.RECEIVABLE

    def accounts(self, account_id: int, currency: str) -> tuple[AccountName, ...]:
        return chart.wallet(account_id, currency), chart.receivable(account_id, currency)

    def paid(self, session: Session, checkout: Checkout, paid: CheckoutPaid, *, now: datetime) -> bool:
        assert paid.amount is not None
        account_id, money = checkout.account_id, paid.amount
        if money.currency == checkout.currency:
            profile.fix_currency(session, account_id, now=now, currency=checkout.currency)
        posted = ledger.top_up(
            session, account_id, money, psp=checkout.psp, payment_ref=paid.payment, at=now
        )
        if posted.replayed:
            return False
        charges.pay_from_wallet(session, account_id, money.currency, idem=f"topup:{posted.id}", now=now)
        tell(session, checkout, money, payment=paid.payment, what={"what": TOP_UP}, now=now)
        return True

    def refund_ended(self, session: Session, refund: Refund, *, now: datetime) -> None:
        """Nobody else needs to know."""

    def disputed(self, session: Session, checkout: Checkout, *, won: bool, now: datetime) -> None:
        """Nobody else needs to know."""


Purposes = Mapping[str, Purpose]
TOP_UPS: Purposes = MappingProxyType({TOP_UP: TopUps(), CARD: TopUps()})
"""What there is without anything for sale."""


def of(purposes: Purposes, kind: str) -> Purpose:
    """The purpose of a kind; charges to saved cards are treated as top-ups. Raises KeyError."""
    return purposes[kind if kind in purposes or kind != "charge" else TOP_UP]


def accounts_of(purpose: Purpose, psp: str, account_id: int, currency: str) -> list[AccountName]:
    """All accounts that a payment or its refund may touch."""
    return [chart.psp(psp, currency), *purpose.accounts(account_id, currency)]


def tell(
    session: Session,
    checkout: Checkout,
    money: Money,
    *,
    payment: str,
    what: Mapping[str, object],
    now: datetime,
    kind: web_hooks.Kind = web_hooks.Kind.PAYMENT,
) -> None:
    """Let the customer's web hooks know of money that moved; once per payment and kind."""
    web_hooks.publish(
        session,
        account_id=checkout.account_id,
        kind=kind,
        key=f"{kind.value}-{checkout.psp}-{payment}"[:200],
        data={
            "payment": checkout.public_id if checkout.kind == TOP_UP else payment,
            "provider": checkout.psp,
            "amount": str(money.amount),
            "currency": money.currency,
            **what,
        },
        now=now,
    )
