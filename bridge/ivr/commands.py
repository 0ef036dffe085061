"""What a call's flow is told, and what it orders: messages without I/O.

Whoever drives the flow (`bridge.calls`) carries out the commands in the order of the list:

| command | carried out by |
|---|---|
| `Play` | stop what plays to this caller, play these clips one after the other, then `on_played(play_id)` |
| `StopPlay` | stop what plays to this caller; no `on_played` needed |
| `CheckPin` | look the PIN up, then `on_pin_checked(Accepted or Rejected)` |
| `Join` | enter the room, then `on_joined(view, participant_id)` or `on_refused(slug)` |
| `Do` | apply the command to the room; refused: `on_refused(slug)`; else its events come as `on_room_event` |
| `HangUp` | end the call with this slug; nothing follows |
"""

from dataclasses import dataclass
from typing import TypeAlias

from bridge.ivr.pin import Pin
from bridge.ivr.prompt import Prompt
from rooms.commands import RoomCommand
from rooms.modes import Role

__all__ = [
    "Accepted", "CheckPin", "Command", "Do", "HangUp", "Join", "PinOutcome", "Play", "Rejected", "StopPlay",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Say these prompts to this caller alone, instead of whatever is being said."""

    play_id: int
    prompts: tuple[Prompt, ...]
    interruptible: bool
    """False: a key does not cut it short. The flow sees to that itself; a player may use it for its own
    rules.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlay:
    """Be quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPin:
    """Look this PIN up."""

    pin: Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Take this caller into the room of the PIN that was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Apply this command to the room."""

    command: RoomCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End the call; `slug` is the reason that stands in its CDR."""

    slug: str


Command: TypeAlias = Play | StopPlay | CheckPin | Join | Do | HangUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The PIN opens an event."""

    role: Role
    event_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The PIN opens nothing; `slug` says why. Only `wrong-pin` leaves the caller another try."""

    slug: str
    call_instead: str | None = None
    """A number that would do, in groups of digits as this caller dials it."""


PinOutcome: TypeAlias = Accepted | Rejected
