"""The E-model's golden numbers, and what must hold for any line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.cdr import mos

# one-way delay ms, loss %, Ie, Bpl → R, MOS (ITU-T G.107, advantage 0, random loss)
GOLDEN = [
    (0, 0, 0, 25.1, 93.20, 4.41),
    (100, 1, 0, 25.1, 87.16, 4.26),
    (100, 1, 0, 4.3, 72.88, 3.73),
    (250, 3, 0, 25.1, 69.06, 3.55),
    (100, 1, 11, 19.0, 75.60, 3.85),
    (400, 10, 0, 25.1, 32.04, 1.70),
]


@pytest.mark.parametrize(("delay", "loss", "ie", "bpl", "r", "score"), GOLDEN)
def test_golden_numbers(delay: float, loss: float, ie: float, bpl: float, r: float, score: float) -> None:
    rating = mos.r_factor(one_way_ms=delay, loss_pct=loss, ie=ie, bpl=bpl)
    assert round(rating, 2) == r
    assert round(mos.mos(rating), 2) == score


def test_the_ends_of_the_scale() -> None:
    assert mos.mos(-0.1) == 1.0
    assert mos.mos(100.1) == 4.5
    assert mos.mos(3) == 1.0, "the formula dips below 1 for small R"


@given(st.floats(0, 1000), st.floats(0, 99), st.floats(1, 10))
def test_more_delay_loss_or_bursts_never_sound_better(delay: float, loss: float, burst: float) -> None:
    def r(**more: float) -> float:
        known = {"one_way_ms": delay, "loss_pct": loss, "ie": 0.0, "bpl": 25.1, "burst_r": burst}
        return mos.r_factor(**(known | more))

    assert r() >= r(one_way_ms=delay + 10) - 1e-9
    assert r() >= r(loss_pct=loss + 1) - 1e-9
    assert r() >= r(burst_r=burst + 1) - 1e-9
    assert 1.0 <= mos.mos(r()) <= 4.5


def test_burst_ratio_tells_random_loss_from_bursts() -> None:
    assert mos.burst_ratio(missing=0, bursts=0, expected=1000) == 1.0
    assert mos.burst_ratio(missing=10, bursts=10, expected=1000) == 1.0
    assert mos.burst_ratio(missing=50, bursts=5, expected=1000) == pytest.approx(9.5)
    assert mos.burst_ratio(missing=1000, bursts=1, expected=1000) == 1.0
