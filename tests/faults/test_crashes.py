"""Processes that are killed: the media worker during a conference, and the whole product."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import Caller, Scene, steadily, until
from tests.support.sound import sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

VOICES = (425.0, 625.0, 925.0)


def discuss(scene: Scene) -> list[Caller]:
    """Three people who all speak and hear each other."""
    people = [scene.caller(says=sine(hz)) for hz in VOICES]
    pins = (scene.product.presenter_pin, scene.product.listener_pin, scene.product.listener_pin)
    for person, pin in zip(people, pins, strict=True):
        person.enter(pin)
    scene.order("start")
    scene.order("set_mode", mode="discussion")
    steadily(lambda: all(hears_others(people, n) for n in range(3)), "everyone hears the others")
    return people


def hears_others(people: list[Caller], n: int) -> bool:
    """Whether the n-th of the people of `discuss` hears all but their own voice."""
    return all(people[n].hears(hz, last_s=0.3) == (m != n) for m, hz in enumerate(VOICES))


def test_the_media_worker_is_killed(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene:
        people = discuss(scene)
        (worker,) = product.worker_pids()
        os.kill(worker, signal.SIGKILL)
        killed_s = time.monotonic()
        for person in people:
            person.sound.heard.clear()
        until(
            lambda: all(len(p.sound.heard) >= 15 and hears_others(people, n) for n, p in enumerate(people)),
            "the sound of everyone",
        )
        back_s = time.monotonic() - killed_s
        # 15 packets of 20 ms are needed to tell; the gap itself is what is left.
        assert back_s - 0.3 < 2.0, f"sound came back after {back_s:.2f} s"

        newcomer = scene.caller()
        assert newcomer.dial().status == 200
        newcomer.type(f"{product.listener_pin}#")
        newcomer.inside()
        assert product.worker_pids() != [worker]
        assert scene.metric("tollbridge_mixer_restarts_total") == 1
        assert not any(person.call.ended.is_set() for person in people)

        for person in (*people, newcomer):
            person.hang_up()
        for person in people:
            record = person.record()
            assert (record["reason_slug"], record["end_basis"]) == ("caller-hung-up", "bye")
            assert record["rx_pkts"] > 0
            assert record["codec"] == "PCMA"
        assert newcomer.record()["pin_result"] == "ok"


def test_a_new_call_right_after_the_worker_died(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene:
        caller = scene.caller()
        (worker,) = product.worker_pids()
        os.kill(worker, signal.SIGKILL)
        begun_s = time.monotonic()
        assert caller.dial().status == 200  # returns when the welcome is heard
        assert time.monotonic() - begun_s < 2.5
        caller.type(f"{product.listener_pin}#")
        caller.inside()
        caller.hang_up()
        assert caller.record()["reason_slug"] == "caller-hung-up"


def test_the_worker_dies_again_and_again(make_product: StartProduct) -> None:
    """Three deaths in a row, one of them while a prompt plays: the call lives on and can still be used."""
    product = make_product()
    with Scene(product) as scene:
        caller = scene.caller()
        caller.dial()
        for deaths in range(1, 4):
            (worker,) = until(product.worker_pids, "a worker", within_s=5)
            os.kill(worker, signal.SIGKILL)
            until(lambda n=deaths: scene.metric("tollbridge_mixer_restarts_total") == n, "its successor")
            caller.sound.heard.clear()
            until(lambda: len(caller.sound.heard) > 10, "sound", within_s=5)
        caller.type(f"{product.listener_pin}#")
        caller.inside()
        caller.hang_up()
        assert caller.record()["pin_result"] == "ok"


def test_the_whole_product_is_killed(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene:
        people = [scene.caller() for _ in range(2)]
        for person in people:
            person.enter(product.listener_pin)
        waiting = scene.caller()
        waiting.dial()
        workers = product.worker_pids()
        settled_s = time.monotonic() + 2.0  # checkpoints are written once a second
        until(lambda: time.monotonic() > settled_s, "two checkpoints")
        killed_at = datetime.now(UTC)
        product.kill()
        for person in (*people, waiting):
            person.sound.sending = False
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the end of the worker")

        product.start()
        for person in (*people, waiting):
            record = person.record()
            assert record["end_basis"] == "node_crash"
            assert record["reason_slug"] == "node-crash"
            assert record["disposition"] == "server_error"
            assert -1.5 < (record["end_at"] - killed_at).total_seconds() < 0.1
            assert record["rx_pkts"] is None or record["rx_pkts"] > 0
        assert people[0].record()["join_at"] is not None
        assert people[0].record()["leave_at"] is not None
        assert waiting.record()["join_at"] is None
        sessions = product.get(f"/v1/conferences/{product.room}/sessions")
        assert all(session["end_date"] for session in sessions)
        assert len(product.cdrs()) == 2

        # The house is in order: the same room, the same PIN, a new session.
        again = scene.caller()
        again.enter(product.listener_pin)
        again.hang_up()
        assert again.record()["reason_slug"] == "caller-hung-up"
        product.stop()
        assert not Path(f"/proc/{product.process.pid if product.process else 0}").exists()


def test_killed_twice_loses_nothing_and_doubles_nothing(make_product: StartProduct) -> None:
    product = make_product()
    with Scene(product) as scene:
        calls = []
        for _ in range(2):
            caller = scene.caller()
            caller.enter(product.listener_pin)
            calls.append(caller)
            product.kill()
            caller.sound.sending = False
            product.start()
        for caller in calls:
            caller.record()
        ids = [record["source_call_id"] for record in scene.records()]
        assert sorted(ids) == sorted(caller.call.call_id for caller in calls)


def test_phones_of_lost_calls_do_not_disturb_new_ones(make_product: StartProduct) -> None:
    """After a crash the old callers' phones go on sending to the old ports; new callers must not lose their
    sound to them, nor the old phones hear it.
    """
    product = make_product()
    with Scene(product) as scene:
        zombies = [scene.caller() for _ in range(2)]
        for zombie in zombies:
            zombie.enter(product.listener_pin)
        product.kill()
        product.start()
        for zombie in zombies:
            zombie.sound.heard.clear()
        newcomer = scene.caller()
        newcomer.enter(product.listener_pin)
        assert not any(zombie.sound.heard for zombie in zombies)


def test_asked_to_stop_it_says_goodbye(make_product: StartProduct) -> None:
    """SIGTERM: everyone gets a BYE, every record is closed, and nothing is left running."""
    product = make_product()
    with Scene(product) as scene:
        people = [scene.caller() for _ in range(3)]
        for person in people[:2]:
            person.enter(product.listener_pin)
        people[2].dial()
        workers = product.worker_pids()
        assert product.stop() == 0
        for person in people:
            assert "shutdown" in person.hung_up_on(within_s=1).get("Reason")
            record = person.record()
            assert (record["reason_slug"], record["end_basis"]) == ("shutdown", "bye")
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
