"""The entrance before the start and the waiting room, in Chromium: times, agenda, message, who is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session, sessionmaker

from database.types import now_utc
from events import service, skins
from events.fields import parse_wishes
from rooms import commands as c
from rooms.modes import Role
from tests.support.browser import DESKTOP, PHONE, chromium, new_page
from tests.support.room_site import RoomSite

expect.set_options(timeout=10_000)
CLOCK = re.compile(r"^Begins in (\d+:)?\d\d:\d\d$")
#: A machine whose clock is seven minutes fast.
FAST = "const real = Date.now; Date.now = () => real() + 7 * 60_000;"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(sessions: sessionmaker[Session]) -> Iterator[RoomSite]:
    with RoomSite(sessions).serving() as running:
        yield running


def plan(site: RoomSite, *, in_min: float = 30, **fields: object) -> datetime:
    """Give the event a date, on the clocks of Paris; the moment at which it begins."""
    starts_at = now_utc() + timedelta(minutes=in_min)
    wishes = {
        "permanent_room": "0", "starts_at": starts_at.isoformat(), "timezone": "Europe/Paris",
        "lobby_enabled": "1", "lobby_description": "Have your <b>questions</b> ready.",
        "agenda": f"{starts_at.astimezone(ZoneInfo('Europe/Paris')):%H:%M} Welcome <i>all</i>\nQuestions",
        **fields,
    }  # fmt: skip
    with site.services.sessions.begin() as session:
        event = service.find_event(session, "town-hall")
        assert event is not None
        service.update_event(session, event, wishes=parse_wishes(wishes), now=now_utc())
    return starts_at


def seconds(text: str) -> int:
    """What a countdown shows."""
    total = 0
    for part in text.removeprefix("Begins in ").split(":"):
        total = 60 * total + int(part)
    return total


def test_the_entrance_tells_what_comes_without_scripts(site: RoomSite) -> None:
    starts_at = plan(site)
    body = httpx.get(f"{site.url}/town-hall").text
    assert f"{starts_at.astimezone(ZoneInfo('Europe/Paris')):%H:%M} (Europe/Paris)" in body
    assert "Have your &lt;b&gt;questions&lt;/b&gt; ready." in body
    assert "Welcome &lt;i&gt;all&lt;/i&gt;" in body
    assert "Times of Europe/Paris" in body


def test_times_are_the_visitor_s_and_the_event_s(site: RoomSite, browser: Browser) -> None:
    starts_at = plan(site)
    with new_page(browser, timezone_id="Asia/Kolkata") as page:
        page.goto(f"{site.url}/town-hall")
        here, there = (starts_at.astimezone(ZoneInfo(zone)) for zone in ("Asia/Kolkata", "Europe/Paris"))
        expect(page.locator("#when")).to_contain_text(f"{here:%H:%M}")
        expect(page.locator("#when-there")).to_contain_text(f"{there:%H:%M} in Europe/Paris")
        expect(page.locator(".agenda-time").first).to_have_text(f"{here:%H:%M}")
        expect(page.locator("#agenda-zone")).to_contain_text("Asia/")
        expect(page.locator("#countdown")).to_have_text(CLOCK)
    with new_page(browser, timezone_id="Europe/Paris") as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#countdown")).to_be_visible()
        expect(page.locator("#when-there")).to_be_hidden()


@pytest.mark.parametrize("where", ["entrance", "room"])
def test_a_wrong_clock_does_not_mislead(site: RoomSite, browser: Browser, where: str) -> None:
    starts_at = plan(site)
    with new_page(browser, **DESKTOP) as page:
        page.add_init_script(FAST)
        if where == "entrance":
            page.goto(f"{site.url}/town-hall")
        else:
            site.enter(page, "Guy")
        line = page.locator("#countdown")
        expect(line).to_have_text(CLOCK)
        left_s = (starts_at - now_utc()).total_seconds()
        assert abs(seconds(line.inner_text()) - left_s) < 60
        expect(page.locator("#clock-wrong")).to_contain_text("7 minutes fast")


def test_the_countdown_is_for_the_eye_and_moves(site: RoomSite, browser: Browser) -> None:
    plan(site)
    with new_page(browser, **DESKTOP) as page:
        site.enter(page, "Guy")
        line = page.locator("#countdown")
        expect(line).to_have_attribute("aria-live", "off")
        expect(line).to_have_attribute("role", "timer")
        before = line.inner_text()
        expect(line).not_to_have_text(before)
        assert "Begins in" not in page.locator("#announcements").inner_text()


def test_a_few_moments_are_said_aloud_each_once(site: RoomSite, browser: Browser) -> None:
    plan(site)
    with new_page(browser, **DESKTOP) as page:
        page.goto(f"{site.url}/town-hall")
        said = page.evaluate(
            """async () => {
              const { Spoken } = await import("/assets/js/join/times.js");
              const [spoken, late] = [new Spoken(), new Spoken()];
              const heard = [];
              for (let left_s = 1900; left_s > -10; left_s -= 1) heard.push(spoken.next(left_s));
              return [heard.filter((each) => each !== null), late.next(290), late.next(289), late.next(60)];
            }"""
        )
    times = [f"Begins in {minutes} minute{'s' if minutes > 1 else ''}" for minutes in (30, 10, 5, 1)]
    assert said == [[*times, "It begins any moment now."], None, None, times[-1]]


def test_waiting_with_everything_and_going_in_by_oneself(site: RoomSite, browser: Browser) -> None:
    plan(site)
    with new_page(browser, **PHONE) as page:
        site.phone("Fay", number="+336 … 42")
        site.enter(page, "Guy")
        page.click("#tab-stage")
        expect(page.locator("#waiting-who")).to_have_text("No presenter is here yet.")
        expect(page.locator(".waiting-note").first).to_have_text("Have your <b>questions</b> ready.")
        expect(page.locator(".agenda li").first).to_contain_text("Welcome <i>all</i>")
        page.click("#waiting-sound")
        expect(page.locator("#dialog-sound")).to_be_visible()
        page.locator("#dialog-sound [data-close]").click()
        page.click("#waiting-music")
        expect(page.locator("#waiting-music")).to_have_attribute("aria-pressed", "false")
        presenter = site.phone("Ada", role=Role.PRESENTER)
        expect(page.locator("#waiting-who")).to_have_text("Presenting: Ada")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate("window.stayed = true")
        site.apply(c.Start(by=presenter))
        expect(page.locator("#waiting")).to_be_hidden()
        expect(page.locator("#badge-state")).to_have_text("Live")
        assert page.evaluate("window.stayed")


def test_phones_and_browsers_wait_in_one_list(site: RoomSite, browser: Browser) -> None:
    plan(site)
    site.phone("Fay", number="+336 … 42")
    with new_page(browser, **DESKTOP) as page, new_page(browser, **DESKTOP) as guest:
        site.enter(page, "Ada", host=True)
        site.enter(guest, "Guy")
        expect(page.locator("#label-participants")).to_have_text("Waiting")
        expect(page.locator("#list-participants .name")).to_have_text(["Fay", "Guy"])
        page.click("#start")
        expect(page.locator("#label-participants")).to_have_text("Participants")


def test_without_a_waiting_room_one_is_straight_in_the_room(site: RoomSite, browser: Browser) -> None:
    plan(site, lobby_enabled="0")
    assert "Have your" not in httpx.get(f"{site.url}/town-hall").text
    with new_page(browser, **DESKTOP) as page:
        site.enter(page, "Guy")
        expect(page.locator("#waiting-title")).to_have_text("The event begins soon")
        for name in ("#countdown", "#when", "#waiting-who", ".agenda", ".waiting-note"):
            assert page.locator(name).count() == 0


def test_late_is_not_counted(site: RoomSite, browser: Browser) -> None:
    plan(site, in_min=-5)
    with new_page(browser, **DESKTOP) as page:
        site.enter(page, "Guy")
        expect(page.locator("#countdown")).to_have_text("It begins any moment now.")


def test_switches_of_the_event_are_obeyed(site: RoomSite, browser: Browser) -> None:
    plan(site, settings={"connection_tester_enabled": "0", "room_invite_button_enabled": "0"})
    with new_page(browser, **DESKTOP) as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#countdown")).to_be_visible()
        for name in ("#sound-check-start", "#sound-checked", "#sound-test", "#speaker-field"):
            expect(page.locator(name)).to_be_hidden()
        expect(page.locator("input[name=way]")).to_have_count(3)
        site.enter(page, "Ada", host=True)
        page.click("#tab-phone")
        expect(page.locator("#use-phone")).to_be_visible()
        expect(page.locator("#copy-dial")).to_be_hidden()


def test_a_guest_s_page_in_french(site: RoomSite, browser: Browser) -> None:
    plan(site)
    with new_page(browser, locale="fr-FR") as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#countdown")).to_have_text(re.compile(r"^Commence dans \d\d:\d\d$"))
        expect(page.locator(".join-about h2")).to_have_text("Programme")


def contrast(page: Page, selector: str) -> float:
    """The contrast of the words of an element with what is behind them."""
    found = page.evaluate(
        """(selector) => {
          const draw = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const light = (colour) => {
            draw.fillStyle = colour; draw.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...draw.getImageData(0, 0, 1, 1).data].slice(0, 3)
              .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          let node = document.querySelector(selector);
          const words = light(getComputedStyle(node).color);
          const paper = () => getComputedStyle(node).backgroundColor;
          while (paper() === "rgba(0, 0, 0, 0)") node = node.parentElement;
          const behind = light(paper());
          return (Math.max(words, behind) + 0.05) / (Math.min(words, behind) + 0.05);
        }""",
        selector,
    )
    return float(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_look_can_be_read(site: RoomSite, browser: Browser, scheme: str) -> None:
    with site.services.sessions.begin() as session:
        event = service.find_event(session, "town-hall")
        assert event is not None
        wishes = skins.parse_skin({"name": "Pale", "accent": "#8c7500", "background": "#fff7c2"})
        skin = skins.create_skin(
            session, account_id=event.account_id, wishes=wishes, default=True, now=now_utc()
        )
        number = skin.id
    plan(site, skin_id=number)
    with new_page(browser, **{**DESKTOP, "color_scheme": scheme}) as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#countdown")).to_be_visible()
        for name in ("#enter", "#countdown", ".band-name", ".agenda-time", ".join-lobby"):
            assert contrast(page, name) >= 4.5, name


def test_days_before_one_is_early(site: RoomSite, browser: Browser) -> None:
    plan(site, in_min=3 * 24 * 60)
    with new_page(browser, **DESKTOP) as page:
        site.enter(page, "Guy")
        expect(page.locator("#countdown")).to_have_text("Begins in 3 days")
        expect(page.locator("#waiting-title")).to_have_text("You are early")
