"""Whether the clocks of this machine can be trusted: the wall clock for bills, short sleeps for sound.

adjtimex(2) returns 5 (TIME_ERROR) when the kernel was not told by anybody that the time is right.
"""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime

WAKEUP_GOOD_MS = 10.0
_TICK_S = 0.020
_TICKS = 15
_TIME_ERROR = 5
_TIMEX_BYTES = 512
_PROGRAM_WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


def wall_clock_problem() -> str | None:
    """A sentence about what is wrong with the time of day, or None."""
    if datetime.now(UTC) < _PROGRAM_WRITTEN:
        return f"it is set to {datetime.now(UTC):%Y-%m-%d}, before this program was written"
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return "nobody keeps it right: the kernel calls it unsynchronised" if state == _TIME_ERROR else None


def worst_wakeup_ms() -> float:
    """How much later than asked the worst of some sleeps of 20 ms ended, in milliseconds."""
    worst = 0.0
    for _ in range(_TICKS):
        began = time.perf_counter()
        time.sleep(_TICK_S)
        worst = max(worst, time.perf_counter() - began - _TICK_S)
    return worst * 1000
