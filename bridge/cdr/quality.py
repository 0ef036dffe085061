"""From the mixer's counters of a leg to the quality fields of its record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.cdr import mos
from bridge.cdr.record import CallFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStats:
    """Counters of one leg since it began.

    `lost_pkts`: never arrived; `discarded_pkts`: arrived too late to be played; `loss_bursts`: runs of
    consecutive packets missing at playout, None when not counted.  `rtt_ms`: from RTCP, None when the other
    side sends none.  Jitter as RFC 3550 §6.4.1, in ms.
    """

    codec: str
    ptime_ms: int
    rx_pkts: int
    tx_pkts: int
    lost_pkts: int = 0
    discarded_pkts: int = 0
    loss_bursts: int | None = None
    jitter_avg_ms: float | None = None
    jitter_max_ms: float | None = None
    rtt_ms: float | None = None


def with_media(facts: CallFacts, stats: LegStats) -> CallFacts:
    """`facts` with the media fields filled in.

    A leg that never received a packet has a codec and what we sent, but no quality.
    """
    if stats.rx_pkts == 0:
        return replace(
            facts, codec=stats.codec, ptime_ms=stats.ptime_ms, rx_pkts=None,
            tx_pkts=stats.tx_pkts or None, lost_pkts=None, discarded_pkts=None, loss_pct=None, burst_r=None,
            jitter_avg_ms=None, jitter_max_ms=None, rtt_ms=None, r_factor=None, mos_cq=None, mos_algo=None,
        )
    expected = stats.rx_pkts + max(0, stats.lost_pkts)
    missing = min(expected, max(0, stats.lost_pkts) + stats.discarded_pkts)
    loss_pct = 100.0 * missing / expected
    bursts = missing if stats.loss_bursts is None else stats.loss_bursts
    burst_r = mos.burst_ratio(missing=missing, bursts=bursts, expected=expected)
    codec = mos.CODECS.get(stats.codec.upper())
    rating = None
    if codec is not None:
        delay_ms = mos.one_way_ms(
            rtt_ms=stats.rtt_ms or 0.0,
            jitter_ms=stats.jitter_avg_ms or 0.0,
            codec_delay_ms=stats.ptime_ms + codec.delay_ms,
        )
        rating = mos.r_factor(
            one_way_ms=delay_ms, loss_pct=loss_pct, ie=codec.ie, bpl=codec.bpl, burst_r=burst_r
        )
    return replace(
        facts,
        codec=stats.codec,
        ptime_ms=stats.ptime_ms,
        rx_pkts=stats.rx_pkts,
        tx_pkts=stats.tx_pkts,
        lost_pkts=max(0, stats.lost_pkts),
        discarded_pkts=stats.discarded_pkts,
        loss_pct=loss_pct,
        burst_r=burst_r,
        jitter_avg_ms=stats.jitter_avg_ms,
        jitter_max_ms=stats.jitter_max_ms,
        rtt_ms=stats.rtt_ms,
        r_factor=rating,
        mos_cq=None if rating is None else mos.mos(rating),
        mos_algo=None if rating is None else mos.ALGORITHM,
    )
