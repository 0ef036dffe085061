"""Errors of tickets.

BillingError
└── TicketError
    ├── NotOnSaleError       the event sells none: over, not a paid one, or without a price
    ├── SoldOutError         all tickets are sold
    ├── PriceChangedError    the buyer saw another price: `.price` is the one of now
    ├── HasTicketError       this mail address has a ticket of this event already
    ├── UnknownTicketError   no such ticket, or another account's
    └── TicketStateError     the ticket's state does not allow it
"""

from __future__ import annotations

from billing.errors import BillingError
from billing.money import Money


class TicketError(BillingError):
    """Parent of the errors of tickets."""


class NotOnSaleError(TicketError):
    """The event sells no tickets now."""


class SoldOutError(TicketError):
    """All tickets are sold."""


class PriceChangedError(TicketError):
    """The buyer saw another price than that of now."""

    def __init__(self, price: Money) -> None:
        super().__init__(f"a ticket costs {price} now")
        self.price = price


class HasTicketError(TicketError):
    """One ticket for one mail address and event: this one is sold."""


class UnknownTicketError(TicketError):
    """No such ticket, or it is another account's; the two are not told apart."""


class TicketStateError(TicketError):
    """What was asked does not fit the state of the ticket."""
