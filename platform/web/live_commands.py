"""Orders over HTTP as commands of the live room. Pure; the table of what needs what is `COMMANDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rooms.commands import (
    ORGANISER,
    End,
    GiveFloor,
    Kick,
    Lock,
    Mute,
    RoomCommand,
    SetMode,
    Start,
    TakeFloor,
    Unlock,
    Unmute,
)
from rooms.modes import AudioMode
from web.errors import bad_fields

_ID_LENGTH_MAX = 128


def _person(fields: Mapping[str, Any]) -> str:
    person = _person_or_none(fields)
    if person is None:
        raise bad_fields(("participant_id", "is required for this command"))
    return person


def _person_or_none(fields: Mapping[str, Any]) -> str | None:
    person = fields.get("participant_id")
    if person is None or person == "":
        return None
    if not isinstance(person, str) or len(person) > _ID_LENGTH_MAX:
        raise bad_fields(("participant_id", "must be the id of a participant"))
    return person


def _mode(fields: Mapping[str, Any]) -> AudioMode:
    try:
        return AudioMode(str(fields.get("mode")))
    except ValueError:
        raise bad_fields(("mode", "must be one of: " + ", ".join(AudioMode))) from None


COMMANDS: Mapping[str, Callable[[Mapping[str, Any]], RoomCommand]] = {
    "set_mode": lambda fields: SetMode(mode=_mode(fields), by=ORGANISER),
    "mute": lambda fields: Mute(participant_id=_person(fields), by=ORGANISER),
    "unmute": lambda fields: Unmute(participant_id=_person(fields), by=ORGANISER),
    "give_floor": lambda fields: GiveFloor(participant_id=_person_or_none(fields), by=ORGANISER),
    "take_floor": lambda fields: TakeFloor(participant_id=_person_or_none(fields), by=ORGANISER),
    "lock": lambda _fields: Lock(by=ORGANISER),
    "unlock": lambda _fields: Unlock(by=ORGANISER),
    "start": lambda _fields: Start(by=ORGANISER),
    "end": lambda _fields: End(by=ORGANISER),
    "kick": lambda fields: Kick(participant_id=_person(fields), by=ORGANISER),
}


def parse_command(fields: Mapping[str, Any]) -> RoomCommand:
    """The command that the fields ask for. Raises ApiError 422."""
    name = fields.get("command")
    build = COMMANDS.get(name) if isinstance(name, str) else None
    if build is None:
        raise bad_fields(("command", "must be one of: " + ", ".join(COMMANDS)))
    return build(fields)
