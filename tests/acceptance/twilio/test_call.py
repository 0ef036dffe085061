"""A call by Twilio from the web hook to the record, beside a SIP phone in the same room."""

from __future__ import annotations

import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import PARIS, until
from tests.phones.twilio_caller import MixedOffice
from tests.phones.twilio_cloud import TwilioCloud
from tests.support.product import Product

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_a_twilio_caller_and_a_sip_phone_hear_each_other(office: MixedOffice, product: Product) -> None:
    room = product.new_room("Both ways in")
    ann = office.twilio_caller("ann", hz=425)
    bob = office.caller("bob", hz=620, codec="G722")
    ann.dial(PARIS)
    ann.hears_prompt(prompt("welcome"), prompt("pin.ask"))
    ann.enter(room, room.presenter_pin)
    bob.dial(PARIS)
    bob.enter(room, room.presenter_pin)
    ann.press("7")
    room.becomes(started=True)
    office.hush("ann", "bob")
    office.settle({"ann": "bob", "bob": "ann"})
    ann.hang_up()
    bob.hang_up()
    records = {each["channel"]: each for each in room.finished_cdrs(2)}
    twilio = records["twilio"]
    assert ann.call is not None
    assert twilio["source"] == "twilio"
    assert twilio["source_call_id"] == ann.call.call_sid
    assert (twilio["reason_slug"], twilio["hangup_party"], twilio["q850"]) == ("caller-hung-up", "caller", 16)
    assert (twilio["number_id"], twilio["codec"], twilio["pin_result"]) == ("fr-paris", "PCMU", "ok")
    assert twilio["rx_pkts"] > 100
    assert twilio["lost_pkts"] == 0
    assert twilio["mos_cq"] > 4.0


def test_a_goodbye_is_heard_to_its_end_before_we_hang_up(office: MixedOffice, cloud: TwilioCloud) -> None:
    eve = office.twilio_caller("eve")
    eve.dial(PARIS)
    for _ in range(3):
        eve.press("111111111#")
    eve.hears_prompt(prompt("bye.wrong-pin"), prompt("bye"), within_s=30)
    call = eve.hung_up_on()
    assert call.call_sid in cloud.completed
    until(lambda: any(status == 204 for status, _ in call.answers), lambda: "no status callback")


def test_a_key_empties_what_waits_at_twilio(office: MixedOffice) -> None:
    dan = office.twilio_caller("dan")
    call = dan.dial(PARIS)
    dan.hears_prompt(prompt("welcome"))
    before = sum(message["event"] == "clear" for message in call.received)
    dan.press("1")
    until(lambda: sum(message["event"] == "clear" for message in call.received) > before, lambda: "no clear")
    until(lambda: dan.hears(seconds=0.3) == "silence", lambda: "the prompt went on")
    until(lambda: len(dan.sound()) > 8000 * 4, lambda: "no sound")
    assert dan.heard(prompt("pin.ask")) < 0.6


def test_a_kick_over_http_ends_the_call_at_twilio(
    office: MixedOffice, product: Product, cloud: TwilioCloud
) -> None:
    room = product.new_room("Kick")
    ann = office.twilio_caller("ann")
    ann.dial(PARIS)
    ann.enter(room, room.listener_pin)
    room.order("kick", participant_id=ann.participant_id)
    call = ann.hung_up_on()
    assert call.call_sid in cloud.completed
    record = room.finished_cdrs(1)[0]
    assert (record["reason_slug"], record["hangup_party"]) == ("kicked", "bridge")


def test_without_rest_the_call_is_ended_all_the_same(
    office: MixedOffice, product: Product, cloud: TwilioCloud
) -> None:
    room = product.new_room("No REST")
    ann = office.twilio_caller("ann")
    ann.dial(PARIS)
    ann.enter(room, room.listener_pin)
    cloud.failing = True
    try:
        room.order("kick", participant_id=ann.participant_id)
        call = ann.hung_up_on()
    finally:
        cloud.failing = False
    assert call.call_sid not in cloud.completed
    assert "<Hangup" in call.answers[-2][1], "Twilio asks what to do when the socket is closed"
    assert room.finished_cdrs(1)[0]["reason_slug"] == "kicked"
