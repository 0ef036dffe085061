"""Sessions by HTTP: who was there, who had registered, and the report."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from database.types import now_utc
from events.access_models import Registration
from events.service import get_event
from reports import ratings
from tests.reports.past import T0, a_webinar
from tests.web.conftest import House


@pytest.fixture
def path(house: House) -> str:
    """The path of a session that took place."""
    made = house.api.post("/v1/conferences", json={"name": "Talk", "timezone": "Europe/Paris"})
    room = made.json()["room"]["id"]
    with house.services.sessions.begin() as session:
        run = a_webinar(session, get_event(session, account_id=house.account_id, event_id=room))
        ratings.rate(
            session, event_id=room, session_id=run, participant_id="ann", stars=4, comment="Ok", now=T0
        )
        registered(session, room, "ann@example.org")
        registered(session, room, "eve@example.org")
    return f"/v1/conferences/{room}/sessions/{run}"


def registered(session: Session, room: int, email: str) -> None:
    session.add(
        Registration(event_id=room, status="accepted", email=email, first_name="A", last_name="B", answers={},
                     language="en", timezone="UTC", created_at=now_utc(), mails=0)
    )  # fmt: skip


def test_attendees(house: House, path: str) -> None:
    ann, bob, caller = house.api.get(f"{path}/attendees.json").json()
    assert (ann["nickname"], ann["email"], ann["role"]) == ("Ann", "ann@example.org", "listener")
    assert (ann["rating"], ann["rating_comment"], ann["user_ip"]) == ("4", "Ok", "192.0.2.7")
    assert (ann["start_date"], ann["end_date"]) == ("2026-11-10T10:00:00+01:00", "2026-11-10T11:00:00+01:00")
    assert (ann["present_s"], ann["phone_s"], ann["browser_s"]) == (3600, 600, 3600)
    assert (bob["country"], bob["rating"]) == ("GB", None)
    assert (caller["nickname"], caller["phone_number"], caller["role"]) == ("+331******89",) * 2 + (None,)
    records = house.api.get(f"{path}/cdr").json()
    assert {record["participant_id"] for record in records} == {ann["uid"], bob["uid"], caller["uid"]}


def test_one_session_with_its_people_and_reports(house: House, path: str) -> None:
    whole = house.api.get(path).json()
    assert [person["login"] for person in whole["attendees"]] == ["Ann", "Bob", "+331******89"]
    assert whole["pdf"]["en"]["status"] == "FINISHED"


def test_registrations_say_who_came(house: House, path: str) -> None:
    found = house.api.get(f"{path}/registrations").json()
    run = int(path.rsplit("/", 1)[1])
    assert [(one["email"], one["session_id"]) for one in found] == [
        ("ann@example.org", run), ("eve@example.org", None),
    ]  # fmt: skip


def test_the_report_is_handed_out_without_a_key_for_a_day(house: House, path: str) -> None:
    made = house.api.get(f"{path}/generate-pdf/fr").json()
    assert (made["status"], made["progress"]) == ("FINISHED", 100)
    where = made["url"].removeprefix("https://events.example")
    answer = house.anonymous.get(where)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    parts = where.split("/")
    for wrong in (
        where.replace("/fr/", "/en/"),
        "/".join([*parts[:4], str(int(parts[4]) + 1), parts[5]]),
        "/".join([*parts[:5], "x.pdf"]),
        "/".join([*parts[:4], "0", parts[5]]),
    ):
        assert house.anonymous.get(wrong).status_code == 404


def test_for_the_owner_alone(house: House, path: str) -> None:
    for tail in ("", "/attendees", "/registrations", "/generate-pdf/en"):
        assert house.api.get(path + tail).status_code == 200
        assert house.other.get(path + tail).status_code == 404
        assert house.anonymous.get(path + tail).status_code == 401
        missing = path.rsplit("/", 1)[0] + "/1" + tail
        assert house.api.get(missing).status_code == 404


def test_a_language_that_is_none(house: House, path: str) -> None:
    answer = house.api.get(f"{path}/generate-pdf/xx")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == "lang"
