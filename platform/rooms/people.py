"""One person in the room, and what is remembered of those who left for a moment.

`Departures` keeps mute state, music switch and queue number of people who left, for `keep_s` seconds and
for at most `DEPARTURES_MAX` people, oldest forgotten first: a telephone that loses its network and redials
finds everything as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from rooms.modes import MutedBy, Role, Via

DEPARTURES_MAX = 4096


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What is kept of a person who left."""

    role: Role
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
