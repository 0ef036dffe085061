"""Who hears whom: four people with a sine each, in every mode, by the spectrum of what each one receives.

The phones differ on purpose: PCMA, G.722, PCMU, one of them with keys as tones in the sound.  Tests share one
event, in the order of this file; each of them also works without those before it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import Office
from tests.phones.ear import Ear
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

EVERYBODY = ("ann", "dan", "bob", "eve")


class Event:
    """Two presenters, Ann and Dan, and two participants, Bob and Eve, in a room."""

    def __init__(self, office: Office, room: Room) -> None:
        self.office, self.room = office, room
        self.ann = office.caller("ann", hz=425, codec="PCMA")
        self.dan = office.caller("dan", hz=590, codec="PCMU")
        self.bob = office.caller("bob", hz=1130, codec="G722")
        self.eve = office.caller("eve", hz=1810, codec="PCMU", dtmf_pt=None)
        everybody = (self.ann, self.dan, self.bob, self.eve)
        for each in everybody:
            each.dial()
        for each in everybody:
            pin = room.presenter_pin if each in (self.ann, self.dan) else room.listener_pin
            each.phone.press(f"{pin}#")
        for each in everybody:
            each.joined(room, retype=None if each.phone.dtmf_pt else room.listener_pin)

    def hear(self, *, ann: str, dan: str, bob: str, eve: str) -> None:
        """Everyone hears exactly that."""
        self.office.hush(*EVERYBODY)
        self.office.settle({"ann": ann, "dan": dan, "bob": bob, "eve": eve})

    def mode(self, mode: str) -> None:
        """The organiser's choice mutes both presenters, who unmute themselves."""
        if not self.room.live()["started"]:
            self.room.order("start")
        self.room.order("set_mode", mode=mode)
        for each in (self.ann, self.dan):
            if each.state()["muted"]:
                each.press("1")
                each.becomes(muted=False)


@pytest.fixture(scope="module")
def event(product: Product, ear: Ear) -> Iterator[Event]:
    with Office(product, ear) as office:
        yield Event(office, product.new_room("Modes"))


def test_before_the_start_presenters_talk_and_participants_hear_music(event: Event) -> None:
    event.hear(ann="dan", dan="ann", bob="music", eve="music")
    event.room.order("start")
    event.room.becomes(started=True, mode="listen_only")


def test_listen_only(event: Event) -> None:
    event.mode("listen_only")
    event.hear(ann="dan", dan="ann", bob="ann+dan", eve="ann+dan")


def test_presenters_only(event: Event) -> None:
    event.mode("presenters_only")
    event.hear(ann="dan", dan="ann", bob="music", eve="music")
    event.bob.press("4")
    event.bob.hears_prompt(prompt("music.off"))
    event.hear(ann="dan", dan="ann", bob="silence", eve="music")
    event.bob.press("4")
    event.bob.hears_prompt(prompt("music.on"))


def test_discussion(event: Event) -> None:
    event.mode("discussion")
    event.hear(ann="bob+dan+eve", dan="ann+bob+eve", bob="ann+dan+eve", eve="ann+bob+dan")


def test_questions_and_answers(event: Event) -> None:
    room, bob, eve = event.room, event.bob, event.eve
    event.mode("qa")
    event.hear(ann="dan", dan="ann", bob="ann+dan", eve="ann+dan")

    for place, person in enumerate((eve, bob), start=1):
        person.press("5")
        person.hears_prompt(prompt("question.position", n=place))
        person.becomes(question=place)
    event.dan.listen()
    event.ann.press("5")
    event.ann.hears_prompt(prompt("floor.given", key="5"))
    eve.becomes(floor=True, question=None)
    bob.becomes(floor=False, question=1)
    event.hear(ann="dan+eve", dan="ann+eve", bob="ann+dan+eve", eve="ann+dan")

    bob.listen()
    room.order("give_floor", participant_id=bob.participant_id)
    bob.hears_prompt(prompt("floor.yours"))
    eve.becomes(floor=False)
    event.hear(ann="bob+dan", dan="ann+bob", bob="ann+dan", eve="ann+bob+dan")

    bob.press("5")
    bob.hears_prompt(prompt("floor.returned"))
    event.hear(ann="dan", dan="ann", bob="ann+dan", eve="ann+dan")


def test_a_change_of_mode_mutes_the_other_presenter_until_he_unmutes(event: Event) -> None:
    event.mode("discussion")
    event.dan.listen()
    event.ann.press("23")
    event.ann.hears_prompt(prompt("mode.set.qa"))
    event.room.becomes(mode="qa")
    event.dan.hears_prompt(prompt("mute.by-mode", key="1"))
    event.dan.becomes(muted=True, muted_by="mode")
    event.ann.becomes(muted=False)
    event.hear(ann="silence", dan="ann", bob="ann", eve="ann")
    event.dan.press("1")
    event.dan.hears_prompt(prompt("mute.off"))
    event.hear(ann="dan", dan="ann", bob="ann+dan", eve="ann+dan")


def test_one_who_is_muted_by_the_organiser_is_told_and_may_come_back(event: Event) -> None:
    event.mode("discussion")
    event.hear(ann="bob+dan+eve", dan="ann+bob+eve", bob="ann+dan+eve", eve="ann+bob+dan")
    event.bob.listen()
    event.room.order("mute", participant_id=event.bob.participant_id)
    event.bob.hears_prompt(prompt("mute.by-presenter", key="1"))
    event.bob.becomes(muted=True, muted_by="presenter")
    event.hear(ann="dan+eve", dan="ann+eve", bob="ann+dan+eve", eve="ann+dan")
    event.bob.press("1")
    event.bob.hears_prompt(prompt("mute.off"))
    event.bob.becomes(muted=False)
    event.eve.listen()
    event.room.order("mute", participant_id=event.eve.participant_id)
    event.eve.hears_prompt(prompt("mute.by-presenter", key="1"))
    event.room.order("unmute", participant_id=event.eve.participant_id)
    event.eve.hears_prompt(prompt("mute.off-by-presenter"))
    event.hear(ann="bob+dan+eve", dan="ann+bob+eve", bob="ann+dan+eve", eve="ann+bob+dan")


def test_one_who_is_kicked_hears_why_and_is_gone(event: Event) -> None:
    event.mode("discussion")
    event.eve.listen()
    event.room.order("kick", participant_id=event.eve.participant_id)
    event.eve.hears_prompt(prompt("bye.kicked"), prompt("bye"))
    assert event.eve.hung_up_on().get("Reason").startswith("Q.850;cause=16")
    assert {p["id"] for p in event.room.people()} == {
        each.participant_id for each in (event.ann, event.dan, event.bob)
    }
    event.office.hush("ann", "dan", "bob")
    event.office.settle({"ann": "bob+dan", "dan": "ann+bob", "bob": "ann+dan"})
