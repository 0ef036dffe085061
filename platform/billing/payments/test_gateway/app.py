"""The test provider's HTTP server: an API for the shop's program, pages for payers.

    POST /v1/checkouts            a page for one payment            (Idempotency-Key)
    GET  /v1/checkouts/{id}       how it stands
    POST /v1/charges              charge a saved card               (Idempotency-Key)
    GET  /v1/charges?key=         what became of one
    POST /v1/charges/{id}/cancel  give up one that waits for its payer
    POST /v1/refunds              send money back                   (Idempotency-Key)
    DELETE /v1/cards/{id}
    GET  /v1/transactions?since=&until=
    GET, POST /pay/{id}, /confirm/{id}      for payers

Amounts are integers of minor units. A card of behaviour `timeout` is charged, and then the connection breaks
in the middle of the answer.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from billing.payments.test_gateway import cards, pages
from billing.payments.test_gateway.books import Books, Document, KeyConflictError
from billing.payments.test_gateway.hooks import Courier, announce

MINIMUM = 50
"""Minor units; less is refused with `amount_too_small`, as real providers do."""
COURIER_EVERY_S = 0.5


class CheckoutBody(BaseModel):
    """POST /v1/checkouts."""

    reference: str = Field(max_length=64)
    amount: int = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)
    description: str = Field(max_length=200)
    return_url: str
    cancel_url: str
    expires_at: float
    save_card: bool = False
    customer: str = ""


class ChargeBody(BaseModel):
    """POST /v1/charges."""

    card: str
    amount: int = Field(gt=0)
    currency: str = Field(min_length=3, max_length=3)
    return_url: str


class RefundBody(BaseModel):
    """POST /v1/refunds."""

    payment: str
    amount: int = Field(gt=0)
    currency: str = Field(min_length=3, max_length=3)


class Till:
    """What the provider does with money that it has not got."""

    def __init__(self, books: Books, *, base_url: str, clock: Callable[[], float]) -> None:
        self.books = books
        self.base_url = base_url.rstrip("/")
        self.clock = clock

    def open_checkout(self, body: CheckoutBody) -> Document:
        """A new page."""
        if 0 < body.amount < MINIMUM:
            raise HTTPException(400, "amount_too_small")
        document = {**body.model_dump(), "state": "open", "payment": "", "card": None, "reason": ""}
        return self.books.put("checkout", document, now_s=self.clock())

    def checkout(self, ident: str) -> Document:
        """A page as it stands; one whose time is over expires here."""
        with self.books.step():
            document = self.books.get("checkout", ident)
            if document is None:
                raise HTTPException(404, "no_such_checkout")
            if document["state"] == "open" and self.clock() >= document["expires_at"]:
                document.update(state="closed", reason="expired")
                self.books.put("checkout", document, now_s=self.clock())
                announce(self.books, "checkout.closed", document, manner="once", now_s=self.clock())
            return document

    def pay_checkout(self, ident: str, *, card: cards.TestCard, manner: str) -> Document:
        """Somebody pays. Once: a page that is paid or closed stays so."""
        now_s = self.clock()
        with self.books.step():
            document = self.checkout(ident)
            if document["state"] != "open":
                return document
            customer = document["customer"] or f"test_customer_{ident[-8:]}"
            document.update(state="paid", customer=customer)
            if document["amount"]:
                document["payment"] = self._payment(document, kind="payment")["id"]
            if document["save_card"]:
                document["card"] = self._save(card, customer)
            self.books.put("checkout", document, now_s=now_s)
            announce(
                self.books,
                "checkout.paid",
                document,
                manner=manner,
                now_s=now_s,
                before="checkout.processing",
            )
            return document

    def close_checkout(self, ident: str, *, reason: str, manner: str) -> Document:
        """Somebody gives up, or their card is refused."""
        with self.books.step():
            document = self.checkout(ident)
            if document["state"] == "open":
                document.update(state="closed", reason=reason)
                self.books.put("checkout", document, now_s=self.clock())
                announce(self.books, "checkout.closed", document, manner=manner, now_s=self.clock())
            return document

    def charge(self, key: str, body: ChargeBody) -> Document:
        """Charge a saved card."""
        card = cards.of_ref(body.card)
        document: Document = {
            **body.model_dump(),
            "key": key,
            "payment": "",
            "code": "",
            "soft": False,
            "url": "",
        }
        if card is None or self.books.get("card", body.card) is None:
            document.update(state="declined", code="no_such_card")
        elif body.amount < MINIMUM:
            document.update(state="declined", code="amount_too_small")
        elif card.behaviour == "soft":
            document.update(state="declined", code="insufficient_funds", soft=True)
        elif card.behaviour == "hard":
            document.update(state="declined", code="stolen_card")
        elif card.behaviour == "confirm":
            document.update(state="action")
        else:
            document.update(state="charged", payment=self._payment(document, kind="payment")["id"])
        self.books.put("charge", document, now_s=self.clock())
        if document["state"] == "action":
            document["url"] = f"{self.base_url}/confirm/{document['id']}"
            self.books.put("charge", document, now_s=self.clock())
        elif document["state"] == "charged":
            self._tell_charge(document)
        return document

    def settle_charge(self, ident: str, *, state: str, code: str = "") -> Document:
        """A charge that waited for its payer ends: charged or declined."""
        with self.books.step():
            document = self.books.get("charge", ident)
            if document is None:
                raise HTTPException(404, "no_such_charge")
            if document["state"] == "action":
                document.update(state=state, code=code, soft=state == "declined")
                if state == "charged":
                    document["payment"] = self._payment(document, kind="payment")["id"]
                self.books.put("charge", document, now_s=self.clock())
                self._tell_charge(document)
            return document

    def refund(self, key: str, body: RefundBody) -> Document:
        """Send money back: at most what came."""
        paid = self.books.get("transaction", body.payment)
        before = sum(-each["amount"] for each in self.books.find("transaction", payment=body.payment)
                     if each["kind"] == "refund")  # fmt: skip
        if paid is None or paid["currency"] != body.currency or body.amount > paid["amount"] - before:
            return {"state": "declined", "code": "amount_too_large", "id": ""}
        line = self._payment(
            {"amount": -body.amount, "currency": body.currency}, kind="refund", payment=body.payment
        )
        document = {**body.model_dump(), "id": line["id"], "key": key, "state": "refunded", "code": ""}
        announce(self.books, "refund.done", document, manner="once", now_s=self.clock())
        return document

    def dispute(self, payment: str, *, fee: int) -> Document:
        """The payer's bank takes a payment back."""
        with self.books.step():
            paid = self.books.get("transaction", payment)
            if paid is None:
                raise HTTPException(404, "no_such_payment")
            line = self._payment(
                {"amount": -paid["amount"], "currency": paid["currency"]},
                kind="dispute",
                payment=payment,
                fee=fee,
            )
            document = {**line, "amount": paid["amount"], "fee": fee, "reason": "fraudulent"}
            announce(self.books, "dispute.opened", document, manner="once", now_s=self.clock())
            return document

    def win(self, dispute: str) -> None:
        """The payer's bank gives a disputed payment back."""
        with self.books.step():
            line = self.books.get("transaction", dispute)
            assert line is not None, "whoever wins has lost before"
            self._payment(
                {"amount": -line["amount"], "currency": line["currency"]}, kind="dispute_won",
                payment=line["payment"], fee=-line["fee"],
            )  # fmt: skip
            document = {**line, "amount": -line["amount"]}
            announce(self.books, "dispute.won", document, manner="once", now_s=self.clock())

    def forget_card(self, ref: str) -> None:
        """A card is deleted; later charges to it are refused."""
        with self.books.step():
            document = self.books.get("card", ref)
            if document is not None:
                self.books.put("card", {**document, "gone": True}, now_s=self.clock())

    def _save(self, card: cards.TestCard, customer: str) -> Document:
        ref = cards.new_ref(card)
        year = time.gmtime(self.clock()).tm_year + 3
        document: Document = {
            "id": ref, "customer": customer, "brand": card.brand, "last4": card.last4,
            "exp_month": 12, "exp_year": year,
        }  # fmt: skip
        return self.books.put("card", document, now_s=self.clock())

    def _payment(self, document: Document, *, kind: str, payment: str = "", fee: int = 0) -> Document:
        line = {
            "kind": kind, "payment": payment, "amount": document["amount"], "currency": document["currency"],
            "fee": fee, "at": self.clock(),
        }  # fmt: skip
        return self.books.put("transaction", line, now_s=self.clock())

    def _tell_charge(self, document: Document) -> None:
        announce(self.books, f"charge.{document['state']}", document, manner="once", now_s=self.clock())


def _till(request: Request) -> Till:
    till: Till = request.app.state.till
    return till


def _authorised(request: Request, authorization: Annotated[str, Header()] = "") -> None:
    if not hmac.compare_digest(authorization.encode(), f"Bearer {request.app.state.api_key}".encode()):
        raise HTTPException(401, "wrong_api_key")


AnyTill = Annotated[Till, Depends(_till)]
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
api = APIRouter(prefix="/v1", dependencies=[Depends(_authorised)])
payers = APIRouter()


def _url(till: Till, document: Document) -> Document:
    return {**document, "url": f"{till.base_url}/pay/{document['id']}"}


@api.post("/checkouts")
def open_checkout(till: AnyTill, body: CheckoutBody, key: IdempotencyKey) -> Document:
    return _url(till, till.books.once(key, body.model_dump(), lambda: till.open_checkout(body)))


@api.get("/checkouts/{ident}")
def read_checkout(till: AnyTill, ident: str) -> Document:
    return _url(till, till.checkout(ident))


@api.post("/charges")
def charge(till: AnyTill, body: ChargeBody, key: IdempotencyKey) -> Response:
    first = not till.books.find("charge", key=key)
    document = till.books.once(key, body.model_dump(), lambda: till.charge(key, body))
    card = cards.of_ref(body.card)
    if first and card is not None and card.behaviour == "timeout":
        return _broken()
    return JSONResponse(document)


@api.get("/charges")
def find_charge(till: AnyTill, key: str) -> list[Document]:
    return till.books.find("charge", key=key)


@api.post("/charges/{ident}/cancel")
def cancel_charge(till: AnyTill, ident: str) -> Document:
    return till.settle_charge(ident, state="declined", code="cancelled")


@api.post("/refunds")
def refund(till: AnyTill, body: RefundBody, key: IdempotencyKey) -> Document:
    return till.books.once(key, body.model_dump(), lambda: till.refund(key, body))


@api.delete("/cards/{ref}")
def forget_card(till: AnyTill, ref: str) -> Document:
    till.forget_card(ref)
    return {}


@api.get("/transactions")
def transactions(till: AnyTill, since: float, until: float) -> list[Document]:
    return [line for line in till.books.find("transaction") if since <= line["at"] < until]


@payers.get("/pay/{ident}")
def show_checkout(till: AnyTill, ident: str) -> HTMLResponse:
    document = till.checkout(ident)
    if document["state"] != "open":
        return HTMLResponse(pages.note_page("This page is closed", "Go back to the shop to see how it went."))
    return HTMLResponse(pages.checkout_page(document))


@payers.post("/pay/{ident}")
def pay(
    till: AnyTill,
    ident: str,
    outcome: Annotated[str, Form()],
    card: Annotated[str, Form()] = "good",
    hooks: Annotated[str, Form()] = "once",
) -> Response:
    chosen = cards.BY_BEHAVIOUR.get(card)
    known = {value for value, _ in pages.OUTCOMES}
    if outcome not in known or chosen is None or hooks not in {value for value, _ in pages.MANNERS}:
        raise HTTPException(422, "choose what is on the page")
    document = till.checkout(ident)
    if outcome == "confirm" and document["state"] == "open":
        return HTMLResponse(pages.confirm_page(document).replace(
            '<form method="post">',
            f'<form method="post" action="/pay/{ident}/confirm">'
            f'<input type="hidden" name="card" value="{chosen.behaviour}">'
            f'<input type="hidden" name="hooks" value="{hooks}">',
        ))  # fmt: skip
    if outcome == "decline":
        till.close_checkout(ident, reason="card_declined", manner=hooks)
    elif outcome == "cancel":
        return RedirectResponse(document["cancel_url"], 303)
    else:
        till.pay_checkout(ident, card=chosen, manner=hooks)
        if outcome == "timeout":
            return HTMLResponse(
                pages.note_page("Time is over", "The payment was made, but the way back is lost."), 504
            )
    return RedirectResponse(document["return_url"], 303)


@payers.post("/pay/{ident}/confirm")
def confirm_checkout(
    till: AnyTill,
    ident: str,
    answer: Annotated[str, Form()],
    card: Annotated[str, Form()] = "good",
    hooks: Annotated[str, Form()] = "once",
) -> Response:
    document = till.checkout(ident)
    chosen = cards.BY_BEHAVIOUR.get(card)
    if answer == "yes" and chosen is not None:
        till.pay_checkout(ident, card=chosen, manner=hooks)
    else:
        till.close_checkout(ident, reason="not_confirmed", manner=hooks)
    return RedirectResponse(document["return_url"], 303)


@payers.get("/confirm/{ident}")
def show_confirm(till: AnyTill, ident: str) -> HTMLResponse:
    document = till.books.get("charge", ident)
    if document is None:
        raise HTTPException(404, "no such payment")
    if document["state"] != "action":
        return HTMLResponse(pages.note_page("Nothing to confirm", "This payment is decided already."))
    return HTMLResponse(pages.confirm_page(document))


@payers.post("/confirm/{ident}")
def confirm_charge(till: AnyTill, ident: str, answer: Annotated[str, Form()]) -> Response:
    if answer == "yes":
        document = till.settle_charge(ident, state="charged")
    else:
        document = till.settle_charge(ident, state="declined", code="not_confirmed")
    return RedirectResponse(document["return_url"], 303)


def _broken() -> StreamingResponse:
    """An answer that breaks off: the client learns nothing from it."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionAbortedError("the test provider hangs up here on purpose")

    return StreamingResponse(pieces(), headers={"content-length": "2"})


def create_app(
    books: Books,
    *,
    base_url: str,
    api_key: str,
    courier: Courier | None = None,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """The test provider. With a `courier` it delivers web hooks by itself, twice a second."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_deliver(courier, clock)) if courier is not None else None
        yield
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = FastAPI(title="Test payments", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.till = Till(books, base_url=base_url, clock=clock)
    app.state.api_key = api_key
    app.include_router(api)
    app.include_router(payers)

    @app.exception_handler(KeyConflictError)
    def _conflict(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "idempotency_key_reused"}, status_code=409)

    @app.get("/")
    def front() -> HTMLResponse:
        return HTMLResponse(pages.note_page("Test payments", "This provider has no money and moves none."))

    return app


async def _deliver(courier: Courier, clock: Callable[[], float]) -> Any:
    while True:
        await asyncio.to_thread(courier.run_once, clock())
        await asyncio.sleep(COURIER_EVERY_S)
