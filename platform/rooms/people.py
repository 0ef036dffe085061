"""One person in the room, and what is remembered of those who left for a moment.

`Departures` keeps mute state, music switch and queue number of people who left, for `keep_s` seconds and
for at most `DEPARTURES_MAX` people, oldest forgotten first: a telephone that loses its network and redials
finds everything as it was.

`Removals` knows who was put out, by every key that would bring them back, for as long as the room is open
and for at most `REMOVALS_MAX` people; within `UNDO_KICK_S` it can be taken back.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from rooms.modes import MutedBy, Role, Via

DEPARTURES_MAX = 4096
REMOVALS_MAX = 4096
UNDO_KICK_S = 15.0
"""How long putting a person out can be taken back, in seconds."""


@dataclass(slots=True, kw_only=True)
class Person:
    """Mutable record, owned by `rooms.room.Room` alone."""

    id: str
    name: str
    role: Role
    via: Via
    city: str | None
    rejoin_key: str | None
    joined_at_s: float
    muted_by: MutedBy | None = None
    music_on: bool = True
    talking: bool = False
    joined_name: str = ""
    """The name they came with, before anybody changed it."""
    devices: frozenset[Via] = field(default_factory=frozenset)
    web_sound: bool = False
    connected: bool = True
    quality: int | None = None
    country: str | None = None
    number: str | None = None
    phone_key: str | None = None
    """The rejoin key of the telephone that was linked, so that a removal concerns it, too."""

    @property
    def sound(self) -> Via | None:
        """The device that carries the person's sound: a telephone before the browser."""
        if Via.PHONE in self.devices:
            return Via.PHONE
        return Via.WEB if self.web_sound else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What is kept of a person who left."""

    role: Role
    joined_name: str
    name: str
    muted_by: MutedBy | None
    music_on: bool
    question_number: int | None
    left_at_s: float


class Departures:
    """Bounded memory of people who may come back, by rejoin key."""

    def __init__(self, *, keep_s: float) -> None:
        self._keep_s = keep_s
        self._by_key: OrderedDict[str, Departure] = OrderedDict()

    def remember(self, key: str, departure: Departure) -> None:
        """Keep, and forget whoever is too old or one too many."""
        self._by_key.pop(key, None)
        self._by_key[key] = departure
        oldest_s = departure.left_at_s - self._keep_s
        while self._by_key and (
            len(self._by_key) > DEPARTURES_MAX or next(iter(self._by_key.values())).left_at_s < oldest_s
        ):
            self._by_key.popitem(last=False)

    def forget(self, key: str) -> None:
        """Nothing is remembered of this person any more."""
        self._by_key.pop(key, None)

    def take(self, key: str, *, role: Role, now_s: float) -> Departure | None:
        """What was kept, if it is fresh enough and the role is the same; it is gone from memory after."""
        found = self._by_key.pop(key, None)
        if found is None or found.role is not role or now_s - found.left_at_s > self._keep_s:
            return None
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One person who was put out, and what `undo` needs to make it not have been."""

    participant_id: str
    keys: frozenset[str]
    rejoin_key: str | None
    departure: Departure
    final: bool = False
    """What let the person in was taken back: there is nothing to come back with."""


class Removals:
    """Bounded memory of people who may not come back."""

    def __init__(self) -> None:
        self._by_person: OrderedDict[str, Removal] = OrderedDict()
        self._by_key: dict[str, str] = {}

    def __contains__(self, key: object) -> bool:
        """Whether a participant id or a rejoin key is that of a person who was put out."""
        return key in self._by_key

    def add(self, removal: Removal) -> None:
        """This person was put out; the oldest is forgotten when there are too many."""
        self._by_person[removal.participant_id] = removal
        self._by_key.update(dict.fromkeys(removal.keys, removal.participant_id))
        if len(self._by_person) > REMOVALS_MAX:
            self._forget(next(iter(self._by_person.values())))

    def undo(self, participant_id: str, *, now_s: float) -> Removal | None:
        """Who may come back now, or None when nobody of that id was put out in the last moments."""
        removal = self._by_person.get(participant_id)
        if removal is None or removal.final or now_s - removal.departure.left_at_s > UNDO_KICK_S:
            return None
        self._forget(removal)
        return removal

    def _forget(self, removal: Removal) -> None:
        del self._by_person[removal.participant_id]
        for key in removal.keys:
            if self._by_key.get(key) == removal.participant_id:
                del self._by_key[key]
