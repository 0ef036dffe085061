"""What is typed on a telephone shows on pages, and what is clicked on a page reaches telephones, at once.

Pages, telephones and this test have one clock.  Bounds are those of a machine that does other things;
the medians are printed, and those of a calm machine stand in docs/benchmarks.md.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import Caller, Office, until
from tests.phones.rtp_phone import RtpPhone
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

AT_ONCE_S = 1.0
SWITCH_S = 0.3
"""What the issue of browsers allows between listening and speaking."""
_PACKET_S = 0.02
_MARKED = 0x80


class KeyClock:
    """Notes when a telephone sends the first packet of a key: the bridge obeys at that packet."""

    def __init__(self, phone: RtpPhone) -> None:
        self.at: list[float] = []
        send = phone.send_raw

        def send_and_note(data: bytes) -> None:
            if data[1] == _MARKED | (phone.dtmf_pt or 0):
                self.at.append(time.time())
            send(data)

        phone.send_raw = send_and_note  # type: ignore[method-assign]


def heard_from(phone: RtpPhone, hz: float, *, since: float) -> float | None:
    """Seconds of stream between a moment and the first packet with a tone in it; None: not yet.

    Counted in packets of the telephone's own stream, each 20 ms long, so that a test that is held up
    measures nothing of that.
    """
    offset = time.time() - time.monotonic()
    packets = list(phone.heard)
    first = next((at for at, packet in enumerate(packets) if packet.at_s + offset >= since), None)
    if first is None or len(packets) <= first:
        return None
    sound = phone.sound(first=first).astype(np.float64)
    size = phone.rate // 50
    wave = np.exp(-2j * np.pi * hz * np.arange(size) / phone.rate)
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    tone, power = np.abs(frames @ wave) / size * np.sqrt(2), np.sqrt(np.mean(frames**2, axis=1))
    there = np.flatnonzero((tone > 100.0) & (tone > 0.7 * power))
    return None if not len(there) else float(there[0] + 1) * _PACKET_S


class Event:
    def __init__(self, office: Office, browsers: Chromiums, product: Product) -> None:
        self.office, self.room = office, product.new_room("Keys and clicks")
        keys = self.room.facts()["access_role_hashes"]
        self.wes = browsers.visitor("wes", self.room).enter(keys["presenter"], way="listen")
        self.ann = office.caller("ann", hz=425)
        self.bob = office.caller("bob", hz=1130)
        for caller, pin in ((self.ann, self.room.presenter_pin), (self.bob, self.room.listener_pin)):
            caller.dial()
            caller.enter(self.room, pin)


@pytest.fixture
def event(office: Office, browsers: Chromiums, product: Product) -> Event:
    return Event(office, browsers, product)


def row(visitor: Visitor, caller: Caller, marks: str) -> str:
    return visitor.row(caller.participant_id) + marks


def test_what_is_typed_shows_on_the_page(event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    ann, bob, wes = event.ann, event.bob, event.wes
    clocks = {caller.name: KeyClock(caller.phone) for caller in (ann, bob)}
    mode = '#modes [data-mode="{}"][aria-pressed=true]'.format
    steps = [
        (ann, "7", "#timer:not([hidden])"),
        (ann, "8", "#toggle-lock[aria-checked=true]"),
        (ann, "8", "#toggle-lock[aria-checked=false]"),
        (ann, "23", mode("qa")),
        (bob, "5", row(wes, bob, '[data-question="1"]')),
        (ann, "5", row(wes, bob, '[data-floor="1"]')),
        (ann, "5", row(wes, bob, ":not([data-floor])")),
        (ann, "1", row(wes, ann, "[data-muted=self]")),
        (ann, "1", row(wes, ann, ":not([data-muted])")),
        (ann, "22", mode("discussion")),
        (bob, "1", row(wes, bob, "[data-muted=self]")),
        (ann, "21", mode("listen_only")),
        (ann, "24", mode("presenters_only")),
    ]
    took = []
    for caller, keys, mark in steps:
        wes.watch(mark)
        caller.press(keys)
        took.append(wes.seen_at(mark) - clocks[caller.name].at[-1])
    with capsys.disabled():
        print(f"\nkey → page: median {statistics.median(took) * 1000:.0f} ms, most {max(took) * 1000:.0f} ms")
    assert min(took) > 0
    assert statistics.median(took) < AT_ONCE_S


def test_what_is_clicked_reaches_the_telephone(event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    ann, bob, wes = event.ann, event.bob, event.wes
    wes.click("#start")
    event.room.becomes(started=True)
    wes.click("#modes [data-mode=qa]")
    event.room.becomes(mode="qa")
    wes.do(ann.participant_id, "Unmute")
    ann.becomes(muted=False)
    wes.shows("#modes [data-mode=qa][aria-pressed=true]")
    event.office.hush("ann", "bob")
    took = []
    for _ in range(3):
        wes.do(bob.participant_id, "Give the floor")
        bob.becomes(floor=True)
        took.append(
            until(lambda: heard_from(ann.phone, 1130, since=wes.clicked_at), lambda: "Ann does not hear Bob")
        )
        wes.do(bob.participant_id, "Take the floor back")
        bob.becomes(floor=False)
        until(lambda: "bob" not in ann.hears(), lambda: "Bob is heard without the floor")
    with capsys.disabled():
        print(f"\nclick → telephone: median {statistics.median(took) * 1000:.0f} ms")
    assert statistics.median(took) < AT_ONCE_S
    bob.listen()
    wes.do(bob.participant_id, "Give the floor")
    bob.hears_prompt(prompt("floor.yours"))

    wes.do(ann.participant_id, "Mute")
    ann.becomes(muted=True, muted_by="presenter")
    wes.click("#toggle-lock")
    event.room.becomes(locked=True)
    late = event.office.caller("late")
    late.dial()
    late.press(f"{event.room.listener_pin}#")
    late.hung_up_on(within_s=30)
    assert late.heard(prompt("bye.event-locked")) > 0.8


def test_a_listener_in_a_browser_speaks_within_300_ms(
    event: Event, browsers: Chromiums, capsys: pytest.CaptureFixture[str]
) -> None:
    ann, bob, wes = event.ann, event.bob, event.wes
    zoe = browsers.visitor("zoe", event.room, hz=2210).enter()
    zoe.shows("#room[data-peer=connected][data-microphone=on]")
    wes.click("#start")
    wes.click("#modes [data-mode=qa]")
    event.room.becomes(started=True, mode="qa")
    event.office.hush("ann", "bob")
    took = []
    for _ in range(5):
        wes.do(zoe.participant_id, "Give the floor")
        zoe.becomes(floor=True)
        took.append(
            until(lambda: heard_from(bob.phone, 2210, since=wes.clicked_at), lambda: "Bob does not hear Zoe")
        )
        wes.do(zoe.participant_id, "Take the floor back")
        zoe.becomes(floor=False)
        until(lambda: "zoe" not in bob.hears(), lambda: "Zoe is heard without the floor")
    with capsys.disabled():
        print(f"\nfloor → first sound: {', '.join(f'{each * 1000:.0f}' for each in took)} ms")
    assert min(took) < SWITCH_S
    assert statistics.median(took) < AT_ONCE_S
    assert ann.state()["muted_by"] == "mode"
