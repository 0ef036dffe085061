"""What the web application needs from the rest of the house; the composition root puts it together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from database.types import now_utc
from events.directory import PinDirectory
from rooms.live import LiveRooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A dial-in number as callers see it. `number` is E.164, `display` how it is printed."""

    code: str
    location: str
    number: str
    display: str
    country: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the parts work: name → "ok" or what is wrong."""

    checks: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return all(state == "ok" for state in self.checks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Parts that routes use.

    `secret` signs cookies. `sockets_per_address`: room pages open at one time from one address. `live` is
    touched on the event loop's thread only. `readers` makes read-only sessions. `health` must
    return at once; the database is checked by the web side itself. `now` is the wall clock, `clock`
    monotonic seconds, the one that `live` is run with.
    """

    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    live: LiveRooms
    directory: PinDirectory
    registry: CollectorRegistry
    version: str
    public_url: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    sockets_per_address: int = 50
    gateways: Sequence[Gateway] = ()
    health: Callable[[], Health] = lambda: Health(checks={})
    now: Callable[[], datetime] = now_utc
    clock: Callable[[], float] = time.monotonic
