"""The room page in Chromium, over real rooms and the real socket."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session, sessionmaker

from rooms import commands as c
from rooms.modes import AudioMode, Role
from tests.support.browser import DESKTOP, PHONE, chromium, new_page
from tests.support.room_site import RoomSite

expect.set_options(timeout=5_000)

#: Machines without pictures of flags show the letters.
PARIS = re.compile(r"^(🇫🇷|FR) Paris$")
PARIS_CALLER = re.compile(r"^(🇫🇷|FR) Paris · \+336 … 42$")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(sessions: sessionmaker[Session]) -> Iterator[RoomSite]:
    with RoomSite(sessions).serving() as running:
        yield running


@pytest.fixture
def host(site: RoomSite, browser: Browser) -> Iterator[Page]:
    """A presenter's page, in the room."""
    with new_page(browser, **DESKTOP) as page:
        yield site.enter(page, "Ada", host=True)


@pytest.fixture
def guest(site: RoomSite, browser: Browser, host: Page) -> Iterator[Page]:  # noqa: ARG001  the host is there first
    """A participant's page, in the same room."""
    with new_page(browser, **DESKTOP) as page:
        yield site.enter(page, "Guy")


def said(page: Page) -> str:
    return page.locator("#announcements").inner_text()


def test_without_a_ticket_one_lands_at_the_entrance(site: RoomSite, browser: Browser) -> None:
    with new_page(browser) as page:
        page.goto(f"{site.url}/rooms/town-hall")
        expect(page).to_have_url(f"{site.url}/town-hall")


def test_everybody_is_in_both_lists(host: Page, guest: Page, site: RoomSite) -> None:
    site.phone("Fay", number="+336 … 42")
    for page in (host, guest):
        for name in ("Ada", "Guy", "Fay"):
            expect(page.locator(".side").get_by_text(name, exact=True)).to_be_visible()
        expect(page.locator("#people-count")).to_have_text("3")
    expect(host.locator(".person[data-id=phone-Fay] .sub")).to_have_text(PARIS_CALLER)
    expect(guest.locator(".person[data-id=phone-Fay] .sub")).to_have_text(PARIS)
    assert "+336" not in guest.content()


def test_a_name_full_of_markup_is_a_name(host: Page, site: RoomSite) -> None:
    name = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    site.phone(name)
    site.apply(c.SetMode(mode=AudioMode.QA, by=c.ORGANISER), c.Start(by=c.ORGANISER))
    site.apply(c.AskQuestion(participant_id=f"phone-{name}"))
    expect(host.locator("#list-participants .name")).to_have_text(name)
    host.click("#tab-questions")
    expect(host.locator("#list-questions .name")).to_have_text(name)
    host.locator("#list-questions button").click()
    expect(host.locator("#floor-card b")).to_have_text(name)
    expect(host.locator("#tiles .tile-name").filter(has_text="<img")).to_have_text(name)
    assert host.locator(".room img, .room script:not([type])").count() == 0
    assert "owned" not in host.title()


def test_waiting_and_the_start(host: Page, guest: Page) -> None:
    expect(guest.locator("#waiting-title")).to_have_text("The event begins soon")
    expect(guest.locator("#reason b")).to_have_text("Not started yet")
    guest.locator("#waiting-music").click()
    expect(guest.locator("#waiting-music")).to_have_attribute("aria-pressed", "false")
    host.click("#start")
    expect(guest.locator("#waiting")).to_be_hidden()
    expect(guest.locator("#badge-state")).to_have_text("Live")
    expect(guest.locator("#reason b")).to_have_text("Listen only")
    expect(guest.locator("#announcements")).to_contain_text("The event has started.")


def test_a_question_the_floor_and_back(host: Page, guest: Page) -> None:
    host.click("#start")
    host.locator(".mode[data-mode=qa]").click()
    expect(guest.locator("#badge-mode")).to_have_text("Q&A")
    guest.click("#hand")
    expect(guest.locator("#hand .round-label")).to_have_text("In queue: 1")
    host.click("#tab-questions")
    host.click("#next-question")
    expect(guest.locator("#announcements")).to_contain_text("You have the floor. Everybody hears you.")
    expect(guest.locator("#hand .round-label")).to_have_text("Give back")
    host.locator("#floor-card button").click()
    expect(guest.locator("#hand .round-label")).to_have_text("Ask")
    expect(guest.locator("#announcements")).to_contain_text("You do not have the floor any more.")


def test_keys_of_a_telephone_show_on_the_page(host: Page, site: RoomSite) -> None:
    caller = site.phone("Fay", role=Role.PRESENTER)
    site.apply(c.Start(by=caller), c.SetMode(mode=AudioMode.DISCUSSION, by=caller), c.ToggleLock(by=caller))
    expect(host.locator("#badge-mode")).to_have_text("Discussion")
    expect(host.locator("#badge-lock")).to_be_visible()
    expect(host.locator("#reason b")).to_have_text("Muted by the change of mode")
    expect(host.locator("#announcements")).to_contain_text("The change of mode muted you.")


def test_a_presenter_mutes_and_one_can_undo_it_oneself(host: Page, guest: Page, site: RoomSite) -> None:
    site.apply(c.SetMode(mode=AudioMode.DISCUSSION, by=c.ORGANISER), c.Start(by=c.ORGANISER))
    host.get_by_role("button", name="Actions for Guy").click()
    host.get_by_role("menuitem", name="Mute").click()
    expect(guest.locator("#announcements")).to_contain_text("A presenter muted you. You can unmute yourself.")
    expect(guest.locator("#reason b")).to_have_text("A presenter muted you")
    expect(host.locator(".side .person[data-muted=presenter] .name")).to_have_text("Guy")
    guest.keyboard.press("m")
    expect(host.locator(".side .person[data-muted]")).to_have_count(0)


def test_removed_and_taken_back(host: Page, guest: Page) -> None:
    host.get_by_role("button", name="Actions for Guy").click()
    host.get_by_role("menuitem", name="Remove from the event").click()
    expect(guest.locator("#curtain-title")).to_have_text("You were removed from the event")
    expect(host.locator("#people-count")).to_have_text("1")
    host.get_by_role("button", name="Undo").click()
    expect(guest.locator("#curtain")).to_be_hidden()
    expect(host.locator("#people-count")).to_have_text("2")


def test_opened_elsewhere(site: RoomSite, guest: Page) -> None:
    with guest.context.new_page() as second:
        second.goto(f"{site.url}/rooms/town-hall")
        expect(second.locator("#room")).to_have_attribute("data-phase", "live")
        expect(guest.locator("#curtain-title")).to_have_text("This event is open in another tab")
        expect(second.locator("#people-count")).to_have_text("2")


def test_a_reload_is_the_same_person(host: Page, guest: Page) -> None:
    guest.reload()
    expect(guest.locator("#room")).to_have_attribute("data-phase", "live")
    expect(host.locator("#people-count")).to_have_text("2")


def test_the_end_for_all_and_the_end_with_an_open_room(host: Page, guest: Page) -> None:
    host.click("#start")
    host.click("#end")
    host.click("#end-open")
    expect(guest.locator("#waiting-title")).to_have_text("The event begins soon")
    host.click("#start")
    host.click("#end")
    host.click("#end-close")
    for page in (host, guest):
        expect(page.locator("#curtain-title")).to_have_text("The event is over")


def test_rename_lock_and_leave(host: Page, guest: Page) -> None:
    guest.get_by_role("button", name="Actions for Guy").click()
    guest.get_by_role("menuitem", name="Change the name").click()
    guest.fill("#rename-name", "Gustave")
    guest.keyboard.press("Enter")
    expect(host.locator("#list-participants .name")).to_have_text("Gustave")
    host.click("#toggle-lock")
    expect(guest.locator("#badge-lock")).to_be_visible()
    guest.click("#leave")
    guest.locator("#dialog-leave").get_by_role("button", name="Leave").click()
    expect(guest.locator("#curtain-title")).to_have_text("You left the event")
    expect(host.locator("#people-count")).to_have_text("1")


def test_toll_free_offers_the_gateway(host: Page) -> None:
    host.click("#toggle-gateway")
    expect(host.locator("#toggle-gateway")).to_have_attribute("aria-checked", "false")
    host.click("#toggle-toll-free")
    host.get_by_role("button", name="Switch both on").click()
    expect(host.locator("#toggle-toll-free")).to_have_attribute("aria-checked", "true")
    expect(host.locator("#toggle-gateway")).to_have_attribute("aria-checked", "true")


def test_my_phone_as_my_sound(guest: Page, host: Page, site: RoomSite) -> None:
    guest.click("#tab-phone")
    guest.click("#use-phone")
    pin = guest.locator("#phone-pin")
    expect(pin).to_have_text(re.compile(r"^\d{3} \d{3} \d{3}$"))
    digits = pin.inner_text().replace(" ", "")
    expect(guest.locator("#phone-call")).to_have_attribute("href", f"tel:+33975129519,,{digits}%23")
    expect(guest.locator("#phone-nearest .number-place")).to_have_text("Paris")
    me = guest.locator("#room").get_attribute("data-me")
    assert me is not None
    site.apply(c.LinkPhone(participant_id=me, city="Paris", country="FR", number_masked="+336 … 42"))
    expect(guest.locator("#dialog-phone")).to_be_hidden()
    expect(guest.locator("#sound .round-label")).to_have_text("By phone")
    expect(host.locator(f".side .person[data-id='{me}'] .sub")).to_have_text(PARIS_CALLER)
    expect(host.locator("#people-count")).to_have_text("2")
    site.apply(c.UnlinkPhone(participant_id=me))
    expect(guest.locator("#sound .round-label")).to_have_text("Sound")


def test_who_speaks_is_said_once_and_politely(host: Page, site: RoomSite) -> None:
    site.apply(c.SetMode(mode=AudioMode.DISCUSSION, by=c.ORGANISER), c.Start(by=c.ORGANISER))
    one, two = site.phone("Fay"), site.phone("Max")
    assert host.locator("#announcements").get_attribute("aria-live") == "polite"
    site.apply(c.SetTalking(participant_id=one, talking=True))
    expect(host.locator("#announcements")).to_contain_text("Fay is speaking.")
    for _ in range(20):
        site.apply(
            c.SetTalking(participant_id=two, talking=True), c.SetTalking(participant_id=two, talking=False)
        )
    site.apply(c.AskQuestion(participant_id=one), c.AskQuestion(participant_id=two))
    expect(host.locator("#announcements")).to_contain_text("Fay and 1 other have questions.")
    assert said(host).count("is speaking") == 1


def test_with_the_keyboard_alone(host: Page, guest: Page) -> None:
    def walk_to(selector: str) -> None:
        for _ in range(60):
            host.keyboard.press("Tab")
            if host.evaluate("(s) => document.activeElement?.matches(s)", selector):
                return
        raise AssertionError(f"the Tab key never reaches {selector}")

    host.evaluate("document.body.focus()")
    walk_to("#start")
    host.keyboard.press("Enter")
    expect(host.locator("#badge-state")).to_have_text("Live")
    walk_to(".mode[data-mode=discussion]")
    host.keyboard.press("Space")
    expect(guest.locator("#badge-mode")).to_have_text("Discussion")
    walk_to("#tab-people")
    host.keyboard.press("ArrowRight")
    expect(host.locator("#tab-questions")).to_be_focused()
    host.keyboard.press("ArrowLeft")
    walk_to("[aria-label='Actions for Guy']")
    host.keyboard.press("Enter")
    expect(host.get_by_role("menuitem", name="Mute")).to_be_focused()
    host.keyboard.press("ArrowDown")
    expect(host.get_by_role("menuitem", name="Change the name")).to_be_focused()
    host.keyboard.press("Escape")
    expect(host.get_by_role("button", name="Actions for Guy")).to_be_focused()
    host.keyboard.press("?")
    expect(host.locator("#dialog-help")).to_be_visible()
    host.keyboard.press("Escape")
    expect(host.get_by_role("button", name="Actions for Guy")).to_be_focused()
    host.keyboard.press("m")
    expect(host.locator("#mute")).to_have_attribute("aria-pressed", "true")


def test_french_on_a_telephone_shows_one_part_at_a_time(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **{**PHONE, "locale": "fr-FR"}) as page:
        site.enter(page, "Guy")
        expect(page.locator("#waiting-title")).to_have_text("L’événement commence bientôt")
        expect(page.locator("#panel-people")).to_be_hidden()
        page.click("#tab-people")
        expect(page.locator("#list-participants .sub")).to_have_text("Vous")
        expect(page.locator("#stage-panel")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
