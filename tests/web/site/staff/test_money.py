"""What staff does: price lists, re-ratings by two people, corrections once, queues, charts."""

from __future__ import annotations

import csv
import io
import re

import httpx
from sqlalchemy import func, select

from billing.deck_import import write_rates
from billing.deck_models import CdrRating, RateDeck, UnratedCall
from billing.ledger_models import LedgerEntry, LedgerTransaction
from billing.trial_balance import mismatches
from tests.support.call_house import rates
from tests.web.site.conftest import token_of
from tests.web.site.staff.conftest import Desk
from web.site.staff.plots import bars, ceiling, steps

TERMS = {"name": "Standard", "currency": "EUR", "cost_decimals": "4", "rounding": "HALF_UP"}


def upload(desk: Desk, content: bytes, **more: str) -> httpx.Response:
    fields = {**TERMS, "valid_from": "2026-10-01T00:00", **more}
    fields["csrf_token"] = token_of(desk.ada, "/account")
    return desk.ada.post("/staff/rates/new", data=fields, files={"file": ("new.csv", content, "text/csv")})


def cheaper(desk: Desk, *, begin: str = "2026-10-01T00:00") -> int:
    """A new version with French numbers at 0.04 is in force; its id."""
    listed = write_rates(rates(40_000), currency="EUR") + "tollfree,49,,,,EUR,0,0.01,60,60,,,0,Germany\r\n"
    path = upload(desk, listed.encode()).headers["location"].partition("?")[0]
    assert desk.post(f"{path}/activate", {"valid_from": begin}).status_code == 303
    return int(path.rpartition("/")[2])


def count(desk: Desk, model: type) -> int:
    with desk.services.readers() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def balanced(desk: Desk) -> bool:
    with desk.services.readers() as session:
        return mismatches(session) == []


def test_a_bad_file_is_told_line_by_line(desk: Desk) -> None:
    bad = "number_class,called_prefix,per_minute,first_s,next_s\ntollfree,33,abc,60,60\nx,<b>,0.05,60,60\n"
    answer = upload(desk, bad.encode())
    assert answer.status_code == 422
    rows = re.findall(r'<tr><td class="num"[^>]*>(\d+)</td><td class="mono"[^>]*>(\w+)</td>', answer.text)
    assert rows == [("2", "per_minute"), ("3", "called_prefix"), ("3", "number_class")]
    assert "abc" in answer.text
    assert "is no amount. Write digits with a point" in answer.text
    assert "<b>" not in answer.text.partition("</table>")[0].partition("<tbody>")[2]
    assert "&lt;b&gt;" in answer.text
    assert 'value="Standard"' in answer.text
    assert count(desk, RateDeck) == 1
    for fields in ({"name": ""}, {"currency": "XX"}, {"valid_from": "x"}, {"valid_from": ""},
                   {"valid_to": "2020-01-01T00:00"}, {"cost_decimals": "9"}, {"rounding": "x"}):  # fmt: skip
        assert 'aria-invalid="true"' in upload(desk, b"x", **fields).text or fields == {"rounding": "x"}
        assert upload(desk, b"x", **fields).status_code == 422
    assert upload(desk, b"").status_code == 422
    assert upload(desk, b"PK\x03\x04").status_code == 422
    assert upload(desk, b"a" * 3_000_000).status_code == 413


def test_a_price_list_from_file_to_force_and_out(desk: Desk) -> None:
    number = cheaper(desk, begin="2026-11-01T00:00")
    with desk.services.readers() as session:
        new, old = session.get_one(RateDeck, number), session.get_one(RateDeck, desk.house.deck)
        assert (new.version, new.state, old.state) == (2, "active", "active")
        assert f"{new.valid_from:%Y-%m-%dT%H:%M}" == "2026-10-31T23:00"  # midnight in Paris
        assert old.valid_to == new.valid_from
        assert new.activated_by is not None
    exported = desk.get(f"/staff/rates/{number}/export.csv")
    assert len(list(csv.DictReader(io.StringIO(exported.text)))) == 5
    assert desk.post(f"/staff/rates/{number}/activate", {"valid_from": "2026-11-01T00:00"}).status_code == 409
    assert desk.post(f"/staff/rates/{number}/activate", {"valid_from": "x"}).status_code == 409
    assert desk.post(f"/staff/rates/{number}/delete").status_code == 409
    assert desk.post(f"/staff/rates/{number}/retire").status_code == 303
    assert desk.post(f"/staff/rates/{number}/retire").status_code == 409
    draft = upload(desk, exported.content).headers["location"].partition("?")[0]
    assert desk.post(f"{draft}/delete").status_code == 303
    assert desk.get(draft).status_code == 404
    assert "staff_no_sample" in desk.post("/staff/rates/sample").headers["location"]


def test_waiting_calls_are_rated_after_the_missing_rate_came(desk: Desk) -> None:
    before = count(desk, UnratedCall)
    assert before
    assert "staff_rated_none" in desk.post("/staff/queues/unrated/rate").headers["location"]
    cheaper(desk)
    assert "staff_rated_again" in desk.post("/staff/queues/unrated/rate").headers["location"]
    assert count(desk, UnratedCall) == 0
    assert "Every call has its price" in desk.get("/staff/queues/unrated").text


def test_rating_again_takes_two_people(desk: Desk) -> None:
    cheaper(desk)
    fields = {"from": "2026-10-01T00:00", "until": "2026-11-24T00:00"}
    shown = desk.get("/staff/reratings/new?from=2026-10-01T00:00&until=2026-11-24T00:00")
    assert "Ask for this change" in shown.text
    versions = count(desk, CdrRating)
    assert desk.post("/staff/reratings/new", fields).status_code == 422
    assert desk.post("/staff/reratings/new", {"reason": "x"}).status_code == 422
    path = desk.post("/staff/reratings/new", {**fields, "reason": "0.05 was a slip"}).headers["location"]
    path = path.partition("?")[0]
    assert count(desk, CdrRating) == versions
    own = desk.post(f"{path}/approve")
    assert own.status_code == 409
    assert "somebody else has to decide" in own.text
    assert "/approve" not in desk.get(path).text
    assert "/approve" in desk.bo.get(path).text
    assert desk.post(f"{path}/reject", who=desk.bo).status_code == 409  # without a note
    assert desk.post(f"{path}/approve", {"note": "seen"}, who=desk.bo).status_code == 303
    assert count(desk, CdrRating) > versions
    assert balanced(desk)
    assert desk.post(f"{path}/approve", who=desk.bo).status_code == 409
    assert "0.05 was a slip" in desk.get(path).text
    for junk in ("sessions=x", "from=x&until=x", "from=2026-01-01", "sessions=1&account=nobody"):
        assert desk.get(f"/staff/reratings/new?{junk}").status_code == 422, junk


def test_a_reversal_is_the_mirror_and_happens_once(desk: Desk) -> None:
    with desk.services.readers() as session:
        usage = LedgerTransaction.type == "usage"
        number = session.scalar(select(func.max(LedgerTransaction.id)).where(usage))
    path = f"/staff/transactions/{number}/reverse"
    assert "This will be posted" in desk.get(path).text
    assert desk.post(path).status_code == 422
    made = desk.post(path, {"reason": "wrong customer"}).headers["location"].partition("?")[0]
    assert desk.post(path, {"reason": "wrong customer"}).headers["location"].startswith(made)
    mirror = int(made.rpartition("/")[2])
    with desk.services.readers() as session:
        both = [
            {row.ledger_account_id: row.amount for row in session.scalars(
                select(LedgerEntry).where(LedgerEntry.transaction_id == one))}
            for one in (number, mirror)
        ]  # fmt: skip
        assert both[1] == {account: -amount for account, amount in both[0].items()}
        assert session.get_one(LedgerTransaction, mirror).reason == "wrong customer"
    assert desk.post(f"{made}/reverse", {"reason": "x"}).status_code == 422
    assert desk.get(path).status_code == 303
    assert balanced(desk)


def test_goodwill_is_shown_first_and_given_once(desk: Desk) -> None:
    path, before = f"/staff/accounts/{desk.house.accounts[0]}/goodwill", count(desk, LedgerTransaction)
    for amount in ("", "x", "0", "-5", "0.001", "1e30", "nan"):
        assert desk.post(path, {"amount": amount, "reason": "sorry"}).status_code == 422
    shown = desk.post(path, {"amount": "5.00", "reason": "sorry <b>"}).text
    assert "€5.00" in shown
    assert "sorry &lt;b&gt;" in shown
    assert count(desk, LedgerTransaction) == before
    found = re.search(r'name="key" value="([^"]+)"', shown)
    assert found is not None
    sure = {"amount": "5.00", "reason": "sorry", "sure": "1", "key": found[1]}
    first, again = desk.post(path, sure), desk.post(path, sure)
    assert first.headers["location"] == again.headers["location"]
    assert count(desk, LedgerTransaction) == before + 1
    assert desk.post(path, {**sure, "amount": "6.00"}).status_code == 422
    assert balanced(desk)
    assert "Every transaction sums to zero" in desk.get("/staff/books/trial-balance").text


def test_the_reconciliation_runs_on_demand(desk: Desk) -> None:
    assert "Not run yet" in desk.get("/staff/queues/reconciliation").text
    result = desk.post("/staff/queues/reconciliation")
    assert result.status_code == 200
    waiting = count(desk, UnratedCall)
    assert result.text.count("A call has no price") == waiting


def test_charts_say_the_same_as_their_tables(desk: Desk) -> None:
    page = desk.get("/staff/charts?from=2026-10-24&to=2026-11-23").text
    assert page.count("<svg class=\"chart\"") == 4
    assert page.count("<title>") >= 31
    with desk.services.readers() as session:
        cost = session.scalar(select(func.sum(CdrRating.cost_u)).where(CdrRating.superseded_by.is_(None)))
    assert cost
    for junk in ("from=x", "from=2026-01-01", "from=2026-11-30&to=2026-11-01", "account=nobody"):
        assert desk.get(f"/staff/charts?{junk}").status_code == 422, junk


def test_geometry_of_charts() -> None:
    assert [ceiling(value) for value in (0, 0.3, 1, 7, 53, 1000, 1001)] == [1, 0.4, 1, 8, 60, 1000, 2000]
    plot = bars([0, 5, 10], ["a", "b", "c"], ["", "", ""], ["0", "5", "10"], 10)
    heights = [bar.height for bar in plot.bars]
    assert heights[0] == 0
    assert heights[1] * 2 == heights[2]
    assert all(bar.y + bar.height == plot.bottom for bar in plot.bars)
    assert steps([], [], ["0"], 1).line == ""
