"""The entrance of an event: what it shows, without scripts and in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from events.models import Event
from tests.support.browser import DESKTOP, PHONE, chromium, new_page, wait_until
from tests.support.room_site import RoomSite

expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(sessions: sessionmaker[Session]) -> Iterator[RoomSite]:
    with RoomSite(sessions).serving() as running:
        yield running


def test_the_page_shows_the_event_and_carries_the_role_along(site: RoomSite) -> None:
    plain = httpx.get(f"{site.url}/town-hall")
    assert plain.status_code == 200
    assert "Town hall" in plain.text
    assert "script-src 'self'" in plain.headers["content-security-policy"]
    assert "You enter as a presenter" not in plain.text
    as_host = httpx.get(f"{site.url}/town-hall?l={site.host_key}").text
    assert "You enter as a presenter" in as_host
    assert f'name="l" value="{site.host_key}"' in as_host


@pytest.mark.parametrize("path", ["/nothing-here", "/rooms/nothing-here", "/join?room=000000000"])
def test_an_event_that_is_not_there(site: RoomSite, path: str) -> None:
    assert httpx.get(site.url + path, headers={"Accept": "text/html"}).status_code == 404


def test_the_number_of_an_event_leads_to_its_page(site: RoomSite) -> None:
    pin = site.room_pin
    for typed in (pin, f"{pin[:3]} {pin[3:6]} {pin[6:]}", "Town-Hall", f"{site.url}/town-hall?x=1"):
        answer = httpx.get(f"{site.url}/join", params={"room": typed})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/town-hall"
    assert httpx.get(f"{site.url}/join").status_code == 200


def test_an_event_that_is_over_lets_nobody_in(site: RoomSite, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        session.scalars(select(Event).where(Event.url_name == "town-hall")).one().status = "inactive"
    answer = httpx.get(f"{site.url}/town-hall")
    assert answer.status_code == 410
    assert "This event is over" in answer.text
    assert "<form" not in answer.text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_refusal_has_words(site: RoomSite, language: str) -> None:
    from web.joining import REASONS
    from web.site.join import OTHER_REFUSAL, REFUSALS

    assert set(REASONS) - {"no-such-event"} <= set(REFUSALS)
    wrong = httpx.get(f"{site.url}/members?refused=wrong-password&lang={language}").text
    assert {"en": "The password is not right.", "fr": "Le mot de passe n’est pas bon."}[language] in wrong
    odd = httpx.get(f"{site.url}/members", params={"refused": "<script>", "lang": "en"}).text
    assert OTHER_REFUSAL in odd
    assert "<script>" not in odd.replace('<script type="', "")


def test_text_of_an_organiser_stays_text(site: RoomSite, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        event = session.scalars(select(Event).where(Event.url_name == "town-hall")).one()
        event.name = '"><img src=x onerror=alert(1)>'
        event.lobby_enabled, event.lobby_description = True, "</div><script>alert(1)</script>"
    body = httpx.get(f"{site.url}/town-hall").text
    assert "<img src=x" not in body
    assert "<script>alert" not in body


def test_without_scripts_the_form_lets_in(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **{**PHONE, "java_script_enabled": False}) as page:
        page.goto(f"{site.url}/members")
        page.fill("#name", "Guy")
        page.fill("#email", "guy@example.org")
        page.fill("#password", "wrong one")
        page.click("#enter")
        expect(page.locator("#refused")).to_have_text("The password is not right.")
        page.fill("#name", "Guy")
        page.fill("#email", "guy@example.org")
        page.fill("#password", "open sesame")
        page.click("#enter")
        expect(page).to_have_url(f"{site.url}/rooms/members")
        page.goto(f"{site.url}/members")
        assert page.input_value("#name") == "Guy"
        assert page.locator("#password").count() == 0


def test_with_scripts_what_was_typed_stays_when_it_is_refused(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **PHONE) as page:
        page.goto(f"{site.url}/members")
        page.fill("#name", "Guy")
        page.fill("#email", "guy@example.org")
        page.fill("#password", "wrong one")
        page.click("#enter")
        expect(page.locator("#refused")).to_have_text("The password is not right.")
        expect(page.locator("#password")).to_be_focused()
        assert page.input_value("#name") == "Guy"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_whole_way_in_with_a_sound_check(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **DESKTOP) as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#meter-hint")).to_have_text("Your microphone works.")
        wait_until(page, "Number(document.querySelector('#sound-meter').getAttribute('aria-valuenow')) > 20")
        assert page.locator("#sound-microphone option").count() > 1
        page.locator("label:has(#sound-noise)").click()
        page.click("#sound-test")
        expect(page.locator("#sound-test")).not_to_have_attribute("aria-busy", "true")
        page.fill("#name", "Guy")
        page.fill("#email", "guy@example.org")
        page.click("#enter")
        expect(page.locator("#room")).to_have_attribute("data-phase", "live")
        kept = page.evaluate("JSON.parse(localStorage.getItem('tollbridge.sound'))")
        assert (kept["way"], kept["noise"], kept["echo"]) == ("browser", False, True)


def test_my_phone_shows_the_nearest_numbers(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **{**PHONE, "timezone_id": "Asia/Tokyo"}) as page:
        page.goto(f"{site.url}/town-hall")
        page.locator("input[name=way][value=phone]").check()
        expect(page.locator("#nearest .number-place").first).to_have_text("Tokyo")
        expect(page.locator("#nearest .number")).to_have_count(3)


@pytest.mark.parametrize(
    ("broken", "headline"),
    [
        ("throw new DOMException('', 'NotAllowedError')", "The microphone is blocked"),
        ("throw new DOMException('dismissed', 'NotAllowedError')", "The question was closed"),
        ("throw new DOMException('', 'NotFoundError')", "No microphone found"),
        ("throw new DOMException('', 'NotReadableError')", "The microphone is in use"),
    ],
)
def test_a_microphone_that_fails_is_explained(
    site: RoomSite, browser: Browser, broken: str, headline: str
) -> None:
    with new_page(browser, **PHONE) as page:
        page.add_init_script(f"navigator.mediaDevices.getUserMedia = async () => {{ {broken} }}")
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#sound-problem b")).to_have_text(headline)
        page.click("#sound-again")
        expect(page.locator("#sound-problem")).to_be_visible()


def test_a_page_without_https_says_so(site: RoomSite, browser: Browser) -> None:
    with new_page(browser, **PHONE) as page:
        page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#sound-problem b")).to_have_text("This page is not secure")


def test_the_time_is_the_visitor_s(
    site: RoomSite,
    browser: Browser,
    sessions: sessionmaker[Session],
    tmp_path: Path,  # noqa: ARG001
) -> None:
    from datetime import UTC, datetime

    with sessions.begin() as session:
        event = session.scalars(select(Event).where(Event.url_name == "town-hall")).one()
        event.starts_at = datetime(2030, 7, 1, 14, 0, tzinfo=UTC)
        event.timezone, event.permanent_room = "America/New_York", False
    assert "10:00 (America/New York)" in httpx.get(f"{site.url}/town-hall").text
    with new_page(browser, timezone_id="Asia/Tokyo") as page:
        page.goto(f"{site.url}/town-hall")
        expect(page.locator("#when")).to_contain_text("Monday")
        expect(page.locator("#when")).to_contain_text("23:00")
