"""Organisers read who called, when and how well it sounded, without learning anybody's number."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

import pytest

from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, new_id
from database.types import now_utc
from events.models import EventSession
from tests.web.conftest import House

START = now_utc() - timedelta(hours=1)


def facts(house: House, *, session_id: int, caller: str, setup_at: datetime) -> CallFacts:
    return CallFacts(
        id=new_id(),
        source="sip",
        source_call_id=new_id(),
        leg="a",
        setup_at=setup_at,
        direction=Direction.IN,
        channel=Channel.SIP,
        node_id="n",
        sw_version="1",
        session_id=str(session_id),
        account_id=house.account_id,
        caller_e164=caller,
        caller_raw=f'"{caller}" <sip:{caller}@x>',
        called_e164="+33975129519",
        answer_at=setup_at + timedelta(seconds=1),
        end_at=setup_at + timedelta(seconds=61),
        end_basis=EndBasis.BYE,
        disposition=next(iter(Disposition)),
        reason_slug="caller-hung-up",
    )


@pytest.fixture
def path(house: House) -> str:
    """The sessions of a room that ran twice; two people called the first time."""
    room = house.api.post("/v1/conferences", json={"name": "Results", "timezone": "Europe/Paris"}).json()[
        "room"
    ]
    with house.services.sessions.begin() as session:
        for number, begin in ((101, START), (102, START + timedelta(minutes=30))):
            session.add(
                EventSession(
                    id=number,
                    event_id=room["id"],
                    node_id="n",
                    started_at=begin,
                    last_seen_at=begin,
                    total_visitors=2,
                    ended_at=None if number == 102 else begin + timedelta(minutes=5),
                    max_visitors=2,
                )
            )
        for minute, caller in enumerate(("+33612345678", "+33698765432")):
            call = facts(house, session_id=101, caller=caller, setup_at=START + timedelta(minutes=minute))
            session.add(Cdr(**row_of(call), ingest_at=START))
    return f"/v1/conferences/{room['id']}/sessions"


def test_sessions_newest_first(house: House, path: str) -> None:
    running, over = house.api.get(path).json()
    assert (running["id"], over["id"]) == (102, 101)
    assert running["end_date"] is None
    assert datetime.fromisoformat(over["end_date"]) - datetime.fromisoformat(over["start_date"]) == timedelta(
        minutes=5
    )
    assert (over["total_visitors"], over["max_visitors"]) == (2, 2)
    one = house.api.get(f"{path}/101.json").json()
    assert {name: one[name] for name in over} == over  # and more about it than in the list
    assert house.api.get(f"{path}?page=2").json() == []


def test_call_records_without_numbers(house: House, path: str) -> None:
    for url in (f"{path}/101/cdr", f"{path}/101/cdr.json"):
        answer = house.api.get(url)
        records = answer.json()
        assert [record["conn_ms"] for record in records] == [60_000, 60_000]
        assert records[0]["setup_at"] < records[1]["setup_at"]
        assert records[0]["called_e164"] == "+33975129519"
        assert records[0]["caller_e164"].startswith("+33")
        for digits in ("612345678", "698765432"):
            assert digits not in answer.text
    assert house.api.get(f"{path}/102/cdr").json() == []


def test_call_records_as_csv(house: House, path: str) -> None:
    answer = house.api.get(f"{path}/101/cdr.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "session-101.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["conn_ms"] for row in rows] == ["60000", "60000"]
    assert "612345678" not in answer.text


def test_a_session_of_another_room_is_not_found(house: House, path: str) -> None:
    other = house.api.post("/v1/conferences", json={"name": "Other"}).json()["room"]["id"]
    for tail in ("101", "101/cdr", "101/cdr.csv", "999", "x", "9" * 40):
        assert house.api.get(f"/v1/conferences/{other}/sessions/{tail}").status_code == 404
    assert house.other.get(f"{path}/101/cdr").status_code == 404
