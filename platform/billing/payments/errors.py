"""Errors of payments.

BillingError
└── PaymentError
    ├── BadAmountError          an amount that cannot be paid: the caller's fault
    ├── BadKeyError             an idempotency key that cannot be one: the caller's fault
    ├── KeyReusedError          the key was used for another request: the caller's fault
    ├── UnknownPaymentError     no such top-up, card, charge or payment, or another account's
    ├── NotPossibleError        the state of a thing does not allow it, or the provider cannot do it
    └── GatewayError            what happened between us and a provider
        ├── GatewayRefusedError     it said no; nothing happened there: `.slug`
        ├── GatewayAwayError        no answer, or none that says what happened: ask again, same key
        ├── BadSignatureError       a web hook that the provider did not sign
        └── BadHookError            a signed web hook that makes no sense
"""

from __future__ import annotations

from billing.errors import BillingError


class PaymentError(BillingError):
    """Parent of the errors of payments."""


class BadAmountError(PaymentError):
    """An amount that cannot be paid: wrong currency, too little or too much. The text is for the payer."""


class BadKeyError(PaymentError):
    """An idempotency key is 1 to 200 printable ASCII characters."""


class KeyReusedError(PaymentError):
    """An idempotency key belongs to one request; this one differs from the first."""


class UnknownPaymentError(PaymentError):
    """No such thing, or it is another account's; the two are not told apart."""


class NotPossibleError(PaymentError):
    """The state of the thing, or the provider, does not allow what was asked."""


class GatewayError(PaymentError):
    """Parent of what happens between us and a payment provider."""


class GatewayRefusedError(GatewayError):
    """The provider refused; nothing happened on its side. `slug` is its word for why."""

    def __init__(self, slug: str, message: str = "") -> None:
        super().__init__(message or slug)
        self.slug = slug


class GatewayAwayError(GatewayError):
    """The provider did not answer, or its answer does not tell what happened."""


class BadSignatureError(GatewayError):
    """A web hook whose signature is missing, wrong or too old."""


class BadHookError(GatewayError):
    """A web hook with a right signature and a body that we cannot read."""
