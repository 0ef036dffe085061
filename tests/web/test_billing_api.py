"""Billing over HTTP: what an organiser's program sees, and that it sees nobody else's money."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import deck_shelf, ledger
from billing.deck_shelf import DeckShelf
from billing.decks import DeckTerms, Rate
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import taxes
from billing.money import Money
from billing.payments import charges
from billing.payments.test_gateway.hooks import sign
from billing.rating_book import RatingBook
from billing.usage import UsageBook
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import NumberClass
from tests.billing.payments.scene import SECRET, Scene, open_scene
from tests.bridge.cdr.support import T0, at, ended
from web import billing_api, errors, payment_hooks
from web.billing_parts import BillingParts
from web.middleware import JsonSuffix

SELLER = SellerDetails(name="S", address=("A",), country="FR", vat_number="FR40303265045")


@dataclass
class Desk:
    """The application and who calls it; `mine` and `theirs` are transactions of usage."""

    app: FastAPI
    scene: Scene
    api: TestClient
    other: TestClient
    anonymous: TestClient
    mine: int = 0
    theirs: int = 0


def a_call(number: int, account_id: int, *, session: str = "1") -> dict[str, Any]:
    facts = ended(
        id=f"00000000-0000-7000-8000-{number:012d}", account_id=account_id, session_id=session,
        number_class=NumberClass.TOLLFREE, end_at=at(62),
    )  # fmt: skip
    return row_of(facts) | {"ingest_at": T0}


@pytest.fixture
def desk(sessions: sessionmaker[Session]) -> Iterator[Desk]:
    with open_scene(sessions) as scene:
        with sessions.begin() as session:
            one = create_account(session, email="one@example.org", now=scene.now)
            two = create_account(session, email="two@example.org", now=scene.now)
            first, second = one.account.id, two.account.id
            deck = deck_shelf.add_draft(
                session,
                DeckTerms(name="x", currency="EUR", valid_from=T0 - timedelta(days=400)),
                [Rate(
                    number_class="tollfree", called_prefix="33", per_minute_u=50_000, first_s=60, next_s=60
                )],
                source="t", by="t", now=T0,
            )  # fmt: skip
            deck_shelf.activate(session, deck.id, by="t", now=T0)
            session.execute(insert(Cdr), [a_call(1, first), a_call(2, first), a_call(3, second, session="2")])
        calls = CdrCalls()
        book = RatingBook(calls, currency_of=lambda _session, _account: "EUR")
        usage = UsageBook(taxes=taxes(SELLER), shortfalls=charges.request_charge)
        desk_ids = []
        with sessions.begin() as session:
            book.rate_new(session, since=T0 - timedelta(days=1), now=scene.now)
            for number in (1, 2):
                (charged,) = usage.charge(session, str(number), at=scene.now, occurred_at=at(62))
                desk_ids.append(charged.transaction_id)
        parts = BillingParts(
            cashier=scene.cashier, hooks=scene.desk, decks=DeckShelf(), calls=calls, seller=SELLER
        )
        app = FastAPI()
        app.state.services = SimpleNamespace(
            sessions=sessions, readers=sessions, billing=parts, now=lambda: scene.now
        )
        app.include_router(billing_api.router)
        app.include_router(payment_hooks.router)
        errors.install(app)
        app.add_middleware(JsonSuffix)

        def client(key: str | None) -> TestClient:
            headers = {"X-Api-Key": key} if key else {}
            return TestClient(app, headers=headers, raise_server_exceptions=False)

        with client(one.api_key) as api, client(two.api_key) as other, client(None) as anonymous:
            yield Desk(app, scene, api, other, anonymous, desk_ids[0], desk_ids[1])


def top_up(client: TestClient, key: str = "k1", **body: Any) -> Any:
    return client.post(
        "/v1/billing/top_ups", json={"amount": "25.00", **body}, headers={"Idempotency-Key": key}
    )


NOBODY_READS_WITHOUT_A_KEY: list[Any] = [
        "balance", "transactions", "transactions/1", "top_ups", "top_ups/x", "cdr", "cdr.csv",
        "cdr/x/explanation", "estimate?participants=1&minutes=1&location=FR",
    ]  # fmt: skip


def test_nobody_reads_without_a_key(desk: Desk) -> None:
    for path in NOBODY_READS_WITHOUT_A_KEY:
        assert desk.anonymous.get(f"/v1/billing/{path}").status_code == 401, path


def test_where_billing_is_not_set_up_there_is_nothing(desk: Desk) -> None:
    desk.app.state.services.billing = None
    assert desk.api.get("/v1/billing/balance").status_code == 404
    assert desk.api.post("/hooks/payments/test", content=b"{}").status_code == 404


def test_the_balance(desk: Desk) -> None:
    assert desk.api.get("/v1/billing/balance.json").json() == {
        "currency": "EUR", "posted": "0.00", "held": "0.00", "available": "0.00", "receivable": "0.24",
    }  # fmt: skip


def test_transactions_and_their_details(desk: Desk) -> None:
    found = desk.api.get("/v1/billing/transactions").json()
    assert found["total"] == 1
    assert found["transactions"][0]["id"] == desk.mine
    detail = desk.api.get(f"/v1/billing/transactions/{desk.mine}").json()
    assert detail["amount"] == {"amount": "-0.24", "currency": "EUR"}
    usage = detail["usage"]
    assert (usage["net"]["amount"], usage["vat"]["amount"], usage["total"]["amount"]) == (
        "0.20",
        "0.04",
        "0.24",
    )
    assert [number["calls"] for number in usage["numbers"]] == [2]
    assert len(usage["lines"]) == 2
    assert usage["wallet_part"]["amount"] == "0.00"
    assert sum(float(entry["debit"]["amount"]) for entry in detail["entries"]) == 0.24


def test_another_accounts_transaction_is_not_there(desk: Desk) -> None:
    assert desk.other.get(f"/v1/billing/transactions/{desk.theirs}").status_code == 200
    for text in (str(desk.theirs), "0", "-1", "x", "9" * 30, "1.5"):
        assert desk.api.get(f"/v1/billing/transactions/{text}").status_code == 404


FILTERS_OF_TRANSACTIONS: list[Any] = [
        ("type=top_up", 200),
        ("type=nonsense", 422),
        ("since=2026-01-01T00:00:00Z", 200),
        ("since=2026-01-01T00:00:00", 422),
        ("until=yesterday", 422),
        ("page=0", 422),
        ("page=1000000", 200),
    ]  # fmt: skip


def test_filters_of_transactions(desk: Desk) -> None:
    for query, status in FILTERS_OF_TRANSACTIONS:
        assert desk.api.get(f"/v1/billing/transactions?{query}").status_code == status, query


def test_a_top_up_from_asking_to_the_balance(desk: Desk) -> None:
    answer = top_up(desk.api)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["state"], made["amount"], made["currency"], made["provider"]) == (
        "redirected", "25.00", "EUR", "test",
    )  # fmt: skip
    desk.scene.payer.post(made["url"], data={"outcome": "pay"})
    for hook in desk.scene.books.due_hooks(desk.scene.now.timestamp()):
        body = hook.body.encode()
        signature = sign(SECRET, body, now_s=desk.scene.now.timestamp())
        for _ in range(2):
            sent = desk.anonymous.post(
                "/hooks/payments/test", content=body, headers={"Test-Signature": signature}
            )
            assert sent.status_code == 200
    read = desk.api.get(f"/v1/billing/top_ups/{made['id']}").json()
    assert (read["state"], read["url"]) == ("paid", None)
    assert desk.api.get("/v1/billing/balance").json()["posted"] == "24.76"
    assert desk.api.get("/v1/billing/balance").json()["receivable"] == "0.00"
    assert [row["id"] for row in desk.api.get("/v1/billing/top_ups").json()] == [made["id"]]
    assert desk.other.get(f"/v1/billing/top_ups/{made['id']}").status_code == 404
    assert desk.other.get("/v1/billing/top_ups").json() == []


def test_the_same_key_is_the_same_top_up(desk: Desk) -> None:
    first, again = top_up(desk.api).json(), top_up(desk.api).json()
    assert first == again
    assert top_up(desk.api, amount="26.00").status_code == 409
    assert top_up(desk.other).json()["id"] != first["id"]
    assert top_up(desk.api, key="k2").json()["id"] != first["id"]


TOP_UPS_THAT_CANNOT_BE: list[Any] = [
        ({"amount": None}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": "abc"}, "amount"),
        ({"amount": 25.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": []}, "amount"),
        ({"amount": "-25"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "1e99"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "25.001"}, "amount"),
        ({"amount": "4.99"}, "amount"),
        ({"amount": "99999999999"}, "amount"),
        ({"currency": "USD"}, "amount"),
        ({"currency": "???"}, "amount"),
        ({"surprise": 1}, "surprise"),
    ]  # fmt: skip


def test_top_ups_that_cannot_be(desk: Desk) -> None:
    for body, field in TOP_UPS_THAT_CANNOT_BE:
        answer = top_up(desk.api, **body)
        assert answer.status_code == 422, body
        assert [error["name"] for error in answer.json()["errors"]] == [field], body


def test_keys_and_providers_of_top_ups(desk: Desk) -> None:
    assert desk.api.post("/v1/billing/top_ups", json={"amount": "25"}).status_code == 422
    assert top_up(desk.api, key="x" * 201).status_code == 422
    assert top_up(desk.api, provider="bitcoin").status_code == 409
    desk.scene.cashier._gateways["test"] = type(desk.scene.gateway)(
        base_url="http://127.0.0.1:9", api_key="x", hook_secret="y"
    )
    answer = top_up(desk.api, key="k9")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_an_estimate_with_its_assumptions(desk: Desk) -> None:
    found = desk.api.get("/v1/billing/estimate?participants=10&minutes=60&location=fr").json()
    assert found["net"] == {"amount": "30.00", "currency": "EUR"}
    assert found["total"] == {"amount": "36.00", "currency": "EUR"}
    assert (found["callers"], found["location"], found["tax_rate"]) == (10, "FR", "1/5")


ESTIMATES_THAT_CANNOT_BE: list[Any] = [
        "participants=0&minutes=60&location=FR",
        "participants=-5&minutes=60&location=FR",
        "participants=1000000&minutes=60&location=FR",
        "participants=x&minutes=60&location=FR",
        "participants=10&minutes=0&location=FR",
        "participants=10&minutes=60&location=XX",
        "participants=10&minutes=60&location=FR&phone_share=2",
        "participants=10&minutes=60&location=FR&phone_share=NaN",
        "participants=10&minutes=60&location=FR&phone_share=Infinity",
        "participants=10&minutes=60&location=FR&phone_share=x",
        "participants=10&minutes=60",
    ]  # fmt: skip


def test_estimates_that_cannot_be(desk: Desk) -> None:
    for query in ESTIMATES_THAT_CANNOT_BE:
        assert desk.api.get(f"/v1/billing/estimate?{query}").status_code == 422, query


def test_call_records_with_costs_as_json_and_csv(desk: Desk) -> None:
    found = desk.api.get("/v1/billing/cdr").json()
    assert [(record["cost"], record["billed_sec"]) for record in found["records"]] == [("0.1", 120)] * 2
    assert found["records"][0]["caller_e164"] == "+331******89"
    page = desk.api.get("/v1/billing/cdr?limit=1").json()
    rest = desk.api.get(f"/v1/billing/cdr?limit=1&after={page['next']}").json()
    assert [*page["records"], *rest["records"]] == found["records"]
    answer = desk.api.get("/v1/billing/cdr.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [record["id"] for record in found["records"]]
    assert rows[0]["cost"] == "0.1"
    assert "33123456789" not in answer.text


SEARCHES_THAT_CANNOT_BE = [
    "limit=0", "limit=5000", "after=x", "since=2026-01-01T00:00", "called=abc", "called=12", "sort=name",
    "q850=999", "event_id=-1", "mos_below=x",
]  # fmt: skip


def test_searches_that_cannot_be(desk: Desk) -> None:
    for query in SEARCHES_THAT_CANNOT_BE:
        assert desk.api.get(f"/v1/billing/cdr?{query}").status_code == 422, query


def test_searches_stay_within_the_account(desk: Desk) -> None:
    assert len(desk.api.get("/v1/billing/cdr?called=%2B33184886300").json()["records"]) == 2
    assert desk.api.get("/v1/billing/cdr?session_id=2").json()["records"] == []
    assert len(desk.other.get("/v1/billing/cdr").json()["records"]) == 1


def test_explain_this_cost(desk: Desk) -> None:
    ids = [record["id"] for record in desk.api.get("/v1/billing/cdr").json()["records"]]
    found = desk.api.get(f"/v1/billing/cdr/{ids[0]}/explanation").json()
    assert (found["state"], found["price"]["billed_sec"]) == ("rated", 120)
    assert found["steps"]
    assert desk.other.get(f"/v1/billing/cdr/{ids[0]}/explanation").status_code == 404
    assert desk.api.get("/v1/billing/cdr/nothing/explanation").status_code == 404


def test_web_hooks_with_a_wrong_signature_leave_only_a_counter(desk: Desk) -> None:
    for headers in ({}, {"Test-Signature": "t=1,v1=00"}, {"Test-Signature": "rubbish"}):
        answer = desk.anonymous.post("/hooks/payments/test", content=b"{}", headers=headers)
        assert answer.status_code == 400
    assert desk.scene.desk.counts["test", "bad-signature"] == 3
    assert desk.anonymous.post("/hooks/payments/stripe", content=b"{}").status_code == 404
    assert desk.anonymous.post("/hooks/payments/test", content=b"x" * 300_000).status_code == 413
    body = b"[]"
    signature = sign(SECRET, body, now_s=desk.scene.now.timestamp())
    answer = desk.anonymous.post("/hooks/payments/test", content=body, headers={"Test-Signature": signature})
    assert answer.status_code == 400
    with desk.scene.sessions.begin() as session:
        assert ledger.balance(session, 2, "EUR").posted == Money.zero("EUR")
