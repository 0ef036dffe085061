"""Snapshots of a room: what the HTTP API and the live page show, and what the IVR may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rooms.modes import Audio, AudioMode, MutedBy, Role, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantState:
    """One person as presenters may see them.

    `question` is the place in the queue from 1, or None.  `via` is the way they came, `devices` what they
    have now, `sound` the device that carries their sound; `city`, `country` and `number` (masked) are those
    of their telephone.  `connected` False: their web page is lost and may come back.  `quality`: 0 to 4
    bars, None for not known.
    """

    id: str
    name: str
    role: Role
    via: Via
    city: str | None
    muted: bool
    muted_by: MutedBy | None
    talking: bool
    floor: bool
    question: int | None
    joined_at_s: float
    country: str | None = None
    number: str | None = None
    devices: frozenset[Via] = frozenset()
    sound: Via | None = None
    connected: bool = True
    quality: int | None = None
    music_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """The whole room at one moment; `participants` in order of joining.

    `music_on` is what those find who come next. `started_at_s` is monotonic seconds.
    """

    room_id: str
    name: str
    mode: AudioMode
    started: bool
    locked: bool
    ended: bool
    participants: tuple[ParticipantState, ...]
    floor: str | None = None
    questions: tuple[str, ...] = ()
    music_on: bool = True
    started_at_s: float | None = None


class RoomView(Protocol):
    """What a reader that must not change the room gets to see. Every question is answered in O(log n)."""

    @property
    def room_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def mode(self) -> AudioMode: ...
    @property
    def started(self) -> bool: ...
    @property
    def locked(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def tones(self) -> bool: ...
    @property
    def headcount(self) -> int: ...
    @property
    def presenter_count(self) -> int: ...
    @property
    def discussion_limit(self) -> int: ...
    @property
    def floor_holder(self) -> str | None: ...
    @property
    def question_count(self) -> int: ...

    def __contains__(self, participant_id: object) -> bool: ...
    def role(self, participant_id: str) -> Role: ...
    def audio(self, participant_id: str) -> Audio: ...
    def muted_by(self, participant_id: str) -> MutedBy | None: ...
    def music_on(self, participant_id: str) -> bool: ...
    def question_position(self, participant_id: str) -> int | None: ...
