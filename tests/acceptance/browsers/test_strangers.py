"""What people try who mean no good: orders they may not give, tickets they made, names that are programs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.phones.caller import until
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROGRAM = '=HYPERLINK("http://x")<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
ORDERS: tuple[dict[str, Any], ...] = (
    {"do": "start"},
    {"do": "stop"},
    {"do": "end", "close": True},
    {"do": "lock"},
    {"do": "set_mode", "mode": "discussion"},
    {"do": "give_floor"},
    {"do": "kick", "participant": "the presenter"},
    {"do": "mute", "participant": "the presenter"},
    {"do": "unmute", "participant": "the presenter"},
    {"do": "rename", "participant": "the presenter", "name": "Nobody"},
    {"do": "undo_kick", "participant": "the presenter"},
    {"do": "toll_free", "on": True},
    {"do": "gateway", "on": False},
)


def cookies_of(visitor: Visitor) -> dict[str, str]:
    return {str(each["name"]): str(each["value"]) for each in visitor.context.cookies()}


def socket_of(room: Room, cookies: dict[str, str]) -> ClientConnection:
    """A live socket as no page of ours opens it."""
    product = room.product
    return connect(
        f"ws://127.0.0.1:{product.http_port}/rooms/{room.facts()['name_url']}/socket",
        additional_headers={
            "Origin": product.url,
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        },
    )


def answer_to(socket: ClientConnection, n: int, **message: Any) -> dict[str, Any]:
    socket.send(json.dumps({"n": n, **message}))
    while True:
        got: dict[str, Any] = json.loads(socket.recv(timeout=10))
        if got.get("re") == n:
            return got


def test_a_participant_who_gives_a_presenters_orders(browsers: Chromiums, product: Product) -> None:
    room = product.new_room("Orders")
    wes = browsers.visitor("wes", room).enter(room.facts()["access_role_hashes"]["presenter"], way="listen")
    zoe = browsers.visitor("zoe", room).enter(way="listen")
    before, presenter, logged = room.live(), wes.participant_id, len(product.output)
    with socket_of(room, cookies_of(zoe)) as socket:
        assert answer_to(socket, 1, do="hello", seq=None)["ok"]
        zoe.shows("#room[data-phase=elsewhere]")  # her own page gave way, as it would to another tab
        for n, order in enumerate(ORDERS, start=2):
            about = {"participant": presenter} if "participant" in order else {}
            answer = answer_to(socket, n, **{**order, **about})
            assert answer["error"]["slug"] == "not-presenter", (order, answer)
        replayed = answer_to(socket, 3, do="lock")
        assert replayed["error"]["slug"] == "out-of-order"
    after = room.live()
    for name in ("mode", "started", "locked"):
        assert after[name] == before[name]
    assert room.facts()["settings"]["toll_free_enabled"] is False
    assert [one["name"] for one in room.people()] == ["wes", "zoe"]
    text = "".join(product.output[logged:])
    assert text.count("socket_message_refused") == len(ORDERS) + 1
    assert text.count("not-presenter") == len(ORDERS)
    assert presenter not in text


def test_tickets_that_are_not_ours(browsers: Chromiums, product: Product) -> None:
    room, other = product.new_room("Tickets"), product.new_room("Another event")
    zoe = browsers.visitor("zoe", room).enter(way="listen")
    ((name, ticket),) = ((n, v) for n, v in cookies_of(zoe).items() if n.startswith("tb_seat"))
    changed = ticket[:-2] + ("AA" if ticket[-2:] != "AA" else "BB")
    for cookies in ({}, {name: changed}, {name: "x" * 500}, {name: ticket.split(".")[0]}):
        with pytest.raises(InvalidStatus) as refused:
            socket_of(room, cookies)
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        socket_of(other, {name.replace(room.id, other.id): ticket})
    zoe.context.add_cookies([{"name": name, "value": changed, "url": product.url}])
    zoe.page.goto(f"{product.url}/rooms/{room.facts()['name_url']}")
    zoe.page.wait_for_url(f"**/{room.facts()['name_url']}*")  # to the entrance
    assert "/rooms/" not in zoe.page.url


def test_a_name_that_is_a_program(browsers: Chromiums, product: Product) -> None:
    room = product.new_room("Names")
    wes = browsers.visitor("wes", room).enter(room.facts()["access_role_hashes"]["presenter"], way="listen")
    bad = browsers.visitor(PROGRAM, room)
    bad.enter(way="listen")
    until(lambda: len(room.people()) == 2, lambda: "nobody came")
    shown = next(one["name"] for one in room.people() if one["name"] != "wes")
    assert shown == PROGRAM[:100].rstrip()
    for visitor in (wes, bad):
        visitor.sees(".person .name", shown)
        assert visitor.page.evaluate("window.broken") is None
        assert visitor.page.locator("#room img, #room li script").count() == 0
    person = next(one["id"] for one in room.people() if one["name"] == shown)
    wes.do(person, "Change the name")
    wes.page.fill("#rename-name", PROGRAM)
    wes.page.keyboard.press("Enter")
    wes.sees(".person .name", PROGRAM[:60])
    wes.click("#start")
    wes.click("#tab-questions")
    assert wes.page.evaluate("window.broken") is None
    room.order("end")
    until(room.sessions, lambda: "no session was kept")
    room.finished_cdrs(2)

    organiser = browsers.visitor("organiser", room)
    page = organiser.page
    password = next(
        line.split()[1] for line in product.text.splitlines() if line.strip().startswith("password")
    )
    page.goto(f"{product.url}/sign-in")
    page.fill("input[name=email]", "organiser@localhost")
    page.fill("input[name=password]", password)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    session = room.sessions()[0]["id"]
    page.goto(f"{product.url}/events/{room.id}/sessions/{session}")
    assert page.locator("h1").count() == 1
    assert page.evaluate("window.broken") is None
    sheet = page.request.get(f"{product.url}/events/{room.id}/sessions/{session}/calls.csv")
    assert sheet.ok
    for text in (sheet.text(), product.command("cdr", "export")):
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) >= 3
        assert [cell for row in rows for cell in row if cell.startswith(("=", "@", "\t", "\r"))] == []
