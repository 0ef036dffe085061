"""The states of a ticket.

    open ──paid──┬──────────────► valid ──chargeback──► disputed ──won──► valid
                 │                  │
                 └─no place for it──┴──► refunding ──┬──► refunded
                                            ▲        └──► stuck ──(by hand, outside)──► refunded
                                            └──again────────┘

`open` is a ticket whose money has not come; how that stands is its checkout's word. `stuck`: the provider
declined to send the money back, or another amount came than was asked for.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    OPEN = "open"
    VALID = "valid"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    STUCK = "stuck"
    DISPUTED = "disputed"


class Reason(StrEnum):
    """Why a ticket was not let in, or goes back, where nobody wrote a reason."""

    SOLD_OUT = "sold-out"
    DUPLICATE = "duplicate"
    EVENT_OVER = "event-over"
    AMOUNT_DIFFERS = "amount-differs"
    PAID_TWICE = "paid-twice"
    AT_PROVIDER = "at-provider"
    CHARGEBACK = "chargeback"
