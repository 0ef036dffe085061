"""Bars of quality."""

import msgspec
import pytest

from bridge.calls.bars import LegBars, bars
from bridge.mixer.protocol import LegReport


@pytest.mark.parametrize(
    ("loss_pct", "jitter_ms", "rtt_ms", "expected"),
    [(0, 0, 0, 4), (1, 5, 40, 4), (5, 10, 80, 3), (10, 20, 100, 2), (40, 50, 300, 0), (None, 5, 5, None)],
)
def test_bars_fall_with_what_is_lost_and_late(
    loss_pct: float | None, jitter_ms: float, rtt_ms: float, expected: int | None
) -> None:
    assert bars(loss_pct=loss_pct, jitter_ms=jitter_ms, rtt_ms=rtt_ms) == expected


def report(**counts: int) -> LegReport:
    return LegReport(
        leg=1,
        final=False,
        rx_pkts=counts.get("rx", 0),
        tx_pkts=0,
        lost_pkts=counts.get("lost", 0),
        discarded_pkts=0,
        loss_bursts=0,
        jitter_avg_ms=1.0,
        jitter_max_ms=2.0,
        rtt_ms=None,
        ptime_ms=20,
        delay_ms=20.0,
        concealed_ms=0,
        last_rx_ns=None,
    )


def test_only_what_is_recent_counts() -> None:
    leg = LegBars()
    assert leg.of(report(rx=100, lost=100)) == 0
    assert leg.of(report(rx=200, lost=100)) == 4


def test_who_sends_nothing_has_no_bars() -> None:
    leg = LegBars()
    leg.of(report(rx=100))
    assert leg.of(report(rx=100)) is None
    assert leg.of(msgspec.structs.replace(report(rx=150), jitter_avg_ms=None)) == 4
