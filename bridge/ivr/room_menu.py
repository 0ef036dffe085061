"""The keypad in the room: a key becomes a command to the room, or an answer to the caller.

The menu decides nothing about the event: it asks (`Do`) and the room's rules answer. It reads the room
through `rooms.state.RoomView` for what a caller wants to hear (how many, where am I) and for keys that do
one of two things (`5` gives the floor or takes it back). The only state is which menu is open.
"""

from collections.abc import Callable
from typing import TypeAlias

from bridge.ivr.announce import hear_prompts, mode_for_me, mode_name, mute_prompts
from bridge.ivr.commands import Do
from bridge.ivr.keypad import MAIN_MENU, MENUS, MODE_OF_ACTION, Action, Menu, MenuName, key_of
from bridge.ivr.pin_menu import Hush, Say
from bridge.ivr.prompt import Prompt, prompt
from rooms import commands as c
from rooms.modes import Role
from rooms.state import RoomView

__all__ = ["MenuReply", "RoomMenu"]

MenuReply: TypeAlias = Say | Hush | Do


class RoomMenu:
    """One caller's keypad, from entering the room to leaving it."""

    def __init__(self, *, role: Role, participant_id: str, view: RoomView) -> None:
        self.role = role
        self.participant_id = participant_id
        self.view = view
        self.menu: Menu = MAIN_MENU[role]

    @property
    def in_submenu(self) -> bool:
        """Whether the next key is a choice of a submenu."""
        return self.menu.submenu

    def leave_submenu(self) -> None:
        """Back to the main menu, without a word."""
        self.menu = MAIN_MENU[self.role]

    def on_key(self, key: str) -> MenuReply:
        """What to do about a key."""
        action = self.menu.action(key)
        if action is None:
            return _say(prompt("key.unknown", key=key_of(self.menu, Action.HELP)))
        mode = MODE_OF_ACTION.get(action)
        if mode is not None:
            self.leave_submenu()
            return Do(command=c.SetMode(mode=mode, by=self.participant_id))
        return _ANSWERS[action](self)

    def _help(self) -> MenuReply:
        return Say(prompts=self.menu.help())

    def _headcount(self) -> MenuReply:
        return _say(prompt("headcount", n=self.view.headcount))

    def _mute(self) -> MenuReply:
        return Do(command=c.ToggleMute(participant_id=self.participant_id))

    def _mode_menu(self) -> MenuReply:
        self.menu = MENUS[MenuName.AUDIO_MODE]
        return Say(prompts=self.menu.help())

    def _music(self) -> MenuReply:
        return Do(command=c.ToggleMusic(participant_id=self.participant_id))

    def _question(self) -> MenuReply:
        if self.view.floor_holder == self.participant_id:
            return Do(command=c.TakeFloor(participant_id=self.participant_id, by=self.participant_id))
        return Do(command=c.AskQuestion(participant_id=self.participant_id))

    def _floor(self) -> MenuReply:
        if self.view.floor_holder is not None:
            return Do(command=c.TakeFloor(participant_id=None, by=self.participant_id))
        return Do(command=c.GiveFloor(participant_id=None, by=self.participant_id))

    def _start(self) -> MenuReply:
        return Do(command=c.Start(by=self.participant_id))

    def _lock(self) -> MenuReply:
        return Do(command=c.ToggleLock(by=self.participant_id))

    def _end(self) -> MenuReply:
        return Do(command=c.End(by=self.participant_id))

    def _cancel(self) -> MenuReply:
        if not self.in_submenu:
            return Hush()
        self.leave_submenu()
        return _say(prompt("menu.left"))

    def _where_am_i(self) -> MenuReply:
        view, me = self.view, self.participant_id
        if me not in view:
            return Hush()
        parts: list[Prompt] = [] if view.started else [prompt("where.not-started")]
        parts.append(mode_for_me(view.mode, self.role) if view.started else mode_name(view.mode))
        parts += mute_prompts(view, me)
        parts += hear_prompts(view, me)
        if view.floor_holder == me:
            parts.append(prompt("floor.yours"))
        position = view.question_position(me)
        if position is not None:
            parts.append(prompt("question.position", n=position))
        if self.role is Role.PRESENTER:
            if view.locked:
                parts.append(prompt("where.locked"))
            if view.question_count:
                parts.append(prompt("questions.waiting", n=view.question_count))
        return Say(prompts=tuple(parts))


_ANSWERS: dict[Action, Callable[[RoomMenu], MenuReply]] = {
    Action.HELP: RoomMenu._help,
    Action.HEADCOUNT: RoomMenu._headcount,
    Action.MUTE: RoomMenu._mute,
    Action.MODE_MENU: RoomMenu._mode_menu,
    Action.MUSIC: RoomMenu._music,
    Action.QUESTION: RoomMenu._question,
    Action.FLOOR: RoomMenu._floor,
    Action.WHERE_AM_I: RoomMenu._where_am_i,
    Action.START: RoomMenu._start,
    Action.LOCK: RoomMenu._lock,
    Action.END: RoomMenu._end,
    Action.CANCEL: RoomMenu._cancel,
}


def _say(*prompts: Prompt) -> Say:
    return Say(prompts=prompts)
