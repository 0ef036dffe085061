"""A stateful stand-in for Stripe's API over HTTP: idempotency keys, declines, 3-D Secure, lost answers.

Cards are named by what they do: pm_good, pm_soft, pm_hard, pm_confirm, pm_timeout (charged, then the answer
breaks off), pm_500 (nothing happens, and the answer is a 500).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl

import stripe
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

Json = dict[str, Any]
DECLINES = {"soft": "insufficient_funds", "hard": "stolen_card"}


def nested(text: str) -> Json:
    """`a[b][0]=c` as dictionaries."""
    found: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        keys = re.findall(r"[^\[\]]+", name)
        place = found
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
    return found


class FakeStripe:
    """What Stripe remembers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.sessions: dict[str, Json] = {}
        self.intents: dict[str, Json] = {}
        self.lines: list[Json] = []
        self.keys: dict[str, tuple[str, int, Json]] = {}
        self.refunds: list[Json] = []
        self.detached: list[str] = []
        self.events: list[Json] = []
        self.requests: list[tuple[str, str, Json]] = []
        self._ids = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._ids)}"

    def event(self, type_: str, thing: Json) -> None:
        self.events.append({
            "id": self.new_id("evt"), "object": "event", "type": type_, "created": int(self.clock()),
            "data": {"object": json.loads(json.dumps(thing))},
        })  # fmt: skip

    def method(self, ref: str) -> Json:
        card = {"brand": "visa", "last4": "4242", "exp_month": 11, "exp_year": 2029}
        return {"id": ref, "object": "payment_method", "card": card}

    def took(self, kind: str, amount: int, currency: str, source: Json, fee: int = 0) -> Json:
        line = {
            "id": self.new_id("txn"), "object": "balance_transaction", "type": kind, "amount": amount,
            "currency": currency, "fee": fee, "created": int(self.clock()), "source": source,
            "reporting_category": kind,
        }  # fmt: skip
        self.lines.insert(0, line)
        return line

    def succeed(self, intent: Json) -> None:
        line = self.took("charge", intent["amount"], intent["currency"], {
            "id": self.new_id("ch"), "object": "charge", "payment_intent": intent["id"]
        }, fee=25)  # fmt: skip
        intent.update(status="succeeded", next_action=None, last_payment_error=None)
        intent["latest_charge"] = {
            "id": line["source"]["id"],
            "object": "charge",
            "balance_transaction": line,
        }
        self.event("payment_intent.succeeded", intent)

    def pay(self, ref: str, method: str = "pm_good") -> None:
        """Somebody pays, or leaves a card, on the page of a session."""
        session = self.sessions[ref]
        session["status"] = "complete"
        if session["mode"] == "setup":
            session["payment_status"] = "no_payment_required"
            session["setup_intent"] = {"id": self.new_id("seti"), "payment_method": self.method(method)}
        else:
            session["payment_status"] = "paid"
            data = session["payment_intent_data"]
            intent = {
                "id": self.new_id("pi"), "object": "payment_intent", "amount": session["amount_total"],
                "currency": session["currency"], "metadata": data.get("metadata", {}),
                "setup_future_usage": data.get("setup_future_usage"), "payment_method": self.method(method),
                "created": int(self.clock()), "customer": session["customer"],
            }  # fmt: skip
            session["payment_intent"] = self.intents[intent["id"]] = intent
            self.succeed(intent)
        flat = {**session, "payment_intent": (session.get("payment_intent") or {}).get("id")}
        self.event("checkout.session.completed", flat)

    def confirm_by_owner(self, ref: str, *, yes: bool) -> None:
        intent = self.intents[ref]
        assert intent["status"] == "requires_action"
        if yes:
            self.succeed(intent)
        else:
            intent.update(status="requires_payment_method", next_action=None)
            intent["last_payment_error"] = {"code": "payment_intent_authentication_failure"}
            self.event("payment_intent.payment_failed", intent)

    def dispute(self, intent: Json, *, fee: int) -> Json:
        line = self.took("dispute", -intent["amount"], intent["currency"], {"id": "dp"}, fee=fee)
        dispute = {
            "id": self.new_id("dp"), "object": "dispute", "amount": intent["amount"], "reason": "fraudulent",
            "currency": intent["currency"], "payment_intent": intent["id"], "balance_transactions": [line],
        }  # fmt: skip
        self.event("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def signed(self, event: Json, secret: str) -> tuple[bytes, dict[str, str]]:
        text = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(text, secret, int(self.clock()))
        return text.encode(), {"stripe-signature": header}

    def create_intent(self, form: Json) -> tuple[int, Json]:
        kind = form["payment_method"].removeprefix("pm_")
        intent: Json = {
            "id": self.new_id("pi"), "object": "payment_intent", "amount": int(form["amount"]),
            "currency": form["currency"], "metadata": form.get("metadata", {}), "customer": form["customer"],
            "status": "requires_payment_method", "created": int(self.clock()), "last_payment_error": None,
        }  # fmt: skip
        if kind == "gone":
            return 400, {"error": {"type": "invalid_request_error", "code": "resource_missing"}}
        if kind == "500":
            return 500, {"error": {"type": "api_error"}}
        self.intents[intent["id"]] = intent
        if kind in ("good", "timeout"):
            self.succeed(intent)
            return 200, intent
        error: Json = {"type": "card_error", "code": "card_declined", "decline_code": DECLINES.get(kind)}
        if kind == "confirm":
            error = {"type": "card_error", "code": "authentication_required",
                     "decline_code": "authentication_required"}  # fmt: skip
        intent["last_payment_error"] = dict(error)
        self.event("payment_intent.payment_failed", intent)
        return 402, {"error": {**error, "payment_intent": intent}}


def create_app(fake: FakeStripe) -> FastAPI:
    app = FastAPI()

    def once(request: Request, form: Json, work: Callable[[], tuple[int, Json]]) -> tuple[int, Json]:
        key = request.headers.get("idempotency-key")
        assert key, "every POST of ours carries a key"
        text = json.dumps([request.url.path, form], sort_keys=True)
        if key not in fake.keys:
            fake.keys[key] = (text, *work())
        before, status, answer = fake.keys[key]
        if before != text:
            return 400, {"error": {"type": "idempotency_error"}}
        return status, answer

    async def form_of(request: Request) -> Json:
        form = nested((await request.body()).decode())
        fake.requests.append((request.method, request.url.path, form))
        assert request.headers["authorization"] == "Bearer sk_test_1"
        return form

    @app.post("/v1/customers")
    async def customers(request: Request) -> JSONResponse:
        form = await form_of(request)
        status, answer = once(request, form, lambda: (200, {"id": fake.new_id("cus"), "object": "customer"}))
        return JSONResponse(answer, status)

    @app.post("/v1/checkout/sessions")
    async def open_session(request: Request) -> JSONResponse:
        form = await form_of(request)

        def work() -> tuple[int, Json]:
            ref = fake.new_id("cs")
            price = form.get("line_items", {}).get("0", {}).get("price_data", {})
            fake.sessions[ref] = {
                "id": ref, "object": "checkout.session", "url": f"https://checkout.example/{ref}",
                "status": "open", "payment_status": "unpaid", "mode": form["mode"],
                "client_reference_id": form["client_reference_id"], "customer": form.get("customer"),
                "amount_total": int(price.get("unit_amount", 0)), "currency": price.get("currency"),
                "payment_intent_data": form.get("payment_intent_data", {}), "payment_intent": None,
            }  # fmt: skip
            return 200, fake.sessions[ref]

        status, answer = once(request, form, work)
        return JSONResponse(answer, status)

    @app.get("/v1/checkout/sessions/{ref}")
    def read_session(ref: str) -> JSONResponse:
        return JSONResponse(fake.sessions[ref])

    @app.post("/v1/payment_intents")
    async def create_intent(request: Request) -> Response:
        form = await form_of(request)
        first = request.headers["idempotency-key"] not in fake.keys
        status, answer = once(request, form, lambda: fake.create_intent(form))
        if first and form["payment_method"] == "pm_timeout":

            async def broken() -> AsyncIterator[bytes]:
                yield b"{"
                raise ConnectionAbortedError

            return StreamingResponse(broken(), headers={"content-length": "2"})
        return JSONResponse(answer, status)

    @app.post("/v1/payment_intents/{ref}/confirm")
    async def confirm(ref: str, request: Request) -> JSONResponse:
        form = await form_of(request)

        def work() -> tuple[int, Json]:
            redirect = {"url": f"https://bank.example/{ref}", "return_url": form["return_url"]}
            fake.intents[ref].update(status="requires_action", next_action={"redirect_to_url": redirect})
            return 200, fake.intents[ref]

        status, answer = once(request, form, work)
        return JSONResponse(answer, status)

    @app.post("/v1/payment_intents/{ref}/cancel")
    async def cancel(ref: str, request: Request) -> JSONResponse:
        form = await form_of(request)

        def work() -> tuple[int, Json]:
            if fake.intents[ref]["status"] == "succeeded":
                code = "payment_intent_unexpected_state"
                return 400, {"error": {"type": "invalid_request_error", "code": code}}
            fake.intents[ref].update(status="canceled", next_action=None)
            return 200, fake.intents[ref]

        status, answer = once(request, form, work)
        return JSONResponse(answer, status)

    @app.get("/v1/payment_intents/{ref}")
    def read_intent(ref: str) -> JSONResponse:
        return JSONResponse(fake.intents[ref])

    @app.get("/v1/payment_intents")
    def list_intents(customer: str) -> JSONResponse:
        found = [one for one in fake.intents.values() if one.get("customer") == customer]
        return JSONResponse({"object": "list", "data": found, "has_more": False})

    @app.post("/v1/refunds")
    async def refund(request: Request) -> JSONResponse:
        form = await form_of(request)

        def work() -> tuple[int, Json]:
            intent = fake.intents[form["payment_intent"]]
            if int(form["amount"]) > intent["amount"]:
                return 400, {"error": {"type": "invalid_request_error", "code": "amount_too_large"}}
            refund = {
                "id": fake.new_id("re"), "object": "refund", "status": "succeeded",
                "amount": int(form["amount"]), "currency": intent["currency"],
                "payment_intent": intent["id"], "metadata": form.get("metadata", {}),
            }  # fmt: skip
            fake.took("refund", -refund["amount"], refund["currency"], refund)
            fake.event("refund.created", refund)
            return 200, refund

        status, answer = once(request, form, work)
        return JSONResponse(answer, status)

    @app.post("/v1/payment_methods/{ref}/detach")
    def detach(ref: str) -> JSONResponse:
        if ref in fake.detached:
            return JSONResponse({"error": {"type": "invalid_request_error", "code": "x"}}, 400)
        fake.detached.append(ref)
        return JSONResponse(fake.method(ref))

    @app.get("/v1/balance_transactions")
    def lines(request: Request) -> JSONResponse:
        gte, lt = (int(request.query_params[f"created[{name}]"]) for name in ("gte", "lt"))
        found = [line for line in fake.lines if gte <= line["created"] < lt]
        return JSONResponse({"object": "list", "data": found, "has_more": False})

    return app
