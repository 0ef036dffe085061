"""A caller is a caller: the same tests over SIP phones and over Twilio, person by person.

`caller` makes somebody with a telephone of the kind under test; `other` is always the other kind, so that
every test also has both kinds in one room.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import LONDON, PARIS, Caller, until
from tests.phones.twilio_caller import MixedOffice
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

MakeCaller = Callable[..., Caller]


@pytest.fixture(params=["sip", "twilio"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def caller(way: str, office: MixedOffice) -> MakeCaller:
    return office.twilio_caller if way == "twilio" else office.caller


@pytest.fixture
def other(way: str, office: MixedOffice) -> MakeCaller:
    return office.caller if way == "twilio" else office.twilio_caller


@pytest.fixture
def room(product: Product) -> Room:
    return product.new_room("Contract")


def inside(office: MixedOffice, room: Room, *, presenter: Caller, participant: Caller) -> None:
    """Both in the room, the event begun, nobody spoken to."""
    for each, pin in ((presenter, room.presenter_pin), (participant, room.listener_pin)):
        each.dial(PARIS)
        each.enter(room, pin)
    room.order("start")
    room.becomes(started=True)
    office.hush(presenter.name, participant.name)


def test_each_number_answers_in_its_language(caller: MakeCaller) -> None:
    paris, london = caller("paris"), caller("london", language="en")
    paris.dial(PARIS)
    london.dial(LONDON)
    paris.hears_prompt(prompt("welcome"), prompt("pin.ask"))
    london.hears_prompt(prompt("welcome"), prompt("pin.ask"))


def test_wrong_keys_then_the_right_pin(caller: MakeCaller, room: Room) -> None:
    eve = caller("eve")
    eve.dial(PARIS)
    eve.press("123456789#")
    eve.hears_prompt(prompt("pin.wrong"), prompt("pin.again"))
    eve.press("1234*")
    eve.hears_prompt(prompt("pin.cleared"))
    eve.enter(room, room.listener_pin)
    assert [(p["via"], p["city"], p["role"]) for p in room.people()] == [("phone", "Paris", "participant")]
    assert eve.user not in str(room.people()), "nobody sees a whole number"


def test_a_pin_typed_during_the_greeting_counts(caller: MakeCaller, room: Room) -> None:
    ann = caller("ann")
    ann.dial(PARIS)
    ann.enter(room, room.presenter_pin)
    ann.hears_prompt(prompt("join.press-to-start", key="7"))


def test_music_until_the_start_and_then_each_other(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room
) -> None:
    bob, ann = caller("bob", hz=620), other("ann", hz=425)
    bob.dial(PARIS)
    bob.enter(room, room.listener_pin)
    office.hush("bob")
    office.settle({"bob": "music"})
    ann.dial(PARIS)
    ann.enter(room, room.presenter_pin)
    ann.press("7")
    room.becomes(started=True)
    office.hush("ann", "bob")
    office.settle({"ann": "silence", "bob": "ann"})
    room.order("set_mode", mode="discussion")
    until(lambda: not ann.state()["muted"] or ann.press("1"), lambda: "ann stays muted")
    ann.becomes(muted=False)
    office.hush("ann", "bob")
    office.settle({"ann": "bob", "bob": "ann"})


def test_mute_by_key_and_by_the_organiser(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room
) -> None:
    ann, bob = caller("ann", hz=425), other("bob", hz=620)
    inside(office, room, presenter=ann, participant=bob)
    office.settle({"bob": "ann"})
    ann.press("1")
    ann.hears_prompt(prompt("mute.on"))
    office.settle({"bob": "silence"})
    ann.press("1")
    ann.hears_prompt(prompt("mute.off"))
    office.settle({"bob": "ann"})
    room.order("mute", participant_id=ann.participant_id)
    ann.becomes(muted=True, muted_by="presenter")
    office.settle({"bob": "silence"})


def test_question_floor_and_back(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room
) -> None:
    bob, ann = caller("bob", hz=620), other("ann", hz=425)
    inside(office, room, presenter=ann, participant=bob)
    room.order("set_mode", mode="qa")
    office.hush("ann", "bob")
    bob.press("5")
    bob.hears_prompt(prompt("question.position", n=1))
    ann.press("5")
    bob.becomes(floor=True)
    until(lambda: not ann.state()["muted"] or ann.press("1"), lambda: "ann stays muted")
    office.hush("ann", "bob")
    office.settle({"ann": "bob", "bob": "ann"})
    bob.press("5")
    bob.hears_prompt(prompt("floor.returned"))
    office.hush("ann")
    office.settle({"ann": "silence"})


def test_what_one_is_told_nobody_else_hears(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room
) -> None:
    ann, bob = caller("ann"), other("bob")
    inside(office, room, presenter=ann, participant=bob)
    bob.listen()
    ann.press("8")
    until(lambda: ann.hears(seconds=0.3) not in ("", "silence"), lambda: "ann is told nothing")
    until(lambda: len(bob.sound()) > 8000, lambda: "no sound")
    assert bob.hears(seconds=0.5) == "silence"


def test_the_end_is_told_and_recorded(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room, way: str
) -> None:
    ann, bob = caller("ann"), other("bob")
    inside(office, room, presenter=ann, participant=bob)
    bob.hang_up()
    until(lambda: len(room.people()) == 1, lambda: "bob stays in the room")
    ann.listen()
    room.order("kick", participant_id=ann.participant_id)
    ann.hears_prompt(prompt("bye.kicked"), prompt("bye"))
    ann.hung_up_on()
    records = {each["channel"]: each for each in room.finished_cdrs(2)}
    kicked = records[way]
    left = next(each for channel, each in records.items() if channel != way)
    assert (kicked["reason_slug"], kicked["hangup_party"], kicked["disposition"]) == (
        "kicked", "bridge", "success",
    )  # fmt: skip
    assert (left["reason_slug"], left["hangup_party"], left["q850"]) == ("caller-hung-up", "caller", 16)
    for record in records.values():
        assert record["billable"] is True
        assert record["number_id"] == "fr-paris"
        assert record["conn_ms"] >= record["conf_ms"] > 0
        assert record["pin_result"] == "ok"
        assert record["end_basis"] == "bye"
        assert record["sip_status"] == 200
        assert record["rx_pkts"] > 50
        assert record["mos_cq"] > 4.0


def test_the_end_of_the_event_ends_the_call(
    caller: MakeCaller, other: MakeCaller, office: MixedOffice, room: Room
) -> None:
    ann, bob = caller("ann"), other("bob")
    inside(office, room, presenter=ann, participant=bob)
    room.order("end")
    for each in (ann, bob):
        each.hung_up_on()
    assert {each["reason_slug"] for each in room.finished_cdrs(2)} == {"event-ended"}
