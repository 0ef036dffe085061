"""PIN guessing across calls is slowed and counted; honest people notice nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.cdr.guard import (
    CALLER_POLICY,
    TRUNK_POLICY,
    GuardPolicy,
    PinGuard,
    Ruling,
    Source,
)

CARRIER = "198.51.100.7"
GUESSER = Source(trunk=CARRIER, caller="+33100000001")
HONEST = Source(trunk=CARRIER, caller="+33100000002")


def guess(guard: PinGuard, source: Source, times: int, *, now_s: float = 0.0) -> list[Ruling]:
    return [guard.attempt(source, now_s=now_s).ruling for _ in range(times)]


def test_two_wrong_ones_and_a_right_one_are_not_slowed() -> None:
    guard = PinGuard()
    assert guess(guard, HONEST, 3) == [Ruling.ALLOWED] * 3
    guard.right(HONEST, now_s=1)
    assert guard.look(HONEST, now_s=1).ruling is Ruling.ALLOWED


def test_pauses_grow_across_calls_until_the_caller_is_turned_away() -> None:
    guard = PinGuard()
    delays = [guard.attempt(GUESSER, now_s=0).delay_s for _ in range(15)]
    assert delays == [0, 0, 0, 1, 2, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16]
    verdict = guard.attempt(GUESSER, now_s=0)
    assert verdict.ruling is Ruling.BLOCKED
    stats = guard.stats()
    assert (stats.attempts, stats.delayed, stats.blocked, stats.right) == (16, 12, 1, 0)


def test_a_right_pin_from_elsewhere_is_unaffected() -> None:
    guard = PinGuard()
    guess(guard, GUESSER, 40)
    for other in (HONEST, Source(trunk="203.0.113.9", caller=GUESSER.caller)):
        assert guard.attempt(other, now_s=1).ruling is Ruling.ALLOWED


def test_wrong_attempts_decay_and_the_wait_that_was_told_is_enough() -> None:
    guard = PinGuard()
    guess(guard, GUESSER, 16)
    wait_s = guard.look(GUESSER, now_s=0).delay_s
    assert guard.look(GUESSER, now_s=wait_s + 0.001).ruling is Ruling.DELAYED
    assert guard.look(GUESSER, now_s=3 * CALLER_POLICY.half_life_s).ruling is Ruling.ALLOWED


def test_a_number_that_never_stops_gets_few_guesses_an_hour() -> None:
    guard = PinGuard()
    looked_at = 0
    for second in range(2 * 3600):
        looked_at += guard.attempt(GUESSER, now_s=second).ruling is not Ruling.BLOCKED
    assert looked_at < 120


def test_forged_numbers_slow_strangers_on_that_trunk_by_seconds_and_lock_nobody_out() -> None:
    guard = PinGuard()
    guard.attempt(HONEST, now_s=0)
    guard.right(HONEST, now_s=0)
    for number in range(5000):
        guard.attempt(Source(trunk=CARRIER, caller=f"+4{number:010d}"), now_s=10)
    assert guard.look(HONEST, now_s=10).ruling is Ruling.ALLOWED, "a caller known to be honest"
    stranger = guard.look(Source(trunk=CARRIER, caller="+33100000003"), now_s=10)
    assert stranger.ruling is Ruling.DELAYED
    assert stranger.delay_s <= TRUNK_POLICY.delay_max_s
    elsewhere = guard.look(Source(trunk="203.0.113.9", caller="+33100000003"), now_s=10)
    assert elsewhere.ruling is Ruling.ALLOWED


def test_a_big_honest_event_behind_one_trunk_is_not_slowed() -> None:
    guard = PinGuard()
    slowed = 0
    for number in range(2000):
        caller = Source(trunk=CARRIER, caller=f"+33{number:09d}")
        for _ in range(1 + (number % 3 == 0)):  # every third mistypes once
            slowed += guard.attempt(caller, now_s=number / 50).ruling is not Ruling.ALLOWED
        guard.right(caller, now_s=number / 50)
    assert slowed == 0


def test_callers_without_number_are_held_by_the_trunks_rule_and_never_blocked() -> None:
    guard = PinGuard()
    nobody = Source(trunk=CARRIER)
    rulings = set(guess(guard, nobody, 500))
    assert rulings == {Ruling.ALLOWED, Ruling.DELAYED}


def test_one_valid_pin_buys_a_guesser_little() -> None:
    guard = PinGuard()
    looked_at = 0
    for minute in range(60):
        guard.attempt(GUESSER, now_s=minute * 60)
        guard.right(GUESSER, now_s=minute * 60)
        rulings = guess(guard, GUESSER, 30, now_s=minute * 60)
        looked_at += sum(ruling is not Ruling.BLOCKED for ruling in rulings)
    assert looked_at < 80


def test_parallel_calls_do_not_slip_through_before_the_first_is_judged() -> None:
    guard = PinGuard()
    rulings = guess(guard, GUESSER, 100)
    assert rulings.count(Ruling.BLOCKED) == 85


def test_an_account_whose_closed_doors_are_tried_is_slowed() -> None:
    guard = PinGuard()
    for _ in range(25):
        guard.wrong_for_account("7", now_s=0)
    assert guard.look(Source(trunk="a", account="7"), now_s=0).ruling is Ruling.DELAYED
    assert guard.look(Source(trunk="a", account="8"), now_s=0).ruling is Ruling.ALLOWED


def test_memory_is_bounded() -> None:
    small = GuardPolicy(free=3, delay_first_s=1, doubling=1, delay_max_s=16, block_at=15, credit=0,
                        half_life_s=900, keys_max=100)
    guard = PinGuard(caller=small, trunk=small, account=small, proven_max=100)
    for number in range(1000):
        source = Source(trunk=f"t{number}", caller=f"c{number}", account=f"a{number}")
        guard.attempt(source, now_s=number)
        guard.right(source, now_s=number)
        guard.look(Source(trunk=f"other{number}"), now_s=number)
    assert guard.stats().keys == 400


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=60))
def test_delays_are_bounded_and_a_block_comes_to_an_end(steps: list[tuple[bool, float]]) -> None:
    guard = PinGuard()
    now_s = 0.0
    for is_right, pause_s in steps:
        now_s += pause_s
        verdict = guard.attempt(GUESSER, now_s=now_s)
        if verdict.ruling is not Ruling.BLOCKED:
            assert 0 <= verdict.delay_s <= CALLER_POLICY.delay_max_s
            if is_right:
                guard.right(GUESSER, now_s=now_s)
        else:
            assert guard.look(GUESSER, now_s=now_s + verdict.delay_s + 0.001).ruling is not Ruling.BLOCKED
