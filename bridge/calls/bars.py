"""Bars of quality: how a person's sound arrives just now, for those who look at the room.

The rating R of the E-model (ITU-T G.107, as in `bridge.cdr.mos`) over the last seconds, in the classes of
user satisfaction of its Annex B: from 80 on (satisfied) 4 bars, then one less for every 10.  A record's
quality is that of the whole call; here only what is recent counts.
"""

from __future__ import annotations

from bridge.cdr import mos
from bridge.mixer.protocol import LegReport

BARS_MAX = 4
_FULL_R = 80.0
_STEP_R = 10.0


def bars(*, loss_pct: float | None, jitter_ms: float | None, rtt_ms: float | None) -> int | None:
    """0 to 4 bars; None when no loss was measured."""
    if loss_pct is None:
        return None
    delay_ms = mos.one_way_ms(rtt_ms=rtt_ms or 0.0, jitter_ms=jitter_ms or 0.0, codec_delay_ms=20.0)
    rating = mos.r_factor(one_way_ms=delay_ms, loss_pct=loss_pct, ie=mos.G711.ie, bpl=mos.G711.bpl)
    missing_steps = max(0.0, _FULL_R - rating) / _STEP_R
    return max(0, BARS_MAX - int(-(-missing_steps // 1)))


class LegBars:
    """Bars of a leg from its successive reports, whose counters only grow."""

    def __init__(self) -> None:
        self._received = self._missing = 0

    def of(self, report: LegReport) -> int | None:
        """Bars since the last report; None when nothing was expected to arrive."""
        received, missing = report.rx_pkts, report.lost_pkts + report.discarded_pkts
        now_received, now_missing = received - self._received, missing - self._missing
        self._received, self._missing = received, missing
        expected = now_received + max(0, now_missing)
        if expected <= 0:
            return None
        loss_pct = 100.0 * max(0, now_missing) / expected
        return bars(loss_pct=loss_pct, jitter_ms=report.jitter_avg_ms, rtt_ms=report.rtt_ms)
