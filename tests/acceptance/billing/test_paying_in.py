"""Paying in over HTTP at a whole product: each payment is booked once, however often and late it is told."""

from __future__ import annotations

import json
import secrets
import time
from decimal import Decimal

import httpx
import pytest

from billing.payments.test_gateway.hooks import HEADER, sign
from tests.support.till import Till

pytestmark = pytest.mark.acceptance


def posted(till: Till) -> Decimal:
    return Decimal(till.get("balance")["posted"])


def hook(till: Till, body: bytes, signature: str | None) -> httpx.Response:
    headers = {b"content-type": b"application/json"}
    if signature is not None:
        headers[HEADER.encode()] = signature.encode("latin-1")
    return httpx.post(f"{till.product.url}/hooks/payments/test", content=body, headers=headers)


@pytest.mark.parametrize("hooks", ["twice", "reversed", "late"])
def test_messages_that_come_twice_late_or_in_the_wrong_order(till: Till, hooks: str) -> None:
    before, kinds = posted(till), till.kinds()
    made = till.ask_top_up("7.50").json()
    answer = till.pay(made, hooks=hooks)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{till.product.url}/billing/top-ups/{made['id']}"
    if hooks == "late":  # the message or the clerk, whoever is first
        till.provider.hurry()
    till.paid(made["id"])
    until_s = time.monotonic() + 2.0  # the second message, and those in the wrong order, come within a second
    till.product.wait_for(lambda: time.monotonic() > until_s, "the other message")
    assert posted(till) == before + Decimal("7.50")
    assert till.kinds() - kinds == {"top_up": 1}


def test_the_same_key_is_the_same_payment(till: Till) -> None:
    before, key = posted(till), f"test-{secrets.token_hex(8)}"
    first = till.ask_top_up("11.00", key=key)
    again = till.ask_top_up("11.00", key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert till.ask_top_up("12.00", key=key).status_code == 409
    till.pay(first.json())
    till.pay(first.json())  # the back button at the provider
    till.paid(first.json()["id"])
    after = till.ask_top_up("11.00", key=key)
    assert (after.json()["id"], after.json()["state"], after.json()["url"]) == (
        first.json()["id"],
        "paid",
        None,
    )
    assert posted(till) == before + Decimal("11.00")


@pytest.mark.parametrize(
    "amount", ["0", "-5", "4.99", "5.001", "1e3000", "NaN", "Infinity", "five", "", "99999999", " ", "5,00,0"]
)
def test_amounts_that_cannot_be(till: Till, amount: str) -> None:
    count = len(till.get("top_ups"))
    assert till.ask_top_up(amount).status_code == 422
    assert len(till.get("top_ups")) == count


@pytest.mark.parametrize("fields", [{"currency": "USD"}, {"currency": "XXX"}, {"price": "1"}])
def test_other_currencies_and_unknown_fields(till: Till, fields: dict[str, str]) -> None:
    assert till.ask_top_up("5.00", fields=fields).status_code == 422


def test_a_declined_card_pays_nothing(till: Till) -> None:
    before = posted(till)
    made = till.ask_top_up("9.00").json()
    till.pay(made, outcome="decline")
    state = till.product.wait_for(
        lambda: (s := till.get(f"top_ups/{made['id']}")["state"]) != "redirected" and s, "word of it"
    )
    assert state == "failed"
    assert posted(till) == before


def test_messages_that_nobody_signed(till: Till) -> None:
    """Without, with a wrong, and with an old signature: 400, and nothing is booked."""
    before = posted(till)
    made = till.ask_top_up("50.00").json()
    ident = made["url"].rpartition("/")[2]
    event = {
        "id": "test_event_forged",
        "type": "checkout.paid",
        "created": time.time(),
        "data": {"id": ident, "reference": made["id"], "state": "paid", "amount": 5000, "currency": "EUR"},
    }
    body = json.dumps(event).encode()
    now_s = time.time()
    for signature in (
        None,
        "",
        "rubbish",
        f"t={int(now_s)}",
        f"t={int(now_s)},v1=",
        f"t={int(now_s)},v1={'0' * 64}",
        f"t=99999999999999999999,v1={'0' * 64}",
        sign("", body, now_s=now_s),
        sign("guessed", body, now_s=now_s),
        sign("guessed", body, now_s=now_s - 3600),
        "t=1,v1=\xe9",
    ):
        answer = hook(till, body, signature)
        assert answer.status_code == 400, (signature, answer.text)
    for rubbish in (b"", b"\xff" * 100, b"{", b"[]", b"x" * (2 << 20)):
        assert hook(till, rubbish, sign("guessed", rubbish, now_s=now_s)).status_code in (400, 413)
    for psp in ("stripe", "paypal", "nobody", "..%2f"):
        answer = httpx.post(f"{till.product.url}/hooks/payments/{psp}", content=body)
        assert answer.status_code in (400, 404), (psp, answer.status_code)
    assert till.get(f"top_ups/{made['id']}")["state"] == "redirected"
    assert posted(till) == before


def test_nobody_without_a_key(till: Till) -> None:
    for path in ("balance", "transactions", "transactions/1", "top_ups", "estimate", "cdr", "cdr.csv"):
        assert httpx.get(f"{till.product.url}/v1/billing/{path}").status_code == 401
    answer = httpx.post(f"{till.product.url}/v1/billing/top_ups", json={"amount": "5.00"})
    assert answer.status_code in (401, 422)


def test_afterwards_the_books_agree(till: Till) -> None:
    """With the product's own commands, and with the test provider's books."""
    till.agrees()
