"""Looks, agendas and states over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from database.types import now_utc
from events import service, skins
from events.models import Event
from tests.web.conftest import House


def create(house: House, **fields: Any) -> dict[str, Any]:
    answer = house.api.post("/v1/conferences", json={"name": "Results", **fields})
    assert answer.status_code == 201, answer.text
    room: dict[str, Any] = answer.json()["room"]
    return room


def make_look(house: House) -> int:
    wishes = skins.parse_skin({"name": "Berry", "accent": "#b4235a", "background": "#1d2f6f"})
    with house.services.sessions.begin() as session:
        made = skins.create_skin(
            session, account_id=house.account_id, wishes=wishes, default=True, now=now_utc()
        )
        return made.id


def test_looks_are_listed_and_given(house: House) -> None:
    house_look = {
        "id": 1,
        "name": "Tollbridge",
        "default": True,
        "accent": "#0f766e",
        "background": "#ffffff",
    }
    assert house.api.get("/v1/conferences/skins").json() == [house_look]
    number = make_look(house)
    listed = house.api.get("/v1/conferences/skins.json").json()
    assert [(one["id"], one["name"], one["default"]) for one in listed] == [
        (1, "Tollbridge", False),
        (number, "Berry", True),
    ]
    assert [one["id"] for one in house.other.get("/v1/conferences/skins").json()] == [1]
    assert house.anonymous.get("/v1/conferences/skins").status_code == 401
    room = create(house)
    assert room["skin_id"] == number
    path = f"/v1/conferences/{room['id']}"
    assert house.api.put(path, data={"skin_id": "1"}).json()["conference"]["skin_id"] == 1
    assert house.api.put(path, data={"skin_id": "77"}).json()["conference"]["skin_id"] == number
    stolen = house.other.post("/v1/conferences", json={"name": "Mine", "skin_id": number})
    assert stolen.json()["room"]["skin_id"] == 1


@pytest.mark.parametrize("skin_id", ["0", "-1", "red;}body{", "1.5", "99999999999999999999"])
def test_what_is_no_number_of_a_look(house: House, skin_id: str) -> None:
    answer = house.api.post("/v1/conferences", data={"name": "Results", "skin_id": skin_id})
    assert answer.status_code == 422
    assert [one["name"] for one in answer.json()["errors"]] == ["skin_id"]


def test_an_agenda_as_text_as_a_list_and_as_a_form(house: House) -> None:
    wanted = [{"time": "10:00", "title": "Welcome"}, {"time": "", "title": "<b>Questions</b>"}]
    assert create(house, agenda="10:00 Welcome\n<b>Questions</b>")["agenda"] == wanted
    assert create(house, agenda=wanted)["agenda"] == wanted
    form = {
        "name": "Results",
        "agenda[0][time]": "10:00",
        "agenda[0][title]": "Welcome",
        "agenda[1][title]": "<b>Questions</b>",
    }
    room = house.api.post("/v1/conferences", data=form).json()["room"]
    assert room["agenda"] == wanted
    path = f"/v1/conferences/{room['id']}"
    assert house.api.put(path, json={"name": "Other"}).json()["conference"]["agenda"] == wanted
    assert house.api.put(path, json={"agenda": []}).json()["conference"]["agenda"] == []
    refused = house.api.put(path, json={"agenda": [{"time": "99:99", "title": "x"}]})
    assert [one["name"] for one in refused.json()["errors"]] == ["agenda"]


def test_states_agree_with_the_lists(house: House) -> None:
    rooms = {state: create(house)["id"] for state in ("scheduled", "waiting", "live")}
    over = create(house)["id"]
    with house.services.sessions.begin() as session:
        for state, number in rooms.items():
            session.get_one(Event, number).state = state
        assert service.finish_event(session, over, now=now_utc())
    active = house.api.get("/v1/conferences/active").json()
    assert {one["state"]: one["id"] for one in active} == rooms
    assert {one["status"] for one in active} == {"active"}
    inactive = house.api.get("/v1/conferences/inactive").json()
    assert [(one["id"], one["status"], one["state"]) for one in inactive] == [(over, "inactive", "ended")]
