"""Errors of the live room.

    RoomError
    ├── Refused        the command is understood and not allowed now; nothing changed
    └── NoSuchRoom     the registry has no such room open

`Refused.slug` is for machines (prompt key, HTTP error code) and comes from `REASONS`; the sentence beside
it is for people who read an HTTP answer.
"""

from __future__ import annotations

#: Every slug a room may refuse with → one English sentence.
REASONS: dict[str, str] = {
    "already-in-room": "This participant is in the room already.",
    "already-started": "The event has started already.",
    "event-full": "The event is full.",
    "event-locked": "The event is locked: only presenters may enter.",
    "event-over": "The event is over.",
    "has-floor": "This participant has the floor already.",
    "is-presenter": "Presenters speak without the floor and without a question.",
    "no-browsers": "Only telephones can join here.",
    "no-questions": "Nobody is waiting with a question.",
    "not-in-qa": "The floor can be given in Q&A mode only.",
    "not-in-room": "There is no such participant in the room.",
    "not-presenter": "Only a presenter may do this.",
    "not-started": "The event has not started yet.",
    "nothing-to-undo": "Nobody of that id was put out a moment ago.",
    "removed": "This person was put out of the event.",
    "too-many-for-discussion": "There are too many people in the room for discussion mode.",
}


class RoomError(Exception):
    """Root of the package's errors."""


class Refused(RoomError):  # noqa: N818 - the word of the trade; see the tree above
    """A command that the rules do not allow now. Nothing has changed."""

    def __init__(self, slug: str) -> None:
        assert slug in REASONS, slug
        super().__init__(REASONS[slug])
        self.slug = slug


class NoSuchRoom(RoomError):  # noqa: N818
    """No room of that id is open."""

    def __init__(self, room_id: str) -> None:
        super().__init__(f"no room {room_id} is open")
        self.room_id = room_id
