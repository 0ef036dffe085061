"""The first call: a city number, a voice in its language, a PIN, music, and `7`."""

from __future__ import annotations

import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import LONDON, PARIS, Office, until
from tests.support.product import Product

pytestmark = pytest.mark.acceptance


def test_paris_answers_in_french_and_london_in_english(office: Office) -> None:
    paris, london = office.caller("paris"), office.caller("london", codec="G722", language="en")
    paris.dial(PARIS)
    london.dial(LONDON)
    asked = prompt("welcome"), prompt("pin.ask")
    paris.hears_prompt(*asked, whole=True)
    london.hears_prompt(*asked, whole=True)
    paris.listen(again=True)
    london.listen(again=True)
    for each in asked:
        assert paris.heard(each, language="en") < 0.5
        assert london.heard(each, language="fr") < 0.5


def test_a_participant_waits_with_music_until_a_presenter_starts(office: Office, product: Product) -> None:
    room = product.demo
    bob = office.caller("bob", hz=620, codec="G722")
    bob.dial(PARIS)
    bob.hears_prompt(prompt("welcome"))
    bob.enter(room, room.listener_pin)
    bob.hears_name(prompt("join.welcome", event="Demo room"))
    bob.hears_prompt(prompt("join.wait"))
    assert not room.live()["started"]
    bob.hears_prompt(prompt("music.can-switch", key="4"), prompt("join.press-for-help", key="0"))
    office.settle({"bob": "music"})

    ann = office.caller("ann", hz=425)
    ann.dial(PARIS)
    ann.enter(room, room.presenter_pin)
    ann.hears_prompt(prompt("join.press-to-start", key="7"))
    office.hush("ann")
    office.settle({"ann": "silence", "bob": "music"})

    bob.listen()
    ann.press("7")
    ann.hears_prompt(prompt("start.done"), prompt("headcount", n=2))
    bob.hears_prompt(prompt("start.now"), prompt("mode.you.listen_only"))
    room.becomes(started=True)
    office.settle({"ann": "silence", "bob": "ann"})
    assert {(p["role"], p["via"], p["city"]) for p in room.people()} == {
        ("presenter", "phone", "Paris"),
        ("participant", "phone", "Paris"),
    }
    assert all("12025550" not in p["name"] for p in room.people())


def test_a_wrong_pin_is_told_and_the_right_one_still_opens(office: Office, product: Product) -> None:
    room = product.demo
    eve = office.caller("eve", codec="PCMU")
    eve.dial(PARIS)
    eve.press("123456789#")
    eve.hears_prompt(prompt("pin.wrong"), prompt("pin.again"))
    eve.press("1234*")
    eve.hears_prompt(prompt("pin.cleared"))
    eve.enter(room, room.listener_pin)
    eve.hears_name(prompt("join.welcome", event="Demo room"))


def test_keys_that_overtake_the_ack_are_part_of_the_pin(office: Office, product: Product) -> None:
    room = product.new_room("Hasty")
    ann = office.caller("ann")
    call = ann.sip.dial(PARIS, sdp=ann.phone.sdp(), sender=f"<sip:{ann.user}@{ann.sip.host}>", auto_ack=False)
    ann.call = call
    ann.phone.connect(call.final().body)
    until(lambda: ann.phone.heard, lambda: "no sound")
    ann.press(room.presenter_pin[:4])
    call.ack()
    ann.enter(room, room.presenter_pin[4:])
