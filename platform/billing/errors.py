"""Errors of billing: the root, and the branches of money and rating.

    BillingError
    ├── MoneyError                      ValueError
    │   ├── UnknownCurrencyError        no currency of ISO 4217 that we can account in
    │   ├── MixedCurrenciesError        an operation on two currencies: a bug, or an account's change of mind
    │   └── InexactAmountError          finer than the currency's minor unit, and no rounding was named
    ├── RatingError
    │   ├── BadRateError                a rate that cannot be, ValueError; `.field` and `.slug` say what
    │   ├── DeckImportError             a rate file has faults; `.faults` lists them (`billing.deck_faults`)
    │   ├── DeckStateError              the deck's state does not allow that
    │   ├── NoSuchDeckError
    │   └── NoSuchCallError             no call record with that id
    └── ReratingError
        ├── NoSuchReratingError
        ├── ReratingStateError          it was decided before
        ├── SecondPersonError           whoever asked for a change may not approve it
        ├── MissingReasonError          a change without a reason
        ├── NothingToRerateError        every call of the selection already costs what it would cost
        ├── TooManyCallsError           more calls than one re-rating may hold
        └── StaleReratingError          calls were rated otherwise since the preview: look again

The ledger (`billing.ledger_errors`) and payments (`billing.payments.errors`) grow their own branches from the
root.  Faults of a rate file are the fault of whoever wrote the file, never ours.
"""

from __future__ import annotations


class BillingError(Exception):
    """Root of the package's errors."""


class MoneyError(BillingError, ValueError):
    """An amount that cannot be."""


class UnknownCurrencyError(MoneyError):
    """Not a currency of ISO 4217 that we can account in."""


class MixedCurrenciesError(MoneyError):
    """Two currencies meet where there can be only one."""


class InexactAmountError(MoneyError):
    """An amount finer than the currency's minor unit, and nobody said how to round."""


class RatingError(BillingError):
    """Something is wrong with decks, rates or the rating of a call."""


class BadRateError(RatingError, ValueError):
    """A rate that cannot be. `field` names what is wrong and `slug` how."""

    def __init__(self, field: str, slug: str, text: str) -> None:
        self.field = field
        self.slug = slug
        super().__init__(text)


class NoSuchDeckError(RatingError):
    """No deck has that id."""


class NoSuchCallError(RatingError):
    """No call record has that id."""


class DeckStateError(RatingError):
    """The deck is in a state that does not allow what was asked."""


class ReratingError(BillingError):
    """A change of what calls cost that cannot be made."""


class NoSuchReratingError(ReratingError):
    """No re-rating has that id."""


class ReratingStateError(ReratingError):
    """The re-rating was decided before."""


class SecondPersonError(ReratingError):
    """Whoever asked for a re-rating may not approve it."""


class MissingReasonError(ReratingError):
    """Whoever changes what calls cost says why."""


class NothingToRerateError(ReratingError):
    """No call would cost anything else."""


class TooManyCallsError(ReratingError):
    """More calls than one re-rating may hold; ask for a part of them."""


class StaleReratingError(ReratingError):
    """Calls were rated otherwise since the preview was made; it must be made again."""
