"""Causes: the table of RFC 3398, and the Reason header that wins over it."""

from __future__ import annotations

import time

import pytest

from bridge.cdr.q850 import SIP_TO_Q850, CauseSource, cause_in_reason, cause_of

RFC_3398 = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127,
    414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28,
    485: 1, 486: 17, 487: 16, 488: 31, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127,
    600: 17, 603: 21, 604: 1, 606: 31,
}


def test_the_table_is_complete() -> None:
    assert SIP_TO_Q850 == RFC_3398


@pytest.mark.parametrize(("header", "cause"), [
    ('Q.850;cause=16;text="Normal call clearing"', 16),
    ("q.850 ; Cause = 31", 31),
    ('SIP;cause=200;text="Call completed elsewhere", Q.850;cause=26', 26),
    ('Q.850;text="a;cause=99, b";cause=17', 17),
    ("SIP;cause=486", None),
    ("Q.850;cause=0", None),
    ("Q.850;cause=128", None),
    ("Q.850;cause=٣", None),
    ("Q.850;cause=", None),
    ("Q.850;because=16", None),
    ('Q.850;cause="16', None),
    (",,;;==\"", None),
    ("", None),
])
def test_reason_headers(header: str, cause: int | None) -> None:
    assert cause_in_reason(header) == cause


@pytest.mark.parametrize(
    ("start", "repeated"),
    [('Q.850;text="', '\\"'), ("", ","), ("", ";"), ('"', '""'), ("Q.850", ";cause=0")],
)
def test_a_long_hostile_header_costs_little(start: str, repeated: str) -> None:
    began_s = time.thread_time()
    assert cause_in_reason(start + repeated * 50_000) is None
    assert time.thread_time() - began_s < 0.1


def test_the_reason_header_wins_and_its_absence_is_mapped() -> None:
    assert cause_of(sip_status=486, reason_header="Q.850;cause=21") == (21, CauseSource.REASON_HEADER)
    assert cause_of(sip_status=486, reason_header="SIP;cause=486") == (17, CauseSource.SIP_STATUS)
    assert cause_of(sip_status=None, reason_header=None) == (16, CauseSource.BYE)
    assert cause_of(sip_status=200, reason_header="") == (16, CauseSource.BYE)
    assert cause_of(sip_status=499, reason_header=None) == (31, CauseSource.SIP_STATUS)
