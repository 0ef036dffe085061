"""Whatever is sent, the answer is one of ours, and never 500."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import House
from web.app import create_app
from web.bodies import BODY_BYTES_MAX

PATHS = st.sampled_from(
    ["/v1/conferences", "/v1/conferences/1", "/v1/conferences/1/live", "/v1/conferences/1/sessions"]
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
KINDS = st.sampled_from(
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/json; charset=latin-1",
    ]
)
NAMES = st.sampled_from(
    [
        "name",
        "room_type",
        "starts_at",
        "duration",
        "settings",
        "settings[phonegateway_enabled]",
        "registration[",
        "password",
        "access_type",
        "timezone",
        "command",
        "participant_id",
        "mode",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        body = answer.json()
        assert set(body) == {"message", "errors"}
        assert all(set(error) == {"name", "message"} for error in body["errors"])


@FUZZ
@given(method=METHODS, path=PATHS, kind=KINDS, body=st.binary(max_size=200))
def test_random_bytes(house: House, method: str, path: str, kind: str, body: bytes) -> None:
    check(house.api.request(method, path, content=body, headers={"Content-Type": kind}))


@FUZZ
@given(method=st.sampled_from(["POST", "PUT"]), path=PATHS, body=st.dictionaries(NAMES, JSON, max_size=6))
def test_random_json(house: House, method: str, path: str, body: dict[str, Any]) -> None:
    check(house.api.request(method, path, json=body))


@FUZZ
@given(
    path=st.text(alphabet=st.characters(codec="utf-8"), max_size=40),
    key=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)),
)
def test_random_paths_and_keys(house: House, path: str, key: str) -> None:
    check(house.anonymous.get("/v1/" + quote(path, safe="/"), headers={"X-Api-Key": key}))


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b'{"skin_id": 1' + b"0" * 5000 + b"}", "application/json", 400),
        (b"name=\xff", "application/x-www-form-urlencoded", 400),
        (b"name=%00", "application/x-www-form-urlencoded", 422),
        (b"&".join(b"a%d=1" % n for n in range(600)), "application/x-www-form-urlencoded", 400),
        (b"rubbish", "multipart/form-data; boundary=x", 400),
        (b"rubbish", "multipart/form-data", 400),
        (b"<xml/>", "application/xml", 415),
        (b"x" * (BODY_BYTES_MAX + 1), "application/json", 413),
    ],
)
def test_hostile_bodies(house: House, content: bytes, kind: str, status: int) -> None:
    answer = house.api.post("/v1/conferences", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    check(answer)


@pytest.fixture
def address(house: House) -> Iterator[str]:
    """The application behind a real server on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(
            uvicorn.Config(create_app(house.fresh_services()), log_level="error", lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def test_over_a_real_socket(house: House, address: str) -> None:
    key = house.api.headers["X-Api-Key"]
    with httpx.Client(base_url=address, headers={"X-Api-Key": key}, trust_env=False) as client:
        room = client.post("/v1/conferences.json", data={"name": "Socket"}).json()["room"]
        assert client.get(f"/v1/conferences/{room['id']}").json()["conference"] == room
        assert client.get("/healthz").json()["status"] == "ok"

        def endless() -> Iterator[bytes]:
            for _ in range(200):
                yield b"x" * 10_000

        assert client.post("/v1/conferences", content=endless()).status_code == 413


@pytest.mark.parametrize(("method", "tail"), [("POST", ""), ("PUT", "/{room}"), ("POST", "/{room}/live")])
def test_a_slow_client_holds_up_nobody(house: House, method: str, tail: str) -> None:
    """While the body is awaited, no transaction is open: somebody else can write."""
    room = house.api.post("/v1/conferences", json={"name": "Slow"}).json()["room"]
    app = create_app(house.fresh_services())
    meanwhile: list[int] = []
    answers: list[int] = []

    async def receive() -> dict[str, Any]:
        answer = await asyncio.to_thread(house.api.post, "/v1/conferences", json={"name": "Meanwhile"})
        meanwhile.append(answer.status_code)
        assert house.pool_in_use() == 0
        return {"type": "http.request", "body": b'{"name": "Late"}', "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    headers = {"x-api-key": house.api.headers["X-Api-Key"], "content-type": "application/json"}
    path = "/v1/conferences" + tail.replace("{room}", str(room["id"]))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "server": ("testserver", 80),
        "client": ("testclient", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(app(scope, receive, send))
    assert meanwhile == [201]
    assert answers[0] in (200, 201, 422)
