"""Stripe: hosted Checkout for payers who are here, PaymentIntents for cards whose owners are not.

What of Stripe's rules shapes this module:

- An idempotency key is remembered for at least 24 hours, with the first answer, even a 500. So a charge whose
  outcome stayed unknown is first looked for among the customer's PaymentIntents (`metadata.key`).
- Off-session, a card that wants 3-D Secure is answered with `authentication_required` and a PaymentIntent
  that waits for a payment method. Confirming the same intent with a `return_url` makes it
  `requires_action`, with a page of the bank to send its owner to: no second intent, so no second charge.
- Amounts are in the smallest unit as Stripe sees it, which is not everywhere that of ISO 4217.
- Events arrive in any order; an event says what an object was like when it was sent. Of checkout sessions the
  present state is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import stripe

from billing.errors import MoneyError
from billing.money import Money, exponent
from billing.payments.errors import (
    BadHookError,
    BadSignatureError,
    GatewayAwayError,
    GatewayError,
    GatewayRefusedError,
)
from billing.payments.gateway import (
    Capabilities,
    CardGone,
    Charged,
    ChargeOutcome,
    ChargeSettled,
    ChargeWish,
    CheckoutClosed,
    CheckoutOpen,
    CheckoutPage,
    CheckoutPaid,
    CheckoutState,
    CheckoutWish,
    Declined,
    DisputeOpened,
    DisputeWon,
    HookBody,
    HookEvent,
    NeedsAction,
    NoConcern,
    ProviderTransaction,
    Refunded,
    RefundOutcome,
    RefundSeen,
    SavedCard,
    Unknown,
)

PSP = "stripe"
TIMEOUT_S = 20.0
T = TypeVar("T")
Json = dict[str, Any]

_EXPONENTS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
"""Digits after the point as Stripe counts them; 2 for all others."""

_MINIMUMS = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300,
    "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
"""The least charge, in Stripe's units; about half a euro for currencies that are not listed."""

_HARD = frozenset({
    "card_not_supported", "currency_not_supported", "expired_card", "fraudulent", "incorrect_number",
    "invalid_account", "invalid_number", "lost_card", "merchant_blacklist", "pickup_card",
    "new_account_information_available", "payment_method_unactivated", "restricted_card",
    "revocation_of_all_authorizations", "revocation_of_authorization", "security_violation",
    "service_not_allowed", "stolen_card", "stop_payment_order", "testmode_decline",
    "transaction_not_allowed",
})  # fmt: skip
"""Decline codes that time does not heal; all others are worth another try on another day."""

_CHECKOUT_EXPAND = [
    "payment_intent.payment_method",
    "payment_intent.latest_charge.balance_transaction",
    "setup_intent.payment_method",
]


class StripeGateway:
    """Payments through Stripe. `base_url` is for tests."""

    psp = PSP
    capabilities = Capabilities(saved_cards=True, refunds=True)

    def __init__(
        self, *, secret_key: str, hook_secret: str, base_url: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._hook_secret = hook_secret
        self._client = stripe.StripeClient(
            secret_key,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_s),
            base_addresses={"api": base_url} if base_url else {},
        )

    def minimum(self, currency: str) -> Money:
        digits = _EXPONENTS.get(currency, 2)
        return _ours(_MINIMUMS.get(currency, 500 if digits == 3 else 50), currency)

    def takes(self, money: Money) -> bool:
        try:
            _theirs(money)
        except GatewayRefusedError:
            return False
        return money >= self.minimum(money.currency)

    def checkout(self, wish: CheckoutWish, *, key: str) -> CheckoutPage:
        customer = wish.customer
        if wish.save_card and not customer:
            params = {"email": wish.email, "metadata": {"account_id": str(wish.account_id)}}
            created = _ask(
                lambda: self._client.v1.customers.create(
                    cast(Any, params), {"idempotency_key": f"{key}:customer"}
                )
            )
            customer = created["id"]
        session = _ask(
            lambda: self._client.v1.checkout.sessions.create(
                cast(Any, _checkout_params(wish, customer)), {"idempotency_key": key}
            )
        )
        return CheckoutPage(ref=session["id"], url=session["url"])

    def finish_checkout(self, ref: str, *, reference: str, key: str) -> CheckoutState:  # noqa: ARG002
        return _checkout_state(self._session(ref))

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:
        try:
            params = {
                "amount": _theirs(wish.amount),
                "currency": wish.amount.currency.lower(),
                "customer": wish.card.customer,
                "payment_method": wish.card.ref,
                "off_session": True,
                "confirm": True,
                "description": wish.description,
                "metadata": {"key": wish.key, "account_id": str(wish.account_id)},
            }
            return _intent_outcome(
                _ask(
                    lambda: self._client.v1.payment_intents.create(
                        cast(Any, params), {"idempotency_key": wish.key}
                    )
                )
            )
        except _CardRefusedError as exc:
            if exc.code == "authentication_required" and exc.intent:
                return self._have_confirmed(exc.intent, wish)
            return Declined(code=exc.code, soft=exc.code not in _HARD, payment=exc.intent)
        except GatewayRefusedError as exc:
            return Declined(code=exc.slug, soft=False)
        except GatewayAwayError as exc:
            return Unknown(reason=str(exc))

    def find_charge(self, wish: ChargeWish) -> ChargeOutcome | None:
        since = int((wish.started_at - timedelta(hours=1)).timestamp())
        params = {"customer": wish.card.customer, "created": {"gte": since}, "limit": 100}
        while True:
            page = _ask(lambda: self._client.v1.payment_intents.list(cast(Any, params)))
            for intent in page["data"]:
                if intent["metadata"].get("key") == wish.key:
                    wants_confirming = _error_code(intent) == "authentication_required"
                    return None if wants_confirming else _intent_outcome(intent)
            if not page["has_more"]:
                return None
            params["starting_after"] = page["data"][-1]["id"]

    def cancel_charge(self, payment: str, *, key: str) -> ChargeOutcome:
        try:
            try:
                intent = _ask(
                    lambda: self._client.v1.payment_intents.cancel(payment, {}, {"idempotency_key": key})
                )
            except GatewayRefusedError:
                intent = _ask(lambda: self._client.v1.payment_intents.retrieve(payment))
            return _intent_outcome(intent)
        except GatewayError as exc:
            return Unknown(reason=str(exc))

    def refund(self, payment: str, amount: Money, *, key: str) -> RefundOutcome:
        try:
            params = {
                "payment_intent": payment,
                "amount": _theirs(amount),
                "metadata": {"key": key.removeprefix("refund:")},
            }
            refund = _ask(lambda: self._client.v1.refunds.create(cast(Any, params), {"idempotency_key": key}))
        except GatewayRefusedError as exc:
            return Declined(code=exc.slug, soft=False)
        except GatewayAwayError as exc:
            return Unknown(reason=str(exc))
        if refund["status"] in ("failed", "canceled"):
            return Declined(code=refund.get("failure_reason") or refund["status"], soft=False)
        return Refunded(ref=refund["id"])

    def forget_card(self, card: SavedCard) -> None:
        try:
            _ask(lambda: self._client.v1.payment_methods.detach(card.ref))
        except GatewayRefusedError:
            return  # it is gone already

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Sequence[HookEvent]:
        try:
            text = body.decode()
            stripe.WebhookSignature.verify_header(
                text, headers.get("stripe-signature", ""), self._hook_secret
            )
            signed_at = int(dict(p.split("=", 1) for p in headers["stripe-signature"].split(","))["t"])
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError, KeyError) as exc:
            raise BadSignatureError("the web hook is not signed by Stripe") from exc
        if abs(now.timestamp() - signed_at) > stripe.Webhook.DEFAULT_TOLERANCE:
            raise BadSignatureError("the web hook is too old")
        try:
            event = json.loads(text)
            return [
                HookEvent(
                    event_id=event["id"],
                    type=event["type"],
                    happened_at=datetime.fromtimestamp(event["created"], UTC),
                    body=self._body(event["type"], event["data"]["object"]),
                )
            ]
        except (ValueError, KeyError, TypeError, AttributeError, MoneyError) as exc:
            raise BadHookError("the message makes no sense") from exc

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        params: Json = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "limit": 100,
            "expand": ["data.source"],
        }
        lines: list[Json] = []
        while True:
            page = _ask(lambda: self._client.v1.balance_transactions.list(cast(Any, params)))
            lines += page["data"]
            if not page["has_more"]:
                break
            params["starting_after"] = page["data"][-1]["id"]
        yield from map(_transaction, reversed(lines))

    def _have_confirmed(self, intent: str, wish: ChargeWish) -> ChargeOutcome:
        params = {"payment_method": wish.card.ref, "return_url": wish.return_url}
        try:
            return _intent_outcome(
                _ask(
                    lambda: self._client.v1.payment_intents.confirm(
                        intent, cast(Any, params), {"idempotency_key": f"{wish.key}:confirm"}
                    )
                )
            )
        except _CardRefusedError as exc:
            return Declined(code=exc.code, soft=exc.code not in _HARD, payment=intent)
        except GatewayError as exc:
            return Unknown(reason=str(exc))

    def _session(self, ref: str) -> Json:
        return _ask(
            lambda: self._client.v1.checkout.sessions.retrieve(ref, cast(Any, {"expand": _CHECKOUT_EXPAND}))
        )

    def _body(self, type_: str, thing: Json) -> HookBody:
        match type_:
            case (
                "checkout.session.completed"
                | "checkout.session.async_payment_succeeded"
                | "checkout.session.async_payment_failed"
                | "checkout.session.expired"
            ):
                return _checkout_state(self._session(thing["id"]))
            case "payment_intent.succeeded" | "payment_intent.payment_failed" | "payment_intent.canceled":
                key = thing["metadata"].get("key", "")
                if not key or _error_code(thing) == "authentication_required":
                    return NoConcern()
                money = _ours(thing["amount"], thing["currency"])
                return ChargeSettled(key=key, amount=money, outcome=_intent_outcome(thing))
            case "refund.created" | "refund.updated" if thing["status"] == "succeeded":
                return RefundSeen(
                    payment=thing["payment_intent"] or "",
                    ref=thing["id"],
                    amount=_ours(thing["amount"], thing["currency"]),
                    key=(thing["metadata"] or {}).get("key", ""),
                )
            case "charge.dispute.funds_withdrawn":
                fees = sum(line["fee"] for line in thing["balance_transactions"])
                return DisputeOpened(
                    payment=thing["payment_intent"] or "",
                    ref=thing["id"],
                    amount=_ours(thing["amount"], thing["currency"]),
                    fee=_ours(fees, thing["currency"]),
                    reason=thing["reason"],
                )
            case "charge.dispute.funds_reinstated":
                money = _ours(thing["amount"], thing["currency"])
                return DisputeWon(payment=thing["payment_intent"] or "", ref=thing["id"], amount=money)
            case "payment_method.detached":
                return CardGone(ref=thing["id"])
        return NoConcern()


class _CardRefusedError(GatewayRefusedError):
    """A card was declined. `code` is the finest word for why, `intent` the PaymentIntent."""

    def __init__(self, code: str, intent: str) -> None:
        super().__init__(code)
        self.code = code
        self.intent = intent


def _ask(call: Callable[[], Any]) -> Json:
    """The answer of a call as plain JSON, or one of our errors."""
    try:
        return cast(Json, call().to_dict())
    except stripe.CardError as exc:
        error = cast(Json, exc.json_body or {}).get("error", {})
        code = error.get("code") or "card_declined"
        if code != "authentication_required":
            code = error.get("decline_code") or code
        intent = (error.get("payment_intent") or {}).get("id", "")
        raise _CardRefusedError(str(code), str(intent)) from exc
    except stripe.InvalidRequestError as exc:
        if exc.http_status == 409:
            raise GatewayAwayError("Stripe is busy with the same request") from exc
        raise GatewayRefusedError(exc.code or "invalid_request", exc.user_message or "") from exc
    except stripe.StripeError as exc:
        raise GatewayAwayError(f"Stripe: {type(exc).__name__} {exc.http_status or ''}".strip()) from exc


def _theirs(money: Money) -> int:
    """Minor units as Stripe counts them. Raises GatewayRefusedError for what it cannot express."""
    shift = _EXPONENTS.get(money.currency, 2) - exponent(money.currency)
    if shift >= 0:
        return money.minor * int(10**shift)
    units, rest = divmod(money.minor, int(10**-shift))
    if rest:
        raise GatewayRefusedError("amount_too_fine", f"Stripe cannot charge {money}")
    return units


def _ours(units: int, currency: str) -> Money:
    code = currency.upper()
    shift = exponent(code) - _EXPONENTS.get(code, 2)
    return Money(units * int(10**shift) if shift >= 0 else units // int(10**-shift), code)


def _checkout_params(wish: CheckoutWish, customer: str) -> Json:
    metadata = {"reference": wish.reference, "account_id": str(wish.account_id)}
    params: Json = {
        "client_reference_id": wish.reference,
        "metadata": metadata,
        "success_url": wish.return_url,
        "cancel_url": wish.cancel_url,
        "expires_at": int(wish.expires_at.timestamp()),
        "locale": wish.locale,
        "payment_method_types": ["card"],
    }
    if customer:
        params["customer"] = customer
    else:
        params["customer_email"] = wish.email
    if wish.amount is None:
        return {**params, "mode": "setup", "setup_intent_data": {"metadata": metadata}}
    intent: Json = {"metadata": {"reference": wish.reference}, "description": wish.description}
    if wish.save_card:
        intent["setup_future_usage"] = "off_session"
    price = {
        "currency": wish.amount.currency.lower(),
        "unit_amount": _theirs(wish.amount),
        "product_data": {"name": wish.description},
    }
    items = [{"quantity": 1, "price_data": price}]
    return {**params, "mode": "payment", "line_items": items, "payment_intent_data": intent}


def _checkout_state(session: Json) -> CheckoutState:
    reference, ref = session.get("client_reference_id") or "", session["id"]
    if session["status"] == "expired":
        return CheckoutClosed(reference=reference, ref=ref, reason="expired")
    if session["status"] != "complete":
        return CheckoutOpen(reference=reference, ref=ref)
    if session["mode"] == "setup":
        intent = session["setup_intent"]
        return CheckoutPaid(
            reference=reference,
            ref=ref,
            payment="",
            amount=None,
            card=_card(intent.get("payment_method"), session.get("customer")),
            customer=session.get("customer") or "",
        )
    intent = session["payment_intent"]
    if session["payment_status"] != "paid":
        if _error_code(intent):
            return CheckoutClosed(reference=reference, ref=ref, reason=_error_code(intent))
        return CheckoutOpen(reference=reference, ref=ref)
    keep = intent.get("setup_future_usage") == "off_session"
    return CheckoutPaid(
        reference=reference,
        ref=ref,
        payment=intent["id"],
        amount=_ours(session["amount_total"], session["currency"]),
        card=_card(intent.get("payment_method"), session.get("customer")) if keep else None,
        customer=session.get("customer") or "",
        fee=_fee(intent),
    )


def _card(method: Json | None, customer: str | None) -> SavedCard | None:
    if not method or not method.get("card") or not customer:
        return None
    card = method["card"]
    return SavedCard(
        ref=method["id"],
        customer=customer,
        brand=card["brand"],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
    )


def _fee(intent: Json) -> Money | None:
    charge = intent.get("latest_charge")
    line = charge.get("balance_transaction") if isinstance(charge, dict) else None
    return _ours(line["fee"], line["currency"]) if isinstance(line, dict) else None


def _error_code(intent: Json) -> str:
    error = intent.get("last_payment_error") or {}
    code = error.get("code") or ""
    return str(code if code == "authentication_required" else error.get("decline_code") or code)


def _intent_outcome(intent: Json) -> ChargeOutcome:
    match intent["status"]:
        case "succeeded":
            return Charged(payment=intent["id"], fee=_fee(intent))
        case "requires_action":
            action = (intent.get("next_action") or {}).get("redirect_to_url") or {}
            if action.get("url"):
                return NeedsAction(url=action["url"], payment=intent["id"])
            return Unknown(reason="requires_action")
        case "requires_payment_method":
            code = _error_code(intent) or "card_declined"
            return Declined(code=code, soft=code not in _HARD, payment=intent["id"])
        case "canceled":
            return Declined(code="cancelled", soft=True, payment=intent["id"])
    return Unknown(reason=str(intent["status"]))


_KINDS = {
    "charge": "payment", "payment": "payment", "refund": "refund", "payment_refund": "refund",
    "dispute": "dispute", "dispute_reversal": "dispute_won", "payout": "payout", "fee": "fee",
}  # fmt: skip


def _transaction(line: Json) -> ProviderTransaction:
    source = line["source"] if isinstance(line.get("source"), dict) else {}
    return ProviderTransaction(
        ref=line["id"],
        kind=_KINDS.get(line.get("reporting_category") or line["type"], "other"),
        payment=source.get("payment_intent") or source.get("id") or "",
        amount=_ours(line["amount"], line["currency"]),
        fee=_ours(line["fee"], line["currency"]),
        at=datetime.fromtimestamp(line["created"], UTC),
    )
