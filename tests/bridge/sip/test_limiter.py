"""Strangers are refused ever more slowly, within bounds."""

from __future__ import annotations

from bridge.sip.limiter import RefusalLimiter


def test_the_first_refusals_are_immediate_and_then_each_takes_longer() -> None:
    limiter = RefusalLimiter(free=3, delay_s_max=4.0)
    delays = []
    for _ in range(9):
        delay_s = limiter.refuse("192.0.2.1", now_s=0.0)
        delays.append(delay_s)
        if delay_s:
            limiter.sent("192.0.2.1")
    assert delays == [0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_other_sources_are_not_slowed() -> None:
    limiter = RefusalLimiter(free=1, delay_s_max=4.0)
    for _ in range(5):
        limiter.refuse("192.0.2.1", now_s=0.0)
    assert limiter.refuse("192.0.2.2", now_s=0.0) == 0.0


def test_a_quiet_minute_forgives() -> None:
    limiter = RefusalLimiter(free=1, delay_s_max=4.0)
    limiter.refuse("192.0.2.1", now_s=0.0)
    assert limiter.refuse("192.0.2.1", now_s=1.0) > 0
    assert limiter.refuse("192.0.2.1", now_s=30.0) > 0
    assert limiter.refuse("192.0.2.1", now_s=91.0) == 0.0


def test_an_ipv6_network_is_one_source() -> None:
    limiter = RefusalLimiter(free=1, delay_s_max=4.0)
    limiter.refuse("2001:db8::1", now_s=0.0)
    assert limiter.refuse("2001:db8::ffff", now_s=0.0) > 0
    assert limiter.refuse("2001:db8:0:1::1", now_s=0.0) == 0.0


def test_held_refusals_are_bounded() -> None:
    limiter = RefusalLimiter(free=0, delay_s_max=4.0)
    per_source = [limiter.refuse("192.0.2.1", now_s=0.0) for _ in range(20)]
    assert sum(1 for delay_s in per_source if delay_s) == 4
    held = sum(1 for n in range(2000) if limiter.refuse(f"10.0.{n // 250}.{n % 250}", now_s=0.0))
    assert held == 60
    assert limiter.suppressed == 16 + 1940


def test_records_of_strangers_are_bounded() -> None:
    limiter = RefusalLimiter(free=0, delay_s_max=4.0)
    assert sum(limiter.may_record(now_s=0.0) for _ in range(1000)) == 200
    assert sum(limiter.may_record(now_s=1.0) for _ in range(1000)) == 20


def test_a_hundred_thousand_sources_cost_bounded_memory() -> None:
    limiter = RefusalLimiter(free=5, delay_s_max=4.0)
    for n in range(100_000):
        limiter.refuse(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", now_s=0.0)
    assert len(limiter._sources) == 4096
