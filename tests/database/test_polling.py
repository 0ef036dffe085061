"""The thread under mails, steps and hooks: it misses no wake, outlives errors, and ends when told to."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from database.polling import PollingThread

LONG_S = 3600.0
SOON_S = 30.0


class Rounds:
    """Work that tells of each round, and does in it what the test says."""

    def __init__(self) -> None:
        self.done: queue.Queue[int] = queue.Queue()
        self.acts: dict[int, Callable[[], object]] = {}
        self.count = 0

    def __call__(self) -> object:
        self.count += 1
        try:
            return self.acts.get(self.count, lambda: False)()
        finally:
            self.done.put(self.count)

    def wait(self) -> int:
        return self.done.get(timeout=SOON_S)


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@pytest.fixture
def thread(rounds: Rounds) -> Iterator[PollingThread]:
    made = PollingThread("some-work", rounds, poll_s=LONG_S)
    yield made
    made.stop(timeout_s=SOON_S)


def test_the_first_round_is_at_once_and_the_next_when_woken(rounds: Rounds, thread: PollingThread) -> None:
    thread.start()
    assert rounds.wait() == 1
    thread.wake()
    assert rounds.wait() == 2
    assert thread.stop(timeout_s=SOON_S)
    assert rounds.count == 2


def test_it_comes_back_by_itself(rounds: Rounds) -> None:
    thread = PollingThread("often", rounds, poll_s=0.01)
    thread.start()
    assert [rounds.wait() for _ in range(3)] == [1, 2, 3]
    assert thread.stop(timeout_s=SOON_S)


def test_more_work_is_done_without_a_pause(rounds: Rounds, thread: PollingThread) -> None:
    rounds.acts = {1: lambda: 20, 2: lambda: True}
    thread.start()
    assert [rounds.wait() for _ in range(3)] == [1, 2, 3]
    with pytest.raises(queue.Empty):
        rounds.done.get(timeout=0.05)


def test_a_wake_during_a_round_is_not_lost(rounds: Rounds, thread: PollingThread) -> None:
    rounds.acts[1] = thread.wake
    thread.start()
    assert [rounds.wait(), rounds.wait()] == [1, 2]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("a bug"), "thread_stumbled"),
        (OperationalError("SELECT", {}, Exception("gone")), "thread_waits_for_database"),
    ],
)
def test_errors_do_not_end_it(rounds: Rounds, thread: PollingThread, error: Exception, told: str) -> None:
    def fail() -> None:
        raise error

    rounds.acts[1] = fail
    with capture_logs() as logs:
        thread.start()
        rounds.wait()
        thread.wake()
        assert rounds.wait() == 2
    assert [(one["event"], one["thread"]) for one in logs] == [(told, "some-work")]
    assert thread.stumbles == 1


def test_stopping_waits_for_the_round_and_no_longer_than_allowed(
    rounds: Rounds, thread: PollingThread
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    stopping: list[bool] = []

    def slow() -> None:
        inside.set()
        go_on.wait(SOON_S)
        stopping.append(thread.stopping)

    rounds.acts[1] = slow
    thread.start()
    assert inside.wait(SOON_S)
    with capture_logs() as logs:
        assert not thread.stop(timeout_s=0.01)
    assert [one["event"] for one in logs] == ["thread_does_not_end"]
    go_on.set()
    rounds.wait()
    assert stopping == [True]
    assert rounds.count == 1


def test_it_can_be_started_again_and_stopped_twice(rounds: Rounds, thread: PollingThread) -> None:
    assert thread.stop(timeout_s=SOON_S)
    for expected in (1, 2):
        thread.start()
        assert rounds.wait() == expected
        assert thread.stop(timeout_s=SOON_S)
        assert thread.stop(timeout_s=SOON_S)
    thread.start()
    with pytest.raises(AssertionError, match="twice"):
        thread.start()
