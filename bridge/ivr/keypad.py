"""What every key does: the one table from which the menus, the help prompt and the printed card are made.

A menu is a tuple of rows; a row is a key, what it does, the prompt that explains it and a sentence for the
printed table. Nothing else in the project knows which key does what: prompts that mention a key are given
it from here (`key_of`), so a change of this table changes what callers hear and what `docs/keypad.md` says.

Keys follow the product whose callers we take over. Ours beyond it: `3` in the audio submenu (Q&A), `5` for
presenters (the question queue is steered by keypad alone), `6` (where am I), `*` (be quiet, or leave a
submenu).
"""

from dataclasses import dataclass
from enum import StrEnum

from bridge.ivr.prompt import Prompt, prompt
from rooms.modes import AudioMode, Role

__all__ = [
    "MAIN_MENU", "MENUS", "MODE_OF_ACTION", "Action", "Menu", "MenuName", "Row", "key_of", "keypad_markdown",
]  # fmt: skip

DIGITS = "0123456789"


class Action(StrEnum):
    """What a key can do."""

    HELP = "help"
    HEADCOUNT = "headcount"
    MUTE = "mute"
    MODE_MENU = "mode-menu"
    MUSIC = "music"
    QUESTION = "question"
    FLOOR = "floor"
    WHERE_AM_I = "where-am-i"
    START = "start"
    LOCK = "lock"
    END = "end"
    CANCEL = "cancel"
    MODE_LISTEN_ONLY = "mode-listen-only"
    MODE_DISCUSSION = "mode-discussion"
    MODE_QA = "mode-qa"
    MODE_PRESENTERS_ONLY = "mode-presenters-only"


MODE_OF_ACTION: dict[Action, AudioMode] = {
    Action.MODE_LISTEN_ONLY: AudioMode.LISTEN_ONLY,
    Action.MODE_DISCUSSION: AudioMode.DISCUSSION,
    Action.MODE_QA: AudioMode.QA,
    Action.MODE_PRESENTERS_ONLY: AudioMode.PRESENTERS_ONLY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key of one menu."""

    key: str
    action: Action
    help_key: str
    """Key of the prompt that explains this row; its text has a place for the key."""
    doc: str
    """The same for the printed table, in English."""

    def __post_init__(self) -> None:
        if len(self.key) != 1 or self.key not in DIGITS + "*#":
            raise ValueError(f"{self.key!r} is on no telephone")


class MenuName(StrEnum):
    """The menus there are."""

    PRESENTER = "presenter"
    PARTICIPANT = "participant"
    AUDIO_MODE = "audio-mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A table of keys. `submenu`: one choice, or `*`, or time leads back to the main menu."""

    name: MenuName
    title: str
    rows: tuple[Row, ...]
    submenu: bool = False

    def __post_init__(self) -> None:
        keys = [row.key for row in self.rows]
        if len(set(keys)) != len(keys):
            raise ValueError(f"a key is twice in menu {self.name}")

    def action(self, key: str) -> Action | None:
        """What a key does here, None when nothing."""
        for row in self.rows:
            if row.key == key:
                return row.action
        return None

    def help(self) -> tuple[Prompt, ...]:
        """The help prompt: one sentence for each row, in the order of the table."""
        return tuple(prompt(row.help_key, key=row.key) for row in self.rows)


_HELP = Row(key="0", action=Action.HELP, help_key="help.help", doc="Hear what the keys do")
_MUTE = Row(key="1", action=Action.MUTE, help_key="help.mute", doc="Switch my microphone off or on")
_WHERE = Row(
    key="6",
    action=Action.WHERE_AM_I,
    help_key="help.where",
    doc="Hear where I am: audio mode, who muted me, my place in the queue",
)
_CANCEL = Row(
    key="*",
    action=Action.CANCEL,
    help_key="help.cancel",
    doc="Stop the voice that is speaking to me",
)

PRESENTER_MENU = Menu(
    name=MenuName.PRESENTER,
    title="Presenters",
    rows=(
        _MUTE,
        Row(
            key="2",
            action=Action.MODE_MENU,
            help_key="help.modes",
            doc="Choose the audio mode (submenu below)",
        ),
        Row(
            key="4",
            action=Action.MUSIC,
            help_key="help.music-everyone",
            doc="Switch the hold music of everyone who waits off or on",
        ),
        Row(
            key="5",
            action=Action.FLOOR,
            help_key="help.floor",
            doc="Q&A: give the floor to the next person in the question queue; again: take it back",
        ),
        _WHERE,
        Row(
            key="7",
            action=Action.START,
            help_key="help.start",
            doc="Bring everyone who waits into the room and start the event",
        ),
        Row(
            key="8",
            action=Action.LOCK,
            help_key="help.lock",
            doc="Lock or unlock the event (locked: only presenters can enter)",
        ),
        Row(
            key="9",
            action=Action.END,
            help_key="help.end",
            doc="End the event and disconnect everyone, at once",
        ),
        Row(
            key="#",
            action=Action.HEADCOUNT,
            help_key="help.headcount",
            doc="Hear how many people are in the event",
        ),
        _CANCEL,
        _HELP,
    ),
)

PARTICIPANT_MENU = Menu(
    name=MenuName.PARTICIPANT,
    title="Participants",
    rows=(
        _MUTE,
        Row(key="4", action=Action.MUSIC, help_key="help.music", doc="Switch my hold music off or on"),
        Row(
            key="5",
            action=Action.QUESTION,
            help_key="help.question",
            doc="Ask a question; again: withdraw it; with the floor: give it back",
        ),
        _WHERE,
        _CANCEL,
        _HELP,
    ),
)

AUDIO_MODE_MENU = Menu(
    name=MenuName.AUDIO_MODE,
    title="Audio modes (presenters, after `2`)",
    submenu=True,
    rows=(
        Row(
            key="1",
            action=Action.MODE_LISTEN_ONLY,
            help_key="help.mode.listen_only",
            doc="Listen only: presenters speak, participants listen and are muted",
        ),
        Row(
            key="2",
            action=Action.MODE_DISCUSSION,
            help_key="help.mode.discussion",
            doc="Discussion: everyone speaks and listens",
        ),
        Row(
            key="3",
            action=Action.MODE_QA,
            help_key="help.mode.qa",
            doc="Q&A: presenters give the floor to one participant at a time",
        ),
        Row(
            key="4",
            action=Action.MODE_PRESENTERS_ONLY,
            help_key="help.mode.presenters_only",
            doc="Private: presenters speak among themselves, participants hear music",
        ),
        Row(key="0", action=Action.HELP, help_key="help.help", doc="Hear these choices again"),
        Row(
            key="*",
            action=Action.CANCEL,
            help_key="help.leave-submenu",
            doc="Leave the submenu, change nothing",
        ),
    ),
)

MENUS: dict[MenuName, Menu] = {
    menu.name: menu for menu in (PRESENTER_MENU, PARTICIPANT_MENU, AUDIO_MODE_MENU)
}

MAIN_MENU: dict[Role, Menu] = {Role.PRESENTER: PRESENTER_MENU, Role.PARTICIPANT: PARTICIPANT_MENU}


def key_of(menu: Menu, action: Action) -> str:
    """The key that does something in a menu. Raises KeyError when none does."""
    for row in menu.rows:
        if row.action is action:
            return row.key
    raise KeyError(action)


def keypad_markdown() -> str:
    """The printable table: the whole of `docs/keypad.md`."""
    lines = [
        "# Keypad",
        "",
        "Generated from `bridge/ivr/keypad.py` by `python -m bridge.ivr.keypad`; do not edit by hand.",
        "",
        "Type the PIN, then `#`. `*` clears a PIN that went wrong. In the room:",
    ]
    for menu in MENUS.values():
        lines += ["", f"## {menu.title}", "", "| Key | What it does |", "|:---:|---|"]
        lines += [f"| `{row.key}` | {row.doc} |" for row in menu.rows]
    lines += [
        "",
        "What the keys say is heard by the caller who pressed them, by nobody else. A key that is not in the",
        "table says so. `9` ends the event without asking back.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(keypad_markdown(), end="")
