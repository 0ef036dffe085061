"""What transactions, providers and states are called on pages."""

from __future__ import annotations

from collections.abc import Mapping

from billing.posting import TransactionType
from web.site.i18n import N_

KINDS: Mapping[TransactionType, str] = {
    TransactionType.TOP_UP: N_("Top-up"),
    TransactionType.USAGE: N_("Toll-free calls"),
    TransactionType.SHORTFALL: N_("Card payment of a charge"),
    TransactionType.INVOICE: N_("Plan or add-on"),
    TransactionType.PAYMENT: N_("Payment of an invoice"),
    TransactionType.CHARGEBACK: N_("Payment taken back by the bank"),
    TransactionType.REFUND: N_("Refund"),
    TransactionType.SETTLEMENT: N_("Settlement"),
    TransactionType.GOODWILL: N_("Credit"),
    TransactionType.WRITE_OFF: N_("Waived"),
    TransactionType.REVERSAL: N_("Correction"),
}
"""Those that touch a customer's balance or debt, in the order in which a filter offers them."""

PROVIDERS: Mapping[str, str] = {
    "stripe": N_("Card"),
    "paypal": "PayPal",
    "test": N_("Test provider"),
}
BRANDS: Mapping[str, str] = {
    "visa": "Visa",
    "mastercard": "MasterCard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}
CLASSES: Mapping[str, str] = {
    "tollfree": N_("toll-free"),
    "city": N_("city number"),
    "mobile": N_("mobile"),
}


def brand_name(brand: str) -> str:
    """What a card's brand is called; unknown ones as the provider writes them."""
    return BRANDS.get(brand.lower(), brand[:1].upper() + brand[1:])
