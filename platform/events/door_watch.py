"""Who may be in no longer is put out: tokens that were taken back, events that were deleted or ended.

Theory. The door asks the database, but who is inside has passed the door. What changes in the database, by
whatever process, arrives in the PIN directory within a second (`events.directory`), at once when this process
made the change. The watch compares it with the rooms again and again: not the change is acted on but the
state, so that somebody who passed the door in the moment of the change is found at the next look, and
nothing is missed when the database was away meanwhile.

A look costs two look-ups in memory for each live room, and one for each of its taken-back tokens.
"""

from __future__ import annotations

import contextlib

import structlog

from events.directory import PinDirectory
from events.fields import Status
from rooms.commands import ORGANISER, End, Kick
from rooms.errors import NoSuchRoom, Refused
from rooms.live import LiveRooms
from rooms.room import Room

LOOK_EVERY_S = 0.5

_log = structlog.get_logger(__name__)


class DoorWatch:
    """Call `look` every `LOOK_EVERY_S` on the thread that owns the live rooms."""

    def __init__(self, live: LiveRooms, directory: PinDirectory) -> None:
        self._live, self._directory = live, directory

    def look(self, *, now_s: float) -> None:
        """Put out whoever may be in no longer, with browser and telephone; end what is over."""
        for room in self._live.all():
            event_id = int(room.room_id)
            card = self._directory.event(event_id)
            with contextlib.suppress(Refused, NoSuchRoom):  # ended by somebody else while we looked
                if card is not None and card.status is not Status.ACTIVE:
                    _log.info("room_of_ended_event_closed", room_id=room.room_id)
                    self._live.apply(room.room_id, End(by=ORGANISER), now_s=now_s)
                    continue
                self._put_out(room, self._directory.revoked(event_id), now_s=now_s)

    def _put_out(self, room: Room, revoked: frozenset[str], *, now_s: float) -> None:
        for seat_id in [seat for seat in revoked if seat in room]:
            _log.info("token_taken_back_inside", room_id=room.room_id, participant_id=seat_id)
            self._live.apply(
                room.room_id, Kick(participant_id=seat_id, by=ORGANISER, revoked=True), now_s=now_s
            )
