"""Something to be paid on a provider's page, told to the cashier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.money import Money
from billing.payments.models import Checkout


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """`account_id` gets the money, `email` pays. `amount` 0 leaves a card only. `path` is where the payer
    comes back to, with `{}` for the checkout's public id; `cancel_query` is added for who gave up. `kind`
    names the `purposes.Purpose`; empty for top-ups. `beside` writes what belongs to the checkout in its
    transaction, each time the key is used.
    """

    account_id: int
    amount: Money
    email: str
    idem_key: str
    description: str
    path: str
    locale: str
    kind: str = ""
    save_card: bool = False
    customer: str = ""
    cancel_query: str = ""
    beside: Callable[[Session, Checkout], None] | None = None
