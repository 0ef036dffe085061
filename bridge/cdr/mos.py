"""Speech quality of a leg from its network numbers: the E-model, ITU-T G.107 (06/2015), shortened.

    R   = 93.2 − Id − Ie,eff + A
    Id  ≈ 0.024·d + 0.11·(d − 177.3)·H(d − 177.3)             d: one-way delay, ms; H: 0 below, 1 above 0
    Ie,eff = Ie + (95 − Ie)·Ppl / (Ppl/BurstR + Bpl)           G.107 §7.3; Ppl in percent
    MOS = 1 for R < 0, 4.5 for R > 100, else 1 + 0.035·R + 7·10⁻⁶·R·(R − 60)·(100 − R), kept in [1, 4.5]

Ppl counts every packet that could not be played: lost in the network and thrown away late by the jitter
buffer.  BurstR is the mean length of the loss bursts seen over the mean length that random loss of the same
rate would give, 1/(1 − p): 1 for random loss, more for bursts (G.107 §7.3).  d = rtt/2 + 2·jitter + codec
delay.

Constants from ITU-T G.113 Appendix I: G.711 Ie 0, Bpl 25.1 with packet loss concealment, 4.3 without; we
conceal.  G.722: our assumption.  The wideband E-model (G.107.1) rates it on another scale, up to 129; a
column that mixes two scales cannot be compared, so G.722 is rated on the narrowband scale as unimpaired
(Ie 0) with G.711's robustness, since the same concealment runs on it.  Its scores are thus low estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What `mos_algo` says of scores computed here.
ALGORITHM = "g107-2015-nb"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecImpairment:
    """`ie`: equipment impairment; `bpl`: packet-loss robustness; `delay_ms`: algorithmic, without ptime."""

    ie: float
    bpl: float
    delay_ms: float


G711 = CodecImpairment(ie=0.0, bpl=25.1, delay_ms=0.0)
G711_WITHOUT_CONCEALMENT = CodecImpairment(ie=0.0, bpl=4.3, delay_ms=0.0)
G722 = CodecImpairment(ie=0.0, bpl=25.1, delay_ms=1.5)  # QMF look-ahead, G.722 §1.4

#: Codec name as in SDP → impairment.
CODECS: dict[str, CodecImpairment] = {"PCMU": G711, "PCMA": G711, "G722": G722}


def delay_impairment(one_way_ms: float) -> float:
    """Id for a one-way delay in ms."""
    return 0.024 * one_way_ms + 0.11 * max(0.0, one_way_ms - 177.3)


def loss_impairment(*, ie: float, bpl: float, loss_pct: float, burst_r: float = 1.0) -> float:
    """Ie,eff for a loss in percent, discards included."""
    if loss_pct <= 0:
        return ie
    return ie + (95.0 - ie) * loss_pct / (loss_pct / burst_r + bpl)


def r_factor(
    *, one_way_ms: float, loss_pct: float, ie: float, bpl: float, burst_r: float = 1.0, advantage: float = 0.0
) -> float:
    """Transmission rating R, 93.2 at best."""
    impairment = loss_impairment(ie=ie, bpl=bpl, loss_pct=loss_pct, burst_r=burst_r)
    return 93.2 - delay_impairment(one_way_ms) - impairment + advantage


def mos(r: float) -> float:
    """Mean opinion score of a rating, 1 to 4.5."""
    if r < 0:
        return 1.0
    if r > 100:
        return 4.5
    return min(4.5, max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)))


def one_way_ms(*, rtt_ms: float, jitter_ms: float, codec_delay_ms: float) -> float:
    """Mouth-to-ear delay estimated from what is measured, in ms."""
    return rtt_ms / 2 + 2 * jitter_ms + codec_delay_ms


def burst_ratio(*, missing: int, bursts: int, expected: int) -> float:
    """BurstR from packet counts: `missing` packets in `bursts` runs, of `expected` packets.

    At least 1: fewer bursts than chance would give is measurement noise on short calls.
    """
    if missing <= 0 or bursts <= 0 or expected <= missing:
        return 1.0
    return max(1.0, missing / bursts * (1 - missing / expected))
