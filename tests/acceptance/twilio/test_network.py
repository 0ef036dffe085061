"""Networks as they are: messages late and in the wrong order, sockets lost and regained, stalls, and a
bridge that is restarted under its callers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import PARIS, until
from tests.phones.ear import Ear
from tests.phones.twilio_caller import MixedOffice, TwilioCaller
from tests.phones.twilio_cloud import TwilioCloud, wait_until
from tests.phones.twilio_phone import TwilioCall, TwilioPhone
from tests.support.product import Product, Room
from tests.support.sound import silent_ms, sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


class JitteryPhone(TwilioPhone):
    """Its messages arrive in bunches, the order within a bunch turned round."""

    bunch = 3

    def speak(self, payload: bytes) -> None:
        assert self.call is not None
        self._held = [*getattr(self, "_held", []), self.call.media(payload)]
        if len(self._held) == self.bunch:
            for media in reversed(self._held):
                self.call.say("media", media=media)
            self._held = []


def in_room(office: MixedOffice, room: Room, *callers: TwilioCaller) -> None:
    """Let these in as presenters and start the event; nobody speaks to them any more."""
    for each in callers:
        each.dial(PARIS)
        each.enter(room, room.presenter_pin)
    callers[0].press("7")
    room.becomes(started=True)
    office.hush(*(each.name for each in callers))


def test_late_and_reordered_media_is_put_in_order(office: MixedOffice, product: Product) -> None:
    ann, bob = office.twilio_caller("ann", hz=425), office.twilio_caller("bob", hz=620)
    says = ann.phone.says
    jittery = JitteryPhone(says=says)
    office.studio.phones.remove(ann.phone)
    ann.phone = jittery
    office.studio.add(jittery)
    room = product.new_room("Reordered")
    in_room(office, room, ann, bob)
    office.settle({"ann": "bob", "bob": "ann"})
    bob.listen()
    until(lambda: len(bob.sound()) > 3 * 8000, lambda: "no sound")
    heard = np.asarray(bob.sound()[8000:], np.float64)
    assert silent_ms(heard, rate=8000, below_db=-40) == 0, "no gap"
    assert np.max(np.abs(np.diff(heard, 2))) < 3000, "no click: every frame joins on to the one before"
    ann.hang_up()
    bob.hang_up()
    record = min(room.finished_cdrs(2), key=lambda each: each["setup_at"])
    assert record["lost_pkts"] == 0
    assert record["discarded_pkts"] < 10, "none, once the jitter buffer knows the line"
    assert record["jitter_avg_ms"] > 5


def test_a_lost_socket_is_regained_and_the_caller_is_where_she_was(
    office: MixedOffice, product: Product
) -> None:
    ann, bob = office.twilio_caller("ann", hz=425), office.caller("bob", hz=620)
    room = product.new_room("Lost and regained")
    in_room(office, room, ann)
    bob.dial(PARIS)
    bob.enter(room, room.listener_pin)
    office.hush("bob")
    office.settle({"bob": "ann"})
    call, identity = ann.call, ann.participant_id
    assert call is not None
    call.break_socket()
    wait_until(lambda: len(call.tokens) == 2 and call.streaming, "another stream")
    assert len(set(call.tokens)) == 2, "with a token of its own"
    office.settle({"bob": "ann"})
    assert [p["id"] for p in room.people() if p["role"] == "presenter"] == [identity]
    ann.press("7")  # the keypad goes on as well
    ann.hang_up()
    bob.hang_up()
    records = room.finished_cdrs(2)
    assert len(records) == 2, "one call is one record"
    ours = next(each for each in records if each["channel"] == "twilio")
    assert (ours["reason_slug"], ours["conf_ms"] > 0) == ("caller-hung-up", True)


def test_a_socket_that_never_comes_back_ends_the_call(
    office: MixedOffice, product: Product, cloud: TwilioCloud
) -> None:
    ann = office.twilio_caller("ann", hz=425)
    room = product.new_room("Lost for good")
    in_room(office, room, ann)
    call = ann.call
    assert call is not None
    call.calls_back = False
    call._hung_up = True  # Twilio itself is gone: nobody asks again
    call.break_socket()
    record = product.wait_for(lambda: room.sessions() and room.cdrs(), "the record", within_s=20)[0]
    assert (record["reason_slug"], record["end_basis"]) == ("media-timeout", "media_timeout")
    assert any(call.call_sid in path for _, path in cloud.requests), "Twilio is told to end it, too"


def test_a_stream_that_never_comes_is_a_call_that_was_not_answered(
    product: Product, cloud: TwilioCloud
) -> None:
    """As when a proxy lets web hooks through, but no WebSockets."""
    call = TwilioCall(cloud, product.url, PARIS, caller="+12025550188")
    assert "<Connect>" in cloud.hook(product.url, "/twilio/voice", call.fields()).text
    wait_until(lambda: call.call_sid in cloud.completed, "the end of it", within_s=30)
    rows = map(json.loads, product.command("cdr", "export", "--json").splitlines())
    record = next(row for row in rows if row["source_call_id"] == call.call_sid)
    assert (record["reason_slug"], record["answer_at"], record["billable"]) == ("media-timeout", None, False)


def test_the_status_callback_ends_a_call_whose_socket_broke(office: MixedOffice, product: Product) -> None:
    ann = office.twilio_caller("ann", hz=425)
    room = product.new_room("Hung up in the dark")
    in_room(office, room, ann)
    call = ann.call
    assert call is not None
    call._hung_up = True
    call.break_socket()
    record = product.wait_for(lambda: room.sessions() and room.cdrs(), "the record", within_s=5)[0]
    assert (record["reason_slug"], record["hangup_party"]) == ("caller-hung-up", "caller")


def test_after_a_stall_the_caller_hears_the_present(office: MixedOffice, product: Product) -> None:
    """What was held up for three seconds must not be played for three seconds while life goes on."""
    ann, bob = office.twilio_caller("ann", hz=425), office.twilio_caller("bob", hz=620)
    in_room(office, product.new_room("Stall"), ann, bob)
    office.settle({"bob": "ann"})
    call = bob.call
    assert call is not None
    call.frozen = True
    frozen_at = len(bob.phone.heard)
    until(lambda: len(bob.phone.heard) > frozen_at + 150, lambda: "time stands still")
    call.frozen = False
    ann.phone.says = sine(880)
    office.voices["ann"] = 880
    bob.listen()
    until(
        lambda: bob.phone.tones({"old": 425, "new": 880}, last_s=0.2) == {"new"},
        lambda: "still hears the past",
        within_s=2.0,
    )
    assert call.queued_max <= 2.2 * 8000, "what waits at Twilio is bounded"


def test_prices_come_into_the_books(office: MixedOffice, product: Product, cloud: TwilioCloud) -> None:
    ann = office.twilio_caller("ann")
    ann.dial(PARIS)
    call = ann.call
    assert call is not None
    cloud.prices[call.call_sid] = "-0.01750"
    ann.hang_up()

    def row() -> dict[str, object] | None:
        rows = map(json.loads, product.command("twilio", "reconcile", "--json").splitlines())
        return next((r for r in rows if r["call_sid"] == call.call_sid and r["price_u"] is not None), None)

    found = product.wait_for(row, "a price", within_s=45)
    assert (found["price_u"], found["currency"], found["twilio_duration_s"]) == (17_500, "USD", 7)
    assert found["conn_ms"] > 0


@pytest.fixture
def own(tmp_path: Path, ear: Ear, cloud: TwilioCloud) -> Iterator[Product]:
    """A product that a test may stop."""
    with Product(tmp_path, prompt_cache=ear.folder, **cloud.settings()) as running:
        yield running


def test_a_bridge_that_is_killed_gets_its_callers_back(own: Product, ear: Ear, cloud: TwilioCloud) -> None:
    """Twilio asks the new bridge what to do with a call of the old one: the caller types the PIN again."""
    with MixedOffice(own, ear, cloud) as office:
        ann = office.twilio_caller("ann", hz=425)
        room = own.demo
        in_room(office, room, ann)
        call = ann.call
        assert call is not None
        call.patient = True
        own.kill()
        own.start()
        wait_until(lambda: len(call.tokens) == 2 and call.streaming, "another stream", within_s=15)
        ann.listen()
        ann.hears_prompt(prompt("pin.ask"))
        ann.enter(room, room.presenter_pin)
        ann.hang_up()
        records = room.finished_cdrs(1)
        assert {each["source_call_id"] for each in records} == {call.call_sid}
        text = own.command("cdr", "export", "--json").splitlines()
        slugs = [json.loads(line)["reason_slug"] for line in text]
        assert sorted(slugs) == ["caller-hung-up", "node-crash"]


def test_a_bridge_that_is_stopped_ends_its_calls_at_twilio(
    own: Product, ear: Ear, cloud: TwilioCloud
) -> None:
    with MixedOffice(own, ear, cloud) as office:
        ann = office.twilio_caller("ann")
        ann.dial(PARIS)
        call = ann.call
        assert call is not None
        assert own.stop() == 0
        assert call.call_sid in cloud.completed
        record = json.loads(own.command("cdr", "export", "--json").splitlines()[0])
        assert record["reason_slug"] == "shutdown"
