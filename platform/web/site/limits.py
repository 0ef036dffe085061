"""How often somebody may try: ever slower after failures, and so many forms a minute. Pure: time is given.

`Delays` is for guessing: the first tries are free, then each failure doubles the wait, up to a quarter of an
hour. An attempt counts when it begins, so that a thousand at once are not one. `Rates` is a token bucket
(ITU-T I.371, the continuous-state leaky bucket) for forms that anybody may send. Both know at most so many
keys and forget the oldest first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

KEYS_MAX = 20_000


class Delays:
    """Waits that grow with each failure of a key."""

    def __init__(
        self, *, free: int = 5, first_s: float = 2.0, longest_s: float = 900.0, forget_s: float = 3600.0
    ) -> None:
        self._free, self._first_s, self._longest_s, self._forget_s = free, first_s, longest_s, forget_s
        self._known: OrderedDict[str, tuple[int, float, float]] = OrderedDict()  # failures, next, last
        self._lock = threading.Lock()

    def attempt(self, *keys: str, now_s: float) -> float:
        """Seconds to wait, of the key that waits longest; 0.0: go on, and it counts as a failure so far."""
        with self._lock:
            wait_s = max(self._fresh(key, now_s)[1] - now_s for key in keys)
            if wait_s > 0:
                return wait_s
            for key in keys:
                failures = self._fresh(key, now_s)[0] + 1
                beyond = failures - self._free
                pause_s = 0.0 if beyond < 0 else min(self._first_s * 2.0 ** min(beyond, 30), self._longest_s)
                self._known[key] = (failures, now_s + pause_s, now_s)
                self._known.move_to_end(key)
            while len(self._known) > KEYS_MAX:
                self._known.popitem(last=False)
            return 0.0

    def forgive(self, key: str) -> None:
        """It was no failure: the key starts anew."""
        with self._lock:
            self._known.pop(key, None)

    def _fresh(self, key: str, now_s: float) -> tuple[int, float, float]:
        found = self._known.get(key)
        return found if found is not None and now_s - found[2] < self._forget_s else (0, 0.0, now_s)


class Rates:
    """`burst` at once, and `per_minute` in the long run, for each key."""

    def __init__(self, *, per_minute: float, burst: int) -> None:
        self._gap_s, self._slack_s = 60.0 / per_minute, 60.0 / per_minute * (burst - 1)
        self._due_s: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, *, now_s: float) -> bool:
        """Whether one more may pass now."""
        with self._lock:
            due_s = max(self._due_s.get(key, now_s), now_s)
            if due_s - now_s > self._slack_s:
                return False
            self._due_s[key] = due_s + self._gap_s
            self._due_s.move_to_end(key)
            while len(self._due_s) > KEYS_MAX:
                self._due_s.popitem(last=False)
            return True
