"""What toll-free calls cost at this moment, where the house meters them.

The meter belongs to the part that answers calls; pages see it through `Tolls`. A house without one shows
nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, cast

from billing.metering import Reading
from web.services import Services


class Tolls(Protocol):
    """The live meter, as pages ask it from any thread."""

    def account_reading(self, account_id: int, *, now: datetime) -> Reading | None: ...

    def session_reading(self, session_id: int, *, now: datetime) -> Reading | None: ...


def _tolls(services: Services) -> Tolls | None:
    return cast("Tolls | None", getattr(services, "tolls", None))


def account_reading(services: Services, account_id: int) -> Reading | None:
    """What all calls of an account cost now; None when none is up, or nobody meters."""
    tolls = _tolls(services)
    found = None if tolls is None else tolls.account_reading(account_id, now=services.now())
    return found if found is not None and found.live_calls else None


def session_reading(services: Services, session_id: int) -> Reading | None:
    """The same for one session."""
    tolls = _tolls(services)
    found = None if tolls is None else tolls.session_reading(session_id, now=services.now())
    return found if found is not None and found.live_calls else None
