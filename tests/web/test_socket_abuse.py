"""What no page of ours sends: forged and old tickets, rubbish, floods, a thousand sockets."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from events import service
from rooms.modes import Role
from tests.web.room_house import RoomHouse, rooms
from tests.web.visitors import connect, join
from web import seat_tokens
from web.seat_tokens import Ticket

__all__ = ["rooms"]


def ticket(rooms: RoomHouse, *, secret: bytes | None = None, age_s: float = 0.0, **fields: object) -> str:
    """The Cookie header of a ticket that is made here and not at the door."""
    good = {
        "seat_id": "s" * 22,
        "event_id": rooms.event.id,
        "role": Role.PRESENTER,
        "name": "Eve",
        "email": None,
        "issued_s": int(rooms.services.now().timestamp() - age_s),
        **fields,
    }
    text = seat_tokens.sign(Ticket(**good), secret=secret or rooms.services.secret)  # type: ignore[arg-type]
    return f"{seat_tokens.cookie_name(rooms.event.id)}={text}"


def denied(rooms: RoomHouse, cookie: str, url: str | None = None, **headers: str) -> int:
    """The status or close code with which a socket is not let in; 0 when it is."""
    try:
        with connect(rooms.client, url or rooms.url, cookie, **headers) as visitor:
            try:
                visitor.read()
            except WebSocketDisconnect as closed:
                return closed.code
            return 0
    except WebSocketDenialResponse as answer:
        return answer.status_code
    except WebSocketDisconnect as closed:
        return closed.code


def refused(rooms: RoomHouse, slug: str) -> float:
    return rooms.metric("tollbridge_socket_refused_total", slug=slug)


# Before it is accepted


def test_forged_tickets_let_nobody_in(rooms: RoomHouse) -> None:
    good = ticket(rooms)
    name, _, text = good.partition("=")
    version, payload, mac = text.split(".")
    other = seat_tokens.sign(
        seat_tokens.read(text, secret=rooms.services.secret, unix_s=rooms.services.now().timestamp()),
        secret=b"x" * 32,
    )
    forged = [
        "",
        f"{name}=",
        f"{name}=rubbish",
        f"{name}={other}",
        f"{name}={version}.{payload}.{mac[:-2]}AA",
        f"{name}={version}.{payload[:-2]}AA.{mac}",
        f"{name}={version}.{payload}.",
        f"{name}=v2.{payload}.{mac}",
        f"{name}={'A' * 8000}",
        ticket(rooms, event_id=rooms.event.id + 1),  # a good ticket of another event, under this name
        f"tb_seat={text}",
    ]
    for cookie in forged:
        # Starlette's client sees a refusal as a close before the accept; a browser gets HTTP 403.
        assert denied(rooms, cookie) in (403, 1000), cookie
    assert refused(rooms, "bad-ticket") == len(forged)
    assert rooms.services.live.get(rooms.room_id) is None
    assert rooms.gate.calls == []


def test_an_old_ticket_and_an_event_that_is_over_are_told_apart(rooms: RoomHouse) -> None:
    assert denied(rooms, ticket(rooms, age_s=seat_tokens.VALID_S + 1)) == 4403
    assert denied(rooms, ticket(rooms), "no-such-event") in (403, 1000)
    with rooms.services.sessions.begin() as session:
        service.finish_event(session, rooms.event.id, now=rooms.services.now())
    assert denied(rooms, ticket(rooms)) == 4410


def test_pages_of_other_sites_are_refused(rooms: RoomHouse) -> None:
    cookie = ticket(rooms)
    for origin in ("https://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"):
        assert denied(rooms, cookie, origin=origin) in (403, 1000), origin
    assert refused(rooms, "cross-site") == 4
    with connect(rooms.client, rooms.url, cookie, origin="http://testserver") as visitor:
        assert visitor.hello()["ok"] is True


def test_a_thousand_sockets_from_one_address_hurt_nobody(rooms: RoomHouse) -> None:
    object.__setattr__(rooms.services, "sockets_per_address", 3)
    cookie = join(rooms.client, rooms.url, "Otto")
    with (
        connect(rooms.client, rooms.url, cookie) as otto,
        connect(rooms.client, rooms.url, ticket(rooms, seat_id="a" * 22)),
        connect(rooms.client, rooms.url, ticket(rooms, seat_id="b" * 22)),
    ):
        otto.hello()
        began = time.perf_counter()
        for number in range(1_000):
            assert denied(rooms, f"tb_seat_1={number}") in (403, 1000)
        assert time.perf_counter() - began < 60
        assert refused(rooms, "too-many-sockets") == 1_000
        assert otto.ask("toggle_mute")["ok"] is True
        assert rooms.metric("tollbridge_sockets") == 3
    with connect(rooms.client, rooms.url, cookie) as again:
        assert again.hello()["ok"] is True


# Messages


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"hello"',
        "{}",
        '{"n": 1}',
        '{"do": "lock"}',
        '{"n": "1", "do": "lock"}',
        '{"n": true, "do": "lock"}',
        '{"n": 1.5, "do": "lock"}',
        '{"n": -1, "do": "lock"}',
        '{"n": 0, "do": "lock"}',
        '{"n": 9007199254740993, "do": "lock"}',
        '{"n": NaN, "do": "lock"}',
        '{"n": 1e999, "do": "lock"}',
        '{"n": 2, "do": ["lock"]}',
        '{"n": 2, "do": null}',
        "[" * 20_000,
        '{"n": ' + "9" * 5_000 + ', "do": "lock"}',
    ],
)
def test_rubbish_is_answered_and_changes_nothing(rooms: RoomHouse, text: str) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.hello()
        eve.socket.send_text(text)
        assert eve.answer(None)["error"]["slug"] == "bad-message"
        assert eve.ask("ping")["ok"] is True
        assert not rooms.room.locked


@pytest.mark.parametrize(
    ("do", "fields"),
    [
        ("kick", {}),
        ("kick", {"participant": 5}),
        ("kick", {"participant": ""}),
        ("kick", {"participant": "x" * 500}),
        ("mute", {"participant": ["a"]}),
        ("set_mode", {}),
        ("set_mode", {"mode": "party"}),
        ("set_mode", {"mode": ["qa"]}),
        ("music", {}),
        ("music", {"on": 1}),
        ("toll_free", {"on": "yes"}),
        ("rename", {}),
        ("rename", {"name": " \n\t "}),
        ("rename", {"name": "x" * 5_000}),
        ("end", {"close": "no"}),
        ("hello", {"seq": "1"}),
        ("offer", {"sdp": 5}),
    ],
)
def test_fields_that_make_no_sense_are_refused(rooms: RoomHouse, do: str, fields: dict[str, object]) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.hello()
        before = rooms.room.state()
        assert eve.ask(do, **fields)["error"]["slug"] == "bad-message"
        assert rooms.room.state() == before


def test_replayed_messages_are_refused_and_counted(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.hello()
        eve.ask("lock")
        message = json.dumps({"n": eve.n, "do": "lock"})
        eve.ask("unlock")
        for _ in range(3):
            eve.socket.send_text(message)
            assert eve.read()["error"]["slug"] == "out-of-order"
        assert not rooms.room.locked
        assert refused(rooms, "out-of-order") == 3


def test_unknown_commands_and_commands_before_hello(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        for do in ("lock", "offer", "phone", "toll_free", "state", "leave"):
            assert eve.ask(do, on=True, sdp="v=0")["error"]["slug"] == "hello-first"
        assert eve.ask("__class__")["error"]["slug"] == "unknown-command"
        assert eve.ask("x" * 60_000)["error"]["slug"] == "unknown-command"
        assert rooms.services.live.get(rooms.room_id) is None
        assert eve.hello()["ok"] is True


def test_binary_and_oversize_messages_end_the_connection(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.socket.send_bytes(b"\x00\x01")
        with pytest.raises(WebSocketDisconnect) as closed:
            eve.read()
        assert closed.value.code == 1003
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.socket.send_text(json.dumps({"n": 1, "do": "offer", "sdp": "v" * 70_000}))
        with pytest.raises(WebSocketDisconnect) as closed:
            eve.read()
        assert closed.value.code == 1009


def test_a_flood_is_slowed_down_and_then_cut(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, ticket(rooms)) as eve:
        eve.hello()
        for _ in range(59):  # hello was the first of the burst
            assert eve.ask("ping")["ok"] is True
        eve.send("lock")
        assert eve.answer(None)["error"]["slug"] == "too-fast"
        assert not rooms.room.locked
        rooms.clock.now_s += 1.0
        assert eve.ask("lock")["ok"] is True
        for _ in range(19):
            eve.ask("ping")
        for _ in range(250):
            eve.send("unlock")
        with pytest.raises(WebSocketDisconnect) as closed:
            eve.until(lambda _told: False)
        assert closed.value.code == 4429
        assert rooms.room.locked


def test_a_ticket_used_in_two_browsers_at_once_is_one_person(rooms: RoomHouse) -> None:
    cookie = ticket(rooms)
    with connect(rooms.client, rooms.url, cookie) as first:
        first.hello()
        for _ in range(3):
            with connect(rooms.client, rooms.url, cookie) as copied:
                copied.hello()
                assert rooms.room.headcount == 1
        with pytest.raises(WebSocketDisconnect) as closed:
            first.until(lambda _told: False)
        assert closed.value.code == 4001


def test_tickets_say_when_they_were_made(rooms: RoomHouse) -> None:
    now = rooms.services.now()
    for age, good in ((timedelta(), True), (timedelta(hours=23), True), (timedelta(hours=25), False)):
        cookie = ticket(rooms, age_s=age.total_seconds())
        text = cookie.partition("=")[2]
        if good:
            found = seat_tokens.read(text, secret=rooms.services.secret, unix_s=now.timestamp())
            assert found.name == "Eve"
        else:
            with pytest.raises(seat_tokens.OldTicketError):
                seat_tokens.read(text, secret=rooms.services.secret, unix_s=now.timestamp())
    text = ticket(rooms, age_s=-3600).partition("=")[2]  # of tomorrow
    with pytest.raises(seat_tokens.BadTicketError):
        seat_tokens.read(text, secret=rooms.services.secret, unix_s=now.timestamp())
