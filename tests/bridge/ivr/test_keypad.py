"""The key tables: complete, unambiguous, and what the printed card says."""

from pathlib import Path

import pytest

from bridge.ivr.keypad import MAIN_MENU, MENUS, Action, Menu, MenuName, Row, key_of, keypad_markdown
from rooms.modes import Role

CARD = Path(__file__).parents[3] / "docs" / "keypad.md"

PRESENTER_KEYS = {
    "#": Action.HEADCOUNT,
    "0": Action.HELP,
    "1": Action.MUTE,
    "2": Action.MODE_MENU,
    "4": Action.MUSIC,
    "5": Action.FLOOR,
    "6": Action.WHERE_AM_I,
    "7": Action.START,
    "8": Action.LOCK,
    "9": Action.END,
    "*": Action.CANCEL,
}
PARTICIPANT_KEYS = {
    "0": Action.HELP,
    "1": Action.MUTE,
    "4": Action.MUSIC,
    "5": Action.QUESTION,
    "6": Action.WHERE_AM_I,
    "*": Action.CANCEL,
}
MODE_KEYS = {
    "0": Action.HELP,
    "1": Action.MODE_LISTEN_ONLY,
    "2": Action.MODE_DISCUSSION,
    "3": Action.MODE_QA,
    "4": Action.MODE_PRESENTERS_ONLY,
    "*": Action.CANCEL,
}


@pytest.mark.parametrize(
    ("menu", "keys"),
    [
        (MenuName.PRESENTER, PRESENTER_KEYS),
        (MenuName.PARTICIPANT, PARTICIPANT_KEYS),
        (MenuName.AUDIO_MODE, MODE_KEYS),
    ],
)
def test_menu_has_exactly_the_keys_promised(menu: MenuName, keys: dict[str, Action]) -> None:
    assert {row.key: row.action for row in MENUS[menu].rows} == keys


@pytest.mark.parametrize("menu", MENUS.values(), ids=list(MENUS))
def test_help_tells_every_key_of_the_menu_once_and_no_other(menu: Menu) -> None:
    told = [prompt.argument("key") for prompt in menu.help()]
    assert told == [row.key for row in menu.rows]


def test_every_main_menu_has_a_key_for_what_prompts_refer_to() -> None:
    assert key_of(MAIN_MENU[Role.PARTICIPANT], Action.QUESTION) == "5"
    for role, actions in {
        Role.PRESENTER: (Action.HELP, Action.MUTE, Action.MUSIC, Action.START, Action.FLOOR),
        Role.PARTICIPANT: (Action.HELP, Action.MUTE, Action.MUSIC, Action.QUESTION),
    }.items():
        for action in actions:
            assert key_of(MAIN_MENU[role], action) in "0123456789*#"


def test_a_key_that_no_telephone_has_is_refused() -> None:
    with pytest.raises(ValueError, match="on no telephone"):
        Row(key="A", action=Action.HELP, help_key="help.help", doc="")


def test_printed_card_is_the_one_the_code_generates() -> None:
    assert CARD.read_text(encoding="utf-8") == keypad_markdown(), (
        "run: python -m bridge.ivr.keypad > docs/keypad.md"
    )


@pytest.mark.parametrize("menu", MENUS.values(), ids=list(MENUS))
def test_printed_card_has_a_row_for_every_key(menu: Menu) -> None:
    card = keypad_markdown()
    for row in menu.rows:
        assert f"| `{row.key}` | {row.doc} |" in card
