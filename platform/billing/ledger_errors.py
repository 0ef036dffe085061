"""Errors of the ledger: a branch of `billing.errors.BillingError`.

LedgerError
├── UnbalancedError             debits and credits differ, or an entry is 0: a bug of ours
├── AbsurdAmountError           more than anybody has; the caller's fault
├── NotPositiveError            an amount that must be more than 0; the caller's fault
├── IdemConflictError           the key was used before, for something else; `.idem`, `.transaction_id`
├── InsufficientFundsError      the wallet would fall below 0, or below what is held
├── NoSuchTransactionError      no transaction with that id, or it is another account's
├── NotReversibleError          a reversal cannot be reversed
├── NoSuchHoldError             no hold with that key
├── HoldResolvedError           the hold was captured, released or has expired before
├── FutureStatementError        a statement of days that are not over
└── UnpostableSessionError      a session whose calls belong to two accounts or have two currencies
"""

from __future__ import annotations

from billing.errors import BillingError


class LedgerError(BillingError):
    """Something is wrong with a posting, a hold or a statement."""


class UnbalancedError(LedgerError):
    """Debits and credits differ, or an entry moves nothing."""


class AbsurdAmountError(LedgerError):
    """An amount beyond `posting.AMOUNT_MINOR_MAX`."""


class NotPositiveError(LedgerError):
    """An amount that must be more than 0 is not."""


class IdemConflictError(LedgerError):
    """The idempotency key belongs to a transaction with other content."""

    def __init__(self, idem: str, transaction_id: int) -> None:
        super().__init__(
            f"the key {idem!r} was used before, by transaction {transaction_id}, for something else"
        )
        self.idem = idem
        self.transaction_id = transaction_id


class InsufficientFundsError(LedgerError):
    """The wallet has not so much available."""


class NoSuchTransactionError(LedgerError):
    """No transaction has that id."""


class NotReversibleError(LedgerError):
    """A reversal is not reversed: post anew instead."""


class NoSuchHoldError(LedgerError):
    """No hold has that key."""


class HoldResolvedError(LedgerError):
    """The hold was captured, released or has expired before: it resolves once."""


class FutureStatementError(LedgerError):
    """A statement up to a moment that has not come could still change."""
