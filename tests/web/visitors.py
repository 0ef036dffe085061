"""Web visitors for tests: they join by the door, hold a live socket, and remember what they were told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient
from starlette.testclient import WebSocketTestSession

from tests.rooms.page import Page


class Visitor:
    """One page with its socket. Messages are numbered by themselves."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.n = 0
        self.page: Page | None = None
        self.events: list[dict[str, Any]] = []
        self.sounds: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []

    def send(self, do: str, **fields: Any) -> int:
        """Send one message without waiting; its number."""
        self.n += 1
        self.socket.send_text(json.dumps({"n": self.n, "do": do, **fields}))
        return self.n

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a message and read until its answer."""
        return self.answer(self.send(do, **fields))

    def answer(self, n: int | None) -> dict[str, Any]:
        return self.until(lambda told: "re" in told and told["re"] == n)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read until a frame is as wanted, and keep what is read on the way."""
        while True:
            told = self.read()
            if wanted(told):
                return told

    def event(self, kind: str) -> dict[str, Any]:
        """Read until an event of that type."""
        for number, event in enumerate(self.events):
            if event["type"] == kind:
                del self.events[: number + 1]
                return event
        self.until(lambda told: told.get("event", {}).get("type") == kind)
        return self.events.pop()

    def read(self) -> dict[str, Any]:
        told: dict[str, Any] = self.socket.receive_json()
        if "state" in told:
            self.page = Page(told["state"])
        elif "event" in told:
            assert self.page is not None
            self.page.take(json.dumps(told))
            self.events.append(told["event"])
        elif "sound" in told:
            self.sounds.append(told["sound"])
        else:
            self.others.append(told)
        return told

    def hello(self, seq: int | None = None) -> dict[str, Any]:
        """Come in; with no `seq` read until the state and the sound are here."""
        heard = len(self.sounds)  # the state may come before the answer or after it
        answer = self.ask("hello", seq=seq)
        while "error" not in answer and seq is None and len(self.sounds) == heard:
            self.read()
        return answer

    @property
    def state(self) -> dict[str, Any]:
        assert self.page is not None
        return self.page.state

    def person(self, participant: str) -> dict[str, Any]:
        found: dict[str, Any] = next(p for p in self.state["people"] if p["id"] == participant)
        return found

    @property
    def me(self) -> str:
        found: str = self.state["me"]["id"]
        return found


def join(client: TestClient, room: str, name: str, **proof: Any) -> str:
    """Get a ticket; the Cookie header that holds it."""
    client.cookies.clear()
    answer = client.post(f"/{room}/join", json={"name": name, **proof})
    assert answer.status_code == 200, answer.text
    cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
    client.cookies.clear()
    return cookie


@contextmanager
def connect(client: TestClient, room: str, cookie: str, **headers: str) -> Iterator[Visitor]:
    """A socket with this ticket."""
    with client.websocket_connect(f"/rooms/{room}/socket", headers={"cookie": cookie, **headers}) as socket:
        yield Visitor(socket)
