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
    Rename,
    RoomCommand,
    SetMode,
    SetMusic,
    Start,
    Stop,
    TakeFloor,
    UndoKick,
    Unlock,
    Unmute,
)
from rooms.modes import AudioMode
from web.errors import bad_fields

_ID_LENGTH_MAX = 128
_NAME_LENGTH_MAX = 1_000


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


def _rename(fields: Mapping[str, Any]) -> RoomCommand:
    person, name = _person(fields), fields.get("name")
    if not isinstance(name, str) or len(name) > _NAME_LENGTH_MAX:
        raise bad_fields(("name", "is required for this command"))
    try:
        return Rename(participant_id=person, name=name, by=ORGANISER)
    except ValueError as exc:
        raise bad_fields(("name", str(exc))) from None


def _flag(fields: Mapping[str, Any], name: str, *, default: bool | None = None) -> bool:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if value in (True, 1, "1", "true"):
        return True
    if value in (False, 0, "0", "false"):
        return False
    raise bad_fields((name, "must be 0 or 1"))


COMMANDS: Mapping[str, Callable[[Mapping[str, Any]], RoomCommand]] = {
    "set_mode": lambda fields: SetMode(mode=_mode(fields), by=ORGANISER),
    "mute": lambda fields: Mute(participant_id=_person(fields), by=ORGANISER),
    "unmute": lambda fields: Unmute(participant_id=_person(fields), by=ORGANISER),
    "give_floor": lambda fields: GiveFloor(participant_id=_person_or_none(fields), by=ORGANISER),
    "take_floor": lambda fields: TakeFloor(participant_id=_person_or_none(fields), by=ORGANISER),
    "lock": lambda _fields: Lock(by=ORGANISER),
    "unlock": lambda _fields: Unlock(by=ORGANISER),
    "start": lambda _fields: Start(by=ORGANISER),
    "stop": lambda _fields: Stop(by=ORGANISER),
    "end": lambda fields: End(by=ORGANISER, close=_flag(fields, "close", default=True)),
    "kick": lambda fields: Kick(participant_id=_person(fields), by=ORGANISER),
    "undo_kick": lambda fields: UndoKick(participant_id=_person(fields), by=ORGANISER),
    "rename": _rename,
    "music": lambda fields: SetMusic(on=_flag(fields, "on"), by=ORGANISER),
}


def parse_command(fields: Mapping[str, Any]) -> RoomCommand:
    """The command that the fields ask for. Raises ApiError 422."""
    name = fields.get("command")
    build = COMMANDS.get(name) if isinstance(name, str) else None
    if build is None:
        raise bad_fields(("command", "must be one of: " + ", ".join(COMMANDS)))
    return build(fields)
