"""What a room page may say, as commands of the live room. Pure; the table is `COMMANDS`.

Who may do what is not decided here but by the room, the same as for keys of a telephone: `by` is always the
seat that the socket belongs to, whatever the message says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from rooms import commands as c
from rooms.modes import AudioMode

N_MAX = 2**53 - 1
_ID_CHARS_MAX = 128
_TEXT_CHARS_MAX = 1_000


class BadMessageError(Exception):
    """The message is not one that a page of ours sends; the sentence says why."""


class Message:
    """One message from a page: its number, what to do, and its other fields."""

    __slots__ = ("do", "fields", "n")

    def __init__(self, *, n: int, do: str, fields: Mapping[str, Any]) -> None:
        self.n = n
        self.do = do
        self.fields = fields

    def person(self) -> str | None:
        """The participant it is about, or None."""
        person = self.fields.get("participant")
        if person is None:
            return None
        if not isinstance(person, str) or not 0 < len(person) <= _ID_CHARS_MAX:
            raise BadMessageError("participant must be an id")
        return person

    def a_person(self) -> str:
        """The participant it is about."""
        person = self.person()
        if person is None:
            raise BadMessageError("participant is required")
        return person

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """A field that is true or false."""
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise BadMessageError(f"{name} must be true or false")
        return value

    def text(self, name: str) -> str:
        """A field of text."""
        value = self.fields.get(name)
        if not isinstance(value, str) or len(value) > _TEXT_CHARS_MAX:
            raise BadMessageError(f"{name} must be text")
        return value


def read_message(text: str) -> Message:
    """The message in a frame. Raises BadMessageError."""
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise BadMessageError("not JSON") from exc
    if not isinstance(found, dict):
        raise BadMessageError("not an object")
    n, do = found.get("n"), found.get("do")
    if not isinstance(n, int) or isinstance(n, bool) or not 0 < n <= N_MAX:
        raise BadMessageError("n must be a whole number from 1")
    if not isinstance(do, str):
        raise BadMessageError("do must be the name of a command")
    return Message(n=n, do=do, fields=found)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _mode(message: Message) -> AudioMode:
    try:
        return AudioMode(message.text("mode"))
    except ValueError as exc:
        raise BadMessageError("mode must be one of: " + ", ".join(AudioMode)) from exc


def _rename(message: Message, me: str) -> c.RoomCommand:
    try:
        return c.Rename(participant_id=message.person() or me, name=message.text("name"), by=me)
    except ValueError as exc:
        raise BadMessageError("name needs a printable character") from exc


#: `do` → the command that a message of the seat `me` asks for. Builders raise BadMessageError.
COMMANDS: Mapping[str, Callable[[Message, str], c.RoomCommand]] = {
    "mute": lambda m, me: c.Mute(participant_id=m.person() or me, by=me),
    "unmute": lambda m, me: c.Unmute(participant_id=m.person() or me, by=me),
    "toggle_mute": lambda _m, me: c.ToggleMute(participant_id=me),
    "ask_question": lambda _m, me: c.AskQuestion(participant_id=me),
    "music": lambda m, me: c.SetMusic(on=m.flag("on"), by=me),
    "set_mode": lambda m, me: c.SetMode(mode=_mode(m), by=me),
    "give_floor": lambda m, me: c.GiveFloor(participant_id=m.person(), by=me),
    "take_floor": lambda m, me: c.TakeFloor(participant_id=m.person(), by=me),
    "lock": lambda _m, me: c.Lock(by=me),
    "unlock": lambda _m, me: c.Unlock(by=me),
    "start": lambda _m, me: c.Start(by=me),
    "stop": lambda _m, me: c.Stop(by=me),
    "end": lambda m, me: c.End(by=me, close=m.flag("close", default=True)),
    "kick": lambda m, me: c.Kick(participant_id=m.a_person(), by=me),
    "undo_kick": lambda m, me: c.UndoKick(participant_id=m.a_person(), by=me),
    "rename": _rename,
}
