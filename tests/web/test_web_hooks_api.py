"""Web hooks by HTTP: set up, changed, tried, sent again, deleted; nobody sees another account's."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from events.web_hook_models import WebHookDelivery
from tests.web.conftest import House
from web.app import create_app

URL = "https://hooks.example.org/tollbridge"


@pytest.fixture
def hook(house: House) -> dict[str, Any]:
    answer = house.api.post("/v1/web_hooks", json={"url": URL, "kinds": ["cdr.created", "event.ended"]})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["web_hook"]
    return made


def test_setting_up_as_a_form(house: House) -> None:
    sent = {"url": URL, "kinds[]": ["event.started", "cdr.created"]}
    answer = house.api.post("/v1/web_hooks.json", data=sent)
    assert answer.status_code == 201, answer.text
    made = answer.json()["web_hook"]
    assert made["kinds"] == ["event.started", "cdr.created"]
    assert made["secret"].startswith("whsec_")
    (listed,) = house.api.get("/v1/web_hooks").json()["web_hooks"]
    assert "secret" not in listed
    assert listed["url"] == URL
    assert house.api.get(f"/v1/web_hooks/{made['id']}").json()["web_hook"] == made


def test_changing_and_a_new_secret(house: House, hook: dict[str, Any]) -> None:
    path = f"/v1/web_hooks/{hook['id']}"
    changed = house.api.put(path, json={"kinds": ["registration.created"]}).json()["web_hook"]
    assert changed == {**hook, "kinds": ["registration.created"]}
    renewed = house.api.post(f"{path}/secret").json()["web_hook"]
    assert renewed["secret"] not in ("", hook["secret"])


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"url": "http://hooks.example.org/"}, "url"), ({"url": 7}, "url"), ({"kinds": []}, "kinds"),
     ({"kinds": ["moon"]}, "kinds"), ({"kinds": 5}, "kinds"), ({"url": "https://u:p@example.org/"}, "url")],
)  # fmt: skip
def test_wrong_fields(house: House, hook: dict[str, Any], fields: dict[str, Any], name: str) -> None:
    for method, path in (("POST", "/v1/web_hooks"), ("PUT", f"/v1/web_hooks/{hook['id']}")):
        sent = {"url": URL, "kinds": ["cdr.created"], **fields}
        answer = house.api.request(method, path, json=sent)
        assert answer.status_code == 422, answer.text
        assert [error["name"] for error in answer.json()["errors"]] == [name]


def test_trying_and_sending_again(house: House, hook: dict[str, Any]) -> None:
    path = f"/v1/web_hooks/{hook['id']}"
    assert house.api.post(f"{path}/test").status_code == 202
    log = house.api.get(f"{path}/deliveries").json()
    (one,) = log["deliveries"]
    assert (log["total"], one["type"], one["state"], one["tries"]) == (1, "test", "queued", 0)
    with house.services.sessions.begin() as session:
        session.execute(update(WebHookDelivery).values(state="failed", next_try_at=None, tries=17))
    assert house.api.post(f"{path}/deliveries/{one['id']}/redeliver").status_code == 202
    (again,) = house.api.get(f"{path}/deliveries").json()["deliveries"]
    assert (again["state"], again["tries"], again["id"]) == ("queued", 0, one["id"])
    assert house.api.post(f"{path}/deliveries/{one['id'] + 1}/redeliver").status_code == 404
    assert house.api.delete(path).json() == {"web_hook": "OK"}
    assert house.api.get(path).status_code == 404


def test_another_account_finds_nothing(house: House, hook: dict[str, Any]) -> None:
    path = f"/v1/web_hooks/{hook['id']}"
    assert house.other.get("/v1/web_hooks").json() == {"web_hooks": []}
    for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/secret"), ("POST", "/test"),
                         ("GET", "/deliveries"), ("POST", "/deliveries/1/redeliver")):  # fmt: skip
        assert house.other.request(method, path + tail).status_code == 404, tail
        assert house.anonymous.request(method, path + tail).status_code == 401, tail
    assert house.api.get(path).json()["web_hook"] == hook


def test_private_receivers_where_the_operator_allows_them(house: House) -> None:
    body = {"url": "http://127.0.0.1:9000/", "kinds": ["cdr.created"]}
    assert house.api.post("/v1/web_hooks", json=body).status_code == 422
    services = dataclasses.replace(house.fresh_services(), web_hooks_allow_private=True)
    headers = {"X-Api-Key": house.api.headers["X-Api-Key"]}
    with TestClient(create_app(services), headers=headers) as open_to_all:
        assert open_to_all.post("/v1/web_hooks", json=body).status_code == 201
