"""In Chromium, under the pages' real Content Security Policy: paying in by clicks; pages that fit a phone."""

from __future__ import annotations

from dataclasses import replace

from playwright.sync_api import Page, expect

from tests.billing.payments.server import free_socket, serving, url_of
from tests.support.billing_house import PASSWORD
from tests.support.browser import PHONE, chromium, new_page
from tests.web.site.billing.conftest import Rooms
from tests.web.site.conftest import create_site


def enter(page: Page, base: str, email: str) -> None:
    page.goto(f"{base}/sign-in?next=/billing")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/billing")


def test_paying_by_clicks_and_going_back(rooms: Rooms) -> None:
    sock = free_socket()
    base = url_of(sock)
    rooms.house.scene.cashier._public_url = base
    app = create_site(replace(rooms.house.services, public_url=base))
    with serving(app, sock), chromium() as browser:
        with new_page(browser) as page:
            enter(page, base, rooms.bob.person.email)
            page.click("text=Top up")
            page.click("text=Another amount")
            page.fill("input[name=other_amount]", "12.50")
            page.click("text=Go on to the payment")
            page.wait_for_url("**/pay/**")
            page.click("button")
            page.wait_for_url("**/billing/top-ups/*")
            expect(page.locator("h1")).to_have_text("€12.50 is paid")
            page.go_back()
            page.go_back()
            page.wait_for_load_state("networkidle")
            assert rooms.house.scene.transactions("top_up") == 2  # Ann's, and this one

            page.goto(f"{base}/billing/estimate")
            page.fill("[data-estimate-field=participants]", "100")
            expect(page.locator("[data-estimate-result] .big-amount")).to_have_text("€262.80")
            page.goto(f"{base}/events/new")
            page.click("label[for=f-settings-toll_free_enabled]")
            expect(page.locator("[data-estimate-part] .big-amount")).to_be_visible()
            page.select_option("select[name=duration]", "2:00")
            expect(page.locator("[data-estimate-part] dt").first).to_contain_text("120 min")
        with new_page(browser, **PHONE) as page:
            enter(page, base, rooms.ann.person.email)
            charge = f"/transactions/{rooms.charge}"
            for path in ("", "/top-up", "/transactions", charge, f"{charge}/calls", f"/calls/{rooms.call}",
                         "/cards", "/profile", "/invoices", "/statement", "/estimate"):  # fmt: skip
                page.goto(f"{base}/billing{path}")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
