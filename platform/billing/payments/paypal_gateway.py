"""PayPal: Orders v2, for payers without a card. It pays top-ups; it does not save anything for later.

    create order (PayPal-Request-Id) → payer approves on PayPal's page → we capture (PayPal-Request-Id) → paid

Approval moves no money; the capture does. It is made when the payer comes back, when the web hook
CHECKOUT.ORDER.APPROVED was seen, or when the runner looks: whichever is first, under one request id, so it
happens once. Web hooks are verified by asking PayPal, with the message's own bytes: a body that was parsed
and written again would no longer match its signature.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from billing.errors import MoneyError
from billing.money import Money
from billing.payments.errors import BadHookError, BadSignatureError, GatewayAwayError, GatewayRefusedError
from billing.payments.gateway import (
    Capabilities,
    ChargeOutcome,
    ChargeWish,
    CheckoutClosed,
    CheckoutOpen,
    CheckoutPage,
    CheckoutPaid,
    CheckoutState,
    CheckoutWish,
    Declined,
    DisputeOpened,
    HookBody,
    HookEvent,
    NoConcern,
    ProviderTransaction,
    Refunded,
    RefundOutcome,
    RefundSeen,
    SavedCard,
    Unknown,
)

PSP = "paypal"
LIVE_URL = "https://api-m.paypal.com"
CURRENCIES = frozenset(
    [
        "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN",
        "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
    ]
)  # fmt: skip
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
"""Currencies of which PayPal takes whole units only."""
_HOOK_HEADERS = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}
_NOT_YET = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
_SEARCH_DAYS = 31
Json = dict[str, Any]


class PayPalGateway:
    """Payments through PayPal. `base_url` is for the sandbox and for tests."""

    psp = PSP
    capabilities = Capabilities(saved_cards=False, refunds=True)

    def __init__(
        self,
        *,
        client_id: str,
        secret: str,
        webhook_id: str,
        base_url: str = LIVE_URL,
        timeout_s: float = 20.0,
    ) -> None:
        self._login = (client_id, secret)
        self._webhook_id = webhook_id
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s)
        self._lock = threading.Lock()
        self._token = ""
        self._token_until_s = 0.0

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def minimum(self, currency: str) -> Money:
        return Money.of(1, currency)

    def takes(self, money: Money) -> bool:
        try:
            _theirs(money)
        except GatewayRefusedError:
            return False
        return money.minor > 0

    def checkout(self, wish: CheckoutWish, *, key: str) -> CheckoutPage:
        if wish.amount is None:
            raise GatewayRefusedError("no-saved-cards", "PayPal is not asked to save anything")
        unit = {
            "custom_id": wish.reference,
            "description": wish.description,
            "amount": _theirs(wish.amount),
        }
        context = {
            "return_url": wish.return_url,
            "cancel_url": wish.cancel_url,
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            "locale": "fr-FR" if wish.locale == "fr" else "en-US",
        }
        order = self._ask(
            "POST",
            "/v2/checkout/orders",
            key=key,
            body={
                "intent": "CAPTURE",
                "purchase_units": [unit],
                "payment_source": {"paypal": {"experience_context": context}},
            },
        )
        links = {link["rel"]: link["href"] for link in order.get("links", [])}
        url = links.get("payer-action") or links.get("approve")
        if not url:
            raise GatewayAwayError("PayPal made an order without a page")
        return CheckoutPage(ref=order["id"], url=url)

    def finish_checkout(self, ref: str, *, reference: str, key: str) -> CheckoutState:
        try:
            order = self._ask("GET", f"/v2/checkout/orders/{ref}")
        except GatewayRefusedError as exc:
            if exc.slug == "RESOURCE_NOT_FOUND":  # an order that nobody approved is deleted after a while
                return CheckoutClosed(reference=reference, ref=ref, reason="expired")
            raise
        if order["status"] == "APPROVED":
            try:
                order = self._ask("POST", f"/v2/checkout/orders/{ref}/capture", key=key, body={})
            except GatewayRefusedError as exc:
                if exc.slug == "ORDER_ALREADY_CAPTURED":
                    order = self._ask("GET", f"/v2/checkout/orders/{ref}")
                elif exc.slug in _NOT_YET:
                    return CheckoutOpen(reference=reference, ref=ref)
                else:
                    return CheckoutClosed(reference=reference, ref=ref, reason=exc.slug.lower())
        if order["status"] == "VOIDED":
            return CheckoutClosed(reference=reference, ref=ref, reason="cancelled")
        captures = order.get("purchase_units", [{}])[0].get("payments", {}).get("captures", [])
        for capture in captures:
            if capture["status"] in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"):
                return _paid(capture, reference=reference, ref=ref)
            if capture["status"] in ("DECLINED", "FAILED"):
                return CheckoutClosed(reference=reference, ref=ref, reason=capture["status"].lower())
        return CheckoutOpen(reference=reference, ref=ref)

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:  # noqa: ARG002
        return Declined(code="no-saved-cards", soft=False)

    def find_charge(self, wish: ChargeWish) -> ChargeOutcome | None:  # noqa: ARG002
        return None

    def cancel_charge(self, payment: str, *, key: str) -> ChargeOutcome:  # noqa: ARG002
        return Declined(code="no-saved-cards", soft=False)

    def refund(self, payment: str, amount: Money, *, key: str) -> RefundOutcome:
        body = {"amount": _theirs(amount), "custom_id": key.removeprefix("refund:")[:127]}
        try:
            answer = self._ask("POST", f"/v2/payments/captures/{payment}/refund", key=key, body=body)
        except GatewayRefusedError as exc:
            return Declined(code=exc.slug, soft=False)
        except GatewayAwayError as exc:
            return Unknown(reason=str(exc))
        if answer["status"] in ("FAILED", "CANCELLED"):
            return Declined(code=answer["status"].lower(), soft=False)
        return Refunded(ref=answer["id"])

    def forget_card(self, card: SavedCard) -> None:
        """Nothing: PayPal keeps no card for us."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Sequence[HookEvent]:
        fields = {field: headers.get(name, "") for field, name in _HOOK_HEADERS.items()}
        if not all(fields.values()):
            raise BadSignatureError("the web hook is not signed")
        try:
            event = json.loads(body)
        except ValueError as exc:
            raise BadSignatureError("the web hook is no JSON, so nobody can have signed it") from exc
        asked = json.dumps({**fields, "webhook_id": self._webhook_id})[:-1].encode()
        try:
            verdict = self._ask(
                "POST",
                "/v1/notifications/verify-webhook-signature",
                content=asked + b',"webhook_event":' + body + b"}",
            )
        except GatewayRefusedError as exc:
            raise BadSignatureError("PayPal does not know this web hook") from exc
        if verdict.get("verification_status") != "SUCCESS":
            raise BadSignatureError("PayPal did not sign this web hook")
        try:
            at = datetime.fromisoformat(event.get("create_time") or now.isoformat())
            return [
                HookEvent(
                    event_id=event["id"],
                    type=event["event_type"],
                    happened_at=at,
                    body=_body(event["event_type"], event["resource"]),
                )
            ]
        except (ValueError, KeyError, TypeError, AttributeError, MoneyError, InvalidOperation) as exc:
            raise BadHookError("the message makes no sense") from exc

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        while since < until:
            end, page, pages = min(since + timedelta(days=_SEARCH_DAYS), until), 1, 1
            while page <= pages:
                params = {
                    "start_date": since.isoformat(timespec="seconds"),
                    "end_date": end.isoformat(timespec="seconds"),
                    "fields": "transaction_info",
                    "page_size": "500",
                    "page": str(page),
                }
                answer = self._ask("GET", "/v1/reporting/transactions", params=params)
                for detail in answer["transaction_details"]:
                    line = _transaction(detail["transaction_info"])
                    if since <= line.at < end:
                        yield line
                pages, page = int(answer.get("total_pages", 1)), page + 1
            since = end

    def _ask(
        self, method: str, path: str, *, key: str = "", body: Json | None = None,
        content: bytes | None = None, params: Mapping[str, str] | None = None,
    ) -> Json:  # fmt: skip
        if body is not None:
            content = json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self._bearer()}", "content-type": "application/json"}
        if key:
            headers["paypal-request-id"] = key[:108]
        try:
            answer = self._client.request(method, path, content=content, params=params, headers=headers)
            found: Json = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as exc:
            raise GatewayAwayError(f"PayPal did not answer: {type(exc).__name__}") from exc
        if answer.is_success:
            return found
        if answer.status_code in (401, 408, 409, 429) or answer.status_code >= 500:
            self._token_until_s = 0.0
            raise GatewayAwayError(f"PayPal answered {answer.status_code}")
        details = found.get("details") or [{}]
        slug = details[0].get("issue") or found.get("name") or str(answer.status_code)
        raise GatewayRefusedError(str(slug), str(found.get("message", "")))

    def _bearer(self) -> str:
        """The access token; a new one a minute before it runs out."""
        with self._lock:
            if time.monotonic() < self._token_until_s:
                return self._token
            try:
                answer = self._client.post(
                    "/v1/oauth2/token", auth=self._login, data={"grant_type": "client_credentials"}
                )
                found = answer.json()
            except (httpx.HTTPError, ValueError) as exc:
                raise GatewayAwayError(f"PayPal did not answer: {type(exc).__name__}") from exc
            if not answer.is_success or "access_token" not in found:
                raise GatewayAwayError("PayPal does not let us in: check client id and secret")
            self._token = str(found["access_token"])
            self._token_until_s = time.monotonic() + max(float(found.get("expires_in", 0)) - 60, 0)
            return self._token


def _theirs(money: Money) -> Json:
    if money.currency not in CURRENCIES:
        raise GatewayRefusedError("currency_not_supported", f"PayPal does not take {money.currency}")
    amount = money.amount
    if money.currency in _WHOLE:
        if amount != amount.to_integral_value():
            raise GatewayRefusedError("amount_too_fine", f"PayPal takes whole {money.currency} only")
        amount = Decimal(int(amount))
    return {"currency_code": money.currency, "value": str(amount)}


def _ours(amount: Json) -> Money:
    return Money.of(Decimal(str(amount["value"])), amount["currency_code"])


def _paid(capture: Json, *, reference: str, ref: str) -> CheckoutPaid:
    fee = capture.get("seller_receivable_breakdown", {}).get("paypal_fee")
    return CheckoutPaid(
        reference=reference,
        ref=ref,
        payment=capture["id"],
        amount=_ours(capture["amount"]),
        fee=_ours(fee) if fee else None,
    )


def _body(type_: str, thing: Json) -> HookBody:
    match type_:
        case "CHECKOUT.ORDER.APPROVED":
            reference = thing.get("purchase_units", [{}])[0].get("custom_id", "")
            return CheckoutOpen(reference=reference, ref=thing["id"])
        case "PAYMENT.CAPTURE.COMPLETED":
            return _paid(thing, reference=thing.get("custom_id", ""), ref=_order_of(thing))
        case "PAYMENT.CAPTURE.DENIED" | "PAYMENT.CAPTURE.DECLINED":
            return CheckoutClosed(
                reference=thing.get("custom_id", ""), ref=_order_of(thing), reason="declined"
            )
        case "PAYMENT.CAPTURE.REFUNDED":
            return RefundSeen(
                payment=_capture_of(thing),
                ref=thing["id"],
                amount=_ours(thing["amount"]),
                key=thing.get("custom_id", ""),
            )
        case "PAYMENT.CAPTURE.REVERSED":
            return DisputeOpened(
                payment=_capture_of(thing),
                ref=thing["id"],
                amount=_ours(thing["amount"]),
                fee=None,
                reason="reversed",
            )
    return NoConcern()


def _order_of(capture: Json) -> str:
    return str(capture.get("supplementary_data", {}).get("related_ids", {}).get("order_id", ""))


def _capture_of(refund: Json) -> str:
    """The payment that a refund belongs to: the last part of its link upwards."""
    for link in refund.get("links", []):
        if link.get("rel") == "up":
            return str(link["href"]).rstrip("/").rpartition("/")[2]
    return ""


_KINDS = {"T00": "payment", "T04": "payout", "T11": "refund", "T12": "dispute", "T01": "fee"}


def _transaction(info: Json) -> ProviderTransaction:
    amount = _ours(info["transaction_amount"])
    fee = info.get("fee_amount")
    code = info["transaction_event_code"]
    kind = "dispute" if code == "T1106" else _KINDS.get(code[:3], "other")
    return ProviderTransaction(
        ref=info["transaction_id"],
        kind=kind,
        payment=info.get("paypal_reference_id") or info["transaction_id"],
        amount=amount,
        fee=-_ours(fee) if fee else Money.zero(amount.currency),
        at=datetime.fromisoformat(info["transaction_initiation_date"]),
    )
