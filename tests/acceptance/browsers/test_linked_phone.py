"""A telephone as the sound of somebody in a browser: one person, two devices."""

from __future__ import annotations

import re

import pytest

from bridge.ivr.prompt import prompt
from rooms.seats import SEAT_GRACE_S
from tests.phones.caller import Caller, Office, until
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product

pytestmark = pytest.mark.acceptance


class Event:
    """A discussion: Wes presents in a browser, Eve by telephone; Zoe's microphone plays a tone."""

    def __init__(self, office: Office, browsers: Chromiums, product: Product) -> None:
        self.office, self.room = office, product.new_room("Linked telephones")
        self.keys = self.room.facts()["access_role_hashes"]
        self.wes = browsers.visitor("wes", self.room).enter(self.keys["presenter"], way="listen")
        self.eve = office.caller("eve", hz=1130)
        self.eve.dial()
        self.eve.enter(self.room, self.room.presenter_pin)
        self.zoe = browsers.visitor("zoe", self.room, hz=800)
        self.room.order("start")
        self.room.order("set_mode", mode="discussion")
        self.room.order("unmute", participant_id=self.eve.participant_id)

    def hears_zoe(self, voice: str) -> None:
        """Eve hears this voice and no other."""
        heard = ""

        def as_expected() -> bool:
            nonlocal heard
            heard = self.eve.hears(seconds=1.0)
            return heard == voice

        self.office.hush("eve")
        self.eve.listen()
        until(as_expected, lambda: f"Eve hears {heard}, not {voice}")

    def call(self, name: str, pin: str, *, hz: float) -> Caller:
        """A telephone that dials and types this personal PIN; who it is shows the room, not the number."""
        caller = self.office.caller(name, hz=hz)
        caller.dial()
        caller.press(f"{pin}#")
        return caller

    @property
    def one_entry(self) -> bool:
        return [one["name"] for one in self.room.people()].count("zoe") == 1


@pytest.fixture
def event(office: Office, browsers: Chromiums, product: Product) -> Event:
    return Event(office, browsers, product)


def pin_of(visitor: Visitor) -> str:
    """The personal PIN that the open dialog shows: in threes, with a link that dials number and PIN."""
    visitor.sees("#dialog-phone #phone-pin", "")
    until(lambda: visitor.page.inner_text("#phone-pin")[:1].isdigit(), lambda: "no PIN is shown")
    shown = visitor.page.inner_text("#phone-pin")
    assert re.fullmatch(r"\d{3}( \d{2,4})+", shown), shown
    pin = shown.replace(" ", "")
    number = visitor.page.get_attribute("#phone-nearest a.number", "href")
    assert number == "tel:+33975129519"  # the clock of this browser is that of Paris
    assert visitor.page.get_attribute("#phone-call", "href") == f"{number},,{pin}%23"
    return pin


def choose_phone(visitor: Visitor) -> str:
    """In the room: “Use my phone for sound”; the PIN."""
    visitor.click("#tab-phone")
    visitor.click("#use-phone")
    return pin_of(visitor)


def test_the_call_becomes_the_persons_sound_and_hanging_up_gives_it_back(event: Event) -> None:
    zoe, wes = event.zoe.enter(), event.wes
    zoe.becomes(sound="web", devices=["web"])
    event.hears_zoe("zoe")
    seat = zoe.participant_id
    pin = choose_phone(zoe)
    assert zoe.state["sound"] == "web"  # until the call is there

    mobile = event.call("mobile", pin, hz=1810)
    zoe.becomes(sound="phone", devices=["phone", "web"], city="Paris", country="FR")
    assert event.one_entry
    assert zoe.participant_id == seat
    zoe.shows("#room[data-peer=off][data-microphone=off]")
    wes.shows(wes.row(seat) + "[data-sound=phone]")
    assert wes.names.count("zoe") == 1
    wes.sees(wes.row(seat) + " .phone-mark")
    wes.sees(wes.row(seat) + " .sub", "Paris")
    event.hears_zoe("mobile")
    event.office.hush("mobile")
    mobile.listen()
    until(lambda: mobile.hears(seconds=1.0) == "eve", lambda: f"the telephone hears {mobile.hears()}")

    mobile.press("1")
    zoe.becomes(muted=True, muted_by="self")
    zoe.shows("#mute[data-state=muted]")
    zoe.click("#mute")  # the page acts on the same person
    zoe.becomes(muted=False)

    mobile.hang_up()
    zoe.becomes(sound="web", devices=["web"], number=None)
    assert event.one_entry
    zoe.shows("#room[data-peer=connected][data-microphone=on]")
    event.hears_zoe("zoe")

    event.room.order("end")
    until(event.room.sessions, lambda: "no session was kept")
    records = event.room.finished_cdrs(4)
    assert [r["channel"] for r in records if r["participant_id"] == seat].count("webrtc") == 1
    call = next(r for r in records if r["participant_id"] == seat and r["channel"] != "webrtc")
    assert call["caller_e164"].endswith(mobile.user[-2:])
    assert call["called_e164"] == "+33975129519"


@pytest.mark.slow
def test_a_newer_call_replaces_the_older_and_a_closed_tab_keeps_the_person(event: Event) -> None:
    zoe = event.zoe
    zoe.enter(way="phone")  # chosen at the entrance: the room opens with the PIN
    pin = pin_of(zoe)
    first = event.call("first", pin, hz=1810)
    zoe.becomes(sound="phone", devices=["phone", "web"])
    second = event.call("second", pin, hz=2210)
    first.hung_up_on()
    zoe.becomes(sound="phone", devices=["phone", "web"])
    assert event.one_entry
    event.hears_zoe("second")
    zoe.page.close()
    zoe.becomes(sound="phone", devices=["phone"], connected=True, within_s=SEAT_GRACE_S + 10)
    event.wes.shows(event.wes.row(zoe.participant_id) + ":not(.gone)[data-sound=phone]")
    event.hears_zoe("second")
    zoe.page = zoe.new_page()
    zoe.page.goto(f"{event.room.product.url}/rooms/{event.room.facts()['name_url']}")
    zoe.here()
    zoe.becomes(sound="phone", devices=["phone", "web"])
    assert event.one_entry
    event.room.order("kick", participant_id=zoe.participant_id)  # both devices
    second.hung_up_on()
    zoe.shows("#room[data-phase=removed]")
    assert zoe.state == {}


@pytest.mark.slow
def test_no_telephone_when_the_event_takes_no_calls(event: Event) -> None:
    wes, zoe = event.wes, event.zoe.enter()
    assert wes.page.get_attribute("#toggle-gateway", "aria-checked") == "true"
    wes.click("#toggle-gateway")
    wes.shows("#toggle-gateway[aria-checked=false]")
    zoe.click("#tab-phone")
    zoe.click("#use-phone")
    zoe.sees(".toast", "")
    assert not zoe.page.is_visible("#dialog-phone")
    late = event.office.caller("late")
    late.dial()
    late.press(f"{event.room.listener_pin}#")
    late.hears_prompt(prompt("bye.gateway-off"))
    late.hung_up_on(within_s=30)
    wes.click("#toggle-gateway")
    wes.shows("#toggle-gateway[aria-checked=true]")
    again = event.office.caller("again")
    again.dial()
    again.enter(event.room, event.room.listener_pin)
