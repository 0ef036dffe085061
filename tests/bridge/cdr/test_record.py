"""Facts: what is accepted, what is computed from them, and who is billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from bridge.cdr.errors import BadFactsError
from bridge.cdr.outcome import OUTCOMES, Disposition, PinResult, outcome
from bridge.cdr.progress import Checkpoint, closed_by_crash
from bridge.cdr.quality import LegStats, with_media
from bridge.cdr.record import Channel, EndBasis, NonbillableReason, NumberClass
from bridge.cdr.spool import VERSION, Line, decode, encode
from tests.bridge.cdr.support import T0, at, begun, ended

SLUGS = [
    "caller-hung-up", "event-ended", "kicked", "replaced", "wrong-pin", "pin-timeout", "no-such-number",
    "event-over", "event-locked", "event-full", "gateway-off", "not-allowed", "bridge-full",
    "pin-guessing", "caller-cancelled", "media-timeout", "node-crash", "worker-lost",
    "no-common-codec", "malformed", "server-error", "shutdown", "auth-failed", "removed",
    "toll-free-off", "toll-free-spent", "revoked",
]


def test_durations() -> None:
    facts = ended()
    assert (facts.setup_ms, facts.conn_ms, facts.conf_ms) == (1_000, 61_000, 53_000)
    rung_out = ended(answer_at=None, join_at=None, leave_at=None, end_at=at(30.5))
    assert (rung_out.setup_ms, rung_out.conn_ms, rung_out.conf_ms) == (30_500, None, None)
    assert begun().conn_ms is None


def test_moments_are_utc_milliseconds_and_naive_ones_are_refused() -> None:
    paris = timezone(timedelta(hours=1))
    facts = begun(answer_at=datetime(2026, 11, 23, 13, 0, 1, 123_987, tzinfo=paris))
    assert facts.answer_at == at(1.123)
    with pytest.raises(BadFactsError, match="naive"):
        begun(setup_at=datetime(2026, 11, 23))


def test_a_clock_set_back_does_not_cost_the_record() -> None:
    facts = ended(end_at=at(-3600), leave_at=None)
    assert facts.end_at == facts.join_at
    assert (facts.conn_ms, facts.conf_ms) == (8_000, 0)


@pytest.mark.parametrize("wrong", [
    {"id": "7"}, {"source": ""}, {"leg": " \n"}, {"caller_e164": "0123"}, {"called_e164": "+0123"},
    {"caller_e164": "+331234567890123456"}, {"caller_e164": "+33123\n"}, {"src_ip": "300.1.1.1"},
    {"rx_pkts": -1}, {"pin_attempts": -1}, {"q850": 128}, {"end_at": T0},
])
def test_facts_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadFactsError):
        begun(**wrong)


def test_text_from_the_network_becomes_one_clean_line() -> None:
    facts = begun(caller_raw="a\x00b\r\nc\ud800d" + "x" * 999)
    assert facts.caller_raw.startswith("a b c dxxx")
    assert len(facts.caller_raw) == 255
    assert decode(encode(Line(v=VERSION, op="open", facts=facts))).facts == facts


def test_long_call_ids_stay_apart() -> None:
    one, two = begun(source_call_id="x" * 300 + "1"), begun(source_call_id="x" * 300 + "2")
    assert one.source_call_id != two.source_call_id
    assert len(one.source_call_id) <= 255
    assert begun(source_call_id="x" * 300 + "1").source_call_id == one.source_call_id


@pytest.mark.parametrize(("facts", "reason"), [
    (ended(), None),
    (ended(reason_slug="wrong-pin", disposition=Disposition.CLIENT_ERROR, q850=17), None),
    (ended(answer_at=None), NonbillableReason.NOT_ANSWERED),
    (ended(channel=Channel.WEBRTC), NonbillableReason.NOT_TELEPHONE),
    (ended(account_id=None), NonbillableReason.NO_ACCOUNT),
    (ended(number_class=NumberClass.TOLLFREE, pin_result=PinResult.OFF), NonbillableReason.NOT_TAKEN_ON),
    (ended(number_class=NumberClass.TOLLFREE, pin_result=PinResult.SPENT), NonbillableReason.NOT_TAKEN_ON),
    (ended(number_class=NumberClass.TOLLFREE, pin_result=PinResult.FULL), None),
    (ended(number_class=NumberClass.CITY, pin_result=PinResult.OFF), None),
])
def test_the_answer_decides_who_is_billed_never_the_cause(
    facts: Any, reason: NonbillableReason | None
) -> None:
    assert facts.nonbillable_reason is reason
    assert facts.billable == (reason is None)


def test_every_slug_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(SLUGS)
    assert outcome("wrong-pin").disposition is Disposition.CLIENT_ERROR
    assert outcome("event-full").pin_result is PinResult.FULL
    assert outcome("a bug of ours").slug == "server-error"


# Quality


def test_quality_of_a_good_and_of_a_bad_line() -> None:
    good = with_media(begun(), LegStats(codec="PCMA", ptime_ms=20, rx_pkts=3000, tx_pkts=3000))
    assert (good.loss_pct, good.burst_r, good.mos_cq, good.rtt_ms) == (0.0, 1.0, 4.4, None)
    bad = with_media(begun(), LegStats(
        codec="PCMA", ptime_ms=20, rx_pkts=950, tx_pkts=1000, lost_pkts=50, discarded_pkts=50,
        loss_bursts=10, jitter_avg_ms=30.0, jitter_max_ms=90.0, rtt_ms=300.0))
    assert bad.loss_pct == 10.0, "what came too late to be played is lost as well"
    assert bad.burst_r == 9.0
    assert bad.mos_cq == 2.35
    assert bad.mos_algo == "g107-2015-nb"


def test_no_rtp_no_quality_and_never_a_zero() -> None:
    silent = with_media(begun(), LegStats(codec="PCMA", ptime_ms=20, rx_pkts=0, tx_pkts=500))
    measured = ("rx_pkts", "lost_pkts", "discarded_pkts", "loss_pct", "burst_r", "jitter_avg_ms",
                "jitter_max_ms", "rtt_ms", "r_factor", "mos_cq", "mos_algo")
    assert [getattr(silent, name) for name in measured] == [None] * len(measured)
    assert (silent.codec, silent.tx_pkts) == ("PCMA", 500)


def test_an_unknown_codec_is_counted_and_not_scored() -> None:
    facts = with_media(begun(), LegStats(codec="L16", ptime_ms=20, rx_pkts=99, tx_pkts=100, lost_pkts=1))
    assert (facts.loss_pct, facts.mos_cq, facts.mos_algo) == (1.0, None, None)


def test_more_duplicates_than_losses_are_no_negative_loss() -> None:
    facts = with_media(begun(), LegStats(codec="PCMU", ptime_ms=20, rx_pkts=99, tx_pkts=99, lost_pkts=-3))
    assert (facts.lost_pkts, facts.loss_pct) == (0, 0.0)


# After a crash


@pytest.mark.parametrize(("point", "end"), [
    (None, at(9)),
    (Checkpoint(id="x", seen_at=at(50)), at(50)),
    (Checkpoint(id="x", seen_at=at(50), last_rtp_at=at(40)), at(40)),
    (Checkpoint(id="x", seen_at=at(50), last_rtp_at=at(2)), at(9)),
])
def test_a_crash_ends_a_call_when_it_was_last_known_alive(point: Checkpoint | None, end: datetime) -> None:
    facts = closed_by_crash(begun(pin_attempts=1, pin_result=PinResult.OK), point)
    assert (facts.end_at, facts.leave_at) == (end, end)
    assert (facts.end_basis, facts.reason_slug, facts.sip_status) == (EndBasis.NODE_CRASH, "node-crash", 200)
    assert facts.pin_result is PinResult.OK


def test_a_crash_before_the_answer_bills_nobody() -> None:
    facts = closed_by_crash(begun(ring_at=None, answer_at=None, join_at=None), None)
    assert (facts.end_at, facts.leave_at, facts.sip_status, facts.billable) == (T0, None, None, False)


def test_who_had_left_the_room_before_the_crash_keeps_that_time() -> None:
    facts = closed_by_crash(replace(begun(), leave_at=at(20)), Checkpoint(id="x", seen_at=at(30)))
    assert (facts.leave_at, facts.end_at) == (at(20), at(30))
