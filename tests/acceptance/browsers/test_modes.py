"""Who hears whom when two people have a browser and three a telephone, in every audio mode.

Everybody speaks with a tone of their own, the browsers by a WAV file as microphone; the spectrum of what each
one receives must show exactly those they should hear.  Ann (telephone) and Wes (browser) present; Bob and Eve
(telephones) and Zoe (browser) participate.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phones.caller import Caller, Office, until
from tests.phones.ear import Ear
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance


class Event:
    """Five people in a room."""

    def __init__(self, office: Office, browsers: Chromiums, room: Room) -> None:
        self.office, self.room = office, room
        keys = room.facts()["access_role_hashes"]
        self.ann = office.caller("ann", hz=425, codec="PCMA")
        self.bob = office.caller("bob", hz=1130, codec="G722")
        self.eve = office.caller("eve", hz=1810, codec="PCMU")
        self.wes = browsers.visitor("wes", room, hz=600).enter(keys["presenter"])
        self.zoe = browsers.visitor("zoe", room, hz=800).enter()
        for caller in (self.ann, self.bob, self.eve):
            caller.dial()
            caller.enter(room, room.presenter_pin if caller is self.ann else room.listener_pin)

    def hear(self, **expected: str) -> None:
        """Everyone hears exactly that, for a second on end: each in their own second, because Chromium on a
        crowded machine stretches sound, and a second without that is not one for all.
        """
        callers: dict[str, Caller] = {"ann": self.ann, "bob": self.bob, "eve": self.eve}
        visitors: dict[str, Visitor] = {"wes": self.wes, "zoe": self.zoe}
        self.office.hush(*callers)
        for each in (*callers.values(), *visitors.values()):
            each.listen()
        heard: dict[str, str] = {}

        def as_expected() -> bool:
            for name, each in (*callers.items(), *visitors.items()):
                if heard.get(name) != expected[name]:
                    # Chromium stretches sound while the machine is busy; half a second is often whole.
                    heard[name] = each.hears(seconds=0.5 if name in visitors else 1.0)
            return heard == expected

        until(as_expected, lambda: f"heard {heard} instead of {expected}", within_s=60)

    def start(self) -> None:
        """Each test also works without those before it: workers may share them out."""
        if not self.room.live()["started"]:
            self.wes.click("#start")
            self.room.becomes(started=True)

    def mode(self, mode: str) -> None:
        """The presenter in the browser chooses, and starts the event if nobody has; both presenters'
        microphones are on after it.
        """
        self.start()
        self.wes.click(f"#modes [data-mode={mode}]")
        self.room.becomes(mode=mode)
        if self.ann.state()["muted"]:
            self.ann.press("1")
            self.ann.becomes(muted=False)
        if self.wes.state["muted"]:
            self.wes.click("#mute")
            self.wes.becomes(muted=False)


@pytest.fixture(scope="module")
def event(product: Product, ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Event]:
    folder = tmp_path_factory.mktemp("tones")
    with Office(product, ear) as office, Chromiums(product, ear, folder, office.voices) as browsers:
        yield Event(office, browsers, product.new_room("Phones and browsers"))


def test_before_the_start_presenters_talk_and_participants_hear_music(event: Event) -> None:
    event.hear(ann="wes", wes="ann", bob="music", eve="music", zoe="music")


def test_listen_only(event: Event) -> None:
    event.start()
    event.room.becomes(mode="listen_only")
    event.hear(ann="wes", wes="ann", bob="ann+wes", eve="ann+wes", zoe="ann+wes")


def test_presenters_only(event: Event) -> None:
    event.mode("presenters_only")
    event.hear(ann="wes", wes="ann", bob="music", eve="music", zoe="music")


def test_discussion(event: Event) -> None:
    event.mode("discussion")
    event.hear(
        ann="bob+eve+wes+zoe",
        bob="ann+eve+wes+zoe",
        eve="ann+bob+wes+zoe",
        wes="ann+bob+eve+zoe",
        zoe="ann+bob+eve+wes",
    )


def test_questions_and_answers(event: Event) -> None:
    event.mode("qa")
    event.hear(ann="wes", wes="ann", bob="ann+wes", eve="ann+wes", zoe="ann+wes")
    event.zoe.click("#hand")
    event.zoe.becomes(question=1)
    event.eve.press("5")
    event.eve.becomes(question=2)
    event.ann.press("5")  # the presenter on the telephone takes the first question
    event.zoe.becomes(floor=True)
    event.hear(ann="wes+zoe", wes="ann+zoe", bob="ann+wes+zoe", eve="ann+wes+zoe", zoe="ann+wes")
    event.wes.click("#tab-questions")
    event.wes.click("#next-question")  # the presenter in the browser takes the next
    event.eve.becomes(floor=True)
    event.hear(ann="eve+wes", wes="ann+eve", bob="ann+eve+wes", eve="ann+wes", zoe="ann+eve+wes")


def test_a_muted_browser_is_heard_by_nobody_and_nothing_of_it_comes_later(event: Event) -> None:
    event.mode("discussion")
    event.wes.click("#mute")
    event.wes.becomes(muted=True, muted_by="self")
    event.hear(
        ann="bob+eve+zoe", bob="ann+eve+zoe", eve="ann+bob+zoe", wes="ann+bob+eve+zoe", zoe="ann+bob+eve"
    )
