"""Whoever runs the machine sees what works; people find out how to use it, offline."""

from __future__ import annotations

import dataclasses
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from tests.support.outage import outage
from tests.web.conftest import House
from web.app import create_app
from web.services import Health


def test_healthy(house: House) -> None:
    answer = house.anonymous.get("/healthz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "version": "1.2.3", "checks": {"database": "ok"}},
    )


def test_without_the_database(house: House, engine: Engine) -> None:
    with outage(engine):
        answer = house.anonymous.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "cannot be reached"}


def test_a_part_that_fails_is_named(house: House) -> None:
    broken = dataclasses.replace(house.fresh_services(), health=lambda: Health(checks={"worker": "is gone"}))
    answer = TestClient(create_app(broken)).get("/healthz")
    assert (answer.status_code, answer.json()["checks"]["worker"]) == (503, "is gone")


def test_metrics_count_requests_by_route_not_by_address(house: House) -> None:
    house.api.get("/v1/conferences/12345")
    house.api.get("/no/such/page")
    text = house.anonymous.get("/metrics").text
    assert 'route="/v1/conferences/{room}",status="404"' in text
    assert "12345" not in text
    assert "/no/such/page" not in text


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(house: House, path: str) -> None:
    answer = house.anonymous.get(path)
    assert answer.status_code == 200
    assert re.findall(r"<script(?![^>]*(?:src=\"/assets/|type=\"application/json\"))", answer.text) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    own = re.findall(r'(?:src|href)="(/assets/[^"#]+)', answer.text)
    assert own
    assert [house.anonymous.get(path).status_code for path in own] == [200] * len(own)


def test_the_docs_page_tells_every_route_and_field(house: House) -> None:
    page = house.anonymous.get("/docs").text
    description = house.anonymous.get("/openapi.json").json()
    for path, operations in description["paths"].items():
        assert path in page
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
    for field in (
        "phone_presenter_pin",
        "settings[phonegateway_enabled]",
        "participant_id",
        "custom_room_url_name",
    ):
        assert field in page


def test_the_home_page_lists_the_numbers(house: House) -> None:
    assert "Paris" in house.anonymous.get("/").text


def test_lists(house: House) -> None:
    assert house.api.get("/v1/ping.json").json() == {"ping": "pong"}
    assert house.api.get("/v1/phone_gateways").json() == [
        {
            "code": "fr-paris",
            "location": "Paris",
            "value": "+33975129519",
            "geo": "FR",
            "display": "+33 (0)9 75 12 95 19",
            "language": "fr",
        }
    ]
    assert "Europe/Paris" in house.api.get("/v1/time_zone_list.json").json()
    assert house.api.get("/v1/time_zone_list/fr").json() == ["Europe/Paris"]
    assert house.api.get("/v1/time_zone_list/xx").status_code == 404


def test_answers_of_the_api_are_kept_by_nobody(house: House) -> None:
    answer = house.api.get("/v1/conferences")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
