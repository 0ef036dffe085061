"""The cashier's clerk: one thread that does what waits for the database, and a bounded queue before it.

Theory.  The event loop carries every call's signalling and must never wait.  So it hands over a piece of work
and what to do with its result; the thread does the work and has the loop do the rest.  When the database is
slow the queue fills up, and further work is refused at once: its giver asks again later.  Order is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import structlog

from database.errors import is_outage

QUEUE_MAX = 1000

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")
_Job = tuple[Callable[[], Any], Callable[[Any], None]]


class Clerk(Protocol):
    """Whoever does work off the loop."""

    def submit(self, work: Callable[[], _Result], done: Callable[[_Result | None], None]) -> bool:
        """Do `work`, then call `done` on the loop with its result, None when it failed. False: not taken."""
        ...

    def stop(self) -> None:
        """Finish what was taken, and end."""
        ...


class ThreadClerk:
    """A clerk with a thread of its own, from its making until `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, queue_max: int = QUEUE_MAX) -> None:
        self._loop = loop
        self._work: queue.Queue[_Job | None] = queue.Queue(queue_max)
        self._away = False
        self._thread = threading.Thread(target=self._run, name="toll-clerk", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], _Result], done: Callable[[_Result | None], None]) -> bool:
        """See `Clerk.submit`."""
        try:
            self._work.put_nowait((work, done))
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """See `Clerk.stop`. Waits; call it off the loop."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            work, done = job
            result = self._try(work)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for results
                self._loop.call_soon_threadsafe(done, result)

    def _try(self, work: Callable[[], Any]) -> Any:
        try:
            result = work()
        except Exception as exc:
            if not is_outage(exc):
                _log.exception("toll_work_failed")
            elif not self._away:
                self._away = True
                _log.warning("toll_database_away", error=type(exc).__name__)
            return None
        if self._away:
            self._away = False
            _log.info("toll_database_back")
        return result
