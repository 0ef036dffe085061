"""What toll-free calls cost at this moment, where the house meters them.

The meter belongs to the part that answers calls; pages see it through `Tolls`. A house without one shows
nothing.
"""

from __future__ import annotations

from typing import Protocol, cast

from billing.metering import Reading
from web.services import Services


class Tolls(Protocol):
    """The live meter (`bridge.calls.tolls`), as pages ask it from any thread."""

    def account_reading(self, account_id: int) -> Reading | None: ...

    def session_reading(self, session_id: int) -> Reading | None: ...

    def refresh(self, account_id: int) -> None: ...


def account_reading(services: Services, account_id: int) -> Reading | None:
    """What all calls of an account cost now; None when none is up, or nobody meters."""
    tolls = _tolls(services)
    return None if tolls is None else _running(tolls.account_reading(account_id))


def session_reading(services: Services, session_id: int) -> Reading | None:
    """The same for one session."""
    tolls = _tolls(services)
    return None if tolls is None else _running(tolls.session_reading(session_id))


def refresh(services: Services, account_id: int) -> None:
    """Money came: the meter looks again at once, so that callers are let in again."""
    tolls = _tolls(services)
    if tolls is not None:
        tolls.refresh(account_id)


def _tolls(services: Services) -> Tolls | None:
    return cast("Tolls | None", getattr(services, "tolls", None))


def _running(reading: Reading | None) -> Reading | None:
    return reading if reading is not None and reading.live_calls else None
