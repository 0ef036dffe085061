"""Invitations by HTTP, in the bracket style and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.web.conftest import House
from web import errors, invitations_api


@pytest.fixture
def api(house: House) -> Iterator[TestClient]:
    app = FastAPI()
    app.state.services = house.services
    app.include_router(invitations_api.router)
    errors.install(app)
    key = house.api.headers["X-Api-Key"]
    with TestClient(app, headers={"X-Api-Key": key}, raise_server_exceptions=False) as client:
        yield client


def test_attendees_in_brackets_and_as_json(house: House, api: TestClient) -> None:
    room = house.api.post("/v1/conferences", data={"name": "Results"}).json()["room"]["id"]
    path = f"/v1/conferences/{room}/invitation/email"
    form = {
        "attendees[0][email]": "Ann@example.org",
        "attendees[1][email]": "bob@example.org",
        "role": "listener",
    }
    answer = api.post(f"{path}/fr", data=form)
    assert answer.json() == {"status": "OK", "invited": 2, "known": [], "unsubscribed": []}
    again = api.post(
        f"{path}/en", json={"attendees": [{"email": "ann@example.org"}, {"email": "c@example.org"}]}
    )
    assert again.json() == {"status": "OK", "invited": 1, "known": ["ann@example.org"], "unsubscribed": []}


@pytest.mark.parametrize(
    "body",
    [{}, {"attendees": []}, {"attendees": "x"}, {"attendees": [{"email": "x"}]}, {"attendees": [None, 1, {}]},
     {"attendees": [{"email": "a@b.org"}], "role": "king"}],
)  # fmt: skip
def test_bad_bodies(house: House, api: TestClient, body: dict[str, object]) -> None:
    room = house.api.post("/v1/conferences", data={"name": "Results"}).json()["room"]["id"]
    path = f"/v1/conferences/{room}/invitation/email"
    assert api.post(f"{path}/en", json=body).status_code == 422
    assert api.post(f"{path}/xx", json={"attendees": [{"email": "a@b.org"}]}).status_code == 422
    assert api.post("/v1/conferences/999/invitation/email/en", json=body).status_code == 404
    assert api.post(f"{path}/en", json=body, headers={"X-Api-Key": "x"}).status_code == 401
