"""The room as it runs: what organisers see and order is what the room does, by the same way as keys."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.commands import ORGANISER, AskQuestion, Join, Kick
from rooms.events import Ended, Left
from rooms.modes import Role, Via
from rooms.room import Room
from tests.web.conftest import House


@pytest.fixture
def room_id(house: House) -> str:
    room = house.api.post("/v1/conferences", json={"name": "Results"}).json()["room"]
    return str(room["id"])


@pytest.fixture
def room(house: House, room_id: str) -> Room:
    live = house.services.live
    room = live.open(room_id, name="Results")
    for person, role, name in (
        ("host", Role.PRESENTER, "Host"),
        ("ann", Role.PARTICIPANT, "+33 6 12 34 56 78"),
        ("bob", Role.PARTICIPANT, "Bob 0033612345678"),
    ):
        join = Join(participant_id=person, name=name, role=role, via=Via.PHONE, city="Paris")
        live.apply(room_id, join, now_s=house.services.clock())
    return room


def order(house: House, room_id: str, **fields: Any) -> Any:
    return house.api.post(f"/v1/conferences/{room_id}/live", json=fields)


def test_a_room_that_nobody_is_in(house: House, room_id: str) -> None:
    assert house.api.get(f"/v1/conferences/{room_id}/live").json() == {
        "open": False,
        "mode": "listen_only",
        "started": False,
        "locked": False,
        "music": True,
        "participants": [],
    }
    refused = order(house, room_id, command="start")
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["name"] == "room-empty"


@pytest.mark.usefixtures("room")
def test_everybody_is_listed_and_numbers_are_masked(house: House, room_id: str) -> None:
    state = house.api.get(f"/v1/conferences/{room_id}/live.json").json()
    assert [(p["id"], p["role"], p["via"], p["city"]) for p in state["participants"]] == [
        ("host", "presenter", "phone", "Paris"),
        ("ann", "participant", "phone", "Paris"),
        ("bob", "participant", "phone", "Paris"),
    ]
    names = [p["name"] for p in state["participants"]]
    assert names[0] == "Host"
    assert "345" not in "".join(names)
    assert names[1].startswith("+33")
    assert names[1].endswith("78")
    for person in state["participants"]:
        assert {"muted", "talking", "floor", "question", "joined_at"} <= set(person)


@pytest.mark.usefixtures("room")
def test_orders_do_what_they_say(house: House, room_id: str) -> None:
    def person(state: dict[str, Any], name: str) -> dict[str, Any]:
        return next(p for p in state["participants"] if p["id"] == name)

    assert order(house, room_id, command="start").json()["started"] is True
    assert order(house, room_id, command="lock").json()["locked"] is True
    assert order(house, room_id, command="unlock").json()["locked"] is False
    assert (
        person(order(house, room_id, command="mute", participant_id="host").json(), "host")["muted"] is True
    )
    assert (
        person(order(house, room_id, command="unmute", participant_id="host").json(), "host")["muted"]
        is False
    )
    assert order(house, room_id, command="set_mode", mode="qa").json()["mode"] == "qa"
    house.services.live.apply(room_id, AskQuestion(participant_id="bob"), now_s=house.services.clock())
    assert person(house.api.get(f"/v1/conferences/{room_id}/live").json(), "bob")["question"] == 1
    assert person(order(house, room_id, command="give_floor").json(), "bob")["floor"] is True
    given = order(house, room_id, command="give_floor", participant_id="ann").json()
    assert (person(given, "ann")["floor"], person(given, "bob")["floor"]) == (True, False)
    assert person(order(house, room_id, command="take_floor").json(), "ann")["floor"] is False
    kicked = order(house, room_id, command="kick", participant_id="ann").json()
    assert [p["id"] for p in kicked["participants"]] == ["host", "bob"]
    ended = order(house, room_id, command="end")
    assert ended.status_code == 200
    assert ended.json()["participants"] == []
    assert house.services.live.get(room_id) is None


def test_a_kick_by_http_is_the_same_command_as_by_key(house: House, room_id: str, room: Room) -> None:
    told: list[Any] = []
    house.services.live.subscribe(lambda _room, events: told.extend(events))
    order(house, room_id, command="kick", participant_id="ann")
    by_http = list(told)
    told.clear()
    house.services.live.apply(room_id, Kick(participant_id="bob", by=ORGANISER), now_s=house.services.clock())
    assert [type(event) for event in by_http] == [type(event) for event in told]
    assert any(isinstance(event, Left) for event in told)
    assert not any(isinstance(event, Ended) for event in told)
    assert room.headcount == 1


@pytest.mark.usefixtures("room")
def test_refusals_carry_their_slug(house: House, room_id: str) -> None:
    refused = order(house, room_id, command="give_floor", participant_id="ann")
    assert refused.status_code == 409
    assert refused.json()["errors"][0]["name"] in ("not-started", "not-in-qa")
    for command in ("kick", "mute", "unmute"):
        missing = order(house, room_id, command=command, participant_id="nobody")
        assert missing.status_code == 404, missing.text


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "command"),
        ({"command": "dance"}, "command"),
        ({"command": 1}, "command"),
        ({"command": ["end"]}, "command"),
        ({"command": "kick"}, "participant_id"),
        ({"command": "mute", "participant_id": 5}, "participant_id"),
        ({"command": "mute", "participant_id": "x" * 500}, "participant_id"),
        ({"command": "set_mode"}, "mode"),
        ({"command": "set_mode", "mode": "party"}, "mode"),
        ({"command": "set_mode", "mode": ["qa"]}, "mode"),
        ({"command": "undo_kick"}, "participant_id"),
        ({"command": "rename", "participant_id": "ann"}, "name"),
        ({"command": "rename", "participant_id": "ann", "name": " "}, "name"),
        ({"command": "rename", "name": "Ann"}, "participant_id"),
        ({"command": "music"}, "on"),
        ({"command": "music", "on": "loud"}, "on"),
        ({"command": "end", "close": ["no"]}, "close"),
    ],
)
def test_orders_that_make_no_sense_are_named(
    house: House, room_id: str, fields: dict[str, Any], name: str
) -> None:
    answer = order(house, room_id, **fields)
    assert answer.status_code == 422
    assert [error["name"] for error in answer.json()["errors"]] == [name]


@pytest.mark.usefixtures("room")
def test_stop_leaves_the_room_open(house: House, room_id: str) -> None:
    for fields in ({"command": "stop"}, {"command": "end", "close": "0"}):
        assert order(house, room_id, command="start").json()["started"] is True
        stopped = order(house, room_id, **fields).json()
        assert (stopped["open"], stopped["started"], len(stopped["participants"])) == (True, False, 3)
    assert order(house, room_id, command="stop").json()["errors"][0]["name"] == "not-started"


@pytest.mark.usefixtures("room")
def test_a_kick_is_taken_back_and_names_and_music_are_changed(house: House, room_id: str) -> None:
    order(house, room_id, command="kick", participant_id="ann")
    assert order(house, room_id, command="undo_kick", participant_id="ann").status_code == 200
    again = order(house, room_id, command="undo_kick", participant_id="ann")
    assert (again.status_code, again.json()["errors"][0]["name"]) == (409, "nothing-to-undo")
    named = order(house, room_id, command="rename", participant_id="bob", name="Robert").json()
    assert [p["name"] for p in named["participants"]] == ["Host", "Robert"]
    quiet = order(house, room_id, command="music", on="0").json()
    assert quiet["music"] is False
    assert [p["music"] for p in quiet["participants"]] == [False, False]


@pytest.mark.usefixtures("room")
def test_devices_and_sound_are_shown(house: House, room_id: str) -> None:
    person = house.api.get(f"/v1/conferences/{room_id}/live").json()["participants"][0]
    assert (person["devices"], person["sound"], person["connected"]) == (["phone"], "phone", True)
    assert (person["quality"], person["country"], person["number"]) == (None, None, None)


@pytest.mark.usefixtures("room")
def test_orders_may_be_forms(house: House, room_id: str) -> None:
    answer = house.api.post(f"/v1/conferences/{room_id}/live", data={"command": "lock"})
    assert answer.json()["locked"] is True
