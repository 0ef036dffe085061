"""A stateful stand-in for PayPal's REST API: tokens, orders, captures, refunds, signatures, reports."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

Json = dict[str, Any]


class FakePayPal:
    """What PayPal remembers. `decline`: captures are refused. `tokens` counts logins."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.orders: dict[str, Json] = {}
        self.lines: list[Json] = []
        self.keys: dict[str, tuple[int, Json]] = {}
        self.signed: set[bytes] = set()
        self.decline = ""
        self.tokens = 0
        self.valid_token = ""
        self._ids = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids)}"

    def hook(self, type_: str, resource: Json) -> tuple[bytes, dict[str, str]]:
        """A message as PayPal would send it; spaces and order of its own."""
        event = {"id": self.new_id("WH-"), "event_type": type_, "resource": resource,
                 "create_time": self.clock().isoformat().replace("+00:00", "Z")}  # fmt: skip
        body = json.dumps(event, indent=3).encode()
        self.signed.add(body)
        names = ("auth-algo", "cert-url", "transmission-id", "transmission-sig", "transmission-time")
        return body, {f"paypal-{name}": "x" for name in names}

    def approve(self, ref: str) -> tuple[bytes, dict[str, str]]:
        self.orders[ref]["status"] = "APPROVED"
        return self.hook("CHECKOUT.ORDER.APPROVED", self.orders[ref])

    def capture(self, ref: str) -> tuple[int, Json]:
        order = self.orders[ref]
        if self.decline:
            return 422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": self.decline}]}
        unit = order["purchase_units"][0]
        fee = {"currency_code": unit["amount"]["currency_code"], "value": "0.49"}
        capture = {
            "id": self.new_id("CAP"), "status": "COMPLETED", "amount": unit["amount"],
            "custom_id": unit["custom_id"], "seller_receivable_breakdown": {"paypal_fee": fee},
            "supplementary_data": {"related_ids": {"order_id": ref}},
        }  # fmt: skip
        unit["payments"] = {"captures": [capture]}
        order["status"] = "COMPLETED"
        self.line(capture["id"], "T0006", unit["amount"], fee="-0.49")
        return 201, order

    def line(self, ident: str, code: str, amount: Json, *, fee: str = "0.00", up: str = "") -> None:
        self.lines.append({"transaction_info": {
            "transaction_id": ident, "transaction_event_code": code, "transaction_amount": amount,
            "fee_amount": {**amount, "value": fee}, "paypal_reference_id": up,
            "transaction_initiation_date": self.clock().astimezone(UTC).isoformat(),
        }})  # fmt: skip


def create_app(fake: FakePayPal) -> FastAPI:
    app = FastAPI()

    def once(request: Request, work: Callable[[], tuple[int, Json]]) -> JSONResponse:
        key = request.headers["paypal-request-id"]
        assert 0 < len(key) <= 108
        if key not in fake.keys:
            fake.keys[key] = work()
        status, answer = fake.keys[key]
        return JSONResponse(answer, status)

    @app.middleware("http")
    async def login(request: Request, call_next: Any) -> Any:
        right = request.headers.get("authorization") == f"Bearer {fake.valid_token}"
        if request.url.path != "/v1/oauth2/token" and not right:
            return JSONResponse({"error": "invalid_token"}, 401)
        return await call_next(request)

    @app.post("/v1/oauth2/token")
    def token(request: Request) -> JSONResponse:
        if request.headers["authorization"] != "Basic aWQ6c2VjcmV0":
            return JSONResponse({"error": "invalid_client"}, 401)
        fake.tokens += 1
        fake.valid_token = f"A{fake.tokens}"
        return JSONResponse({"access_token": fake.valid_token, "expires_in": 32400})

    @app.post("/v2/checkout/orders")
    async def create(request: Request) -> JSONResponse:
        body = await request.json()

        def work() -> tuple[int, Json]:
            ref = fake.new_id("ORDER")
            links = [{"rel": "payer-action", "href": f"https://paypal.example/{ref}"}]
            fake.orders[ref] = {**body, "id": ref, "status": "PAYER_ACTION_REQUIRED", "links": links}
            return 200, fake.orders[ref]

        return once(request, work)

    @app.get("/v2/checkout/orders/{ref}")
    def read(ref: str) -> JSONResponse:
        if ref not in fake.orders:
            return JSONResponse({"name": "RESOURCE_NOT_FOUND"}, 404)
        return JSONResponse(fake.orders[ref])

    @app.post("/v2/checkout/orders/{ref}/capture")
    def capture(ref: str, request: Request) -> JSONResponse:
        return once(request, lambda: fake.capture(ref))

    @app.post("/v2/payments/captures/{ref}/refund")
    async def refund(ref: str, request: Request) -> JSONResponse:
        body = await request.json()

        def work() -> tuple[int, Json]:
            if ref == "CAP0":
                return 422, {"name": "X", "details": [{"issue": "CAPTURE_FULLY_REFUNDED"}]}
            answer = {"id": fake.new_id("REF"), "status": "COMPLETED", **body}
            negative = {**body["amount"], "value": f"-{body['amount']['value']}"}
            fake.line(answer["id"], "T1107", negative, up=ref)
            return 201, answer

        return once(request, work)

    @app.post("/v1/notifications/verify-webhook-signature")
    async def verify(request: Request) -> JSONResponse:
        raw = await request.body()
        assert json.loads(raw)["webhook_id"] == "WID"
        ok = any(body in raw for body in fake.signed)
        return JSONResponse({"verification_status": "SUCCESS" if ok else "FAILURE"})

    @app.get("/v1/reporting/transactions")
    def report(page: int) -> JSONResponse:
        mine = fake.lines[page - 1 : page]  # one a page
        return JSONResponse({"transaction_details": mine, "total_pages": max(len(fake.lines), 1)})

    return app
