"""A room page: it sees what happens at once, does what its person may do, and misses nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from events import service
from rooms import commands as c
from rooms.modes import Role, Via
from tests.web.room_house import RoomHouse, rooms
from tests.web.visitors import connect, join

__all__ = ["rooms"]

CALLER = c.Join(
    participant_id="phone-1",
    name="+331…78",
    role=Role.PARTICIPANT,
    via=Via.PHONE,
    city="Paris",
    country="FR",
    number_masked="+331…78",
)


def presenter(rooms: RoomHouse, name: str = "Paula") -> str:
    return join(rooms.client, rooms.url, name, l=rooms.event.hash_presenter)


def test_a_page_says_hello_and_gets_the_room(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, presenter(rooms), **{"accept-language": "fr-FR"}) as paula:
        answer = paula.hello()
        assert answer["ok"] is True
        state = paula.state
        assert state["me"]["name"] == "Paula"
        assert state["me"]["role"] == "presenter"
        assert [p["id"] for p in state["people"]] == [state["me"]["id"]] == [answer["seat"]]
        assert state["started"] is False
        assert state["settings"] == {"gateway": True, "toll_free": False}
        assert [number["city"] for number in state["dial_in"]["numbers"]] == ["Paris", "London"]
        assert state["dial_in"]["pin"].replace(" ", "") == rooms.pin("participant")
        assert state["dial_in"]["presenter_pin"].replace(" ", "") == rooms.pin("presenter")
        assert state["dial_in"]["url"] == f"http://testserver/{rooms.url}"
        assert state["ice_servers"] == [{"urls": ["stun:stun.example:3478"]}]
        assert paula.sounds == [{"speak": True, "hear": "room", "via": None}]


def test_what_a_caller_does_by_key_is_on_the_page_and_the_other_way_round(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, presenter(rooms)) as paula:
        paula.hello()
        rooms.do(CALLER)
        assert paula.event("joined")["person"]["number"] == "+331…78"
        rooms.do(c.AskQuestion(participant_id="phone-1"))
        paula.event("question_asked")
        assert paula.state["questions"] == ["phone-1"]
        assert paula.ask("start")["ok"] is True
        assert rooms.room.started
        paula.ask("set_mode", mode="qa")
        paula.ask("give_floor", participant=None)
        assert rooms.room.floor_holder == "phone-1"
        assert paula.state["floor"] == "phone-1"
        paula.ask("mute", participant="phone-1")
        assert paula.person("phone-1")["muted_by"] == "presenter"
        paula.ask("take_floor")
        paula.ask("lock")
        assert (paula.state["floor"], paula.state["locked"]) == (None, True)
        paula.ask("rename", participant="phone-1", name="Aunt Mary")
        assert rooms.room.card("phone-1").name == "Aunt Mary"


def test_participants_see_no_numbers_and_no_presenter_pin(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto:
        otto.hello()
        rooms.do(CALLER)
        otto.event("joined")
        otto.ask("state")
        otto.until(lambda told: "sound" in told)
        person = otto.person("phone-1")
        assert (person["name"], person["number"], person["city"]) == (None, None, "Paris")
        assert otto.state["dial_in"]["presenter_pin"] is None
        assert rooms.pin("presenter") not in json.dumps(otto.state).replace(" ", "")
        assert "331" not in json.dumps(otto.state["people"])


def test_sound_follows_the_room(rooms: RoomHouse) -> None:
    cookie = join(rooms.client, rooms.url, "Otto")
    with (
        connect(rooms.client, rooms.url, presenter(rooms)) as paula,
        connect(rooms.client, rooms.url, cookie) as otto,
    ):
        paula.hello()
        otto.hello()
        assert otto.sounds == [{"speak": False, "hear": "music", "via": None}]
        assert otto.ask("offer", sdp="v=0 offer")["sdp"] == "v=0 answer"
        paula.ask("set_mode", mode="discussion")
        paula.ask("start")
        otto.until(lambda told: told.get("sound", {}).get("speak") is True)
        rooms.do(c.LinkPhone(participant_id=otto.me, city="Paris", country="FR", number_masked="+331…78"))
        assert otto.until(lambda told: "sound" in told)["sound"]["via"] == "phone"
        paula.event("phone_linked")
        assert paula.person(otto.me)["devices"] == ["phone", "web"]
        rooms.do(c.UnlinkPhone(participant_id=otto.me))
        assert otto.until(lambda told: "sound" in told)["sound"]["via"] == "web"
        otto.ask("sound_off")
        assert otto.sounds[-1]["via"] is None
        assert otto.ask("offer", sdp="rubbish")["error"]["slug"] == "bad-offer"


def test_a_reload_is_the_same_person_and_gets_what_it_missed(rooms: RoomHouse) -> None:
    cookie = join(rooms.client, rooms.url, "Otto")
    with connect(rooms.client, rooms.url, presenter(rooms)) as paula:
        paula.hello()
        with connect(rooms.client, rooms.url, cookie) as otto:
            otto.hello()
            seq, me = otto.state["seq"], otto.me
        paula.until(lambda told: told.get("event", {}).get("type") == "connection_changed")
        assert paula.person(me)["connected"] is False
        paula.ask("lock")
        rooms.clock.now_s += 19
        rooms.let_go()
        with connect(rooms.client, rooms.url, cookie) as again:
            again.page = otto.page
            assert again.hello(seq=seq)["ok"] is True
            assert [e["type"] for e in again.events] == [
                "connection_changed", "locked", "connection_changed"
            ]  # fmt: skip
            assert again.sounds
            assert rooms.room.headcount == 2
            assert again.person(me)["connected"] is True
            paula.event("connection_changed")
    rooms.clock.now_s += 21
    rooms.let_go()
    assert rooms.room.headcount == 0


def test_after_a_gap_the_page_gets_the_whole_state(rooms: RoomHouse) -> None:
    cookie = join(rooms.client, rooms.url, "Otto")
    with connect(rooms.client, rooms.url, cookie) as otto:
        otto.send("hello", seq=5)
        otto.until(lambda told: "state" in told)
        assert otto.state["people"][0]["id"] == otto.me


def test_the_newer_page_of_a_seat_wins(rooms: RoomHouse) -> None:
    cookie = join(rooms.client, rooms.url, "Otto")
    with connect(rooms.client, rooms.url, cookie) as older, connect(rooms.client, rooms.url, cookie) as newer:
        older.hello()
        newer.hello()
        with pytest.raises(WebSocketDisconnect) as closed:
            older.until(lambda _told: False)
        assert (closed.value.code, closed.value.reason) == (4001, "elsewhere")
        assert rooms.room.headcount == 1
        assert rooms.room.card(newer.me).connected
        assert newer.ask("ping")["ok"] is True


def test_a_removal_can_be_taken_back_and_the_page_comes_in_again(rooms: RoomHouse) -> None:
    cookie = join(rooms.client, rooms.url, "Otto")
    with (
        connect(rooms.client, rooms.url, presenter(rooms)) as paula,
        connect(rooms.client, rooms.url, cookie) as otto,
    ):
        paula.hello()
        otto.hello()
        paula.ask("rename", participant=otto.me, name="Otto II")
        paula.ask("kick", participant=otto.me)
        assert otto.until(lambda told: "removed" in told)["removed"] == {"undo_s": 15.0}
        assert otto.me not in rooms.room
        assert otto.ask("toggle_mute")["error"]["slug"] == "removed"
        assert otto.ask("hello", seq=None)["error"]["slug"] == "removed"
        with connect(rooms.client, rooms.url, cookie) as reloaded:
            assert reloaded.ask("hello", seq=None)["error"]["slug"] == "removed"
        rooms.clock.now_s += 10
        assert paula.ask("undo_kick", participant=otto.me)["ok"] is True
        otto.until(lambda told: "state" in told)
        assert otto.person(otto.me)["name"] == "Otto II"
        paula.event("joined")
        assert otto.ask("toggle_mute")["ok"] is True


def test_stop_leaves_the_room_open_and_end_closes_it(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, presenter(rooms)) as paula:
        paula.hello()
        paula.ask("start")
        paula.ask("stop")
        assert paula.state["started"] is False
        paula.ask("start")
        paula.ask("end", close=False)
        assert (paula.state["started"], paula.state["ended"]) == (False, False)
        paula.send("end")
        with pytest.raises(WebSocketDisconnect) as closed:
            paula.until(lambda _told: False)
        assert closed.value.code == 4000
        assert paula.state["ended"] is True
        assert paula.others[-1]["ok"] is True


def test_leaving_is_at_once_and_a_telephone_keeps_the_person_in(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto:
        otto.hello()
        me = otto.me
        rooms.do(c.LinkPhone(participant_id=me, city="Paris"))
        assert otto.ask("leave")["ok"] is True
        with pytest.raises(WebSocketDisconnect):
            otto.read()
    assert rooms.room.card(me).devices == {Via.PHONE}
    rooms.do(c.UnlinkPhone(participant_id=me))
    assert rooms.room.headcount == 0


def test_toll_free_is_switched_by_presenters_and_offers_the_gateway(rooms: RoomHouse) -> None:
    with (
        connect(rooms.client, rooms.url, presenter(rooms)) as paula,
        connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto,
    ):
        paula.hello()
        otto.hello()
        assert paula.ask("gateway", on=False)["ok"] is True
        assert otto.event("settings_changed")["gateway"] is False
        assert otto.ask("phone")["error"]["slug"] == "gateway-off"
        assert paula.ask("toll_free", on=True)["gateway_off"] is True
        assert paula.ask("gateway", on=True)["ok"] is True
        assert paula.ask("toll_free", on=True)["gateway_off"] is False
        assert otto.ask("toll_free", on=False)["error"]["slug"] == "not-presenter"
        otto.ask("state")
        otto.until(lambda told: "sound" in told)
        assert otto.state["settings"] == {"gateway": True, "toll_free": True}
    with rooms.services.readers() as session:
        stored = service.get_event(session, account_id=rooms.event.account_id, event_id=rooms.event.id)
        assert stored.settings["toll_free_enabled"] is True
    card = rooms.services.directory.event(rooms.event.id)
    assert card is not None
    assert (card.gateway_enabled, card.toll_free_enabled) == (True, True)


def test_a_telephone_for_me(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto:
        otto.hello()
        phone = otto.ask("phone", timezone="Europe/London")["phone"]
        assert phone["pin_grouped"].replace(" ", "") == phone["pin"]
        assert [number["city"] for number in phone["numbers"]] == ["London", "Paris"]
        assert phone["numbers"][0]["tel"] == f"tel:+442038079999,,{phone['pin']}%23"
        assert otto.ask("phone")["phone"]["pin"] == phone["pin"]
        entry = rooms.services.directory.lookup(phone["pin"])
        assert entry is not None
        assert (entry.seat_id, entry.person_name, entry.role) == (otto.me, "Otto", Role.PARTICIPANT)


def test_names_are_text(rooms: RoomHouse) -> None:
    name = "<script>alert(1)</script>"
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, name)) as otto:
        otto.hello()
        assert otto.person(otto.me)["name"] == name
        otto.ask("rename", name="<img src=x onerror=1>\u202e\n b")
        assert otto.person(otto.me)["name"] == "<img src=x onerror=1> b"


# What participants may not do


PRESENTERS_ONLY: list[tuple[str, dict[str, Any]]] = [
    ("mute", {"participant": "p"}),
    ("unmute", {"participant": "p"}),
    ("set_mode", {"mode": "discussion"}),
    ("give_floor", {"participant": None}),
    ("take_floor", {}),
    ("lock", {}),
    ("unlock", {}),
    ("start", {}),
    ("stop", {}),
    ("end", {}),
    ("end", {"close": False}),
    ("kick", {"participant": "p"}),
    ("undo_kick", {"participant": "p"}),
    ("rename", {"participant": "p", "name": "Fool"}),
    ("toll_free", {"on": True}),
    ("gateway", {"on": False}),
]


@pytest.mark.parametrize(("do", "fields"), PRESENTERS_ONLY)
def test_a_participant_is_refused_what_presenters_do(
    rooms: RoomHouse, do: str, fields: dict[str, Any]
) -> None:
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto:
        otto.hello()
        rooms.do(c.Join(participant_id="p", name="Paula", role=Role.PRESENTER, via=Via.PHONE))
        before = rooms.room.state()
        # Whatever a message claims, it is its own socket's seat that asks.
        answer = otto.ask(do, by="p", role="presenter", seat="p", **fields)
        assert answer["error"]["slug"] == "not-presenter"
        assert rooms.room.state() == before
        assert rooms.metric("tollbridge_socket_refused_total", slug="not-presenter") == 1


def test_one_may_rename_and_mute_oneself(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto:
        otto.hello()
        for do, fields in (
            ("mute", {}), ("unmute", {}), ("toggle_mute", {}), ("ask_question", {}),
            ("music", {"on": False}), ("rename", {"name": "O."}),
        ):  # fmt: skip
            assert otto.ask(do, **fields)["ok"] is True, do
        person = otto.person(otto.me)
        assert (person["muted_by"], person["name"], person["music"]) == ("self", "O.", False)
        assert otto.state["questions"] == [otto.me]


def test_a_locked_room_lets_nobody_in_until_it_is_open_again(rooms: RoomHouse) -> None:
    with (
        connect(rooms.client, rooms.url, presenter(rooms)) as paula,
        connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto,
    ):
        paula.hello()
        paula.ask("lock")
        assert otto.hello()["error"]["slug"] == "event-locked"
        assert otto.ask("toggle_mute")["error"]["slug"] == "hello-first"
        paula.ask("unlock")
        assert otto.hello()["ok"] is True


def test_a_slow_page_gets_the_state_instead_of_a_long_queue(rooms: RoomHouse) -> None:
    with (
        connect(rooms.client, rooms.url, presenter(rooms)) as paula,
        connect(rooms.client, rooms.url, join(rooms.client, rooms.url, "Otto")) as otto,
    ):
        paula.hello()
        otto.hello()

        def storm() -> None:
            for _ in range(700):
                rooms.services.live.apply(
                    rooms.room_id, c.ToggleMute(participant_id=otto.me), now_s=rooms.clock()
                )

        assert rooms.client.portal is not None
        rooms.client.portal.call(storm)
        otto.until(lambda told: "state" in told)
        assert otto.ask("toggle_mute")["ok"] is True
        assert otto.person(otto.me)["muted_by"] == "self"
        assert rooms.metric("tollbridge_socket_overflows_total") == 2


def test_visitors_of_a_password_event_meet_callers(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=2, password="open sesame")
    cookie = join(rooms.client, event.url_name, "Otto", password="open sesame")
    with connect(rooms.client, event.url_name, cookie) as otto:
        assert otto.hello()["ok"] is True


def test_in_an_event_with_tokens_participants_are_not_told_the_shared_pin(rooms: RoomHouse) -> None:
    event = rooms.create(access_type=3)
    guest = join(rooms.client, event.url_name, "Otto", t=rooms.token(event))
    host = join(rooms.client, event.url_name, "Paula", l=event.hash_host)
    for cookie, known in ((guest, False), (host, True)):
        with connect(rooms.client, event.url_name, cookie) as visitor:
            visitor.hello()
            assert (visitor.state["dial_in"]["pin"] is not None) == known


def test_two_hellos_tell_nothing_twice(rooms: RoomHouse) -> None:
    with connect(rooms.client, rooms.url, presenter(rooms)) as paula:
        paula.hello()
        assert paula.hello(seq=paula.state["seq"])["ok"] is True
        paula.ask("lock")
        assert [e["type"] for e in paula.events] == ["locked"]
