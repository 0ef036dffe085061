"""Tickets over HTTP at a whole product, with the test provider: one for each payment, and true books."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any

import httpx
import pytest

from billing.payments.test_gateway.hooks import HEADER, sign
from tests.support.till import Till

pytestmark = pytest.mark.acceptance


class Buyer:
    """Somebody with a browser without scripts."""

    def __init__(self, till: Till, url: str) -> None:
        self.till, self.url = till, url
        self.web = httpx.Client(base_url=till.product.url, follow_redirects=True)
        self.email = f"{secrets.token_hex(4)}@example.org"

    def order(self) -> tuple[str, str]:
        """Fill in the form; our page of the ticket, and the provider's."""
        form = self.web.get(f"/{self.url}/ticket")
        fields = dict(re.findall(r'name="(csrf_token|key|price)" value="([^"]*)"', form.text))
        fields |= {"first_name": "Zoé", "last_name": "Martin", "email": self.email}
        answer = self.web.post(f"/{self.url}/ticket", data=fields)
        assert answer.status_code == 200, answer.text
        pay = re.search(r'0; url=([^"]+)"', answer.text)
        assert pay is not None
        return str(answer.url).removesuffix("/go"), pay[1]

    def pay(self, page: str, **how: str) -> httpx.Response:
        return httpx.post(page, data={"outcome": "pay", "card": "good", "hooks": "once", **how})

    def state(self, page: str) -> str:
        return str(self.web.get(f"{page}/state").json()["state"])


def paid_room(till: Till, **ticket: Any) -> tuple[str, str]:
    answer = till.product.send(
        "POST",
        "/v1/conferences",
        {
            "name": f"Paid {secrets.token_hex(4)}",
            "permanent_room": 1,
            "access_type": 4,
            "ticket": {"price": "20.00", "currency": "EUR", **ticket},
        },
    )
    assert answer.status_code == 201, answer.text
    room = answer.json()["room"]
    return str(room["id"]), room["name_url"]


def sold(till: Till, room: str) -> list[dict[str, Any]]:
    return list(till.product.get(f"/v1/conferences/{room}/tickets")["tickets"])


@pytest.mark.parametrize(
    "ticket",
    [
        None, {}, {"price": "0"}, {"price": -1}, {"price": "1000.01"}, {"price": 1e9}, {"price": "text"},
        {"price": "5", "currency": "EURO"}, {"price": "7.5", "currency": "JPY"}, {"price": ["5"]}, "5", [1],
        {"price": "5", "capacity": -1}, {"price": "5", "capacity": "x"}, {"price": "NaN"},
    ],
)  # fmt: skip
def test_prices_that_cannot_be(till: Till, ticket: object) -> None:
    wishes = {"name": "Never", "access_type": 4, "ticket": ticket}
    answer = till.product.send("POST", "/v1/conferences", wishes)
    assert answer.status_code == 422, answer.text
    assert all(error["name"].startswith("ticket") for error in answer.json()["errors"])


def test_the_web_hook_alone_completes_a_ticket(till: Till) -> None:
    room, url = paid_room(till)
    before, wallet = len(sold(till, room)), till.get("balance")["posted"]
    buyer = Buyer(till, url)
    _, page = buyer.order()
    buyer.pay(page, hooks="twice")
    till.product.wait_for(lambda: [t["state"] for t in sold(till, room)] == ["valid"], "the ticket")
    assert before == 0
    assert till.get("balance")["posted"] == wallet, "it is not the organiser's balance"


def test_forged_messages_and_guessed_pages(till: Till) -> None:
    room, url = paid_room(till)
    buyer = Buyer(till, url)
    page, provider = buyer.order()
    event = {
        "id": f"test_event_{secrets.token_hex(4)}",
        "type": "checkout.paid",
        "created": time.time(),
        "data": {"id": provider.rpartition("/")[2], "reference": page.rpartition("/")[2], "state": "paid",
                 "amount": 2000, "currency": "EUR"},
    }  # fmt: skip
    body = json.dumps(event).encode()
    headers = {HEADER: sign("guessed", body, now_s=time.time())}
    forged = httpx.post(f"{till.product.url}/hooks/payments/test", content=body, headers=headers)
    assert forged.status_code == 400
    assert buyer.state(page) == "waiting"
    assert buyer.web.get(page[:-2] + "xx").status_code == 404
    assert [ticket["token"] for ticket in sold(till, room)] == [None]


def test_two_tabs_a_decline_and_a_refund_and_true_books(till: Till) -> None:
    room, url = paid_room(till, capacity=5)
    buyer = Buyer(till, url)
    declined, provider = buyer.order()
    buyer.pay(provider, outcome="decline")
    till.product.wait_for(lambda: buyer.state(declined) == "declined", "word of it")
    (one, pay_one), (two, pay_two) = buyer.order(), buyer.order()
    buyer.pay(pay_one)
    till.product.wait_for(lambda: buyer.state(one) == "paid", "the first ticket")
    buyer.pay(pay_two)
    till.product.wait_for(lambda: buyer.state(two) == "refunded", "the second one's money", within_s=30)
    assert buyer.state(one) == "paid"
    valid = next(ticket for ticket in sold(till, room) if ticket["state"] == "valid")
    path = f"/v1/conferences/{room}/tickets/{valid['id']}"
    assert till.product.send("POST", f"{path}/mail").status_code == 200
    assert till.product.send("POST", f"{path}/refund", {"reason": ""}).status_code == 422
    answer = till.product.send("POST", f"{path}/refund", {"reason": "You are ill."})
    assert answer.json()["ticket"]["state"] in ("refunding", "refunded")
    till.product.wait_for(lambda: buyer.state(one) == "refunded", "the first one's money", within_s=30)
    assert till.product.send("POST", f"{path}/refund", {"reason": "Again."}).status_code == 409
    assert till.product.send("POST", f"{path}/mail").status_code == 409
    till.agrees()
