"""The door of an event: who is let in, as what, and how guesses are slowed down."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import Response

from events import service
from events.models import Event
from rooms.modes import Role
from tests.web.room_house import RoomHouse, rooms
from web import seat_tokens
from web.join_limits import FREE, JoinLimits, address_key
from web.joining import find_room
from web.seat_tokens import Ticket

__all__ = ["rooms"]


def knock(rooms: RoomHouse, event: Event | None = None, **fields: Any) -> Response:
    url = (event or rooms.event).url_name
    answer: Response = rooms.client.post(f"/{url}/join", json={"name": "Ann", **fields})
    return answer


def ticket(rooms: RoomHouse, event: Event | None = None) -> Ticket:
    text = rooms.client.cookies[seat_tokens.cookie_name((event or rooms.event).id)]
    return seat_tokens.read(text, secret=rooms.services.secret, unix_s=rooms.services.now().timestamp())


def slug(answer: Response) -> str:
    found: str = answer.json()["errors"][0]["name"]
    return found


def test_an_open_event_lets_in_by_name(rooms: RoomHouse) -> None:
    answer = knock(rooms, name="  Ann   Martin ", email="ann@example.org")
    assert answer.json() == {"room": f"/rooms/{rooms.url}", "name": "Ann Martin", "role": "participant"}
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie, "this house is http"
    made = ticket(rooms)
    assert (made.name, made.email, made.role) == ("Ann Martin", "ann@example.org", Role.PARTICIPANT)
    assert len(made.seat_id) >= 22


@pytest.mark.parametrize(
    ("link", "role"),
    [("hash_host", "presenter"), ("hash_presenter", "presenter"), ("hash_listener", "participant")],
)
@pytest.mark.parametrize("access", [{}, {"access_type": 2, "password": "open sesame"}, {"access_type": 3}])
def test_role_links_open_every_event(rooms: RoomHouse, link: str, role: str, access: dict[str, Any]) -> None:
    event = rooms.create(**access)
    if link == "hash_listener" and event.access_type == 3:
        assert slug(knock(rooms, event, l=event.hash_listener)) == "token-required", "a link that many share"
        return
    assert knock(rooms, event, l=getattr(event, link)).json()["role"] == role
    rooms.client.cookies.clear()
    assert slug(knock(rooms, event, l=getattr(rooms.event, link))) == "wrong-link"


def test_a_password_is_asked_for(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    assert slug(knock(rooms, event)) == "password-required"
    wrong = knock(rooms, event, password="Open Sesame")
    assert (wrong.status_code, slug(wrong)) == (403, "wrong-password")
    assert knock(rooms, event, password="open sesame").json()["role"] == "participant"


def test_the_presenter_pin_makes_a_presenter(rooms: RoomHouse) -> None:
    pin = rooms.pin("presenter")
    assert knock(rooms, pin=f"{pin[:3]} {pin[3:6]} {pin[6:]}").json()["role"] == "presenter"
    rooms.client.cookies.clear()
    assert knock(rooms, pin=rooms.pin("participant")).json()["role"] == "participant"
    assert slug(knock(rooms, pin="123456789")) == "wrong-pin"
    assert slug(knock(rooms, pin="no digits")) == "wrong-pin"


def test_an_event_with_tokens_is_not_opened_by_the_pin_that_all_share(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=3)
    pins = {pin.role: pin.pin for pin in event.pins}
    assert slug(knock(rooms, event)) == "token-required"
    assert slug(knock(rooms, event, pin=pins["participant"])) == "wrong-pin"
    assert knock(rooms, event, pin=pins["presenter"]).json()["role"] == "presenter"


def test_the_same_browser_is_the_same_seat_in_the_same_role(rooms: RoomHouse) -> None:
    knock(rooms)
    first = ticket(rooms)
    knock(rooms, name="Anna")
    assert (ticket(rooms).seat_id, ticket(rooms).name) == (first.seat_id, "Anna")
    knock(rooms, pin=rooms.pin("presenter"))
    presenter = ticket(rooms)
    assert presenter.seat_id != first.seat_id, "nobody changes role while in a room"
    knock(rooms)
    assert (ticket(rooms).seat_id, ticket(rooms).role) == (presenter.seat_id, Role.PRESENTER)


def test_a_ticket_proves_what_was_proven_before(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    knock(rooms, event, password="open sesame")
    assert knock(rooms, event).status_code == 200
    assert slug(knock(rooms, rooms.create(access_type=2, password="other one"))) == "password-required"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "bad-name"),
        ({"name": " \u200b\n"}, "bad-name"),
        ({"name": 5}, "bad-name"),
        ({"email": "nobody"}, "bad-email"),
        ({"email": "a b@example.org"}, "bad-email"),
        ({"email": "x" * 300 + "@example.org"}, "bad-email"),
        ({"email": "a@b@example.org\r\nBcc: c@d.e"}, "bad-email"),
    ],
)
def test_names_and_addresses_that_are_none(rooms: RoomHouse, fields: dict[str, Any], reason: str) -> None:
    answer = knock(rooms, **fields)
    assert (answer.status_code, slug(answer)) == (422, reason)
    assert "set-cookie" not in answer.headers


def test_events_that_are_not_or_no_longer(rooms: RoomHouse) -> None:
    assert rooms.client.post("/nowhere/join", json={"name": "Ann"}).status_code == 404
    with rooms.services.sessions.begin() as session:
        service.finish_event(session, rooms.event.id, now=rooms.services.now())
    answer = knock(rooms)
    assert (answer.status_code, slug(answer)) == (410, "event-over")


def test_a_form_without_script_is_led_into_the_room_or_back(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    path = f"/{event.url_name}/join"
    back = rooms.client.post(path, data={"name": "Ann", "password": "x"}, follow_redirects=False)
    assert (back.status_code, back.headers["location"]) == (303, f"/{event.url_name}?refused=wrong-password")
    led = rooms.client.post(path, data={"name": "Ann", "password": "open sesame"}, follow_redirects=False)
    assert (led.status_code, led.headers["location"]) == (303, f"/rooms/{event.url_name}")


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_forms_of_other_sites_are_refused(rooms: RoomHouse, headers: dict[str, str]) -> None:
    answer = rooms.client.post(f"/{rooms.url}/join", json={"name": "Ann"}, headers=headers)
    assert (answer.status_code, slug(answer)) == (403, "cross-site")


def test_guesses_are_slowed_down_and_others_are_not(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    for _ in range(int(FREE) + 1):
        assert slug(knock(rooms, event, password="wrong")) == "wrong-password"
    blocked = knock(rooms, event, password="open sesame")
    assert (blocked.status_code, slug(blocked)) == (429, "too-many-tries")
    assert 1 <= int(blocked.headers["retry-after"]) <= 3
    assert knock(rooms).status_code == 200, "another event"
    rooms.clock.now_s += 10
    assert knock(rooms, event, password="open sesame").status_code == 200


def test_waits_double_and_are_bounded() -> None:
    limits, now_s, waits = JoinLimits(), 0.0, []
    for _ in range(20):
        limits.guess(ip="192.0.2.1", event="e", now_s=now_s)
        waits.append(limits.knock(ip="192.0.2.1", event="e", now_s=now_s))
        now_s += waits[-1]
    assert waits[:5] == [0.0] * 5
    assert waits[5:8] == sorted(waits[5:8])
    assert max(waits) > 60
    for _ in range(20):
        limits.guess(ip="192.0.2.1", event="e", now_s=now_s)
    assert limits.knock(ip="192.0.2.1", event="e", now_s=now_s) == pytest.approx(300)
    assert limits.knock(ip="192.0.2.2", event="e", now_s=now_s) == 0.0
    assert limits.knock(ip="192.0.2.1", event="other", now_s=now_s) == 0.0


def test_a_right_proof_costs_nothing_and_only_presenters_are_forgiven() -> None:
    limits = JoinLimits()
    for _ in range(50):
        limits.guess(ip="192.0.2.1", event="e", now_s=0.0)
        limits.take_back(ip="192.0.2.1", event="e")
    assert limits.knock(ip="192.0.2.1", event="e", now_s=0.0) == 0.0
    for _ in range(8):
        limits.guess(ip="192.0.2.1", event="e", now_s=0.0)
    assert limits.knock(ip="192.0.2.1", event="e", now_s=0.0) > 4
    limits.forgive(ip="192.0.2.1", event="e")
    assert limits.knock(ip="192.0.2.1", event="e", now_s=0.0) == 0.0


def test_knowing_the_password_gives_no_fresh_tries_at_the_pin(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    for number in range(int(FREE) + 1):
        assert slug(knock(rooms, event, pin=f"10000000{number}")) == "wrong-pin"
        rooms.client.cookies.clear()
        knock(rooms, event, password="open sesame")
        rooms.client.cookies.clear()
    assert slug(knock(rooms, event, pin="987612345")) == "too-many-tries"


def test_many_joins_of_one_address_wait_for_each_other() -> None:
    limits = JoinLimits()
    assert not any(limits.knock(ip="192.0.2.1", event="e", now_s=0.0) for _ in range(300))
    assert 0 < limits.knock(ip="192.0.2.1", event="e", now_s=0.0) <= 0.5
    assert limits.knock(ip="192.0.2.2", event="e", now_s=0.0) == 0.0
    assert limits.knock(ip="192.0.2.1", event="e", now_s=1.0) == 0.0


def test_many_addresses_that_guess_at_one_event_lock_nobody_out() -> None:
    limits = JoinLimits()
    for number in range(500):
        limits.guess(ip=f"2001:db8:{number:x}::1", event="e", now_s=0.0)
    assert limits.knock(ip="192.0.2.1", event="e", now_s=0.0) == 2.0
    assert limits.knock(ip="192.0.2.1", event="e", now_s=2.0) == 0.0


@pytest.mark.parametrize(
    ("ip", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(ip: str, key: str) -> None:
    assert address_key(ip) == key


def test_rooms_are_found_and_their_pin_is_read_in_threes(rooms: RoomHouse) -> None:
    with rooms.services.readers() as session:
        found = find_room(session, rooms.event.room_pin)
        assert found is not None
        assert (found.url_name, found.event_id, found.over) == (rooms.url, rooms.event.id, False)
        assert found.room_pin.replace(" ", "") == rooms.event.room_pin
        assert found.room_pin[3] == " "
        assert find_room(session, "nowhere") is None
