"""What rates and charges calls, put together in one way for all who do it: clerk, pages and commands.

A rating book without `on_priced` gives prices that nobody charges, and one that does not know the house's
currency looks in another deck than the rest; so nobody builds the parts by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing import profile
from billing.calls import CallSource
from billing.deck_shelf import DeckShelf
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import taxes
from billing.payments import charges
from billing.rating_book import RatingBook
from billing.rerating import Reratings
from billing.usage import UsageBook
from billing.usage_runner import UsageRunner


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Prices, charges, and corrections of both."""

    rating: RatingBook
    usage: UsageBook
    reratings: Reratings


def open_books(calls: CallSource, decks: DeckShelf, *, seller: SellerDetails, currency: str) -> Books:
    """The books over these calls and decks; `currency` is that of accounts without one of their own."""

    def currency_of(session: Session, account_id: int) -> str:
        return profile.get(session, account_id, currency=currency).currency

    rating = RatingBook(calls, shelf=decks, currency_of=currency_of, on_priced=UsageRunner.priced)
    usage = UsageBook(taxes=taxes(seller), shortfalls=charges.request_charge)
    return Books(rating=rating, usage=usage, reratings=Reratings(rating, usage))
