"""Clients written for the product of the FAQ work unchanged: its routes, names, wrappers and ways of sending.

Tables of names; each is tried as a form in the bracket style and as JSON, with `.json` and without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from events.service import get_event
from tests.reports.past import a_webinar
from tests.web.conftest import House
from web.bodies import BODY_BYTES_MAX, LONG_BODY_BYTES_MAX

Send = Callable[[TestClient, str, str, dict[str, Any]], httpx.Response]


def flat(fields: dict[str, Any], name: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in fields.items():
        inner = f"{name}[{key}]" if name else key
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            found |= flat(value, inner)
        else:
            found[inner] = str(int(value)) if isinstance(value, bool) else str(value)
    return found


def by_form(api: TestClient, method: str, path: str, fields: dict[str, Any]) -> httpx.Response:
    return api.request(method, path, data=flat(fields))


def by_json(api: TestClient, method: str, path: str, fields: dict[str, Any]) -> httpx.Response:
    return api.request(method, path + ".json", json=fields)


WAYS = pytest.mark.parametrize("send", [by_form, by_json])

SWITCHES = [
    "phonegateway_enabled", "thank_you_emails_enabled", "recorder_autostart_enabled",
    "connection_tester_enabled", "room_invite_button_enabled", "social_media_sharing_enabled",
    "show_on_personal_page", "encryption_enabled",
]  # fmt: skip
WISHES: dict[str, tuple[Any, dict[str, Any]]] = {
    "name": ("Annual results", {"name": "Annual results"}),
    "room_type": ("meeting", {"room_type": "meeting"}),
    "permanent_room": (1, {"permanent_room": True}),
    "custom_room_url_name": ("our-results", {"name_url": "our-results"}),
    "lobby_enabled": (1, {"lobby_enabled": True}),
    "lobby_description": ("Soon", {"lobby_description": "Soon"}),
    "starts_at": ("2027-03-01T10:00", {"starts_at": "2027-03-01T10:00:00+00:00"}),
    "duration": ("0:45", {}),
    "timezone": ("Asia/Tokyo", {"timezone": "Asia/Tokyo", "timezone_offset": 9 * 3600}),
    "skin_id": (1, {"skin_id": 1}),
    "registration": ({"enabled": 1, "template": 1}, {"registration_enabled": 1}),
}
ROOM = {
    "id", "name", "room_type", "room_pin", "phone_presenter_pin", "phone_listener_pin", "room_url",
    "name_url", "embed_room_url", "access_type", "access_role_hashes", "status", "starts_at", "ends_at",
    "timezone", "timezone_offset", "lobby_description", "settings", "recorder_list", "created_at",
    "updated_at",
}  # fmt: skip


def make(house: House, **fields: Any) -> dict[str, Any]:
    answer = house.api.post("/v1/conferences", json={"name": "Results", **fields})
    assert answer.status_code == 201, answer.text
    room: dict[str, Any] = answer.json()["room"]
    return room


@WAYS
@pytest.mark.parametrize("name", list(WISHES))
def test_fields_of_a_room(house: House, send: Send, name: str) -> None:
    sent, wanted = WISHES[name]
    made = send(house.api, "POST", "/v1/conferences", {"name": "Results", name: sent})
    assert made.status_code == 201, made.text
    room = made.json()["room"]
    assert room.items() >= wanted.items()
    assert set(room) >= ROOM
    if name == "starts_at":  # or the other one would be in its way
        house.api.delete(f"/v1/conferences/{room['id']}")
    other = make(house, name="Other")
    changed = send(house.api, "PUT", f"/v1/conferences/{other['id']}", {name: sent})
    if name == "custom_room_url_name":
        assert changed.status_code == 422  # it is the other room's
    else:
        assert changed.json()["conference"].items() >= wanted.items()


@WAYS
@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("on", [0, 1])
def test_settings_of_a_room(house: House, send: Send, name: str, on: int) -> None:
    fields = {"name": "Results", "settings": {name: on}}
    room = send(house.api, "POST", "/v1/conferences", fields).json()["room"]
    assert room["settings"][name] is bool(on)
    path = f"/v1/conferences/{room['id']}"
    changed = send(house.api, "PUT", path, {"settings": {name: 1 - on}}).json()["conference"]
    assert changed["settings"] == {**room["settings"], name: not on}
    assert house.api.get(path).json()["conference"]["settings"] == changed["settings"]


@WAYS
def test_access_and_the_page_of_thanks(house: House, send: Send) -> None:
    secret = {"name": "Secret", "access_type": 2, "password": "open sesame"}
    room = send(house.api, "POST", "/v1/conferences", secret).json()["room"]
    assert room["access_type"] == 2
    assert "password" not in room
    assert set(room["access_role_hashes"]) == {"listener", "presenter", "host"}
    thanks = {"settings": {"thank_you_page_url": "https://example.com/thanks"}}
    changed = send(house.api, "PUT", f"/v1/conferences/{room['id']}", thanks).json()["conference"]
    assert changed["settings"]["thank_you_page_url"] == "https://example.com/thanks"


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_lists(house: House, suffix: str) -> None:
    room = make(house, timezone="Europe/Paris")
    get = house.api.get
    assert get(f"/v1/ping{suffix}").json() == {"ping": "pong"}
    assert "Europe/Paris" in get(f"/v1/time_zone_list{suffix}").json()
    assert get(f"/v1/time_zone_list/fr{suffix}").json() == ["Europe/Paris"]
    gateways = get(f"/v1/phone_gateways{suffix}").json()
    assert set(gateways[0]) >= {"code", "location", "value", "geo"}
    skins = get(f"/v1/conferences/skins{suffix}").json()
    assert set(skins[0]) >= {"id", "name"}
    both = get(f"/v1/conferences{suffix}").json()
    assert [one["id"] for one in both["active_conferences"]] == [room["id"]]
    assert both["inactive_conferences"] == []
    assert [one["id"] for one in get(f"/v1/conferences/active{suffix}").json()] == [room["id"]]
    assert get(f"/v1/conferences/inactive{suffix}").json() == []
    assert get(f"/v1/conferences/active{suffix}", params={"page": 2}).json() == []
    assert get(f"/v1/conferences/{room['id']}{suffix}").json()["conference"] == room


@WAYS
def test_tokens_registrations_and_personal_links(house: House, send: Send) -> None:
    room = make(house, access_type=3, registration={"enabled": 1})
    path = f"/v1/conferences/{room['id']}"
    made = send(house.api, "POST", f"{path}/tokens", {"how_many": 2})
    assert made.status_code == 201, made.text
    tokens = house.api.get(f"{path}/tokens").json()["access_tokens"]
    assert len(tokens) == 2
    assert all(len(one["token"]) == 6 for one in tokens)
    assert set(tokens[0]) >= {"token", "sent_to_email", "first_use_date"}
    assert house.api.get(f"{path}/tokens", params={"page": 2}).json() == {"access_tokens": []}

    person = {"1": "Ann", "2": "Martin", "3": "ann@example.org"}
    fields = {"registration": person, "confirmation_email": {"enabled": 1, "lang": "fr"}}
    assert send(house.api, "POST", f"{path}/registration", fields).status_code == 201
    for status, count in {"all": 1, "active": 1, "approved": 1, "pending": 0, "declined": 0}.items():
        assert len(house.api.get(f"{path}/registrations/{status}.json").json()) == count
    assert house.api.get(f"{path}/registrations/moon").status_code == 404

    for role, more in {"host": {}, "presenter": {}, "listener": {"token": tokens[0]["token"]}}.items():
        fields = {"email": "eve@example.org", "nickname": "Eve", "role": role, **more}
        linked = send(house.api, "POST", f"{path}/room/autologin_hash", fields)
        assert linked.status_code == 201, linked.text
        assert linked.json()["autologin_hash"]


@WAYS
def test_invitations_and_contacts(house: House, send: Send) -> None:
    room = make(house)
    guests = {"attendees": [{"email": "ann@example.org", "name": "Ann"}, {"email": "bob@example.org"}]}
    invited = send(house.api, "POST", f"/v1/conferences/{room['id']}/invitation/email/fr", guests)
    assert invited.json() == {"status": "OK", "invited": 2, "known": [], "unsubscribed": []}
    contact = send(house.api, "POST", "/v1/contacts", {"email": "eve@example.org", "firstname": "Eve"})
    assert (contact.status_code, contact.json()["contact"]["firstname"]) == (201, "Eve")


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_sessions(house: House, suffix: str) -> None:
    room = make(house)
    with house.services.sessions.begin() as session:
        run = a_webinar(session, get_event(session, account_id=house.account_id, event_id=room["id"]))
    path = f"/v1/conferences/{room['id']}/sessions"
    (one,) = house.api.get(path + suffix).json()
    assert one["id"] == run
    assert set(one) >= {"total_visitors", "max_visitors", "start_date", "end_date"}
    assert house.api.get(path, params={"page": 2}).json() == []
    assert set(house.api.get(f"{path}/{run}{suffix}").json()) >= {"attendees", "pdf"}
    assert len(house.api.get(f"{path}/{run}/attendees{suffix}").json()) == 3
    assert house.api.get(f"{path}/{run}/registrations{suffix}").json() == []
    pdf = house.api.get(f"{path}/{run}/generate-pdf/fr{suffix}").json()
    assert (pdf["status"], pdf["progress"]) == ("FINISHED", 100)


def test_deleting(house: House) -> None:
    room = make(house)
    assert house.api.delete(f"/v1/conferences/{room['id']}.json").json() == {"conference": "OK"}
    assert house.api.get(f"/v1/conferences/{room['id']}").status_code == 404


BAD: list[tuple[dict[str, Any], str]] = [
    ({"timezone": "Europe/Atlantis"}, "timezone"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"duration": "-1:00"}, "duration"),
    ({"duration": "0:00"}, "duration"),
    ({"duration": "25:00"}, "duration"),
    ({"starts_at": "2027-02-30T10:00"}, "starts_at"),
    ({"starts_at": "yesterday"}, "starts_at"),
    ({"starts_at": "99999-01-01T00:00"}, "starts_at"),
    ({"access_type": 9}, "access_type"),
    ({"access_type": 2}, "password"),
    ({"access_type": "9" * 400}, "access_type"),
    ({"skin_id": 2**63}, "skin_id"),
    ({"skin_id": -1}, "skin_id"),
    ({"name": "a\x00b"}, "name"),
    ({"lobby_description": "\x00"}, "lobby_description"),
    ({"name": ""}, "name"),
    ({"name": "x" * 5_000}, "name"),
    ({"custom_room_url_name": "v1"}, "custom_room_url_name"),
    ({"custom_room_url_name": "../x"}, "custom_room_url_name"),
    ({"settings": {"thank_you_page_url": "javascript:alert(1)"}}, "settings[thank_you_page_url]"),
    ({"settings": {"phonegateway_enabled": "maybe"}}, "settings[phonegateway_enabled]"),
    ({"unknown": {"deep\x00": "x"}}, "unknown[deep?]"),
]


@WAYS
@pytest.mark.parametrize(("fields", "name"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_named(house: House, send: Send, fields: dict[str, Any], name: str) -> None:
    answer = send(house.api, "POST", "/v1/conferences", {"name": "Results", **fields})
    assert answer.status_code == 422, answer.text
    assert answer.json()["message"]
    assert name in [error["name"] for error in answer.json()["errors"]], answer.text
    assert all(error["message"] for error in answer.json()["errors"])


NESTED = b'{"name": ' + b'{"a": ' * 50 + b"1" + b"}" * 51
RAW: list[tuple[bytes, str, int]] = [
    (b'{"name": "a", "name": "b"}', "application/json", 201),
    (b'{"name": NaN}', "application/json", 400),
    (b'{"name": "a", "x": 1e999}', "application/json", 422),
    (b'{"name": "a", "x": 123456789012345678901234567890}', "application/json", 422),
    (b'{"name": "\\ud800"}', "application/json", 422),
    (b'{"name": "a", "\\udfff": 1}', "application/json", 422),
    (b'{"name": "\xff"}', "application/json", 400),
    (NESTED, "application/json", 422),
    (b"[" * 200_000, "application/json", 400),
    (b"&".join(b"name[%d]=x" % n for n in range(10_000)), "application/x-www-form-urlencoded", 400),
    (b"name" + b"[a]" * 10_000 + b"=1", "application/x-www-form-urlencoded", 400),
    (b"name=%ff%fe", "application/x-www-form-urlencoded", 400),
    (b"name=a&name[b]=c", "application/x-www-form-urlencoded", 400),
    (b'{"name": "a"}', "text/plain", 415),
    (b"", "application/json", 422),
    (b"x" * (BODY_BYTES_MAX + 1), "application/json", 413),
]


@pytest.mark.parametrize(("body", "kind", "status"), RAW, ids=lambda value: str(value)[:30])
def test_hostile_bodies(house: House, body: bytes, kind: str, status: int) -> None:
    answer = house.api.post("/v1/conferences", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text[:300]
    if status >= 400:
        assert set(answer.json()) == {"message", "errors"}


def test_a_list_of_addresses_may_be_long_and_nothing_else(house: House) -> None:
    room = make(house)
    path = f"/v1/conferences/{room['id']}"
    guests = [{"email": f"guest{n}@example.org", "name": "A" * 200} for n in range(5_000)]
    long = house.api.post(f"{path}/invitation/email/en", json={"attendees": guests})
    assert long.json()["invited"] == 5_000
    form = flat({"attendees": [{"email": f"more{n}@example.org"} for n in range(2_000)]})
    assert house.api.post(f"{path}/invitation/email/en", data=form).json()["invited"] == 2_000
    for where, most in (("invitation/email/en", LONG_BODY_BYTES_MAX), ("tokens", BODY_BYTES_MAX)):
        answer = house.api.post(f"{path}/{where}", content=b" " * (most + 1))
        assert answer.status_code == 413
        assert f"{most // 1024} KiB" in answer.json()["message"]
        assert "several requests" in answer.json()["errors"][0]["message"]


NUL = ["/v1/conferences/1%00", "/v1/conferences?page=%00", "/v1/billing/cdr?called=%00", "/a%00b", "/?q=%00"]


@pytest.mark.parametrize("path", NUL)
def test_no_nul_in_addresses(house: House, path: str) -> None:
    assert house.api.get(path).status_code in (404, 422)


def test_copying(house: House) -> None:
    room = make(house, lobby_description="Soon", settings={"phonegateway_enabled": 0})
    answer = house.api.post(f"/v1/conferences/{room['id']}/copy", data={"name": "Again"})
    assert answer.status_code == 201
    copy = answer.json()["room"]
    assert (copy["name"], copy["lobby_description"]) == ("Again", "Soon")
    assert copy["settings"] == room["settings"]
    for own in ("id", "room_pin", "phone_presenter_pin", "phone_listener_pin", "room_url"):
        assert copy[own] != room[own]
    assert house.other.post(f"/v1/conferences/{room['id']}/copy").status_code == 404
    assert house.api.post(f"/v1/conferences/{room['id']}/copy").json()["room"]["name"] == "Results"
