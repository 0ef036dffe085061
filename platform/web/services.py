"""What the web application needs from the rest of the house; the composition root puts it together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session, sessionmaker

from database.types import now_utc
from events.directory import PinDirectory
from rooms.errors import Refused
from rooms.feed import RoomFeed
from rooms.gate import Visitor, WebGate
from rooms.live import LiveRooms

if TYPE_CHECKING:
    from web.billing_parts import BillingParts
    from web.site.billing.live import Tolls


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


class NoBrowsers:
    """The gate of a machine that serves telephones only: nobody gets in."""

    async def enter(self, visitor: Visitor) -> None:  # noqa: ARG002
        raise Refused("no-browsers")

    def lost(self, seat_id: str) -> None:
        """Nobody is here."""

    def back(self, seat_id: str) -> None:
        """Nobody is here."""

    async def leave(self, seat_id: str) -> None:
        """Nobody is here."""

    async def offer(self, seat_id: str, sdp: str) -> str:  # noqa: ARG002
        raise Refused("no-browsers")

    async def stop_sound(self, seat_id: str) -> None:
        """Nobody is here."""

    def ice_servers(self) -> list[dict[str, Any]]:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Parts that routes use.

    `secret` signs cookies. `sockets_per_address`: room pages open at one time from one address.
    `web_hooks_allow_private`: web hooks may go to private addresses and without TLS. `feed` and `gate` are
    what room pages live on. `live` is
    touched on the event loop's thread only. `readers` makes read-only sessions. `health` must
    return at once; the database is checked by the web side itself. `now` is the wall clock, `clock`
    monotonic seconds, the one that `live` is run with.
    """

    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    live: LiveRooms
    feed: RoomFeed
    gate: WebGate = field(default_factory=NoBrowsers)
    directory: PinDirectory
    registry: CollectorRegistry
    version: str
    public_url: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    sockets_per_address: int = 50
    web_hooks_allow_private: bool = False
    billing: BillingParts | None = None
    tolls: Tolls | None = None
    gateways: Sequence[Gateway] = ()
    health: Callable[[], Health] = lambda: Health(checks={})
    now: Callable[[], datetime] = now_utc
    clock: Callable[[], float] = time.monotonic
