"""PINs typed wrongly, oddly, too fast, and by people who guess."""

from __future__ import annotations

import struct
import time

import pytest

from tests.faults.scene import Caller, Scene, until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def wrong(caller: Caller) -> None:
    """Type a PIN that nobody has."""
    caller.type("1#")


def test_three_wrong_ones_end_the_call(scene: Scene) -> None:
    caller = scene.caller("+12025550100")
    caller.dial()
    for last_word in ("pin.again", "pin.last-try"):
        wrong(caller)
        until(lambda word=last_word: caller.heard(word), last_word)
        assert caller.heard("pin.wrong")
    wrong(caller)
    caller.hung_up_on()
    assert caller.heard("bye.wrong-pin")
    assert caller.heard("bye")
    record = caller.record()
    assert record["reason_slug"] == "wrong-pin"
    assert record["disposition"] == "client_error"
    assert (record["pin_result"], record["pin_attempts"]) == ("bad", 3)
    assert record["hangup_party"] == "bridge"
    assert record["join_at"] is None
    assert record["conf_ms"] is None
    assert record["conn_ms"] > 0


def test_a_right_one_after_two_wrong_ones(scene: Scene) -> None:
    caller = scene.caller("+12025550101")
    caller.dial()
    wrong(caller)
    wrong(caller)
    caller.type(f"{scene.product.listener_pin}#")
    caller.inside()
    caller.hang_up()
    record = caller.record()
    assert (record["pin_result"], record["pin_attempts"]) == ("ok", 3)
    assert record["reason_slug"] == "caller-hung-up"


def test_an_empty_one_costs_no_try_and_a_long_one_does(scene: Scene) -> None:
    caller = scene.caller("+12025550102")
    caller.dial()
    caller.type("#")
    until(lambda: caller.heard("pin.empty"), "the word about an empty PIN")
    caller.type("123456789" * 5 + "#")
    until(lambda: caller.heard("pin.too-long"), "the word about a long PIN")
    caller.type(f"{scene.product.listener_pin}#")
    caller.inside()
    caller.hang_up()
    record = caller.record()
    assert (record["pin_result"], record["pin_attempts"]) == ("ok", 2)


def test_a_slip_of_the_finger_is_taken_back_with_a_star(scene: Scene) -> None:
    caller = scene.caller("+12025550103")
    caller.dial()
    caller.type(f"99*{scene.product.listener_pin}#")
    caller.inside()
    caller.hang_up()
    assert caller.record()["pin_attempts"] == 1


def test_a_key_cuts_the_welcome_short(scene: Scene) -> None:
    caller = scene.caller("+12025550104")
    caller.dial()
    until(lambda: caller.heard("welcome"), "the welcome")
    caller.type("5")
    until(lambda: not caller.hears(2300.0, last_s=0.2), "silence", within_s=0.9)  # the welcome lasts 1.5 s
    caller.hang_up()
    record = caller.record()
    assert (record["pin_result"], record["pin_attempts"]) == ("abandoned", 0)


def test_no_digit_of_a_pin_is_written_anywhere(scene: Scene) -> None:
    caller = scene.caller("+12025550105")
    canary = "7403918265"
    caller.dial()
    caller.type(f"{canary}#")
    until(lambda: caller.heard("pin.wrong"), "the word about a wrong PIN")
    caller.hang_up()
    record = caller.record()
    assert canary not in str(record)
    assert canary not in scene.product.text
    spool = scene.product.folder / "data"
    for path in spool.rglob("*"):
        if path.is_file() and "cache" not in path.parts and path.suffix != ".wav":
            assert canary.encode() not in path.read_bytes(), path


def test_two_hundred_keys_a_second(scene: Scene) -> None:
    """A broken (or malicious) phone neither stops the room nor leaves a backlog of keys behind."""
    listener = scene.caller("+12025550106")
    noisy = scene.caller("+12025550107")
    listener.enter(scene.product.listener_pin)
    noisy.enter(scene.product.listener_pin)
    sound = noisy.sound
    sound.sending = False
    begun_s = time.monotonic()
    slowest_s = 0.0
    for n in range(600):
        due_s = begun_s + n * 0.005
        while time.monotonic() < due_s:
            time.sleep(0.001)
        sound.ts += 800
        for step, end in ((1, 0), (2, 0x80)):
            header = struct.pack(
                ">BBHII",
                0x80,
                101 | (0x80 if step == 1 else 0),
                sound.seq & 0xFFFF,
                sound.ts & 0xFFFFFFFF,
                sound.ssrc,
            )
            sound.seq += 1
            sound.send_raw(header + struct.pack(">BBH", 5, 10 | end, 400 * step))
        if n % 100 == 99:
            asked_s = time.monotonic()
            scene.people()
            slowest_s = max(slowest_s, time.monotonic() - asked_s)
    assert slowest_s < 3.0
    sound.sending = True

    def question() -> object:
        return next(p["question"] for p in scene.people() if p["name"] == noisy.name)

    until(lambda: noisy.sound.typed, "a quiet phone")
    settled = question()
    calm_until_s = time.monotonic() + 1.0
    while time.monotonic() < calm_until_s:
        assert question() == settled  # no key of the storm still works its way through
        time.sleep(0.1)
    time.sleep(0.5)  # the allowance of keys grows again by time alone
    noisy.type("5")
    until(lambda: question() != settled, "an answer to a key after the storm", within_s=2.0)
    assert scene.metric("tollbridge_calls") >= 2
    noisy.hang_up()
    listener.hang_up()
    assert noisy.record()["reason_slug"] == "caller-hung-up"


def test_guessing_across_calls_is_slowed_counted_and_blocked(scene: Scene) -> None:
    """Sixteen calls of one number guess at once; the next is not heard at all, other people are."""
    before = scene.metric("tollbridge_pin_failures_total")
    host = "127.0.0.66"
    guessers = [scene.caller("+12025550666", host=host) for _ in range(16)]
    for guesser in guessers:
        guesser.dial()
    typed_s = time.monotonic()
    for guesser in guessers:
        guesser.sound.press("1#")
    until(lambda: scene.metric("tollbridge_pin_failures_total") >= before + 16, "sixteen failures")
    assert scene.metric("tollbridge_pin_delayed_total") >= 10
    first_wrong = [g for g in guessers if g.heard("pin.wrong")]
    assert len(first_wrong) < 16 or time.monotonic() - typed_s > 8, "nobody was slowed down"

    late = scene.caller("+12025550666", host=host)
    late.dial()
    late.type(f"{scene.product.listener_pin}#")
    late.hung_up_on()
    assert late.heard("bye.pin-guessing")
    record = late.record()
    assert record["reason_slug"] == "pin-guessing"
    assert record["pin_result"] == "blocked"
    assert record["disposition"] == "refused"
    assert scene.metric("tollbridge_pin_blocked_total") >= 1

    honest = scene.caller("+12025550777")
    honest.dial()
    asked_s = time.monotonic()
    honest.type(f"{scene.product.listener_pin}#")
    honest.inside()
    assert time.monotonic() - asked_s < 6.0
    honest.hang_up()
    for guesser in guessers:
        guesser.hang_up()
