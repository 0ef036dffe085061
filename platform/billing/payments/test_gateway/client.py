"""The product's side of the test provider: a `PaymentGateway` that speaks HTTP to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from billing.errors import MoneyError
from billing.money import Money
from billing.payments.errors import BadHookError, GatewayAwayError, GatewayRefusedError
from billing.payments.gateway import (
    Capabilities,
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
from billing.payments.test_gateway import hooks
from billing.payments.test_gateway.app import MINIMUM

PSP = "test"


class SandboxGateway:
    """Payments without money, through the test provider at `base_url`."""

    psp = PSP
    capabilities = Capabilities(saved_cards=True, refunds=True, test_money=True)

    def __init__(self, *, base_url: str, api_key: str, hook_secret: str, timeout_s: float = 20.0) -> None:
        self._hook_secret = hook_secret
        self._client = httpx.Client(
            base_url=base_url, timeout=timeout_s, headers={"authorization": f"Bearer {api_key}"}
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def minimum(self, currency: str) -> Money:
        return Money(MINIMUM, currency)

    def takes(self, money: Money) -> bool:
        return money.minor >= MINIMUM

    def checkout(self, wish: CheckoutWish, *, key: str) -> CheckoutPage:
        answer = self._ask(
            "POST",
            "/v1/checkouts",
            key=key,
            body={
                "reference": wish.reference,
                "amount": wish.amount.minor if wish.amount else 0,
                "currency": wish.amount.currency if wish.amount else wish.currency,
                "description": wish.description,
                "return_url": wish.return_url,
                "cancel_url": wish.cancel_url,
                "expires_at": wish.expires_at.timestamp(),
                "save_card": wish.save_card,
                "customer": wish.customer,
            },
        )
        return CheckoutPage(ref=answer["id"], url=answer["url"])

    def finish_checkout(self, ref: str, *, reference: str, key: str) -> CheckoutState:  # noqa: ARG002
        return _checkout(self._ask("GET", f"/v1/checkouts/{ref}"))

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:
        body = {
            "card": wish.card.ref,
            "amount": wish.amount.minor,
            "currency": wish.amount.currency,
            "return_url": wish.return_url,
        }
        try:
            return _outcome(self._ask("POST", "/v1/charges", key=wish.key, body=body))
        except GatewayRefusedError as exc:
            return Declined(code=exc.slug, soft=False)
        except GatewayAwayError as exc:
            return Unknown(reason=str(exc))

    def find_charge(self, wish: ChargeWish) -> ChargeOutcome | None:
        found = self._ask("GET", "/v1/charges", params={"key": wish.key})
        return _outcome(found[0]) if found else None

    def cancel_charge(self, payment: str, *, key: str) -> ChargeOutcome:
        try:
            return _outcome(self._ask("POST", f"/v1/charges/{payment}/cancel", key=key, body={}))
        except (GatewayAwayError, GatewayRefusedError) as exc:
            return Unknown(reason=str(exc))

    def refund(self, payment: str, amount: Money, *, key: str) -> RefundOutcome:
        body = {"payment": payment, "amount": amount.minor, "currency": amount.currency}
        try:
            answer = self._ask("POST", "/v1/refunds", key=key, body=body)
        except GatewayRefusedError as exc:
            return Declined(code=exc.slug, soft=False)
        except GatewayAwayError as exc:
            return Unknown(reason=str(exc))
        if answer["state"] == "refunded":
            return Refunded(ref=answer["id"])
        return Declined(code=answer["code"], soft=False)

    def forget_card(self, card: SavedCard) -> None:
        self._ask("DELETE", f"/v1/cards/{card.ref}")

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Sequence[HookEvent]:
        hooks.verify(self._hook_secret, body, headers.get(hooks.HEADER, ""), now_s=now.timestamp())
        try:
            event = json.loads(body)
            return [
                HookEvent(
                    event_id=event["id"],
                    type=event["type"],
                    happened_at=datetime.fromtimestamp(event["created"], UTC),
                    body=_body(event["type"], event["data"]),
                )
            ]
        except (ValueError, KeyError, TypeError, MoneyError) as exc:
            raise BadHookError("the message makes no sense") from exc

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        params = {"since": since.timestamp(), "until": until.timestamp()}
        for line in self._ask("GET", "/v1/transactions", params=params):
            yield ProviderTransaction(
                ref=line["id"],
                kind=line["kind"],
                payment=line["payment"] or line["id"],
                amount=Money(line["amount"], line["currency"]),
                fee=Money(line["fee"], line["currency"]),
                at=datetime.fromtimestamp(line["at"], UTC),
            )

    def _ask(
        self, method: str, path: str, *, key: str = "", body: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        headers = {"idempotency-key": key} if key else {}
        try:
            answer = self._client.request(method, path, json=body, params=params, headers=headers)
            if answer.is_success:
                return answer.json()
            slug = str(answer.json().get("detail", answer.status_code))
        except (httpx.HTTPError, ValueError) as exc:
            raise GatewayAwayError(f"the test provider did not answer: {type(exc).__name__}") from exc
        if answer.status_code >= 500:
            raise GatewayAwayError(f"the test provider answered {answer.status_code}")
        raise GatewayRefusedError(slug)


def _card(document: dict[str, Any] | None) -> SavedCard | None:
    if document is None:
        return None
    return SavedCard(
        ref=document["id"],
        customer=document["customer"],
        brand=document["brand"],
        last4=document["last4"],
        exp_month=document["exp_month"],
        exp_year=document["exp_year"],
    )


def _checkout(document: dict[str, Any]) -> CheckoutState:
    reference, ref = document["reference"], document["id"]
    if document["state"] == "paid":
        money = Money(document["amount"], document["currency"]) if document["amount"] else None
        return CheckoutPaid(
            reference=reference,
            ref=ref,
            payment=document["payment"],
            amount=money,
            card=_card(document["card"]),
            customer=document["customer"],
        )
    if document["state"] == "closed":
        return CheckoutClosed(reference=reference, ref=ref, reason=document["reason"])
    return CheckoutOpen(reference=reference, ref=ref)


def _outcome(document: dict[str, Any]) -> ChargeOutcome:
    match document["state"]:
        case "charged":
            return Charged(payment=document["payment"])
        case "action":
            return NeedsAction(url=document["url"], payment=document["id"])
        case "declined":
            return Declined(code=document["code"], soft=document["soft"], payment=document["payment"])
    return Unknown(reason=str(document["state"]))


def _body(type_: str, data: dict[str, Any]) -> HookBody:
    match type_:
        case "checkout.paid" | "checkout.closed":
            return _checkout(data)
        case "checkout.processing":
            return CheckoutOpen(reference=data["reference"], ref=data["id"])
        case "charge.charged" | "charge.declined":
            money = Money(data["amount"], data["currency"])
            return ChargeSettled(key=data["key"], amount=money, outcome=_outcome(data))
        case "refund.done":
            money = Money(data["amount"], data["currency"])
            return RefundSeen(payment=data["payment"], ref=data["id"], amount=money,
                              key=data["key"].removeprefix("refund:"))  # fmt: skip
        case "dispute.opened":
            fee = Money(data["fee"], data["currency"])
            return DisputeOpened(payment=data["payment"], ref=data["id"], fee=fee, reason=data["reason"],
                                 amount=Money(data["amount"], data["currency"]))  # fmt: skip
        case "dispute.won":
            money = Money(data["amount"], data["currency"])
            return DisputeWon(payment=data["payment"], ref=data["id"], amount=money)
    return NoConcern()
