"""The form of a look in Chromium: the preview follows, and a colour that cannot be read is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.service import create_account
from accounts.users import create_user
from database.types import now_utc
from events import colours
from tests.billing.payments.server import free_socket, serving, url_of
from tests.support.browser import DESKTOP, chromium, new_page
from tests.web.site.conftest import PASSWORD, create_site
from tests.web.site.skins.test_pages import png
from web.services import Services

expect.set_options(timeout=10_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(services: Services, browser: Browser) -> Iterator[Page]:
    """Ann's browser, signed in, at the form of a new look."""
    with services.sessions.begin() as session:
        account = create_account(session, email="ann@example.org", now=now_utc()).account
        create_user(session, account_id=account.id, email="ann@example.org", password=PASSWORD, now=now_utc())
    sock = free_socket()
    base = url_of(sock)
    with serving(create_site(replace(services, public_url=base)), sock), new_page(browser, **DESKTOP) as page:
        page.goto(f"{base}/sign-in?next=/skins/new")
        page.fill("input[name=email]", "ann@example.org")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.wait_for_url("**/skins/new")
        yield page


def test_the_nearest_colour_is_taken_and_files_stay(page: Page) -> None:
    page.fill("#f-name", "Berry")
    page.set_input_files("#f-logo", {"name": "logo.png", "mimeType": "image/png", "buffer": png()})
    page.fill("#f-accent", "#ffd400")
    expect(page.locator("#contrast")).to_contain_text("cannot be read: contrast 1.4")
    expect(page.locator("#instead button")).to_contain_text(colours.nearest_reading("#ffd400", colours.WHITE))
    page.click("#instead button")
    expect(page.locator("#contrast")).to_contain_text("can be read")
    expect(page.locator("#instead")).to_be_hidden()
    page.fill("#f-background", "#1d2f6f")
    expect(page.locator("[data-skin=band]").first).to_have_attribute("fill", "#1d2f6f")
    expect(page.locator("[data-skin=name]")).to_have_attribute("fill", "#ffffff")
    expect(page.locator("[data-skin=name]")).to_have_text("Berry")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="The look is made.")).to_be_visible()
    shown = page.locator("image[data-skin=logo]")
    expect(shown).to_have_attribute("href", re.compile(r"^/look/[\w-]+/logo-[0-9a-f]{24}\.png$"))


def test_page_and_server_find_the_same_colour(page: Page) -> None:
    for typed in ("#ff6600", "#00aaff", "#9ad", "ffffff", "#e5f1c9", "#808080"):
        page.fill("#f-accent", typed)
        wanted = colours.nearest_reading(colours.parse_colour("#" + typed.lstrip("#")), colours.WHITE)
        found = page.locator("#instead button").get_attribute("value") or ""
        assert colours.reads_on(found, colours.WHITE)
        steps = [abs(int(found[at : at + 2], 16) - int(wanted[at : at + 2], 16)) for at in (1, 3, 5)]
        assert max(steps) <= 1, (typed, found, wanted)
