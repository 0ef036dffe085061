"""All room pages that are connected: who gets which change, and how many may be open.

One observer of the feed serves all pages: a change of a room is put into the outboxes of its pages in the
same turn of the loop in which the room changed. A page that was put out stays connected for as long as that
can be taken back, and comes in again by itself if it is.

At most one page per seat is served; the newer wins and the older is told so (close code 4001). Pages of one
address are limited before anything else is looked at, so that an address which opens a thousand costs one
counter each and takes no place from others.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge

from rooms import events as e
from rooms.feed import Entry, RoomFeed
from rooms.live import LiveRooms
from rooms.modes import Role
from web.join_limits import address_key

ELSEWHERE = 4001
LEFT = 4002
REMOVED = 4003
ENDED = 4000


class RoomPage(Protocol):
    """What the hub knows of a connection. All methods return at once."""

    @property
    def seat_id(self) -> str: ...
    @property
    def room_id(self) -> str: ...
    @property
    def role(self) -> Role: ...

    def change(self, frame: str) -> None:
        """A change of the room."""

    def sound(self) -> None:
        """What this person may say and hears may have changed."""

    def removed(self) -> None:
        """This person was put out."""

    def invited_back(self) -> None:
        """This person was put out, and it was taken back."""

    def finish(self, code: int, reason: str) -> None:
        """Close when everything that waits was sent."""


class SocketHub:
    """One for the application; lives on the event loop's thread."""

    def __init__(
        self, *, live: LiveRooms, feed: RoomFeed, registry: CollectorRegistry, per_address: int
    ) -> None:
        self.live, self.feed = live, feed
        self._per_address = per_address
        self._addresses: Tally[str] = Tally()
        self._by_seat: dict[str, RoomPage] = {}
        self._by_room: defaultdict[str, dict[str, RoomPage]] = defaultdict(dict)
        self._out: dict[str, RoomPage] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = Counter(
            "tollbridge_socket_refused",
            "Messages of room pages that were refused, and pages that were not let in.",
            ["slug"],
            registry=registry,
        )
        self.overflows = Counter(
            "tollbridge_socket_overflows",
            "Times that a slow room page got the state instead of changes.",
            registry=registry,
        )
        open_ = Gauge("tollbridge_sockets", "Room pages that are connected.", registry=registry)
        open_.set_function(lambda: sum(self._addresses.values()))
        feed.subscribe(self._on_feed)

    def admit(self, ip: str) -> bool:
        """Whether one more connection of this address is served; `release` it afterwards if so."""
        key = address_key(ip)
        if self._addresses[key] >= self._per_address:
            self.refused.labels("too-many-sockets").inc()
            return False
        self._addresses[key] += 1
        return True

    def release(self, ip: str) -> None:
        """A connection that was admitted is over."""
        key = address_key(ip)
        self._addresses[key] -= 1
        if self._addresses[key] <= 0:
            del self._addresses[key]

    def enter(self, page: RoomPage) -> None:
        """The page is the one of its seat from now on."""
        older = self._by_seat.get(page.seat_id)
        if older is not None and older is not page:
            self._forget(older)
            older.finish(ELSEWHERE, "elsewhere")
        self._out.pop(page.seat_id, None)
        self._by_seat[page.seat_id] = page
        self._by_room[page.room_id][page.seat_id] = page

    def leave(self, page: RoomPage) -> bool:
        """The page is gone; whether it was the one of its seat."""
        if self._out.get(page.seat_id) is page:
            del self._out[page.seat_id]
        if self._by_seat.get(page.seat_id) is not page:
            return False
        self._forget(page)
        return True

    def has(self, seat_id: str) -> bool:
        """Whether the seat has a page now."""
        return seat_id in self._by_seat

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that goes on even if nobody waits for it any more."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who waits is told; if nobody does, nobody needs to know

    def _forget(self, page: RoomPage) -> None:
        del self._by_seat[page.seat_id]
        pages = self._by_room[page.room_id]
        pages.pop(page.seat_id, None)
        if not pages:
            del self._by_room[page.room_id]

    def _on_feed(self, room_id: str, entries: Sequence[Entry], happened: Sequence[e.RoomEvent]) -> None:
        pages = self._by_room.get(room_id)
        if pages:
            for page in pages.values():
                for entry in entries:
                    page.change(entry.frame(page.role))
        for event in happened:
            match event:
                case e.AudioChanged():
                    for seat in event.participant_ids if pages else ():
                        self._sound(seat, room_id)
                case e.SoundChanged():
                    self._sound(event.participant_id, room_id)
                case e.Kicked():
                    removed = self._in(event.participant_id, room_id)
                    if removed is not None and event.revoked:
                        self._forget(removed)
                        removed.finish(REMOVED, "removed")
                    elif removed is not None:
                        self._forget(removed)
                        self._out[removed.seat_id] = removed
                        removed.removed()
                case e.KickUndone():
                    back = self._out.get(event.participant_id)
                    if back is not None and back.room_id == room_id:
                        back.invited_back()
                case e.Left():
                    gone = self._in(event.participant_id, room_id)
                    if gone is not None:
                        self._forget(gone)
                        gone.finish(LEFT, "left")
                case e.Ended():
                    for page in list(pages.values()) if pages else ():
                        self._forget(page)
                        page.finish(ENDED, "ended")
                    for page in [page for page in self._out.values() if page.room_id == room_id]:
                        del self._out[page.seat_id]
                        page.finish(ENDED, "ended")

    def _in(self, seat_id: str, room_id: str) -> RoomPage | None:
        page = self._by_seat.get(seat_id)
        return page if page is not None and page.room_id == room_id else None

    def _sound(self, seat_id: str, room_id: str) -> None:
        page = self._in(seat_id, room_id)
        if page is not None:
            page.sound()


def frame(value: dict[str, Any]) -> str:
    """A frame of JSON."""
    return msgspec.json.encode(value).decode()
