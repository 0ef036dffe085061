"""Calls that cannot come in: what the caller's phone is told, what the caller hears, what is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import NOBODY, PARIS, Scene, until
from tests.phones.sip_message import audio_sdp
from tests.phones.sip_phone import SipPhone

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def refused_in_words(scene: Scene, pin: object, slug: str) -> dict[str, Any]:
    """Call with a PIN that opens nothing now: hear why, be hung up on; the record."""
    caller = scene.caller()
    caller.dial()
    caller.type(f"{pin}#")
    caller.hung_up_on()
    assert caller.heard(f"bye.{slug}")
    assert caller.heard("bye")
    record = caller.record()
    assert record["reason_slug"] == slug
    assert record["disposition"] == "refused"
    assert record["hangup_party"] == "bridge"
    assert record["account_id"] is not None
    assert record["join_at"] is None
    assert record["conn_ms"] > 0
    return record


def test_a_number_that_is_not_ours(scene: Scene) -> None:
    caller = scene.caller()
    answer = caller.dial(NOBODY)
    assert answer.status == 404
    record = caller.record()
    assert record["reason_slug"] == "no-such-number"
    assert (record["sip_status"], record["q850"]) == (404, 1)
    assert record["called_e164"] == NOBODY
    assert record["answer_at"] is None
    assert not record["billable"]
    assert record["rx_pkts"] is None


def test_an_event_that_was_ended(scene: Scene) -> None:
    event = scene.event(permanent_room=0)
    room, pin = str(event["id"]), event["phone_presenter_pin"]
    host = scene.caller()
    host.enter(str(pin), room=room)
    host.type("9")
    host.hung_up_on()
    assert host.heard("bye.event-ended")
    assert host.record()["reason_slug"] == "event-ended"
    record = refused_in_words(scene, event["phone_listener_pin"], "event-over")
    assert record["pin_result"] == "over"


def test_a_locked_event_lets_presenters_in_only(scene: Scene) -> None:
    event = scene.event(permanent_room=1)
    room = str(event["id"])
    host = scene.caller()
    host.enter(str(event["phone_presenter_pin"]), room=room)
    host.type("8")
    until(lambda: scene.product.get(f"/v1/conferences/{room}/live")["locked"], "the lock")
    record = refused_in_words(scene, event["phone_listener_pin"], "event-locked")
    assert record["pin_result"] == "locked"
    second = scene.caller()
    second.enter(str(event["phone_presenter_pin"]), room=room)


def test_an_event_without_a_telephone_gateway(scene: Scene) -> None:
    event = scene.event(permanent_room=1, settings={"phonegateway_enabled": False})
    record = refused_in_words(scene, event["phone_listener_pin"], "gateway-off")
    assert record["pin_result"] == "off"


def test_a_deleted_event(scene: Scene) -> None:
    event = scene.event(permanent_room=1)
    gone = scene.product.send("DELETE", f"/v1/conferences/{event['id']}")
    assert gone.status_code == 200
    refused_in_words(scene, event["phone_listener_pin"], "event-over")


def test_a_source_that_is_no_trunk(make_product: StartProduct) -> None:
    trunks = [{"name": "carrier", "sources": ["127.0.0.9/32"], "country": "FR"}]
    product = make_product(trunks=json.dumps(trunks))
    with Scene(product) as scene:
        stranger = scene.caller()
        answer = stranger.dial()
        assert answer.status == 403
        assert "tollbridge" not in str(answer.headers).lower()  # strangers learn nothing
        record = stranger.record()
        assert record["reason_slug"] == "not-allowed"
        assert record["trunk_id"] is None
        assert record["src_ip"] == "127.0.0.1"
        assert scene.metric('tollbridge_sip_total{what="strangers"}') == 1

        known = scene.caller(host="127.0.0.9")
        known.enter(product.listener_pin)
        known.hang_up()
        record = known.record()
        assert (record["trunk_id"], record["src_ip"]) == ("carrier", "127.0.0.9")


def test_a_full_bridge(make_product: StartProduct) -> None:
    product = make_product(max_calls="3")
    with Scene(product) as scene:
        inside = [scene.caller() for _ in range(3)]
        for caller in inside:
            caller.enter(product.listener_pin)
        fourth = scene.caller()
        answer = fourth.dial()
        assert answer.status in (486, 503)
        assert int(answer.get("Retry-After").split()[0]) > 0
        record = fourth.record()
        assert record["reason_slug"] == "bridge-full"
        assert record["disposition"] == "server_error"
        assert record["answer_at"] is None
        inside[0].hang_up()
        until(lambda: scene.metric("tollbridge_calls") == 2, "a free line")
        fourth.enter(product.listener_pin)


def test_who_is_refused_is_written_down_once(scene: Scene) -> None:
    """A phone that repeats its INVITE (its answer was lost) is one call and one record."""
    with SipPhone(scene.product.sip) as phone:
        call = phone.dial(NOBODY, sdp=audio_sdp(port=40000))
        assert call.final().status == 404
        assert call._invite is not None
        phone.send(call._invite)
        other = phone.dial(PARIS, sdp=audio_sdp(port=40002))
        assert other.final().status == 200
        assert other.bye().status == 200
        scene.record(other.call_id)
        scene.record(call.call_id)
        assert [r["source_call_id"] for r in scene.records()].count(call.call_id) == 1
