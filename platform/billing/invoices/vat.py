"""Which value-added tax is due on telephone minutes.

Theory. Telecommunications are taxed where the customer is (Directive 2006/112/EC, articles 44 and 58). From a
registered seller:

    customer in the seller's own tax country         that country's standard rate
    business in another member state, number in      none: the customer owes it ("reverse charge",
      force according to VIES                          articles 196 and 226 (11a))
    anybody else in the European Union               the standard rate of the customer's country (one-stop
                                                       shop, article 369a)
    customer elsewhere                               none: outside the scope

A number that VIES has not confirmed yet counts as none. An answer "unknown" does not undo an earlier "valid"
of the same number. A customer who has not said where they are is taken to be where the seller is. What the
operator must check with an adviser: docs/invoices.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import profile
from billing.invoices.models import VatCheck
from billing.invoices.seller import SellerDetails
from billing.invoices.vat_rates import EU, standard_rate, tax_country
from billing.profile import Profile
from billing.usage import NO_TAX, Tax


class Treatment(StrEnum):
    """Why a tax is what it is."""

    STANDARD = "standard"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE = "outside"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True, kw_only=True)
class VatDecision:
    """What tax is due, and why."""

    treatment: Treatment
    tax: Tax


def decide(seller: SellerDetails, customer: Profile, *, number_valid: bool, at: datetime) -> VatDecision:
    """The tax on something sold at that moment."""
    if not seller.vat_number:
        return VatDecision(treatment=Treatment.UNREGISTERED, tax=NO_TAX)
    home, country = tax_country(seller.country), tax_country(customer.country or seller.country)
    if country != home:
        if country not in EU:
            return VatDecision(treatment=Treatment.OUTSIDE, tax=NO_TAX)
        if customer.business and customer.vat_number and number_valid:
            return VatDecision(treatment=Treatment.REVERSE_CHARGE, tax=NO_TAX)
    rate = standard_rate(country, at.astimezone(seller.zone).date())
    if rate is None:
        return VatDecision(treatment=Treatment.OUTSIDE, tax=NO_TAX)
    return VatDecision(treatment=Treatment.STANDARD, tax=Tax(rate=rate, country=country))


def number_is_valid(session: Session, account_id: int, vat_number: str) -> bool:
    """Whether VIES has said that this number of the account is in force, and not taken it back."""
    query = select(VatCheck.state).where(VatCheck.account_id == account_id, VatCheck.vat_number == vat_number)
    return session.scalar(query) == "valid"


def taxes(seller: SellerDetails) -> Callable[[Session, int, datetime], Tax]:
    """The tax of an account at a moment: what charging usage needs."""

    def tax_of(session: Session, account_id: int, at: datetime) -> Tax:
        customer = profile.get(session, account_id)
        valid = bool(customer.vat_number) and number_is_valid(session, account_id, customer.vat_number)
        return decide(seller, customer, number_valid=valid, at=at).tax

    return tax_of


def per_cent(rate: Fraction) -> str:
    """21/100 as "21", 51/200 as "25.5"."""
    return f"{float(rate * 100):.3f}".rstrip("0").rstrip(".")
