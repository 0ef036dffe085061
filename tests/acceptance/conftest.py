"""The whole product, and people who call it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.ivr.keypad import MAIN_MENU, MENUS, Action, MenuName
from bridge.ivr.prompt import Prompt, prompt
from rooms.modes import Role
from tests.phones.caller import Office
from tests.phones.ear import Ear
from tests.support.product import Product

_NAMING_A_KEY = (
    ("floor.given", Action.FLOOR),
    ("join.press-for-help", Action.HELP),
    ("join.press-to-start", Action.START),
    ("key.unknown", Action.HELP),
    ("mode.you.qa", Action.QUESTION),
    ("music.can-switch", Action.MUSIC),
    ("mute.by-mode", Action.MUTE),
    ("mute.by-presenter", Action.MUTE),
    ("question.can-withdraw", Action.QUESTION),
    ("question.new", Action.FLOOR),
    ("where.muted-mode", Action.MUTE),
    ("where.muted-presenter", Action.MUTE),
    ("where.muted-self", Action.MUTE),
)
"""Prompts that tell somebody a key of theirs, and what that key does."""


@pytest.fixture(scope="session")
def ear(request: pytest.FixtureRequest) -> Ear:
    """Recognises prompts. eSpeak never speaks a text twice with the same samples, so every prompt that a test
    may hear is made once, before any product starts, and all products and tests of the machine share it.
    """
    folder: Path = request.config.cache.mkdir("acceptance-prompts")
    ear = Ear(folder)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ear.library.music()
        ear.library.warm(["fr", "en"])
        for each in _prompts_with_numbers():
            ear.library.clip(each, "fr")
    return ear


def _prompts_with_numbers() -> Iterator[Prompt]:
    for menu in MENUS.values():
        yield from menu.help()
        role = Role.PARTICIPANT if menu.name is MenuName.PARTICIPANT else Role.PRESENTER
        for name, action in _NAMING_A_KEY:
            if (
                key := next((row.key for row in MAIN_MENU[role].rows if row.action is action), None)
            ) is not None:
                yield prompt(name, key=key)
    for name in ("headcount", "question.position", "questions.waiting"):
        for n in range(1, 6):
            yield prompt(name, n=n)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[Product]:
    """One running product for the tests of a module; each test makes its own room."""
    with Product(tmp_path_factory.mktemp("product"), prompt_cache=ear.folder) as running:
        yield running


@pytest.fixture
def office(product: Product, ear: Ear) -> Iterator[Office]:
    with Office(product, ear) as people:
        yield people
