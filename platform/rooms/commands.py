"""What one can ask of a room.

Commands come from a telephone key, a click or the HTTP API, and all three build the same value.  `by` says
who asks: the id of a participant in the room, or `ORGANISER` for somebody with the organiser's rights who
is not in the room (the HTTP API).  Commands without `by` are about the person named and come from that
person's own device.  Asking for what is so already is no error and yields no event, except where the
person who asked waits for an answer (`Start`, `SetMode`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rooms.modes import AudioMode, Role, Via

#: `by` of a command that comes from the organiser's account instead of a person in the room.
ORGANISER = "api"

NAME_CHARS_MAX = 200
QUALITY_MAX = 4
"""The most bars of quality."""


def checked_name(name: str) -> str:
    """The name as it will be shown: one line, trimmed. Raises ValueError when nothing printable is left."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not shown:
        raise ValueError("a name needs at least one printable character")
    return shown[:NAME_CHARS_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCommand:
    """Base of all commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(RoomCommand):
    """Let a person in.

    `rejoin_key` (anything that is the same when the person comes back, unique to them: a caller number and
    PIN, a token) brings back mute state, music switch and place in the queue when they return within the
    room's `rejoin_s`.
    """

    participant_id: str
    name: str
    role: Role
    via: Via
    city: str | None = None
    country: str | None = None
    """ISO 3166 of the number that was dialled."""
    number_masked: str | None = None
    """The caller's number, masked."""
    rejoin_key: str | None = None

    def __post_init__(self) -> None:
        if not self.participant_id or self.participant_id == ORGANISER:
            raise ValueError(f"{self.participant_id!r} is no participant id")
        object.__setattr__(self, "name", checked_name(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(RoomCommand):
    """One device is gone (hung up, closed the page), None for the one they came with; the person leaves with
    the last of their devices. Nothing happens when the device was gone already.
    """

    participant_id: str
    device: Via | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPhone(RoomCommand):
    """A telephone becomes the sound of a person who is in the room, and acts for them with its keys.

    `rejoin_key` is the caller's own, see `Join`: who is put out is put out with this telephone.
    """

    participant_id: str
    city: str | None = None
    country: str | None = None
    number_masked: str | None = None
    rejoin_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkPhone(RoomCommand):
    """The person's telephone hung up: `Leave` of that device."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(RoomCommand):
    """The person's web page is connected or not. A page that connects is a device of theirs from then on; one
    that is lost stays a device until `Leave`. `name`: as the person has just typed it at the entrance, where
    a telephone that came first told none; names that others gave meanwhile stay when it is typed again.
    """

    participant_id: str
    connected: bool
    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", checked_name(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSound(RoomCommand):
    """The browser's sound is up or not. A linked telephone has precedence over it."""

    participant_id: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuality(RoomCommand):
    """How well the person's sound arrives: 0 to 4 bars, None for not known. Ignored for who is not here."""

    participant_id: str
    quality: int | None

    def __post_init__(self) -> None:
        if self.quality is not None and not 0 <= self.quality <= QUALITY_MAX:
            raise ValueError(f"quality is 0 to {QUALITY_MAX} bars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute(RoomCommand):
    """Switch a microphone off: one's own (`by` is the person), or as a presenter."""

    participant_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmute(RoomCommand):
    """Switch a microphone on again: one's own, whoever muted it, or as a presenter."""

    participant_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleMute(RoomCommand):
    """One's own microphone, the other way."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMode(RoomCommand):
    """Choose the audio mode. Before the start it is remembered and counts from the start on."""

    mode: AudioMode
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleMusic(RoomCommand):
    """Hold music the other way: a participant's own; a presenter's key is for everybody who waits."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMusic(RoomCommand):
    """Hold music on or off: a participant's own; a presenter's and the organiser's order is for everybody who
    waits.
    """

    on: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(RoomCommand):
    """Bring everyone who waits into the room."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End(RoomCommand):
    """End the event for everybody. With `close` False the room stays open: the same as `Stop`."""

    by: str
    close: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(RoomCommand):
    """Back to before the start: everybody stays and waits, and the event can be started again."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(RoomCommand):
    """From now on only presenters enter."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock(RoomCommand):
    """Let participants enter again."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleLock(RoomCommand):
    """Lock or unlock, whichever is not so."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskQuestion(RoomCommand):
    """Join the end of the question queue, or leave the queue when in it already."""

    participant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveFloor(RoomCommand):
    """Q&A: let one participant speak; None is the first in the queue. Takes it from whoever had it."""

    participant_id: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeFloor(RoomCommand):
    """Q&A: take the floor back (None: from whoever has it). The holder may give it back, too."""

    participant_id: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kick(RoomCommand):
    """Put a person out of the room, with all devices. They cannot come back unless it is undone.

    `revoked`: what let them in was taken back, so nobody in the room can undo it.
    """

    participant_id: str
    by: str
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoKick(RoomCommand):
    """Let a person come back who was put out within the last `rooms.people.UNDO_KICK_S` seconds; they find
    everything as it was but the floor.
    """

    participant_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename(RoomCommand):
    """Change a shown name, one's own or as a presenter."""

    participant_id: str
    name: str
    by: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTalking(RoomCommand):
    """The mixer hears a person speak or stop. Ignored for a person who may not be heard now."""

    participant_id: str
    talking: bool
