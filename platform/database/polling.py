"""A thread that does a round of work again and again: every few seconds, and whenever it is woken.

Theory. Much of what a database remembers is done by asking "what is due now" (mails, steps of events, web
hooks, thanks). Each of these needs the same thread: it does one round, sleeps, and can be woken by whoever
knows that there is work. A wake during a round is not lost: the flag stands until the next sleep, which then
is none. A round that finds more work than it did says so and is followed by the next at once.

A round that raises does not end the thread: one bad row must not stop all others for good. That the database
is away is expected and logged as one line; anything else is logged with its traceback. A round should look at
`stopping` between its transactions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from database.errors import is_outage

_log = structlog.get_logger(__name__)


class PollingThread:
    """Calls `work` every `poll_s` seconds and after each `wake`; a true answer means "more at once".

    `start` and `stop` may be called again, by one owner. `stumbles` counts rounds that raised.
    """

    def __init__(self, name: str, work: Callable[[], object], *, poll_s: float) -> None:
        self._name = name
        self._work = work
        self._poll_s = poll_s
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.stopping = False
        self.stumbles = 0

    def start(self) -> None:
        """Begin, with a round at once."""
        assert self._thread is None, "started twice"
        self.stopping = False
        self._wake.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is work: no sleep before the next round. May be called from any thread, started or not."""
        self._wake.set()

    def stop(self, *, timeout_s: float) -> bool:
        """Let the round at hand come to its end, `timeout_s` at most; whether it did. Nothing else starts."""
        self.stopping = True
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        thread.join(timeout_s)
        if thread.is_alive():
            _log.warning("thread_does_not_end", thread=self._name)
        return not thread.is_alive()

    def _run(self) -> None:
        while not self.stopping:
            if not self._round():
                self._wake.wait(self._poll_s)
                self._wake.clear()

    def _round(self) -> bool:
        try:
            return bool(self._work())
        except Exception as exc:
            self.stumbles += 1
            if is_outage(exc):
                _log.warning("thread_waits_for_database", thread=self._name, error=type(exc).__name__)
            else:
                _log.exception("thread_stumbled", thread=self._name)
            return False
