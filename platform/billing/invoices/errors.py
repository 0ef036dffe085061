"""Errors of invoices.

BillingError
└── InvoiceError
    ├── NotInvoiceableError    name, address or seller's details are missing: the operator's or customer's
    ├── UnknownInvoiceError    no such invoice, or another account's
    └── ViesAwayError          VIES did not say whether a number is in force

Besides these, drawing raises `paper.fonts.FontMissingError` on a machine without fonts.
"""

from __future__ import annotations

from billing.errors import BillingError


class InvoiceError(BillingError):
    """Parent of the errors of invoices."""


class NotInvoiceableError(InvoiceError):
    """Something that an invoice must show is missing."""


class UnknownInvoiceError(InvoiceError):
    """No such invoice, or it is another account's; the two are not told apart."""


class ViesAwayError(InvoiceError):
    """VIES, or the member state behind it, did not answer."""
