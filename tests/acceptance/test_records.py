"""What is left of a meeting: sessions, call records as JSON and CSV, and no PIN anywhere."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import LONDON, PARIS, Office, until
from tests.phones.ear import Ear
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

WRONG_PIN = "918273645"


def moment(text: str | None) -> datetime:
    """A time of a record: UTC, ISO 8601, milliseconds."""
    assert text is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.fromisoformat(text)


def between_ms(record: dict[str, Any], begin: str, end: str) -> int:
    return round((moment(record[end]) - moment(record[begin])).total_seconds() * 1000)


@pytest.fixture(scope="module")
def meeting(product: Product, ear: Ear) -> Room:
    """Ann presents, Bob hangs up first, Eve types a wrong PIN before the right one, and Ann ends it."""
    with Office(product, ear) as office:
        return meet(product, office)


def meet(product: Product, office: Office) -> Room:
    room = product.new_room("Records")
    ann = office.caller("ann", hz=500, codec="G722")
    bob = office.caller("bob", hz=1130, codec="PCMU", dtmf_pt=None, language="en")
    eve = office.caller("eve", codec="PCMA")
    for each, number in ((ann, PARIS), (bob, LONDON), (eve, PARIS)):
        each.dial(number)
    eve.press(f"{WRONG_PIN}#")
    ann.enter(room, room.presenter_pin)
    bob.enter(room, room.listener_pin)
    eve.hears_prompt(prompt("pin.wrong"))
    eve.enter(room, room.listener_pin)
    ann.press("7")
    office.hush("ann", "bob", "eve")
    office.settle({"ann": "silence", "bob": "ann", "eve": "ann"})
    bob.hang_up()
    until(lambda: len(room.people()) == 2, lambda: "Bob is still there")
    ann.press("9")
    for each in (ann, eve):
        each.hung_up_on()
    return room


def test_every_call_of_a_meeting_is_on_record(meeting: Room) -> None:
    records = {record["caller_e164"]: record for record in meeting.finished_cdrs(3)}
    ann, bob, eve = (records[f"+120******{end}"] for end in (11, 12, 13))

    for record in records.values():
        assert record["direction"] == "in"
        assert record["channel"] == "sip"
        assert record["source"] == "sip"
        assert record["caller_presentation"] == "allowed"
        assert record["caller_raw"] is None, "the organiser sees masked numbers only"
        assert (record["trunk_id"], record["src_ip"], record["node_id"]) == ("loopback", "127.0.0.1", "test")
        assert record["number_class"] == "city"
        assert (record["billable"], record["nonbillable_reason"]) == (True, None)
        assert record["end_basis"] == "bye"
        assert (record["sip_status"], record["q850"], record["disposition"]) == (200, 16, "success")
        assert record["pin_result"] == "ok"
        order = [moment(record[name]) for name in ("setup_at", "answer_at", "join_at", "leave_at", "end_at")]
        assert order == sorted(order)
        assert order[-1] <= moment(record["ingest_at"]) <= datetime.now(UTC)
        assert datetime.now(UTC) - order[0] < timedelta(minutes=3)
        assert record["setup_ms"] == between_ms(record, "setup_at", "answer_at")
        assert record["conn_ms"] == between_ms(record, "answer_at", "end_at")
        assert record["conf_ms"] == between_ms(record, "join_at", "leave_at")
        assert 0 <= record["setup_ms"] < 1000
        assert 1000 < record["conf_ms"] < record["conn_ms"] < 60_000
        assert record["ptime_ms"] == 20
        # Fifty packets a second both ways, keys and the end of the call aside.
        due = record["conn_ms"] / 20
        assert due * 0.8 < record["tx_pkts"] < due * 1.1
        assert due * 0.5 < record["rx_pkts"] < due * 1.3
        assert record["lost_pkts"] == 0
        assert 0 <= record["loss_pct"] < 3, "late packets count, on a machine that is busy"
        assert 4.0 < record["mos_cq"] <= 4.5
        assert 80 < record["r_factor"] <= 93.2
        assert record["mos_algo"]
        assert 0 <= record["jitter_avg_ms"] <= record["jitter_max_ms"] < 100
        assert record["participant_id"]
        assert record["session_id"] == str(meeting.sessions()[0]["id"])

    assert [each["codec"] for each in (ann, bob, eve)] == ["G722", "PCMU", "PCMA"]
    assert [each["number_id"] for each in (ann, bob, eve)] == ["fr-paris", "gb-london", "fr-paris"]
    assert [each["called_e164"] for each in (ann, bob, eve)] == [PARIS, LONDON, PARIS]
    assert [each["reason_slug"] for each in (ann, bob, eve)] == [
        "event-ended",
        "caller-hung-up",
        "event-ended",
    ]
    assert [each["hangup_party"] for each in (ann, bob, eve)] == ["bridge", "caller", "bridge"]
    assert [each["pin_attempts"] for each in (ann, bob, eve)] == [1, 1, 2]
    assert len({each["id"] for each in records.values()}) == 3

    [session] = meeting.sessions()
    assert session["total_visitors"] == session["max_visitors"] == 3
    assert session["end_date"] is not None
    assert datetime.fromisoformat(session["start_date"]) <= moment(ann["join_at"])


def test_the_csv_says_the_same_as_the_json(meeting: Room, product: Product) -> None:
    records = meeting.finished_cdrs(3)
    session = meeting.sessions()[0]["id"]
    answer = httpx.get(
        f"{product.url}{meeting.path}/sessions/{session}/cdr.csv", headers={"X-Api-Key": product.api_key}
    )
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == len(records) == 3
    for row, record in zip(rows, records, strict=True):
        expected = {
            name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in record.items()
        }
        assert row == expected


def test_nobody_else_sees_them(meeting: Room, product: Product) -> None:
    session = meeting.sessions()[0]["id"]
    for key in ({}, {"X-Api-Key": "tb_wrong"}):
        for suffix in ("", ".csv"):
            path = f"{product.url}{meeting.path}/sessions/{session}/cdr{suffix}"
            assert httpx.get(path, headers=key).status_code == 401


def test_no_pin_and_no_whole_number_is_written_anywhere(meeting: Room, product: Product) -> None:
    """The PINs themselves are stored with the event, for the organiser to read; what was typed is not."""
    meeting.finished_cdrs(3)
    shown = product.text.replace(product.presenter_pin, "").replace(product.listener_pin, "")
    wanted = [WRONG_PIN, meeting.presenter_pin, meeting.listener_pin]
    assert not [each for each in wanted if each in shown]
    assert "2025550111" not in shown
    files = [path for path in (product.folder / "data").rglob("*") if path.is_file()]
    assert files, "there is something to look through"
    for path in files:
        content = path.read_bytes()
        assert WRONG_PIN.encode() not in content, path
        if not path.name.startswith("tollbridge.db"):
            for pin in (meeting.presenter_pin, meeting.listener_pin):
                assert pin.encode() not in content, path
    for url in (f"{product.url}/metrics", f"{product.url}{meeting.path}/live"):
        text = httpx.get(url, headers={"X-Api-Key": product.api_key}).text
        assert not [each for each in wanted if each in text], url


def test_calls_that_were_turned_away_are_on_record_too(office: Office, product: Product) -> None:
    room = product.new_room("Turned away", settings={"phonegateway_enabled": 0})
    stranger, early = office.caller("stranger"), office.caller("early")
    assert stranger.dial("+33999999999", answered=False).status == 404
    early.dial()
    early.press(f"{room.listener_pin}#")
    early.hears_prompt(prompt("bye.gateway-off"))
    early.hung_up_on()

    def found() -> dict[str, dict[str, str]]:
        rows = csv.DictReader(io.StringIO(product.command("cdr", "export"), newline=""))
        return {row["reason_slug"]: row for row in rows}

    wanted = {"no-such-number", "gateway-off"}
    records = until(lambda: wanted <= (r := found()).keys() and r, lambda: "their records did not come")
    refused, off = records["no-such-number"], records["gateway-off"]
    assert (refused["sip_status"], refused["q850"], refused["answer_at"]) == ("404", "1", "")
    assert (refused["billable"], refused["mos_cq"], refused["rx_pkts"]) == ("false", "", "")
    assert (off["pin_result"], off["pin_attempts"], off["join_at"]) == ("off", "1", "")
    assert off["hangup_party"] == "bridge"
