"""The token bucket: bursts, rates, and clocks that misbehave."""

from bridge.ivr.bucket import Bucket


def test_burst_then_rate() -> None:
    bucket = Bucket(per_s=2.0, burst=3)
    assert [bucket.take(now_s=10.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(now_s=10.4)
    assert bucket.take(now_s=10.5)
    assert not bucket.take(now_s=10.5)
    assert bucket.refused == 3


def test_a_long_rest_gives_no_more_than_the_burst() -> None:
    bucket = Bucket(per_s=2.0, burst=3)
    bucket.take(now_s=0.0)
    assert sum(bucket.take(now_s=1000.0) for _ in range(10)) == 3


def test_a_clock_that_steps_back_takes_nothing_away_and_adds_nothing() -> None:
    bucket = Bucket(per_s=2.0, burst=3)
    bucket.take(now_s=100.0)
    assert bucket.take(now_s=50.0)
    assert bucket.take(now_s=99.0)
    assert not bucket.take(now_s=100.0)
