"""Tables and their files say the same; sums are sums; each cost is explained in both languages."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest

from billing.explain import SENTENCES as KEYS
from tests.support.billing_house import NOW
from tests.web.site.billing.conftest import Reader, Rooms
from web.site import i18n
from web.site.billing.csv_file import Plain, cell
from web.site.billing.explained import SENTENCES
from web.site.billing.shown import Shown

ROW = re.compile(r'class="what" href="/billing/transactions/(\d+)"')


def rows_of(reader: Reader, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reader.text(path))))


@pytest.mark.parametrize(
    "query", ["", "to=2026-11-21", "sort=amount", "sort=amount&order=asc", "order=asc", "kind=usage",
              "from=2026-11-01", "from=2026-10-01&to=2026-10-20",
              "kind=usage&from=2026-11-20&to=2026-11-21&sort=amount"],
)  # fmt: skip
def test_the_file_has_the_rows_of_the_screen_in_their_order(query: str, rooms: Rooms) -> None:
    page = rooms.ann.text(f"/billing/transactions?{query}")
    rows = rows_of(rooms.ann, f"/billing/transactions/export.csv?{query}")
    lines, totals = rows[:-1], rows[-1]
    assert [row["id"] for row in lines] == ROW.findall(page)
    assert lines
    for name in ("balance_change", "owed_change", "amount"):
        assert sum(Decimal(row[name]) for row in lines) == Decimal(totals[name])
    amounts = [Decimal(row["amount"]) for row in lines]
    ordered = amounts if "sort=amount" in query else [row["time_utc"] for row in lines]
    assert ordered == sorted(ordered, reverse="order=asc" not in query)
    shown = Shown(language="en", zone="UTC")
    assert totals["currency"] == "EUR"
    foot = page.partition("<tfoot>")[2]
    whole = Decimal(totals["amount"])
    assert shown.amount(abs(whole), "EUR") in foot
    for row in lines:
        assert row["time_utc"].endswith("Z")
        assert row["time_zone"] == "Europe/Paris"
        assert row["time_local"][-6:] in ("+01:00", "+02:00")


def test_all_pages_are_in_the_file(rooms: Rooms) -> None:
    for number in range(30):
        rooms.house.top_up(rooms.ann.person, 500 + number)
    pages = [rooms.ann.text(f"/billing/transactions?sort=amount&page={page}") for page in (1, 2, 3)]
    seen = [one for page in pages for one in ROW.findall(page)]
    rows = rows_of(rooms.ann, "/billing/transactions/export.csv?sort=amount")
    assert seen == [row["id"] for row in rows[:-1]]
    assert len(seen) > 30
    first = [re.sub(r"\s+", " ", page.partition("<tfoot>")[2].partition("</tfoot>")[0]) for page in pages[:2]]
    assert first[0] == first[1]


def test_the_details_of_a_charge_add_up(rooms: Rooms) -> None:
    page = rooms.ann.text(f"/billing/transactions/{rooms.charge}")
    rows = rows_of(rooms.ann, f"/billing/transactions/{rooms.charge}/calls.csv")
    lines, total = rows[:-1], rows[-1]
    assert len(lines) == 14
    for name in ("connected_seconds", "billed_seconds", "cost"):
        assert sum(Decimal(row[name]) for row in lines) == Decimal(total[name]), name
    shown = Shown(language="en", zone="UTC")
    assert shown.cost(Decimal(total["cost"]) * 1_000_000, "EUR") in page
    assert "Card payment of a charge" in page
    assert "Not paid yet" not in page
    assert "Value-added tax, France" in page
    calls = rooms.ann.text(f"/billing/transactions/{rooms.charge}/calls?sort=cost&order=desc")
    dearest = rows_of(rooms.ann, f"/billing/transactions/{rooms.charge}/calls.csv?sort=cost&order=desc")
    assert re.findall(r"/billing/calls/([\w-]+)", calls) == [row["call_id"] for row in dearest[:-1]]
    costs = [Decimal(row["cost"]) for row in dearest[:-1]]
    assert costs == sorted(costs, reverse=True)
    number = dearest[0]["called"]
    some = rows_of(rooms.ann, f"/billing/transactions/{rooms.charge}/calls.csv?number={quote(number)}")
    assert {row["called"] for row in some[:-1]} == {number}
    assert all("*" in row["caller"] or not row["caller"] for row in lines)


def test_a_top_up_has_no_calls(rooms: Rooms) -> None:
    top_up = rows_of(rooms.ann, "/billing/transactions/export.csv?kind=top_up")[0]["id"]
    assert "Balance" in rooms.ann.text(f"/billing/transactions/{top_up}")
    assert rooms.ann.get(f"/billing/transactions/{top_up}/calls").status_code == 404


def test_every_step_of_an_explanation_is_translated() -> None:
    assert set(SENTENCES) == set(KEYS)
    french = i18n.texts("fr")
    for key, text in SENTENCES.items():
        assert french.gettext(text) != text, key
        assert set(re.findall(r"%\((\w+)\)s", text)) <= set(re.findall(r"\{(\w+)\}", KEYS[key])), key


def test_a_cost_and_its_correction_explained(rooms: Rooms) -> None:
    session_id = rooms.ann.person.sessions[-1]
    before = rooms.ann.text(f"/billing/calls/{rooms.call}")
    assert "Price list “Standard 2026”, version 1." in before
    rooms.house.correct(session_id)
    after = rooms.ann.text(f"/billing/calls/{rooms.call}?lang=fr")
    assert "version\u202f2" in after or "version 2." in after
    assert "Prices were lowered" in after
    assert "remplacé" in after
    old = rooms.ann.text(f"/billing/transactions/{rooms.charge}?lang=en")
    assert "taken back by a correction" in old
    assert rooms.house.charge_of(session_id) != rooms.charge


def test_a_statement_adds_up_and_stays(rooms: Rooms) -> None:
    path = "/billing/statement.csv?from=2026-10-01&to=2026-11-21"
    first = rooms.ann.text(path)
    rows = list(csv.DictReader(io.StringIO(first)))
    assert (rows[0]["id"], rows[-1]["id"]) == ("opening", "closing")
    moved = sum(Decimal(row["balance_change"]) for row in rows[1:-1])
    assert Decimal(rows[0]["balance"]) + moved == Decimal(rows[-1]["balance"]) == Decimal(rows[-2]["balance"])
    rooms.house.session(rooms.ann.person, at=NOW - timedelta(days=2, hours=5), calls=2)
    assert rooms.ann.text(path) == first
    for query in ("from=2026-11-20&to=2026-11-01", "to=2027-01-01"):
        assert rooms.ann.get(f"/billing/statement?{query}").status_code == 422
        assert rooms.ann.get(f"/billing/statement.csv?{query}").status_code == 404
    assert rooms.ann.get("/billing/statement?from=x&to=%00").status_code == 200


def test_an_invoice_is_the_same_file_each_time(rooms: Rooms) -> None:
    path = f"/billing/invoices/{rooms.invoice}.pdf"
    first, again = rooms.ann.get(path), rooms.ann.get(path)
    assert first.content.startswith(b"%PDF")
    assert first.content == again.content
    page = rooms.ann.text("/billing/invoices")
    assert rooms.invoice in page
    assert "31 Oct 2026" in page


def test_cells_are_no_formulas() -> None:
    assert cell("=1+1") == "'=1+1"
    assert cell("@x") == "'@x"
    assert cell(Plain("-3.00")) == "-3.00"
    assert (cell(None), cell(3), cell(True)) == ("", "3", "true")


def test_the_balance_and_the_month_as_bars(rooms: Rooms) -> None:
    page = rooms.ann.text("/billing")
    bars = re.findall(r'<rect class="bar"[^>]* height="([\d.]+)"', page)
    assert len(bars) == 60
    assert sum(float(height) > 0 for height in bars) == 2
    assert page.count("<title>") == 61
    assert rooms.bob.text("/billing").count("could not be charged") == 1
