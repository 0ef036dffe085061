"""The OpenAPI document says everything that is true, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import jsonschema_rs
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.web.full_house import Full, full_house
from web.route_list import all_routes

Document = dict[str, Any]
BODIES = {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}


@pytest.fixture
def full(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[Full]:
    with full_house(engine, sessions) as full:
        yield full


@pytest.fixture
def document(full: Full) -> Document:
    return full.app.openapi()


@pytest.fixture
def api(full: Full) -> Iterator[TestClient]:
    headers = {"X-Api-Key": full.api_key}
    with TestClient(full.app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def check(document: Document, method: str, template: str, answer: httpx.Response) -> None:
    """The status is described, and the body is as described."""
    responses = document["paths"][template][method]["responses"]
    assert str(answer.status_code) in responses, (method, template, answer.status_code, answer.text)
    content = responses[str(answer.status_code)].get("content", {})
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in content, (method, template, kind)
    if kind == "application/json":
        schema = {**content[kind]["schema"], "components": document["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(answer.json())


def test_every_route_is_described(full: Full, document: Document) -> None:
    there_are = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in all_routes(full.app.routes)
        if isinstance(route, APIRoute) and route.path.startswith(("/v1/", "/privatelabel/"))
        for method in route.methods
    }
    described = {(method, path) for method, path, _ in operations(document) if path.startswith("/v1")}
    assert described == there_are
    assert len(described) >= 49


def test_every_description_is_whole(document: Document) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (where, parameter["name"])
        named = set(re.findall(r"{(\w+)}", path))
        assert named == {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}, where
        answers = operation["responses"]
        if path.startswith("/v1"):
            assert operation["security"] == [{"APIKeyHeader": []}], where
            assert {"401", "503"} <= set(answers), where
            assert "404" in answers or not named, where
        for response in answers.values():
            assert response["description"], where
        body = operation.get("requestBody")
        if method in ("post", "put") and body is not None:
            assert set(body["content"]) == BODIES, where
            assert {"400", "413", "415", "422"} <= set(answers), where
            assert all(content["example"] for content in body["content"].values()), where


def test_every_field_of_a_body_says_what_it_is(document: Document) -> None:
    for method, path, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            for name, field in content["schema"]["properties"].items():
                assert field.get("description"), (method, path, kind, name)


def test_forms_are_described_in_the_bracket_style(document: Document) -> None:
    content = document["paths"]["/v1/conferences"]["post"]["requestBody"]["content"]
    form = content["application/x-www-form-urlencoded"]
    assert form["schema"]["properties"]["settings[phonegateway_enabled]"]["type"] == "boolean"
    assert form["example"]["settings[phonegateway_enabled]"] == "1"
    path = "/v1/conferences/{room}/registration"
    registration = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert registration["example"]["registration[3]"] == "ann@example.org"
    assert "confirmation_email[lang]" in registration["schema"]["properties"]


def fill(path: str, names: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: names.get(match[1], "1"), path)


#: Reading what these name takes more than a number in the path.
QUERIES = {"/v1/billing/estimate": {"participants": "10", "minutes": "30", "location": "FR"}}


def test_answers_are_as_described(full: Full, document: Document, api: TestClient) -> None:
    answered = 0
    for method, path, _ in operations(document):
        if method == "get":
            answer = api.get(fill(path, full.names), params=QUERIES.get(path))
            assert answer.status_code < 500, (path, answer.text)
            check(document, method, path, answer)
            answered += answer.status_code == 200
            if path.startswith("/v1"):
                stranger = api.get(fill(path, full.names), headers={"X-Api-Key": "x"})
                check(document, method, path, stranger)
                assert stranger.status_code == 401, path
    assert answered > 25


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_the_examples_work(full: Full, document: Document, api: TestClient, kind: str) -> None:
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get(kind)
        if method == "get" or content is None:
            continue
        where, sent = fill(path, full.names), content["example"]
        headers = {"Idempotency-Key": f"key-{kind}"}
        if kind == "application/json":
            answer = api.request(method, where, json=sent, headers=headers)
        elif kind == "multipart/form-data":
            parts = [(name, (None, value)) for name, value in sent.items()]
            answer = api.request(method, where, files=parts, headers=headers)
        else:
            headers["Content-Type"] = kind
            answer = api.request(method, where, content=urlencode(sent), headers=headers)
        check(document, method, path, answer)
        # Nobody is in the room, and no tickets are sold here.
        refused = {"/v1/conferences/{room}/live", "/v1/conferences/{room}/tickets/{ticket_id}/refund"}
        assert answer.status_code < 300 or path in refused, (method, path, answer.text)


def test_wrong_bodies_are_answered_as_described(full: Full, document: Document, api: TestClient) -> None:
    wrong: list[tuple[bytes, str, int]] = [
        (b"{", "application/json", 400),
        (b"<a/>", "application/xml", 415),
        (b"x" * 5_000_000, "application/json", 413),
    ]
    for method, path, operation in operations(document):
        if "requestBody" not in operation:
            continue
        for body, kind, status in wrong:
            headers = {"Content-Type": kind, "Idempotency-Key": "k"}
            answer = api.request(method, fill(path, full.names), content=body, headers=headers)
            check(document, method, path, answer)
            assert answer.status_code == status, (method, path, answer.text)


def test_methods_that_are_not_there_say_which_are(api: TestClient) -> None:
    answer = api.patch("/v1/conferences/1")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, PUT")
