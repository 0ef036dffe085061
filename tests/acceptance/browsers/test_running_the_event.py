"""What a presenter does with the mouse: put out and take back, lock, rename, stop, end, switch toll-free."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phones.caller import Office, until
from tests.phones.ear import Ear
from tests.phones.visitor import Chromiums, Visitor
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

LIMIT = 3
"""People up to which this product allows a discussion."""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    with Product(folder, prompt_cache=ear.folder, discussion_limit=str(LIMIT)) as running:
        yield running


class Event:
    """Wes presents in a browser, Zoe is in another one."""

    def __init__(self, office: Office, browsers: Chromiums, product: Product, **wishes: object) -> None:
        self.office, self.browsers = office, browsers
        self.room: Room = product.new_room("Running it", **wishes)
        self.wes = browsers.visitor("wes", self.room)
        self.wes.enter(self.room.facts()["access_role_hashes"]["presenter"], way="listen")
        self.zoe = browsers.visitor("zoe", self.room).enter(way="listen")
        self.seat = self.zoe.participant_id
        self.wes.shows(self.wes.row(self.seat))

    def somebody(self, name: str, *, within: bool) -> Visitor:
        """A newcomer, who gets in or is told why not."""
        visitor = self.browsers.visitor(name, self.room)
        visitor.knock(way="listen")
        visitor.page.wait_for_selector(f"#room[data-phase={'live' if within else 'refused'}]")
        return visitor


@pytest.fixture
def event(office: Office, browsers: Chromiums, product: Product) -> Event:
    return Event(office, browsers, product)


def test_who_was_put_out_by_mistake_is_back_by_itself(event: Event) -> None:
    wes, zoe = event.wes, event.zoe
    event.room.order("start")
    zoe.click("#hand")
    wes.shows(wes.row(event.seat) + '[data-question="1"]')
    wes.do(event.seat, "Remove from the event")
    zoe.shows("#room[data-phase=removed]")
    zoe.sees("#curtain-title", "removed")
    assert zoe.state == {}
    wes.page.locator(".toast button", has_text="Undo").click()
    zoe.shows("#room[data-phase=live]")
    zoe.becomes(question=1, connected=True)
    assert zoe.participant_id == event.seat
    until(lambda: wes.names == ["wes", "zoe"], lambda: f"the list is {wes.names}")


def test_who_was_put_out_cannot_come_back(event: Event) -> None:
    wes, zoe = event.wes, event.zoe
    wes.do(event.seat, "Remove from the event")
    zoe.shows("#room[data-phase=removed]")
    zoe.page.reload()
    zoe.shows("#room[data-phase=refused]")
    zoe.knock(way="listen")  # by the entrance, with the seat that the browser keeps
    zoe.shows("#room[data-phase=refused]")
    assert [one["name"] for one in event.room.people()] == ["wes"]


def test_a_locked_event_and_a_new_name(event: Event) -> None:
    wes, zoe = event.wes, event.zoe
    wes.click("#toggle-lock")
    zoe.sees("#badge-lock", "Locked")
    late = event.somebody("late", within=False)
    late.sees("#curtain-text", "locked")
    wes.click("#toggle-lock")
    wes.shows("#toggle-lock[aria-checked=false]")
    late.click("#curtain-again")
    late.shows("#room[data-phase=live]")

    wes.do(event.seat, "Change the name")
    wes.page.fill("#rename-name", "Zoé Müller")
    wes.page.keyboard.press("Enter")
    for page in (wes, zoe, late):
        page.sees(page.row(event.seat) + " .name", "Zoé Müller")
    assert any(one["name"] == "Zoé Müller" for one in event.room.people())


def test_stop_and_start_again_then_end_for_all(event: Event) -> None:
    wes, zoe = event.wes, event.zoe
    bob = event.office.caller("bob", hz=1130)
    bob.dial()
    bob.enter(event.room, event.room.listener_pin)
    assert wes.page.is_visible("#start")
    wes.click("#start")
    zoe.shows("#waiting[hidden]")
    wes.click("#end")
    wes.click("#end-open")
    event.room.becomes(started=False)
    zoe.shows("#waiting:not([hidden])")
    zoe.sees("#waiting-title", "begins soon")
    assert len(event.room.people()) == 3
    wes.click("#start")
    event.room.becomes(started=True)
    zoe.shows("#waiting[hidden]")
    wes.click("#end")
    wes.click("#end-close")
    for page in (wes, zoe):
        page.sees("h1, h2", "The event is over")
    bob.hung_up_on()
    until(event.room.sessions, lambda: "no session was kept")
    records = event.room.finished_cdrs(3)
    assert sorted(record["channel"] for record in records) == ["sip", "webrtc", "webrtc"]
    assert {record["reason_slug"] for record in records} == {"event-ended"}
    wes.page.goto(wes.address)  # a permanent room opens again for whoever comes
    wes.fill_in(way="listen")
    wes.here()
    event.room.becomes(started=False)


def test_a_full_event_and_the_limit_of_a_discussion(
    office: Office, browsers: Chromiums, product: Product
) -> None:
    event = Event(office, browsers, product)
    wes = event.wes
    wes.click("#start")
    wes.click("#modes [data-mode=discussion]")
    event.room.becomes(started=True, mode="discussion")
    event.somebody("max", within=True)
    late = event.somebody("late", within=False)
    late.sees("#curtain-text", "full")
    wes.click("#modes [data-mode=listen_only]")
    event.room.becomes(mode="listen_only")
    late.click("#curtain-again")
    late.shows("#room[data-phase=live]")
    wes.shows(wes.row(late.participant_id))
    wes.click("#modes [data-mode=discussion]")
    wes.sees(".toast.bad", "people")
    event.room.becomes(mode="listen_only")


def test_toll_free_offers_to_open_the_telephone_gateway(event: Event) -> None:
    wes = event.wes
    wes.click("#toggle-gateway")
    wes.shows("#toggle-gateway[aria-checked=false]")
    wes.click("#toggle-toll-free")
    wes.sees("#dialog-gateway", "Switch the phone gateway on, too?")
    wes.click("#dialog-gateway button[value=both]")
    wes.shows("#toggle-gateway[aria-checked=true]")
    wes.shows("#toggle-toll-free[aria-checked=true]")
    settings = event.room.facts()["settings"]
    assert (settings["phonegateway_enabled"], settings["toll_free_enabled"]) == (True, True)
    wes.click("#toggle-toll-free")  # off without a question
    wes.shows("#toggle-toll-free[aria-checked=false]")
    assert not wes.page.is_visible("#dialog-gateway")
