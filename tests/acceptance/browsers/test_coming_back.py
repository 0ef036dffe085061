"""Pages that are reloaded, lose their network, sleep, or are opened twice: one person, as they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.phones.caller import Office, until
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product

pytestmark = pytest.mark.acceptance


class Event:
    """Ann presents by telephone, Zoe and Max are in browsers; questions and answers, Max asks first."""

    def __init__(self, office: Office, browsers: Chromiums, product: Product) -> None:
        self.office, self.room = office, product.new_room("Coming back")
        self.ann = office.caller("ann", hz=425)
        self.ann.dial()
        self.ann.enter(self.room, self.room.presenter_pin)
        self.max = browsers.visitor("max", self.room).enter(way="listen")
        self.zoe = browsers.visitor("zoe", self.room, hz=800).enter()
        self.room.order("start")
        self.room.order("set_mode", mode="qa")
        self.room.order("unmute", participant_id=self.ann.participant_id)
        for each in (self.max, self.zoe):
            each.click("#hand")
            each.shows("#hand[aria-pressed=true]")
        self.zoe.becomes(question=2)
        self.zoe.click("#mute")
        self.zoe.becomes(muted=True, muted_by="self", sound="web")
        self.seat = self.zoe.participant_id

    def as_before(self) -> None:
        """Zoe is one entry, muted, second in the queue; she hears Ann, and Ann hears her with the floor."""
        zoe = self.zoe
        zoe.becomes(connected=True, sound="web", question=2, muted=True, muted_by="self", within_s=30)
        assert [one["id"] for one in self.room.people() if one["name"] == "zoe"] == [self.seat]
        zoe.shows("#room[data-peer=connected]", within_s=20)
        zoe.shows("#mute[data-state=not-allowed], #mute[data-state=muted]")
        assert sorted(zoe.names) == sorted(self.max.names)
        assert zoe.names.count("zoe") == 1
        until(lambda: zoe.hears() == "ann", lambda: f"Zoe hears {zoe.hears()}", within_s=20)
        self.room.order("give_floor", participant_id=self.seat)  # which also switches the microphone on
        self.office.hush("ann")
        until(lambda: self.ann.hears() == "zoe", lambda: f"Ann hears {self.ann.hears()}", within_s=20)


@pytest.fixture
def event(office: Office, browsers: Chromiums, product: Product) -> Event:
    return Event(office, browsers, product)


def test_a_reload(event: Event) -> None:
    event.zoe.page.reload()
    event.zoe.here()
    event.as_before()


def cut_network(zoe: Visitor) -> Callable[[], None]:
    """Take the network away, sockets that are open included; what gives it back."""
    session = zoe.context.new_cdp_session(zoe.page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    zoe.context.set_offline(True)

    def give_back() -> None:
        session.detach()
        zoe.context.set_offline(False)

    return give_back


@pytest.mark.slow
def test_a_network_that_is_lost_and_comes_back(event: Event) -> None:
    zoe = event.zoe
    give_back = cut_network(zoe)
    zoe.page.evaluate("testSocket.close()")  # what is offline for new connections only loses the old one, too
    zoe.becomes(connected=False)
    event.max.shows(event.max.row(event.seat) + ".gone")
    zoe.shows("#room[data-phase=lost]")
    give_back()
    zoe.shows("#room[data-phase=live]", within_s=20)
    event.max.shows(event.max.row(event.seat) + ":not(.gone)")
    event.as_before()


@pytest.mark.slow
def test_a_tab_that_sleeps_and_wakes(event: Event) -> None:
    zoe = event.zoe
    session = zoe.context.new_cdp_session(zoe.page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    before, max_id = zoe.state["joined_at"], event.max.participant_id
    for name in ("Somebody", "Anybody"):  # meanwhile
        event.room.order("rename", participant_id=max_id, name=name)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    zoe.sees(zoe.row(max_id) + " .name", "Anybody", within_s=20)
    event.room.order("rename", participant_id=max_id, name="max")
    zoe.sees(zoe.row(max_id) + " .name", "max", within_s=20)
    event.as_before()
    assert zoe.state["joined_at"] == before


@pytest.mark.slow
def test_the_same_seat_in_two_tabs(event: Event) -> None:
    zoe, older = event.zoe, event.zoe.page
    zoe.page = zoe.new_page()
    zoe.page.goto(older.url)
    zoe.here()
    older.wait_for_selector("#room[data-phase=elsewhere]")
    assert "another tab" in older.inner_text("#curtain-title")
    event.as_before()
    older.click("#curtain-again")  # “Use it here”
    older.wait_for_selector("#room[data-phase=live]")
    zoe.shows("#room[data-phase=elsewhere]")
    zoe.page.close()
    zoe.page = older
    zoe.becomes(connected=True, sound="web")
    assert [one["id"] for one in event.room.people() if one["name"] == "zoe"] == [event.seat]
