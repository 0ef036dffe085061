"""The web door with tokens and personal links: one browser each, guesses slow, phone and browser one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from starlette.websockets import WebSocketDisconnect

from events import autologin, service, tokens
from events.autologin import AutologinRole, AutologinWishes
from events.errors import BadEventError
from events.fields import parse_wishes
from events.models import Event
from rooms.modes import Role
from tests.web.room_house import RoomHouse, rooms
from tests.web.test_joining import knock, slug, ticket
from tests.web.visitors import connect
from web.join_limits import FREE
from web.seat_tokens import cookie_name

__all__ = ["rooms"]


@pytest.fixture
def event(rooms: RoomHouse) -> Event:
    return rooms.create(access_type=3)


def elsewhere(rooms: RoomHouse, event: Event, **fields: Any) -> Response:
    """Another browser knocks."""
    with TestClient(rooms.client.app) as other:
        answer: Response = other.post(f"/{event.url_name}/join", json={"name": "Bob", **fields})
        return answer


def personal_link(
    rooms: RoomHouse, event: Event, role: str, token: str | None = None, password: str | None = None
) -> str:
    wishes = AutologinWishes(
        email="ann@example.org", nickname="Ann M.", role=AutologinRole(role), token=token, password=password
    )
    with rooms.services.sessions.begin() as session:
        return autologin.make(session, event, wishes, now=rooms.services.now())


def test_a_token_lets_in_as_its_seat(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    assert slug(knock(rooms, event)) == "token-required"
    answer = knock(rooms, event, t=f" {text[:3].lower()} {text[3:]}")
    assert (answer.status_code, answer.json()["role"]) == (200, "participant")
    with rooms.services.readers() as session:
        found = tokens.entries(session, event)[0]
    assert ticket(rooms, event).seat_id == found.token.seat_id
    assert (found.token.first_use_how, found.token.first_use_date) != (None, None)
    rooms.services.directory.refresh()
    caller = rooms.services.directory.lookup(found.pin or "")
    assert caller is not None
    assert caller.seat_id == found.token.seat_id, "the telephone joins the same person"
    assert knock(rooms, event).status_code == 200, "the ticket counts as long as the token"


def test_another_browser_is_refused_and_told_the_first_use(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    assert knock(rooms, event, t=text).status_code == 200
    again = elsewhere(rooms, event, t=text)
    assert (again.status_code, slug(again)) == (403, "token-used")
    assert again.json()["first_use_date"].startswith(rooms.services.now().isoformat()[:13])
    with TestClient(rooms.client.app) as other:
        form = other.post(f"/{event.url_name}/join", data={"name": "Bob", "t": text}, follow_redirects=False)
    query = parse_qs(urlsplit(form.headers["location"]).query)
    assert query["refused"] == ["token-used"]
    assert int(query["since"][0]) == pytest.approx(rooms.services.now().timestamp(), abs=10)
    rooms.client.cookies.delete(cookie_name(event.id))
    assert knock(rooms, event, t=text).status_code == 200, "the same browser may come back"


def test_a_visitor_without_a_name_does_not_use_the_token_up(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    assert slug(knock(rooms, event, t=text, name="")) == "bad-name"
    assert slug(knock(rooms, event, t=text, email="x")) == "bad-email"
    assert elsewhere(rooms, event, t=text).status_code == 200


def test_tokens_of_other_events_and_what_is_none(rooms: RoomHouse, event: Event) -> None:
    other = rooms.create(access_type=3)
    for text in (rooms.token(other), "BBBBBB", "<script>", "x" * 900):
        assert slug(knock(rooms, event, t=text)) == "wrong-token"
    assert "set-cookie" not in knock(rooms, event, t="ZZZZZZ").headers


def test_guessing_tokens_is_slowed_down(rooms: RoomHouse, event: Event) -> None:
    good = rooms.token(event)
    for number in range(int(FREE) + 1):
        assert slug(knock(rooms, event, t=f"BBBB{number + 2}C")) == "wrong-token"
    assert slug(knock(rooms, event, t=good)) == "too-many-tries"
    rooms.clock.now_s += 10
    assert knock(rooms, event, t=good).status_code == 200


def test_a_revoked_token_throws_out_its_ticket(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    knock(rooms, event, t=text)
    name = cookie_name(event.id)
    cookie = f"{name}={rooms.client.cookies[name]}"
    with connect(rooms.client, event.url_name, cookie) as visitor:
        assert visitor.hello()["ok"]
    with rooms.services.sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        row = tokens.look_up(session, event_id=event.id, text=text)
        assert row is not None
        tokens.revoke(session, fresh, row, now=rooms.services.now())
    assert slug(knock(rooms, event)) == "token-required"
    assert slug(knock(rooms, event, t=text)) == "token-revoked"
    with pytest.raises(WebSocketDisconnect), connect(rooms.client, event.url_name, cookie):
        pass


def test_a_ticket_from_before_the_event_had_tokens_opens_nothing(rooms: RoomHouse) -> None:
    event = rooms.create()
    knock(rooms, event)
    with rooms.services.sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        service.update_event(
            session, fresh, wishes=parse_wishes({"access_type": 3}), now=rooms.services.now()
        )
    assert slug(knock(rooms, event)) == "token-required"


def test_a_token_is_proof_enough_where_a_password_is_asked_for(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    assert knock(rooms, event, t=rooms.token(event)).status_code == 200


def test_nobody_enters_when_the_event_is_over(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    with rooms.services.sessions.begin() as session:
        service.finish_event(session, event.id, now=rooms.services.now())
    assert slug(knock(rooms, event, t=text)) == "event-over"
    with rooms.services.readers() as session:
        assert tokens.entries(session, event)[0].token.first_use_date is None


@pytest.mark.parametrize(
    ("role", "made"), [("host", "presenter"), ("presenter", "presenter"), ("listener", "participant")]
)
def test_a_personal_link_lets_one_browser_in(rooms: RoomHouse, role: str, made: str) -> None:
    event = rooms.create()
    link = personal_link(rooms, event, role)
    answer = knock(rooms, event, l=link, name="")
    assert answer.json() == {"room": f"/rooms/{event.url_name}", "name": "Ann M.", "role": made}
    assert ticket(rooms, event).email == "ann@example.org"
    first = ticket(rooms, event)
    knock(rooms, event, l=link)
    assert ticket(rooms, event).seat_id == first.seat_id
    assert slug(elsewhere(rooms, event, l=link)) == "token-used"
    assert slug(knock(rooms, rooms.event, l=link)) == "wrong-link", "another event"


def test_a_personal_link_with_a_token_is_the_tokens_person(rooms: RoomHouse, event: Event) -> None:
    text = rooms.token(event)
    link = personal_link(rooms, event, "listener", token=text)
    assert knock(rooms, event, l=link, name="").json()["role"] == "participant"
    with rooms.services.readers() as session:
        assert ticket(rooms, event).seat_id == tokens.entries(session, event)[0].token.seat_id
    assert slug(elsewhere(rooms, event, t=text)) == "token-used"


@pytest.mark.parametrize(
    ("access", "role", "shown"),
    [
        ({"access_type": 3}, "listener", {}),
        ({"access_type": 3}, "listener", {"token": "BBBBBB"}),
        ({"access_type": 2, "password": "open sesame"}, "listener", {}),
        ({"access_type": 2, "password": "open sesame"}, "listener", {"password": "wrong"}),
    ],
)
def test_a_listeners_link_needs_what_a_listener_needs(
    rooms: RoomHouse, access: dict[str, Any], role: str, shown: dict[str, str]
) -> None:
    event = rooms.create(**access)
    with pytest.raises(BadEventError):
        personal_link(rooms, event, role, **shown)
    assert personal_link(rooms, event, "presenter")
    if access["access_type"] == 2:
        assert personal_link(rooms, event, role, password="open sesame")


def test_links_are_not_kept_and_grow_old(rooms: RoomHouse) -> None:
    event = rooms.create()
    link = personal_link(rooms, event, "listener")
    with rooms.services.readers() as session:
        row = autologin.find(session, event_id=event.id, secret=link, now=rooms.services.now())
        assert row is not None
        assert link.encode() not in row.digest
        later = rooms.services.now() + autologin.VALID
        assert autologin.find(session, event_id=event.id, secret=link, now=later) is None
        for text in ("", "al_", link[:-1], link + "x", "al_" + "é" * 32):
            assert autologin.find(session, event_id=event.id, secret=text, now=rooms.services.now()) is None


def test_the_key_of_a_browser_is_a_cookie_that_scripts_do_not_see(rooms: RoomHouse, event: Event) -> None:
    answer = knock(rooms, event, t=rooms.token(event))
    cookies = [text.lower() for text in answer.headers.get_list("set-cookie")]
    assert re.search(r"tb_browser=[\w-]{32};", " ".join(cookies), re.IGNORECASE)
    assert all("httponly" in text and "samesite=lax" in text for text in cookies)
    assert "set-cookie" in knock(rooms).headers
    assert "tb_browser" not in str(knock(rooms).headers.get_list("set-cookie")), "an open event needs none"


def test_two_roles_are_two_seats(rooms: RoomHouse, event: Event) -> None:
    knock(rooms, event, t=rooms.token(event))
    guest = ticket(rooms, event)
    knock(rooms, event, l=event.hash_host)
    assert (ticket(rooms, event).role, ticket(rooms, event).seat_id != guest.seat_id) == (
        Role.PRESENTER,
        True,
    )
