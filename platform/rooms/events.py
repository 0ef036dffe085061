"""What happened in a room, past tense.

A change that touches many people is *one* event with a set of ids, so that a mode change in a room of two
thousand costs one message, not two thousand.  `actor` is the participant id of whoever did it, or
`rooms.commands.ORGANISER`.

Order within one command: what happened first, then `TalkingChanged` for those it silenced, and last
`AudioChanged`, at most one, with everyone still in the room whose `Audio` is not what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rooms.modes import AudioMode, MutedBy, Role, Via


class LeaveReason(StrEnum):
    """Why somebody is not in the room any more."""

    LEFT = "left"
    KICKED = "kicked"


def sound_on_joining(via: Via) -> Via | None:
    """The sound of somebody who has just come: a telephone has it, a browser has to ask first."""
    return Via.PHONE if via is Via.PHONE else None


class FloorEnd(StrEnum):
    """Why the floor is free again."""

    TAKEN = "taken"  # by a presenter
    RETURNED = "returned"  # by the holder
    PASSED_ON = "passed_on"  # somebody else has it now
    LEFT = "left"  # the holder is gone
    MODE = "mode"  # the event is not in Q&A any more
    STOPPED = "stopped"  # the event is back to before the start


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent:
    """Base of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(RoomEvent):
    """A person is in; `rejoined` when they came back within the rejoin time and were recognised.

    Everything that others see of a newcomer is in here, except a place in the queue that they find again:
    `QuestionAsked` follows.
    """

    participant_id: str
    name: str
    role: Role
    via: Via
    city: str | None
    rejoined: bool
    country: str | None = None
    number: str | None = None
    muted_by: MutedBy | None = None
    music_on: bool = True
    joined_at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(RoomEvent):
    """A person is out. `Ended` stands for everybody's leaving; no `Left` follows it."""

    participant_id: str
    role: Role
    reason: LeaveReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted(RoomEvent):
    """One microphone was switched off by a person (mutes by a mode are in `ModeChanged.muted`)."""

    participant_id: str
    by: MutedBy
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmuted(RoomEvent):
    """One microphone is on again; `audible` False: the mode does not let this person be heard now."""

    participant_id: str
    actor: str
    audible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChanged(RoomEvent):
    """The audio mode was chosen; `previous == mode` when it was so already.

    `muted`: people muted by this change (other presenters; all participants for listen only).
    `unmuted`: participants whose mute came from a mode and ended with it (discussion).
    """

    mode: AudioMode
    previous: AudioMode
    actor: str
    muted: frozenset[str]
    unmuted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(RoomEvent):
    """Everyone who waited is in the event now; `at_s`: monotonic seconds."""

    actor: str
    at_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(RoomEvent):
    """The event is back to before the start; everybody is still here."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(RoomEvent):
    """The event is over; `participant_ids` were in it and are out of it now."""

    actor: str
    participant_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked(RoomEvent):
    """Only presenters enter from now on."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked(RoomEvent):
    """Everyone may enter again."""

    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked(RoomEvent):
    """A participant waits in the queue at `position`, counted from 1."""

    participant_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionWithdrawn(RoomEvent):
    """A participant left the queue without having had the floor."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorGiven(RoomEvent):
    """The participant may speak, is not muted and is not in the queue any more."""

    participant_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorTaken(RoomEvent):
    """The participant has the floor no longer."""

    participant_id: str
    actor: str
    reason: FloorEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Kicked(RoomEvent):
    """A person was put out; `Left` follows. `revoked`: what let them in was taken back, for good."""

    participant_id: str
    actor: str
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KickUndone(RoomEvent):
    """A person who was put out may come back; they are not in the room yet."""

    participant_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneLinked(RoomEvent):
    """A telephone is the person's sound now."""

    participant_id: str
    city: str | None
    country: str | None
    number: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneUnlinked(RoomEvent):
    """The person's telephone hung up, and they are still here."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChanged(RoomEvent):
    """The person's web page was lost (`connected` False: it may come back), came back, or, with `web` False,
    is gone while the person stays by telephone.
    """

    participant_id: str
    connected: bool
    web: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundChanged(RoomEvent):
    """The person's sound comes another way now; None: they neither speak nor hear."""

    participant_id: str
    sound: Via | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityChanged(RoomEvent):
    """The person's sound arrives better or worse: 0 to 4 bars, None for not known."""

    participant_id: str
    quality: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicSwitched(RoomEvent):
    """Hold music on or off for this person, or, with `everyone`, for all by a presenter or the organiser."""

    participant_id: str
    on: bool
    everyone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkingChanged(RoomEvent):
    """A person began or stopped talking. Also sent when a talker is muted or leaves."""

    participant_id: str
    talking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed(RoomEvent):
    """A shown name changed."""

    participant_id: str
    name: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChanged(RoomEvent):
    """The people whose `Room.audio()` this command changed: the mixer's work list."""

    participant_ids: frozenset[str]
