"""Searching calls: what is found, in which order; the file is the screen; whole numbers leave a trace."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from structlog.testing import capture_logs

from billing.deck_models import CdrRating
from bridge.cdr.models import Cdr
from tests.web.site.staff.conftest import Desk
from web.site.staff.search_form import parse

_LINK = re.compile(r'href="/staff/calls/([0-9a-f-]{36})"')
_NEXT = re.compile(r'rel="next" href="(/staff/calls\?[^"]+)"')
_PREVIOUS = re.compile(r'rel="prev" href="(/staff/calls\?[^"]+)"')
PARIS = ZoneInfo("Europe/Paris")


def on_page(text: str) -> list[str]:
    return _LINK.findall(text)


def in_file(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def everything(desk: Desk) -> list[Cdr]:
    with desk.services.readers() as session:
        return list(session.scalars(select(Cdr)))


SEARCHES = [
    "", "sort=cost&dir=asc", "sort=mos", "sort=duration", "suspicious=1", "price=unrated", "price=rated",
    "class=tollfree&cost_from=0.05", "number=%2B331&side=caller", "account=1", "number=8001",
    "from=2026-11-10&until=2026-11-20", "end=media_timeout&q850=102", "channel=twilio&billable=yes",
]  # fmt: skip
FAULTS = [
    "number=abc", "number=12", "account=nobody", "event=x", "event=99999999999", "session=%C3%A9", "from=x",
    "from=9999-12-31", "from=2026-11-20&until=2026-11-01", "q850=300", "disposition=x", "mos=x", "mos=nan",
    "channel=x", "class=x", "end=x", "cost_from=x", "cost_from=nan", "cost_to=1e99", "cost_to=0.0000001",
    "currency=XXX", "price=x", "billable=x", "after=x", "after=W10",
]  # fmt: skip


def test_the_file_has_the_rows_and_totals_of_the_screen(desk: Desk) -> None:
    for query in SEARCHES:
        compare(desk, query)


def compare(desk: Desk, query: str) -> None:
    seen, path = [], f"/staff/calls?{query}&size=50"
    while True:
        page = desk.get(path)
        assert page.status_code == 200
        seen += on_page(page.text)
        following = _NEXT.search(page.text)
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    rows = in_file(desk.get(f"/staff/calls.csv?{query}&totals=1").text)
    calls = [row for row in rows if row["row"] == "call"]
    assert [row["call_id"] for row in calls] == seen
    totals = {row["currency"]: row for row in rows if row["row"] == "total"}
    cost = sum((Decimal(row["cost"]) for row in calls if row["cost"]), Decimal(0))
    if "EUR" in totals:
        assert Decimal(totals["EUR"]["cost"]) == cost
        assert query.startswith("sort") or not query or f"€{cost:,.6f}".rstrip("0").rstrip(".") in page.text


def test_what_is_found(desk: Desk) -> None:
    calls = everything(desk)

    def found(query: str) -> set[str]:
        return set(on_page(desk.get(f"/staff/calls?size=200&{query}").text))

    assert found("") == {call.id for call in calls}
    one = next(call for call in calls if call.caller_e164)
    assert one.caller_e164 is not None
    assert one.id in found(f"number={one.caller_e164[-6:]}")
    assert found(f"number=%2B33&session={one.session_id}&side=caller") == {
        call.id for call in calls if call.session_id == one.session_id and call.caller_e164
    }
    assert found("account=formation@lumiere.example") == {
        call.id for call in calls if call.account_id == desk.house.accounts[1]
    }
    poor = {call.id for call in calls if (call.mos_cq or 9) < 4}
    assert found(f"event={desk.house.events[0]}&mos=4") <= poor
    assert found("billable=no") == {call.id for call in calls if not call.billable}
    begin, end = "2026-11-15", "2026-11-16"
    assert found(f"from={begin}&until={end}") == {
        call.id for call in calls if begin <= f"{call.setup_at.astimezone(PARIS):%Y-%m-%d}" <= end
    }


def test_pages_forward_and_back(desk: Desk) -> None:
    first = desk.get("/staff/calls?sort=duration").text
    second_link = _NEXT.search(first)
    assert second_link is not None
    second = desk.get(second_link[1].replace("&amp;", "&")).text
    back = _PREVIOUS.search(second)
    assert back is not None
    assert on_page(desk.get(back[1].replace("&amp;", "&")).text) == on_page(first)
    assert not set(on_page(first)) & set(on_page(second))


def test_what_cannot_be_searched_is_said(desk: Desk) -> None:
    for query in FAULTS:
        answer = desk.get(f"/staff/calls?{query}")
        assert answer.status_code == 422, query
        assert 'class="error"' in answer.text or 'role="alert"' in answer.text, query
        if "after" not in query:
            assert desk.get(f"/staff/calls.csv?{query}").status_code == 422, query


def test_an_accountant_reads_the_file(desk: Desk) -> None:
    with desk.services.readers() as session:
        rating = session.scalar(select(CdrRating).where(CdrRating.cost_u > 0))
        assert rating is not None
        call = session.get_one(Cdr, rating.cdr_id)
    answer = desk.get(f"/staff/calls.csv?session={call.session_id}&lang=fr")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    row = next(row for row in in_file(answer.text) if row["call_id"] == call.id)
    assert Decimal(row["cost"]) * 1_000_000 == rating.cost_u
    assert row["currency"] == "EUR"
    assert Decimal(row["connected_seconds"]) * 1000 == call.conn_ms
    assert int(row["billed_seconds"]) == rating.billed_sec
    assert row["setup_utc"].endswith("Z")
    assert row["time_zone"] in ("Europe/London", "Europe/Paris", "Europe/Berlin")
    local = call.setup_at.astimezone(ZoneInfo(row["time_zone"]))
    assert row["setup_local"] == f"{local:%Y-%m-%d %H:%M:%S}"
    assert row["utc_offset"] == f"UTC{local:%z}"[:6] + ":00"
    assert row["caller"] == "" or "*" in row["caller"]
    assert row["price_list"] == "Standard"


def test_whole_numbers_need_a_reason_and_are_logged(desk: Desk) -> None:
    whole = {call.caller_e164 for call in everything(desk) if call.caller_e164}
    assert not any(number in desk.get("/staff/calls?size=200").text for number in whole)
    with capture_logs() as logs:
        refused = desk.post("/staff/calls/unmasked", {"why": " ", "price": "rated"})
    assert refused.status_code == 422
    assert not any(number in refused.text for number in whole)
    assert not [log for log in logs if "unmasked" in log["event"]]
    with capture_logs() as logs:
        given = desk.post("/staff/calls/unmasked", {"why": "court order 7", "class": "tollfree"})
    rows = in_file(given.text)
    assert {row["caller"] for row in rows if row["caller"]} <= whole
    told: list[Any] = [log for log in logs if "unmasked" in log["event"]]
    assert [log["event"] for log in told] == ["staff_unmasked_export", "cdr_unmasked_export"]
    assert told[0]["reason"] == "court order 7"
    assert told[0]["filters"] == {"class": "tollfree"}
    assert told[1]["records"] == len(rows)
    assert told[0]["asked_by"] == told[1]["asked_by"]


def test_one_number_is_shown_on_demand_and_logged(desk: Desk) -> None:
    call = next(call for call in everything(desk) if call.caller_e164)
    assert call.caller_e164 is not None
    path = f"/staff/calls/{call.id}"
    assert call.caller_e164 not in desk.get(path).text
    with capture_logs() as logs:
        assert call.caller_e164 in desk.post(f"{path}/number").text
    events = [log["event"] for log in logs]
    assert "staff_number_shown" in events
    assert "cdr_unmasked_export" in events
    assert call.caller_e164 not in repr(logs)
    assert call.caller_e164 not in desk.get(path).text
    assert desk.get(f"{path}/number").status_code in (404, 405)


def test_a_cost_is_explained(desk: Desk) -> None:
    with desk.services.readers() as session:
        rating = session.scalar(select(CdrRating).where(CdrRating.matched_prefix == "33"))
        assert rating is not None
    text = desk.get(f"/staff/calls/{rating.cdr_id}").text
    assert "First block 60 s" in text
    assert "+33" in text
    assert "the same to the last digit" in text
    assert "first price" in text
    french = desk.get(f"/staff/calls/{rating.cdr_id}?lang=fr").text
    assert "First block" not in french
    assert "Premi" in french


def test_a_session_counts_people_legs_and_minutes_apart(desk: Desk) -> None:
    number = desk.house.sessions[1]
    calls = [call for call in everything(desk) if call.session_id == str(number)]
    text = desk.get(f"/staff/sessions/{number}").text
    people, legs = len({call.participant_id for call in calls}), len(calls)
    assert people < legs
    assert f"<b>{people}</b><span>people by telephone" in text
    assert f"<b>{legs}</b><span>legs" in text
    assert "Rounding" in text
    assert "from the wallet" in text


def test_addresses_never_break_the_form() -> None:
    for junk in ("\x00", "é" * 300, "..", "-1", "1" * 200):
        for name in ("number", "sort", "dir", "size", "after", "trail", "from", "until", "session"):
            parse({name: junk}, zone=PARIS, account_of=lambda _text: None)
