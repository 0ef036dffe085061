"""Every key of both roles, pressed on a telephone: what its owner hears, what HTTP says, what others hear.

The keys are those of the table: a test fails when the table has a key that no test here presses.  Tests share
one event, in the order of this file; each of them also works without those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from bridge.ivr.keypad import AUDIO_MODE_MENU, MENUS, PARTICIPANT_MENU, PRESENTER_MENU, Menu, MenuName
from bridge.ivr.prompt import Prompt, prompt
from tests.phones.caller import Caller, Office
from tests.phones.ear import Ear
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

TESTED: set[tuple[MenuName, str]] = set()
"""Keys that some test says it presses."""
pressed: set[tuple[MenuName, str]] = set()
"""Keys that the test at hand has pressed."""
Test = TypeVar("Test", bound=Callable[..., None])


def presses(*, presenter: str = "", participant: str = "", mode: str = "") -> Callable[[Test], Test]:
    """Tells which keys of which menu a test presses; it fails when it does not."""
    keys = {
        (menu.name, key)
        for menu, typed in (
            (PRESENTER_MENU, presenter),
            (PARTICIPANT_MENU, participant),
            (AUDIO_MODE_MENU, mode),
        )
        for key in typed
    }
    TESTED.update(keys)

    def mark(test: Test) -> Test:
        test.__dict__["presses"] = keys
        return test

    return mark


@pytest.fixture(autouse=True)
def _pressed_what_it_says(request: pytest.FixtureRequest) -> Iterator[None]:
    pressed.clear()
    yield
    assert request.function.__dict__.get("presses", set()) <= pressed


def test_no_key_of_the_table_was_forgotten() -> None:
    assert {(menu.name, row.key) for menu in MENUS.values() for row in menu.rows} <= TESTED


class Event:
    """Ann presents; Bob and Eve take part.  Nobody speaks: what is heard is said by the bridge."""

    def __init__(self, office: Office, room: Room) -> None:
        self.office, self.room = office, room
        self.ann = office.caller("ann", codec="PCMA")
        self.bob = office.caller("bob", codec="G722")
        self.eve = office.caller("eve", codec="PCMU")
        for each in (self.ann, self.bob, self.eve):
            each.dial()
            each.phone.press(f"{room.presenter_pin if each is self.ann else room.listener_pin}#")
        for each in (self.ann, self.bob, self.eve):
            each.joined(room)
        self.office.hush("ann", "bob", "eve")

    def press(self, who: Caller, menu: Menu, key: str, *heard: Prompt) -> None:
        """A key, what its owner hears, and that nobody else hears it."""
        pressed.add((menu.name, key))
        others = [each.name for each in (self.ann, self.bob, self.eve) if each is not who]
        for name in others:
            self.office.callers[name].listen()
        who.press(key)
        who.hears_prompt(*heard)
        self.office.nobody_hears(heard, names=others)

    def started(self) -> None:
        """Start, unless a test before has."""
        if not self.room.live()["started"]:
            self.room.order("start")
            self.office.hush("ann", "bob", "eve")

    def presenter(self, key: str, *heard: Prompt) -> None:
        self.press(self.ann, PRESENTER_MENU, key, *heard)

    def participant(self, key: str, *heard: Prompt, who: Caller | None = None) -> None:
        self.press(who or self.bob, PARTICIPANT_MENU, key, *heard)

    def submenu(self, key: str, *heard: Prompt) -> None:
        """`2` and a choice, typed without waiting for the choices to be read out."""
        self.presenter("2", AUDIO_MODE_MENU.help()[0])
        self.press(self.ann, AUDIO_MODE_MENU, key, *heard)


@pytest.fixture(scope="module")
def event(product: Product, ear: Ear) -> Iterator[Event]:
    with Office(product, ear) as office:
        yield Event(office, product.new_room("Keys"))


@presses(presenter="4", participant="4")
def test_hold_music_before_the_start(event: Event) -> None:
    event.participant("4", prompt("music.off"))
    event.office.settle({"bob": "silence", "eve": "music"})
    event.participant("4", prompt("music.on"))
    event.office.settle({"bob": "music", "eve": "music"})
    event.presenter("4", prompt("music.everyone-off"))
    event.office.settle({"bob": "silence", "eve": "silence"})
    event.presenter("4", prompt("music.everyone-on"))
    event.office.settle({"bob": "music", "eve": "music"})


@presses(presenter="6", participant="6")
def test_where_am_i_before_the_start(event: Event) -> None:
    event.participant("6", prompt("where.not-started"), prompt("mode.is.listen_only"))
    event.office.hush("bob")
    event.presenter("6", prompt("where.not-started"), prompt("mode.is.listen_only"))
    event.office.hush("ann")


@presses(presenter="5")
def test_a_question_cannot_be_answered_before_the_start(event: Event) -> None:
    event.presenter("5", prompt("refused.not-started"))


@presses(presenter="7")
def test_start(event: Event) -> None:
    event.bob.listen()
    event.eve.listen()
    pressed.add((MenuName.PRESENTER, "7"))
    event.ann.press("7")
    event.ann.hears_prompt(prompt("start.done"), prompt("headcount", n=3))
    event.room.becomes(started=True, mode="listen_only")
    for each in (event.bob, event.eve):
        each.hears_prompt(prompt("start.now"), prompt("mode.you.listen_only"))
    event.presenter("7", prompt("refused.already-started"))


@presses(presenter="#")
def test_headcount(event: Event) -> None:
    event.started()
    event.presenter("#", prompt("headcount", n=3))
    event.participant("#", prompt("key.unknown", key="0"))


@presses(presenter="0*", participant="0*")
def test_help_of_both_roles(event: Event) -> None:
    event.started()
    # All of it to the participant; the presenter's, which is twice as long, until `*` stops it.
    event.bob.press("0")
    event.ann.press("0")
    event.ann.hears_prompt(*PRESENTER_MENU.help()[:2])
    event.ann.press("*")
    event.office.settle({"ann": "silence"})
    event.bob.hears_prompt(*PARTICIPANT_MENU.help(), whole=True)
    event.participant("0", PARTICIPANT_MENU.help()[0])
    event.presenter("0", PRESENTER_MENU.help()[0])
    event.presenter("*")
    event.participant("*")
    event.office.settle({"bob": "silence"})


@presses(presenter="16", participant="1")
def test_mute_and_unmute_oneself(event: Event) -> None:
    event.started()
    event.presenter("1", prompt("mute.on"))
    event.ann.becomes(muted=True, muted_by="self")
    event.presenter("6", prompt("mode.is.listen_only"), prompt("where.muted-self", key="1"))
    event.presenter("1", prompt("mute.off"))
    event.ann.becomes(muted=False, muted_by=None)
    event.participant("1", prompt("mute.on"))
    event.bob.becomes(muted=True, muted_by="self")
    event.participant("1", prompt("mute.off-unheard"))
    event.bob.becomes(muted=False)


@presses(presenter="2", mode="1234")
def test_audio_modes(event: Event) -> None:
    event.started()
    for key, mode, told in (
        ("2", "discussion", prompt("mode.you.discussion")),
        ("4", "presenters_only", prompt("mode.you.presenters_only")),
        ("1", "listen_only", prompt("mode.you.listen_only")),
        ("3", "qa", prompt("mode.you.qa", key="5")),
    ):
        event.submenu(key, prompt(f"mode.set.{mode}"))
        event.room.becomes(mode=mode)
        for each in (event.bob, event.eve):
            each.hears_prompt(told)
            # Listen only mutes, discussion ends that; in Q&A the floor does.
            assert each.state()["muted"] == (mode in ("listen_only", "qa"))


@presses(presenter="2", mode="0*")
def test_leaving_the_submenu_changes_nothing(event: Event) -> None:
    event.started()
    before = event.room.live()["mode"]
    event.submenu("*", prompt("menu.left"))
    event.submenu("0", AUDIO_MODE_MENU.help()[0])
    event.press(event.ann, AUDIO_MODE_MENU, "*", prompt("menu.left"))
    event.presenter("#", prompt("headcount", n=3))
    assert event.room.live()["mode"] == before


@presses(presenter="5", participant="56")
def test_questions_and_the_floor(event: Event) -> None:
    event.started()
    event.room.order("set_mode", mode="qa")
    event.presenter("5", prompt("refused.no-questions"))
    event.ann.listen()
    event.participant("5", prompt("question.position", n=1), prompt("question.can-withdraw", key="5"))
    event.ann.hears_prompt(prompt("question.new", key="5"))
    event.bob.becomes(question=1)
    event.participant("5", prompt("question.position", n=2), who=event.eve)
    event.eve.becomes(question=2)
    event.participant("6", prompt("mode.you.qa", key="5"), prompt("question.position", n=1))
    event.participant("5", prompt("question.withdrawn"))
    event.bob.becomes(question=None)
    event.eve.becomes(question=1)

    event.eve.listen()
    event.presenter("5", prompt("floor.given", key="5"))
    event.eve.hears_prompt(prompt("floor.yours"))
    event.eve.becomes(floor=True, question=None, muted=False)
    event.presenter("5", prompt("floor.taken"))
    event.eve.hears_prompt(prompt("floor.ended"))
    event.eve.becomes(floor=False)


@presses(presenter="8")
def test_lock_keeps_participants_out_but_no_presenter(event: Event, product: Product) -> None:
    event.started()
    event.presenter("8", prompt("lock.on"))
    event.room.becomes(locked=True)
    late, host = event.office.caller("late", codec="PCMU"), event.office.caller("host")
    late.dial()
    host.dial()
    late.press(f"{event.room.listener_pin}#")
    host.enter(event.room, event.room.presenter_pin)
    late.hears_prompt(prompt("bye.event-locked"), prompt("bye"))
    assert "cause=21" in late.hung_up_on().get("Reason")
    assert host.state()["role"] == "presenter"
    record = product.wait_for(
        lambda: next((r for r in event.room.cdrs() if r["reason_slug"] == "event-locked"), None),
        "the record of a caller who was locked out",
    )
    assert record["pin_result"] == "locked"
    assert record["pin_attempts"] == 1
    assert record["join_at"] is None
    host.hang_up()
    event.presenter("8", prompt("lock.off"))
    event.room.becomes(locked=False)
    late.dial()
    late.enter(event.room, event.room.listener_pin)
    late.hang_up()


def test_keys_that_do_nothing_say_so(event: Event) -> None:
    event.started()
    for key in "1234567890*#":
        if PRESENTER_MENU.action(key) is None:
            event.press(event.ann, PRESENTER_MENU, key, prompt("key.unknown", key="0"))
        if PARTICIPANT_MENU.action(key) is None:
            event.press(event.eve, PARTICIPANT_MENU, key, prompt("key.unknown", key="0"))
    assert {"ann", "bob", "eve"} == {
        name for name in ("ann", "bob", "eve") if event.office.callers[name].state()
    }


@presses(presenter="9")
def test_end_tells_everyone_good_bye_and_hangs_up(event: Event, product: Product) -> None:
    event.started()
    pressed.add((MenuName.PRESENTER, "9"))
    for each in (event.bob, event.eve):
        each.listen()
    event.ann.press("9")
    for each in (event.ann, event.bob, event.eve):
        each.hears_prompt(prompt("bye.event-ended"), prompt("bye"))
        assert each.hung_up_on().get("Reason").startswith("Q.850;cause=16")
    assert event.room.people() == []
    product.wait_for(
        lambda: [record["reason_slug"] for record in event.room.cdrs()].count("event-ended") == 3,
        "the records of all three",
    )
