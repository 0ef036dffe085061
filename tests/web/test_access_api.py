"""HTTP API: tokens, personal links, registrations, contacts: whoever asks, whatever is sent."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from mail.models import OutboxMail
from tests.web.conftest import House
from web import conferences, contacts_api, errors, join_routes, lists, registration_api, tokens_api
from web.middleware import JsonSuffix

GET = [
    "/v1/conferences/{room}/tokens",
    "/v1/conferences/{room}/registrations/all",
    "/v1/conferences/{room}/registrations/active",
]
POST: list[tuple[str, dict[str, Any]]] = [
    ("/v1/conferences/{room}/tokens", {"how_many": 2}),
    (
        "/v1/conferences/{room}/room/autologin_hash",
        {"email": "a@example.org", "nickname": "A", "role": "host"},
    ),
    (
        "/v1/conferences/{room}/registration",
        {"registration[1]": "Ann", "registration[2]": "M", "registration[3]": "ann@example.org"},
    ),
]


class Api:
    """The organiser's client, somebody else's and a stranger's, over the routes alone."""

    def __init__(self, house: House) -> None:
        app = FastAPI()
        app.state.services = house.services
        modules = (lists, tokens_api, registration_api, contacts_api, conferences, join_routes)
        for module in modules:
            app.include_router(module.router)
        errors.install(app)
        app.add_middleware(JsonSuffix)
        self.house = house
        self.one, self.two, self.nobody = (
            TestClient(app, headers=client.headers, raise_server_exceptions=False)
            for client in (house.api, house.other, house.anonymous)
        )

    def room(self, **fields: Any) -> dict[str, Any]:
        wishes = {"name": "Results", "registration[enabled]": 1, **fields}
        made: dict[str, Any] = self.one.post("/v1/conferences", data=wishes).json()["room"]
        return made


@pytest.fixture
def api(house: House) -> Api:
    return Api(house)


@pytest.mark.parametrize("path", GET)
def test_reading(api: Api, path: str) -> None:
    own = path.format(room=api.room()["id"])
    assert api.nobody.get(own).status_code == 401
    assert api.two.get(own).status_code == 404
    assert api.one.get(path.format(room=999)).status_code == 404
    assert api.one.get(path.format(room="x")).status_code == 404
    assert api.one.get(own + ".json").status_code == 200
    assert api.one.get(own, params={"page": 0}).status_code == 422


@pytest.mark.parametrize(("path", "fields"), POST)
def test_making(api: Api, path: str, fields: dict[str, Any]) -> None:
    own = path.format(room=api.room()["id"])
    assert api.nobody.post(own, data=fields).status_code == 401
    assert api.two.post(own, data=fields).status_code == 404
    assert api.one.post(path.format(room=999), data=fields).status_code == 404
    assert api.one.post(own, data=fields).status_code == 201
    for body in ({}, {"how_many": "x", "role": 7, "registration": "x"}, {"how_many": [1], "role": []}):
        assert api.one.post(own, json=body).status_code == 422
    assert api.one.post(own, content=b"{", headers={"content-type": "application/json"}).status_code == 400


def test_tokens_with_their_pins(api: Api) -> None:
    room = api.room(access_type=3)
    made = api.one.post(f"/v1/conferences/{room['id']}/tokens", data={"how_many": "3"}).json()[
        "access_tokens"
    ]
    assert len({one["token"] for one in made}) == 3
    assert made[0].keys() == {
        "token", "sent_to_email", "first_use_date", "first_use_how", "phone_pin", "room_url", "revoked"
    }  # fmt: skip
    caller = api.house.services.directory.lookup(str(made[0]["phone_pin"]))
    assert caller is not None, "works when the answer arrives"
    assert api.house.services.directory.lookup(str(room["phone_listener_pin"])) is None
    listed = api.one.get(f"/v1/conferences/{room['id']}/tokens").json()["access_tokens"]
    assert listed == made[::-1]
    for wrong in (0, -1, 10_001, "1e3", True, None, 10**30):
        answer = api.one.post(f"/v1/conferences/{room['id']}/tokens", json={"how_many": wrong})
        assert answer.status_code == 422, wrong


def test_a_personal_link_opens_the_room(api: Api) -> None:
    room = api.room(access_type=2, password="open sesame")
    path = f"/v1/conferences/{room['id']}/room/autologin_hash"
    person = {"email": "ann@example.org", "nickname": "Ann", "role": "listener"}
    assert api.one.post(path, data=person).json()["errors"][0]["name"] == "password"
    link = api.one.post(path, data={**person, "password": "open sesame"}).json()["autologin_hash"]
    joined = api.nobody.post(f"/{room['name_url']}/join", json={"name": "", "l": link})
    assert joined.json()["name"] == "Ann"
    for wrong in ({"role": "admin"}, {"email": "x"}, {"nickname": ""}, {"email": "a@b.c\r\nBcc: d@e.f"}):
        assert api.one.post(path, data={**person, "password": "open sesame", **wrong}).status_code == 422


def test_registering_somebody(api: Api) -> None:
    room = api.room(access_type=3, starts_at="2036-05-01T10:00", timezone="Europe/Paris")
    path = f"/v1/conferences/{room['id']}/registration"
    person = {"registration[1]": "<b>Zoé</b>", "registration[2]": "L", "registration[3]": "Zoe@example.org"}
    mail = {"confirmation_email[enabled]": "1", "confirmation_email[lang]": "fr"}
    first = api.one.post(path, data={**person, **mail}).json()
    assert first["status"] == "OK"
    assert first["url"].startswith(f"{room['room_url']}?t=")
    assert api.one.post(path, data={**person, **mail}).json() == first, "replayed"
    with api.house.services.readers() as session:
        (sent,) = session.scalars(select(OutboxMail)).all()
    assert sent.recipient == "zoe@example.org"
    assert "jeton" in sent.body_text
    assert first["url"] in sent.body_text
    assert "<b>Zoé" not in sent.body_html
    assert "&lt;b&gt;Zoé" in sent.body_html
    assert "+33 (0)9 75 12 95 19" in sent.body_text
    listed = api.one.get(f"/v1/conferences/{room['id']}/registrations/approved").json()
    assert [one["email"] for one in listed] == ["zoe@example.org"]
    assert api.one.get(f"/v1/conferences/{room['id']}/registrations/pending").json() == []
    assert api.one.get(f"/v1/conferences/{room['id']}/registrations/other").status_code == 404
    closed = api.room(**{"registration[enabled]": 0})
    refused = api.one.post(f"/v1/conferences/{closed['id']}/registration", data=person)
    assert (refused.status_code, refused.json()["errors"][0]["name"]) == (409, "registration-closed")
    bad = api.one.post(path, data={**person, "registration[3]": "x"})
    assert bad.json()["errors"][0]["name"] == "registration[3]"


def test_contacts(api: Api) -> None:
    person = {"email": "ANN@example.org", "firstname": "<script>", "company": "Acme", "group": "Friends"}
    assert api.nobody.post("/v1/contacts", data=person).status_code == 401
    made = api.one.post("/v1/contacts.json", data=person)
    assert (made.status_code, made.json()["contact"]["email"]) == (201, "ann@example.org")
    again = api.one.post("/v1/contacts", json={"email": "ann@example.org", "last_name": "Martin"})
    contact = again.json()["contact"]
    assert (contact["firstname"], contact["lastname"]) == ("<script>", "Martin")
    assert [one["id"] for one in api.one.get("/v1/contacts").json()] == [contact["id"]]
    assert api.two.get("/v1/contacts").json() == []
    assert api.nobody.get("/v1/contacts").status_code == 401
    for wrong in ({}, {"email": "x"}, {"email": "a@example.org", "country": "Mars"}, {"email": ["a"]}):
        assert api.one.post("/v1/contacts", json=wrong).status_code == 422
