"""The chart of accounts.

Theory.  Double entry (Pacioli 1494): what one account gives another takes.  Assets and expenses grow on the
debit side, liabilities and income on the credit side.  What customers paid in advance is a liability of ours
(`wallet`), what they owe us is an asset (`receivable`); money at a payment provider is an asset (`psp`).

An account is named by kind, owner and currency.  The owner is a customer's account number for `wallet`,
`receivable` and `tickets` (what we took for an organiser's tickets and owe them), a provider for `psp`, a
country (ISO 3166-1) for `vat`, and nothing for the rest.

Entries are signed: debit above 0, credit below.  A *balance* is shown on the side on which its account
grows, so that each is normally positive: `natural()` translates.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.money import exponent


class Kind(StrEnum):
    """What an account is for."""

    PSP = "psp"
    BANK = "bank"
    RECEIVABLE = "receivable"
    WALLET = "wallet"
    TICKETS = "tickets"
    VAT = "vat"
    DEFERRED = "deferred"
    USAGE = "usage"
    PLAN = "plan"
    ADDON = "addon"
    ROUNDING = "rounding"
    PSP_FEE = "psp_fee"
    BAD_DEBT = "bad_debt"
    GOODWILL = "goodwill"
    DISPUTE = "dispute"


DEBIT_KINDS = frozenset(
    {Kind.PSP, Kind.BANK, Kind.RECEIVABLE, Kind.PSP_FEE, Kind.BAD_DEBT, Kind.GOODWILL, Kind.DISPUTE}
)
"""Assets and expenses: a debit makes them grow."""

OWNED_KINDS = frozenset({Kind.PSP, Kind.RECEIVABLE, Kind.WALLET, Kind.TICKETS, Kind.VAT})
"""Kinds of which each owner has one; of the others there is one per currency."""

INVOICED_KINDS = frozenset({Kind.PLAN, Kind.ADDON, Kind.DEFERRED})
"""What a line of a plan's or add-on's invoice may be credited to."""


@dataclass(frozen=True, slots=True, order=True)
class AccountName:
    """Which account. Raises ValueError for an owner too many or too few, UnknownCurrencyError."""

    kind: Kind
    owner: str
    currency: str

    def __post_init__(self) -> None:
        exponent(self.currency)
        if (self.kind in OWNED_KINDS) != bool(self.owner):
            raise ValueError(f"{self.kind} needs {'an' if self.kind in OWNED_KINDS else 'no'} owner")

    def natural(self, amount: int) -> int:
        """A signed entry as growth (+) or shrinkage (−) of this account."""
        return amount if self.kind in DEBIT_KINDS else -amount

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner} {self.currency}" if self.owner else f"{self.kind} {self.currency}"


def wallet(account_id: int, currency: str) -> AccountName:
    """What the customer paid in advance."""
    return AccountName(Kind.WALLET, str(account_id), currency)


def receivable(account_id: int, currency: str) -> AccountName:
    """What the customer owes us."""
    return AccountName(Kind.RECEIVABLE, str(account_id), currency)


def tickets(account_id: int, currency: str) -> AccountName:
    """What we took for the customer's tickets and owe them; below 0 when more went back than was there."""
    return AccountName(Kind.TICKETS, str(account_id), currency)


def psp(provider: str, currency: str) -> AccountName:
    """Our money at a payment provider: `stripe`, `paypal`, `test`."""
    return AccountName(Kind.PSP, provider, currency)


def vat(country: str, currency: str) -> AccountName:
    """Value-added tax owed to a country."""
    return AccountName(Kind.VAT, country, currency)


def house(kind: Kind, currency: str) -> AccountName:
    """An account of which there is one per currency."""
    return AccountName(kind, "", currency)
