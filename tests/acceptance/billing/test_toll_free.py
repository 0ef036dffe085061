"""From the telephone to the card: toll-free calls, their price, the charge, and what HTTP tells of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from tests.acceptance.billing.conftest import Shop
from tests.faults.scene import until
from tests.support.till import TOLL_FREE

pytestmark = pytest.mark.acceptance


def test_two_calls_are_charged_to_balance_and_card(shop: Callable[..., Shop]) -> None:
    """Two callers of a minute or less at 4.00 a minute, 21 % VAT: 9.68, of which the balance had 5.00."""
    product, scene, till = shop(per_minute="4", exposure=5_000)
    till.top_up("5.00", card="good")
    assert till.get("balance")["available"] == "5.00"

    callers = [scene.caller() for _ in range(2)]
    for caller in callers:
        assert caller.dial(TOLL_FREE).status == 200
        caller.type(f"{product.listener_pin}#")
        caller.inside()
    city = scene.caller()
    city.enter(product.listener_pin)
    for caller in (*callers, city):
        caller.hang_up()
    records = [caller.record() for caller in callers]
    assert {record["number_class"] for record in records} == {"tollfree"}
    till.rated(*records, city.record())
    assert till.kinds() == {"top_up": 1}  # nothing is charged before records of other nodes had time
    until(lambda: product.demo.sessions()[0]["end_date"], "the end of the session")
    till.quarter_of_an_hour_later()

    product.wait_for(lambda: till.kinds()["shortfall"], "the card's payment", within_s=20)
    assert till.kinds() == {"top_up": 1, "usage": 1, "shortfall": 1}
    balance = till.get("balance")
    assert (balance["posted"], balance["held"], balance["receivable"]) == ("0.00", "0.00", "0.00")
    assert [(line["kind"], line["amount"]) for line in till.provider.lines()] == [
        ("payment", 500),
        ("payment", 468),
    ]

    # The transaction tells all of it.
    (usage,) = till.transactions("usage")
    detail = till.get(f"transactions/{usage['id']}")
    use = detail["usage"]
    money = {
        name: Decimal(use[name]["amount"])
        for name in ("net", "vat", "total", "wallet_part", "rest", "card_part")
    }
    assert money == {
        "net": Decimal("8.00"),
        "vat": Decimal("1.68"),
        "total": Decimal("9.68"),
        "wallet_part": Decimal("5.00"),
        "rest": Decimal("4.68"),
        "card_part": Decimal("4.68"),
    }
    assert use["vat_country"] == "NL"
    lines = {line["cdr_id"]: line for line in use["lines"]}
    assert set(lines) >= {record["id"] for record in records}
    numbers = {number["called_e164"]: number for number in use["numbers"]}
    assert numbers[TOLL_FREE]["calls"] == 2
    assert numbers[TOLL_FREE]["billed_sec"] == 120
    assert sum(Decimal(entry["debit"]["amount"]) for entry in detail["entries"]) == Decimal("9.68")
    assert sum(Decimal(entry["credit"]["amount"]) for entry in detail["entries"]) == Decimal("9.68")
    assert [payment["type"] for payment in detail["payments"]] == ["shortfall"]

    # Each call explains itself, and the explanation is of that call.
    for record in records:
        told = till.get(f"cdr/{record['id']}/explanation")
        flat = str(told)
        assert "'billed_sec': 60" in flat
        assert "+33" in flat
        assert lines[record["id"]]["billed_sec"] == 60
        assert lines[record["id"]]["conn_ms"] == record["conn_ms"]

    # One file has the rows and the sum of the list.
    listed = till.get("cdr")["records"]
    rows = list(csv.DictReader(io.StringIO(till.get("cdr.csv"))))
    assert [row["id"] for row in rows] == [record["id"] for record in listed]
    assert sum(Decimal(row["cost"] or 0) for row in rows) == Decimal("8.00")
    assert {row["billed_sec"] for row in rows if row["called_e164"] == TOLL_FREE} == {"60"}

    # Another account sees none of it.
    made = json.loads(product.command("account", "create", "--email", "other@example.org", "--json"))
    stranger = httpx.Client(base_url=product.url, headers={"X-Api-Key": made["api_key"]})
    with stranger:
        assert stranger.get("/v1/billing/balance").json()["posted"] == "0.00"
        assert stranger.get("/v1/billing/transactions").json()["total"] == 0
        assert stranger.get("/v1/billing/cdr").json()["records"] == []
        top_up = till.get("top_ups")[0]["id"]
        for path in (
            f"transactions/{usage['id']}",
            f"cdr/{records[0]['id']}/explanation",
            f"top_ups/{top_up}",
            "transactions/999999999",
            "cdr/rubbish/explanation",
        ):
            assert stranger.get(f"/v1/billing/{path}").status_code == 404, path
        assert len(stranger.get("/v1/billing/cdr.csv").text.splitlines()) == 1
    till.agrees()
