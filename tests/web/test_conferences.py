"""Organisers plan rooms over HTTP as the clients of the API they know do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from events.fields import Status
from rooms.commands import Join
from rooms.modes import Role, Via
from tests.support.outage import outage
from tests.web.conftest import House


def create(house: House, **fields: Any) -> dict[str, Any]:
    answer = house.api.post("/v1/conferences", json={"name": "Results", **fields})
    assert answer.status_code == 201, answer.text
    room: dict[str, Any] = answer.json()["room"]
    return room


def test_a_form_as_old_clients_send_it(house: House) -> None:
    answer = house.api.post(
        "/v1/conferences.json",
        data={
            "name": "Réunion",
            "room_type": "meeting",
            "permanent_room": "0",
            "access_type": "1",
            "lobby_enabled": "1",
            "lobby_description": "A bientôt",
            "starts_at": "2026-07-01T10:00",
            "duration": "1:30",
            "timezone": "Europe/Paris",
            "skin_id": "3",
            "registration[enabled]": "1",
            "registration[template]": "2",
            "settings[phonegateway_enabled]": "0",
        },
    )
    assert answer.status_code == 201
    room = answer.json()["room"]
    assert room["name"] == "Réunion"
    assert room["room_type"] == "meeting"
    assert room["permanent_room"] is False
    assert room["starts_at"] == "2026-07-01T10:00:00+02:00"
    assert room["ends_at"] == "2026-07-01T11:30:00+02:00"
    assert room["timezone_offset"] == 7200
    assert room["registration_enabled"] == 1
    assert room["settings"]["phonegateway_enabled"] is False
    assert room["settings"]["thank_you_emails_enabled"] is True
    assert room["room_url"] == "https://events.example/reunion"
    assert set(room["access_role_hashes"]) == {"listener", "presenter", "host"}
    assert room["status"] == "active"
    assert room["recorder_list"] == []
    for name in ("room_pin", "phone_presenter_pin", "phone_listener_pin"):
        assert isinstance(room[name], int)
        assert 10**8 <= room[name] < 10**9


def test_multipart_forms_work_too(house: House) -> None:
    parts = {"name": (None, "Multi"), "settings[phonegateway_enabled]": (None, "0")}
    answer = house.api.post("/v1/conferences", files=parts)
    assert answer.status_code == 201, answer.text
    assert answer.json()["room"]["settings"]["phonegateway_enabled"] is False


def test_the_pins_work_when_the_answer_arrives(house: House) -> None:
    room = create(house)
    entry = house.services.directory.lookup(str(room["phone_presenter_pin"]))
    assert entry is not None
    assert (entry.role, entry.event_id) == (Role.PRESENTER, room["id"])
    listener = house.services.directory.lookup(str(room["phone_listener_pin"]))
    assert listener is not None
    assert listener.role is Role.PARTICIPANT


def test_read_change_delete(house: House) -> None:
    room = create(house, permanent_room=True)
    path = f"/v1/conferences/{room['id']}"
    assert house.api.get(path).json()["conference"] == room
    changed = house.api.put(path, data={"name": "New", "settings[encryption_enabled]": "1"})
    assert changed.status_code == 200
    conference = changed.json()["conference"]
    assert conference["name"] == "New"
    assert conference["settings"]["encryption_enabled"] is True
    assert conference["phone_presenter_pin"] == room["phone_presenter_pin"]
    assert house.api.get(f"{path}.json").json()["conference"] == conference
    assert house.api.delete(path).json() == {"conference": "OK"}
    assert house.api.get(path).status_code == 404
    entry = house.services.directory.lookup(str(room["phone_presenter_pin"]))
    assert entry is not None
    assert entry.status is Status.INACTIVE


def test_the_gateway_switch_counts_at_once(house: House) -> None:
    room = create(house)
    house.api.put(f"/v1/conferences/{room['id']}", json={"settings": {"phonegateway_enabled": False}})
    entry = house.services.directory.lookup(str(room["phone_listener_pin"]))
    assert entry is not None
    assert entry.gateway_enabled is False


def test_lists(house: House) -> None:
    first, second = create(house), create(house)
    lists = house.api.get("/v1/conferences").json()
    assert [room["id"] for room in lists["active_conferences"]] == [second["id"], first["id"]]
    assert lists["inactive_conferences"] == []
    assert [room["id"] for room in house.api.get("/v1/conferences/active.json").json()] == [
        second["id"],
        first["id"],
    ]
    assert house.api.get("/v1/conferences/inactive").json() == []
    assert house.api.get("/v1/conferences/active?page=2").json() == []
    assert house.other.get("/v1/conferences/active").json() == []
    assert house.api.get("/v1/conferences/active?page=0").status_code == 422
    assert house.api.get("/v1/conferences/active?page=x").json()["errors"][0]["name"] == "page"


def test_wrong_fields_are_named(house: House) -> None:
    answer = house.api.post("/v1/conferences", data={"duration": "90", "settings[phonegateway_enabled]": "x"})
    assert answer.status_code == 422
    body = answer.json()
    assert body["message"]
    assert {error["name"] for error in body["errors"]} == {"duration", "settings[phonegateway_enabled]"}
    assert house.api.post("/v1/conferences", data={}).json()["errors"][0]["name"] == "name"
    room = create(house)
    assert house.api.put(f"/v1/conferences/{room['id']}", data={"access_type": "2"}).status_code == 422
    assert house.api.get(f"/v1/conferences/{room['id']}").json()["conference"] == room


def test_deleting_a_running_room_sends_everyone_out(house: House) -> None:
    room = create(house)
    live = house.services.live
    live.open(str(room["id"]), name="Results")
    live.apply(
        str(room["id"]), Join(participant_id="p", name="P", role=Role.PRESENTER, via=Via.PHONE), now_s=0.0
    )
    told: list[str] = []
    live.subscribe(lambda _room, events: told.extend(type(event).__name__ for event in events))
    assert house.api.delete(f"/v1/conferences/{room['id']}").status_code == 200
    assert "Ended" in told
    assert live.get(str(room["id"])) is None


ROUTES = [
    ("GET", "/v1/ping"),
    ("GET", "/v1/phone_gateways"),
    ("GET", "/v1/time_zone_list"),
    ("GET", "/v1/time_zone_list/fr"),
    ("GET", "/v1/conferences"),
    ("GET", "/v1/conferences/active"),
    ("GET", "/v1/conferences/inactive"),
    ("POST", "/v1/conferences"),
    ("GET", "/v1/conferences/{room}"),
    ("PUT", "/v1/conferences/{room}"),
    ("DELETE", "/v1/conferences/{room}"),
    ("GET", "/v1/conferences/{room}/live"),
    ("POST", "/v1/conferences/{room}/live"),
    ("GET", "/v1/conferences/{room}/sessions"),
    ("GET", "/v1/conferences/{room}/sessions/1"),
    ("GET", "/v1/conferences/{room}/sessions/1/cdr"),
    ("GET", "/v1/conferences/{room}/sessions/1/cdr.csv"),
]


def test_no_route_at_all_answers_without_a_key(house: House) -> None:
    """Those listed here are tried in more ways below, all others by the tests of their own files."""
    paths = house.api.get("/openapi.json").json()["paths"]
    found = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    listed = {
        (method, path.replace("/1", "/{session_id}").replace("list/fr", "list/{country}"))
        for method, path in ROUTES
    }
    assert listed <= found
    for method, path in sorted(found - listed):
        if path.startswith("/v1/"):
            status = house.anonymous.request(method, re.sub(r"\{\w+\}", "1", path)).status_code
            # A house without billing has none of its routes, whoever asks.
            assert status == 401 or (status == 404 and path.startswith("/v1/billing/")), (method, path)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_nobody_learns_anything(house: House, method: str, path: str) -> None:
    for room in (str(create(house)["id"]), "999999", "garbage"):
        answer = house.anonymous.request(method, path.replace("{room}", room))
        assert answer.status_code == 401
        assert answer.json()["message"]
    wrong = house.anonymous.request(
        method, path.replace("{room}", "1"), headers={"X-Api-Key": "tb_" + "x" * 53}
    )
    assert wrong.status_code == 401


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if "{room}" in route[1]])
def test_another_account_finds_nothing(house: House, method: str, path: str) -> None:
    room = str(create(house)["id"])
    for client, number in (
        (house.other, room),
        (house.api, "999999"),
        (house.api, "9" * 30),
        (house.api, "0x1"),
        (house.api, "١"),
        (house.api, "-1"),
    ):
        answer = client.request(method, path.replace("{room}", number), json={"name": "x", "command": "end"})
        assert answer.status_code == 404, (number, answer.text)
        assert set(answer.json()) == {"message", "errors"}
    assert house.api.get(f"/v1/conferences/{room}").status_code == 200


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_database_the_answer_is_to_try_again(
    house: House, engine: Engine, method: str, path: str
) -> None:
    room = str(create(house)["id"])
    with outage(engine):
        answer = house.api.request(method, path.replace("{room}", room), json={"name": "x"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert house.api.get(f"/v1/conferences/{room}").status_code == 200


def test_a_commit_that_fails_is_no_success(house: House, engine: Engine) -> None:
    def fail(_connection: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    event.listen(engine, "commit", fail)
    try:
        answer = house.api.post("/v1/conferences", json={"name": "Lost"})
    finally:
        event.remove(engine, "commit", fail)
    assert answer.status_code == 503
    assert house.api.get("/v1/conferences/active").json() == []
