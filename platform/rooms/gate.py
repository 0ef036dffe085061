"""The gate between web pages and the live room: what a web front door asks of whoever runs the rooms.

A *visitor* is somebody who has proven at the door what they may be; a *seat* is that person in one event.
The seat's id is kept by the browser in a signed cookie and is the participant id in the live room, so that
a reload, another network or a tab that slept is the same person and not a second entry.

The web side knows sockets and cookies, the other side knows rooms, sessions and sound.  Everything is
called on the event loop's thread, which owns the live rooms.  Commands of people in the room do not go
through the gate: they go to `rooms.live.LiveRooms.apply` like a key of a telephone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from rooms.modes import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody at the door of an event, with what the door found out about them."""

    seat_id: str
    """Random, url-safe, 22 characters or more; the participant id in the room."""
    event_id: int
    room_id: str
    account_id: int
    event_name: str
    role: Role
    name: str
    email: str | None
    ip: str
    user_agent: str
    permanent_room: bool
    capacity: int | None
    """Most participants in the room, None for no limit."""
    room_type: str
    """`meeting` or `webinar`."""
    timezone: str | None = None
    """What the page says about the clocks around it (IANA); nothing checks it."""
    accept_language: str = ""
    """As the browser sent it (RFC 9110 §12.5.4)."""
    language: str = "en"
    """The language of the pages that this person reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalPin:
    """The digits with which a telephone becomes the sound of one seat."""

    pin: str
    pin_grouped: str
    """The digits as people read them: in threes."""


class WebGate(Protocol):
    """What web pages ask for on behalf of a seat."""

    async def enter(self, visitor: Visitor) -> None:
        """Let the visitor into the room; nothing happens when the seat is in already.

        Raises rooms.errors.Refused: locked, full, over, removed.
        """

    def lost(self, seat_id: str) -> None:
        """The seat's socket is gone: shown as reconnecting, out of the room after the grace time."""

    def back(self, seat_id: str) -> None:
        """The seat's socket is here again, or for the first time."""

    async def leave(self, seat_id: str) -> None:
        """The person said goodbye: out at once. A telephone linked to the seat keeps the person in."""

    async def offer(self, seat_id: str, sdp: str) -> str:
        """A WebRTC offer (RFC 8829) of the seat's browser; the answer, with all candidates in it.

        The same call renegotiates and restarts ICE. Raises rooms.webrtc.errors.BadOffer, and
        rooms.errors.Refused when the seat is not in the room.
        """

    async def stop_sound(self, seat_id: str) -> None:
        """The browser's sound ends; the person stays."""

    def ice_servers(self) -> list[dict[str, Any]]:
        """STUN and TURN servers as `RTCPeerConnection` takes them."""
