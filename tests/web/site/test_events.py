"""An organiser's events: planned, found, changed, deleted; and nobody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from bridge.cdr.models import Cdr
from bridge.cdr.record import new_id
from database.types import now_utc
from events.models import Event, EventSession
from events.service import finish_event, get_event
from rooms.modes import Role
from tests.web.site.conftest import Person, post
from web.services import Services

SESSION = 9_000_000_001


def event_of(services: Services, person: Person, event_id: int | None = None) -> Event:
    with services.readers() as session:
        return get_event(session, account_id=person.account_id, event_id=event_id or person.event_id)


def with_session(services: Services, person: Person) -> None:
    now = now_utc()
    with services.sessions.begin() as session:
        session.add(
            EventSession(
                id=SESSION, event_id=person.event_id, node_id="n", started_at=now - timedelta(hours=1),
                last_seen_at=now, ended_at=now, total_visitors=12, max_visitors=7,
            )
        )  # fmt: skip
        session.add(
            Cdr(
                id=new_id(), source="sip", source_call_id="c1", leg="in", session_id=str(SESSION),
                account_id=person.account_id, direction="in", channel="sip", caller_e164="+33612345678",
                caller_presentation="allowed", caller_raw="", called_e164="+33975129519",
                setup_at=now - timedelta(minutes=50), end_at=now, setup_ms=100, conn_ms=3_000_000,
                conf_ms=2_990_000, end_basis="bye", disposition="answered", reason_slug="normal",
                mos_cq=4.2, loss_pct=0.5, codec="PCMA", hangup_party="caller", pin_attempts=1,
                billable=True, node_id="n", sw_version="1", ingest_at=now,
            )
        )  # fmt: skip


GET_PAGES = [
    "/events/{id}",
    "/events/{id}/edit",
    "/events/{id}/delete",
    f"/events/{{id}}/sessions/{SESSION}",
    f"/events/{{id}}/sessions/{SESSION}/calls.csv",
]
POSTS = ["/events/{id}/edit", "/events/{id}/delete"]


@pytest.mark.parametrize("path", GET_PAGES)
def test_pages_of_an_event(
    path: str, ann: Person, bob: Person, browser: TestClient, services: Services
) -> None:
    with_session(services, ann)
    mine = path.format(id=ann.event_id)
    assert ann.client.get(mine).status_code == 200
    assert bob.client.get(mine).status_code == 404
    assert browser.get(mine).headers["location"].startswith("/sign-in?next=%2Fevents%2F")
    for missing in ("999999", "0", "x", "9" * 30, "²"):
        assert ann.client.get(path.format(id=missing)).status_code == 404


@pytest.mark.parametrize("path", POSTS)
def test_posts_to_an_event(
    path: str, ann: Person, bob: Person, browser: TestClient, services: Services
) -> None:
    mine, fields = path.format(id=ann.event_id), {"name": "Changed"}
    assert bob.post(mine, fields).status_code == 404
    assert post(browser, mine, fields, page="/sign-in").headers["location"] == "/sign-in?next=%2Fevents"
    assert ann.post(path.format(id=999_999), fields).status_code == 404
    assert event_of(services, ann).name == "Event of ann@example.org"
    assert ann.post(mine, fields).status_code == 303


def test_planning(ann: Person, services: Services) -> None:
    fields = {
        "name": "Quarterly  results",
        "room_type": "webinar",
        "permanent_room": "0",
        "access_type": "2",
        "password": "sesame",
        "custom_room_url_name": "q3-results",
        "starts_at": "2030-07-01T10:00",
        "duration": "1:30",
        "timezone": "Europe/Paris",
        "lobby_enabled": "1",
        "lobby_description": "Soon!",
        "settings[phonegateway_enabled]": "1",
        "settings[toll_free_enabled]": "1",
        "settings[thank_you_page_url]": "https://example.org/thanks",
    }
    answer = ann.post("/events/new", fields, page="/events/new")
    where = answer.headers["location"]
    assert where.endswith("?done=created")
    event = event_of(services, ann, int(where.split("/")[2].split("?")[0]))
    assert (event.name, event.duration_min, event.url_name) == ("Quarterly results", 90, "q3-results")
    assert event.starts_at is not None
    assert event.starts_at.isoformat() == "2030-07-01T08:00:00+00:00"
    assert event.settings["toll_free_enabled"] is True
    page = ann.client.get(where).text
    assert "http://testserver/q3-results" in page
    assert "sesame" not in page
    edit = ann.client.get(f"/events/{event.id}/edit").text
    assert 'value="2030-07-01T10:00"' in edit
    assert '<option value="1:30" selected>' in edit
    ann.post(f"/events/{event.id}/edit", {**fields, "password": "", "settings[toll_free_enabled]": "0"})
    changed = event_of(services, ann, event.id)
    assert changed.password_hash == event.password_hash
    assert changed.settings["toll_free_enabled"] is False


def test_what_is_wrong_stands_next_to_its_field_and_all_is_kept(ann: Person) -> None:
    fields = {
        "name": "",
        "access_type": "2",
        "password": "abc",
        "custom_room_url_name": "events",
        "lobby_description": "kept text",
        "timezone": "Mars/Base",
        "settings[thank_you_page_url]": "ftp://x",
    }
    for path in ("/events/new", f"/events/{ann.event_id}/edit"):
        answer = ann.post(path, fields)
        assert answer.status_code == 422
        assert answer.text.count('aria-invalid="true"') >= 5
        assert "kept text" in answer.text
        assert "abc" not in answer.text.replace("abcdef", "")
        assert 'id="f-settings-thank_you_page_url-error"' in answer.text


def test_toll_free_offers_to_switch_the_gateway_on(ann: Person, services: Services) -> None:
    fields = {
        "name": "Free",
        "settings[phonegateway_enabled]": "0",
        "settings[toll_free_enabled]": "1",
    }
    asked = ann.post(f"/events/{ann.event_id}/edit", fields)
    assert asked.status_code == 422
    assert 'name="turn_gateway_on"' in asked.text
    assert event_of(services, ann).settings["toll_free_enabled"] is False
    assert ann.post(f"/events/{ann.event_id}/edit", {**fields, "turn_gateway_on": "1"}).status_code == 303
    settings = event_of(services, ann).settings
    assert (settings["toll_free_enabled"], settings["phonegateway_enabled"]) == (True, True)


def test_pins_are_for_the_owner_in_groups(ann: Person, bob: Person, services: Services) -> None:
    pins = {pin.role: pin.pin for pin in event_of(services, ann).pins}
    page = ann.client.get(f"/events/{ann.event_id}").text
    for role in (Role.PRESENTER, Role.PARTICIPANT):
        pin = pins[role]
        assert f"{pin[:3]} {pin[3:6]} {pin[6:]}" in page
        assert f'data-copy="{pin}"' in page
        for other in ("/events", f"/events/{ann.event_id}", f"/events/{bob.event_id}"):
            text = bob.client.get(other).text
            assert pin not in text
            assert pin[:3] + " " + pin[3:6] not in text


def test_the_list_is_searched_and_divided(ann: Person, services: Services) -> None:
    for name, more in (
        ("50% off", {"starts_at": "2031-01-01T10:00"}),
        ("Standing room", {"permanent_room": "1"}),
        ("Long gone", {"starts_at": "2020-01-01T10:00"}),
    ):
        assert ann.post("/events/new", {"name": name, **more}).status_code == 303
    upcoming, past = (ann.client.get(f"/events?tab={tab}").text for tab in ("upcoming", "past"))
    assert upcoming.index("50% off") < upcoming.index("Event of ann") < upcoming.index("Standing room")
    assert "Long gone" not in upcoming
    assert ("Long gone" in past, "50% off" in past) == (True, False)
    assert "Event of bob" not in upcoming + past
    found = ann.client.get("/events?q=OFF 50%25").text
    assert ("50% off" in found, "Standing room" in found) == (True, False)
    assert "No event has this" in ann.client.get("/events?q=%25%25x_").text
    assert ann.client.get("/events?q=%00&tab=nonsense").status_code == 200
    assert ann.client.get("/events?page=0").status_code == 422
    assert services.live.get(str(ann.event_id)) is None


def test_states_are_shown_and_narrow_the_list(ann: Person, services: Services) -> None:
    names = {"scheduled": "Far away", "waiting": "Nearly there", "live": "Speaking now"}
    numbers = {}
    for day, (state, name) in enumerate(names.items(), start=1):
        form = {"name": name, "starts_at": f"2036-06-0{day}T10:00", "duration": "1:00", "timezone": "UTC"}
        location = ann.post("/events/new", form).headers["location"]
        numbers[state] = int(location.split("/")[2].partition("?")[0])
    with services.sessions.begin() as session:
        for state, number in numbers.items():
            session.get_one(Event, number).state = state
    whole = ann.client.get("/events").text
    for words in ("Scheduled", "Waiting room open", "Live now"):
        assert f">{words}</span>" in whole or f"{words}</span>" in whole
    for state, name in names.items():
        found = ann.client.get("/events", params={"state": state}).text
        assert [other for other in names.values() if other in found] == [name]
    assert "Nearly there" in ann.client.get("/events?state=nonsense").text
    assert "Waiting room open</span>" in ann.client.get(f"/events/{numbers['waiting']}").text
    with services.sessions.begin() as session:
        assert finish_event(session, numbers["live"], now=now_utc())
    assert "Over</span>" in ann.client.get(f"/events/{numbers['live']}").text
    assert "Speaking now" not in ann.client.get("/events?state=live").text
    assert "Speaking now" in ann.client.get("/events?tab=past").text


def test_rooms_without_a_date_permanent_ones_and_copies(ann: Person, services: Services) -> None:
    looks = {"agenda": "10:00 Welcome\nQuestions", "lobby_enabled": "1", "lobby_description": "Soon!"}
    adhoc = ann.post("/events/new", {"name": "Right away", **looks}).headers["location"].partition("?")[0]
    permanent = ann.post("/events/new", {"name": "My room", "permanent_room": "1", **looks})
    room = permanent.headers["location"].partition("?")[0]
    for page in (adhoc, room):
        assert "Open</span>" in ann.client.get(page).text
    assert "No date yet" in ann.client.get(adhoc).text
    assert "At any time" in ann.client.get(room).text
    for page in (adhoc, room):
        guest = ann.client.get(page + "/edit").text
        assert "10:00 Welcome\nQuestions</textarea>" in guest
        copied = ann.post(f"{page}/copy").headers["location"]
        assert copied.endswith("/edit?done=copied")
        form = ann.client.get(copied).text
        assert "10:00 Welcome\nQuestions</textarea>" in form
        assert "Soon!</textarea>" in form
        assert copied.split("/")[2] != page.split("/")[2]
    with services.readers() as session:
        made = get_event(session, account_id=ann.account_id, event_id=int(copied.split("/")[2]))
        assert (made.name, made.permanent_room, made.starts_at) == ("My room", True, None)


def test_a_deleted_event_is_gone(ann: Person) -> None:
    assert ann.post(f"/events/{ann.event_id}/delete").headers["location"] == "/events?done=deleted"
    assert ann.client.get(f"/events/{ann.event_id}").status_code == 404
    assert "No event is planned" in ann.client.get("/events?done=deleted").text


def test_a_session_shows_its_calls_without_whole_numbers(
    ann: Person, bob: Person, services: Services
) -> None:
    with_session(services, ann)
    assert f"/events/{ann.event_id}/sessions/{SESSION}" in ann.client.get(f"/events/{ann.event_id}").text
    page = ann.client.get(f"/events/{ann.event_id}/sessions/{SESSION}").text
    assert "+33612345678" not in page
    assert "49:50" in page
    assert "4.2" in page
    csv = ann.client.get(f"/events/{ann.event_id}/sessions/{SESSION}/calls.csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert "+33612345678" not in csv.text
    assert csv.text.count("\r\n") == 2
    assert bob.client.get(f"/events/{bob.event_id}/sessions/{SESSION}").status_code == 404


def test_token_events_hand_out_nothing_that_many_share(ann: Person, services: Services) -> None:
    ann.post(f"/events/{ann.event_id}/edit", {"name": "Invited", "access_type": "3"})
    event = event_of(services, ann)
    page = ann.client.get(f"/events/{ann.event_id}").text
    assert event.hash_listener not in page
    assert "PIN for guests" not in page
    assert f"/events/{ann.event_id}/tokens" in page


def test_no_event_takes_the_address_of_a_page(ann: Person) -> None:
    for name in ("forgot", "events", "account", "sign-in", "sign-out", "reset", "docs", "join", "rooms"):
        fields = {"name": "x", "custom_room_url_name": name}
        answer = ann.post("/events/new", fields)
        assert answer.status_code == 422, name
        assert "Is reserved" in answer.text
