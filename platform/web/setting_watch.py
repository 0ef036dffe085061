"""Open room pages learn of an event's switches, whoever turned them: a page, the HTTP API, another process.

All changes arrive in the PIN directory within a second (`events.directory`); what differs there from what the
pages of a room were told last is published to them.
"""

from __future__ import annotations

from events.directory import PinDirectory
from rooms.commands import ORGANISER
from rooms.feed import RoomFeed
from rooms.live import LiveRooms

LOOK_EVERY_S = 1.0


class SettingWatch:
    """Call `look` every `LOOK_EVERY_S` seconds on the event loop's thread."""

    def __init__(self, live: LiveRooms, feed: RoomFeed, directory: PinDirectory) -> None:
        self._live, self._feed, self._directory = live, feed, directory
        self._told: dict[str, tuple[bool, bool]] = {}

    def look(self) -> None:
        """Publish what changed since the last look."""
        told: dict[str, tuple[bool, bool]] = {}
        for room in self._live.all():
            card = self._directory.event(int(room.room_id))
            if card is None:
                continue
            now = card.gateway_enabled, card.toll_free_enabled
            if self._told.get(room.room_id, now) != now:
                change = {
                    "type": "settings_changed",
                    "gateway": now[0],
                    "toll_free": now[1],
                    "actor": ORGANISER,
                }
                self._feed.publish(room.room_id, change)
            told[room.room_id] = now
        self._told = told
