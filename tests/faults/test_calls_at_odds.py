"""Calls that begin and end in unusual ways: all at once, given up early, with a cause of their own."""

from __future__ import annotations

import time

import pytest

from tests.faults.scene import PARIS, Scene, until
from tests.phones.sip_message import audio_sdp
from tests.phones.sip_phone import SipPhone

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_thirty_calls_in_the_same_ten_milliseconds(scene: Scene) -> None:
    callers = [scene.caller(f"+1202556{n:04d}") for n in range(30)]
    begun_s = time.monotonic()
    for caller in callers:
        caller.calls.append(caller.phone.dial(PARIS, sdp=caller.sound.sdp()))
    sent_ms = (time.monotonic() - begun_s) * 1000
    for caller in callers:
        answer = caller.call.final()
        assert answer.status == 200
        caller.sound.connect(answer.body)
    assert sent_ms < 100, "this machine is too slow to say anything"
    for caller in callers:
        until(lambda caller=caller: caller.heard("welcome"), "the welcome")
        caller.sound.press(f"{scene.product.listener_pin}#")
    names = {caller.name for caller in callers}
    until(lambda: {p["name"] for p in scene.people()} >= names, "thirty people in the room", within_s=20)
    for caller in callers:
        caller.hang_up()
    records = [caller.record() for caller in callers]
    assert {r["reason_slug"] for r in records} == {"caller-hung-up"}
    assert all(r["join_at"] for r in records)
    assert len({r["id"] for r in records}) == 30


def test_a_cause_in_the_bye_is_written_down(scene: Scene) -> None:
    caller = scene.caller()
    caller.dial()
    caller.hang_up({"Reason": 'Q.850;cause=31;text="Normal, unspecified"'})
    record = caller.record()
    assert (record["q850"], record["cause_source"]) == (31, "reason_header")
    assert record["hangup_party"] == "caller"
    assert record["disposition"] == "success"


def test_a_bye_without_a_cause_is_normal_clearing(scene: Scene) -> None:
    caller = scene.caller()
    caller.dial()
    caller.hang_up()
    record = caller.record()
    assert (record["q850"], record["cause_source"]) == (16, "bye")
    assert record["sip_status"] == 200


def test_a_caller_who_gives_up_before_the_answer(scene: Scene) -> None:
    """CANCEL right behind the INVITE: it may come before or after our 200, and either way nothing is left."""
    with SipPhone(scene.product.sip) as phone:
        calls = []
        for _ in range(10):
            call = phone.dial(PARIS, sdp=audio_sdp(port=40000))
            call.cancel()
            calls.append(call)
        for call in calls:
            final = call.final()
            assert final.status in (200, 487)
            if final.status == 200:  # RFC 3261 section 9.2: too late for a CANCEL, so the phone hangs up
                assert call.bye().status == 200
        for call in calls:
            record = scene.record(call.call_id)
            if any(r.status == 200 and r.cseq[1] == "INVITE" for r in call.responses):
                assert record["reason_slug"] == "caller-hung-up"
                assert record["answer_at"] is not None
            else:
                assert record["reason_slug"] == "caller-cancelled"
                assert (record["sip_status"], record["q850"]) == (487, 16)
                assert record["answer_at"] is None
                assert not record["billable"]
    until(lambda: scene.metric("tollbridge_legs") == scene.metric("tollbridge_calls"), "legs as calls")


def test_a_bye_right_behind_the_answer(scene: Scene) -> None:
    """The phone hangs up in the instant of the 200, before or with its ACK."""
    with SipPhone(scene.product.sip) as phone:
        for auto_ack in (True, False):
            call = phone.dial(
                PARIS,
                sdp=audio_sdp(port=40000),
                auto_ack=auto_ack,
                on_final=lambda call, _answer: call.request("BYE") and None,
            )
            assert call.final().status == 200
            until(lambda call=call: any(r.cseq[1] == "BYE" for r in call.responses), "an answer to the BYE")
            record = scene.record(call.call_id)
            assert record["reason_slug"] == "caller-hung-up"
            assert record["pin_result"] in (None, "abandoned")
            assert record["rx_pkts"] in (None, 0)
            assert record["mos_cq"] is None  # nothing was heard, so nothing is known


def test_an_invite_that_arrives_again_after_the_answer(scene: Scene) -> None:
    """A repeated INVITE that was overtaken by our 200 (RFC 6026) is the same call: one leg, one record."""
    before = scene.metric("tollbridge_calls_total")
    caller = scene.caller()
    caller.dial()
    invite = caller.call._invite
    assert invite is not None
    for _ in range(3):
        caller.phone.send(invite)
    assert caller.phone.options().wait(1).status == 200  # the bridge has read them
    caller.type("1")
    assert scene.metric("tollbridge_calls_total") == before + 1
    caller.hang_up()
    caller.record()
    assert [r["source_call_id"] for r in scene.records()].count(caller.call.call_id) == 1
