"""A customer in Chromium: signs in, tops up on the test provider's pages, comes back and sees the balance."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import chromium, new_page
from tests.support.till import Till

pytestmark = pytest.mark.acceptance


def sign_in(page: Page, till: Till) -> None:
    text = till.product.text
    email, password = (re.search(rf"{label}\s+(\S+)", text) for label in ("  account", "  password"))
    assert email is not None
    assert password is not None
    page.goto(f"{till.product.url}/billing")
    page.fill("input[name=email]", email[1])
    page.fill("input[name=password]", password[1])
    page.click("main button[type=submit]")
    page.wait_for_url("**/billing")


def begin(page: Page, till: Till, amount: str) -> str:
    """Fill in the form of the top-up and arrive at the provider's page; the form's address."""
    page.goto(f"{till.product.url}/billing/top-up")
    form = page.url
    page.check("input[name=amount][value=other]", force=True)
    page.fill("input[name=other_amount]", amount)
    page.click("main form button[type=submit]")
    page.wait_for_url(re.compile(r"/pay/"))
    expect(page.locator(".banner")).to_contain_text("no money moves")
    return form


def test_a_top_up_through_the_pages_of_the_provider(till: Till) -> None:
    before = till.kinds()["top_up"]
    with chromium() as browser, new_page(browser) as page:
        sign_in(page, till)
        form = begin(page, till, "17.35")
        expect(page.locator(".amount")).to_contain_text("17.35")
        page.click("button")
        page.wait_for_url("**/billing/top-ups/*")
        expect(page.locator("h1")).to_contain_text("17.35")
        assert till.kinds()["top_up"] == before + 1

        # The back button, a reload, and the same form once more: no second payment.
        page.reload()
        page.goto(form)
        page.wait_for_url("**/billing/top-ups/*")
        expect(page.locator("h1")).to_contain_text("17.35")
        assert till.kinds()["top_up"] == before + 1

        balance = till.get("balance")["available"]
        page.goto(f"{till.product.url}/billing")
        expect(page.locator("main")).to_contain_text(balance)
        page.goto(f"{till.product.url}/billing/cards")
        expect(page.locator("main")).to_contain_text("4242")


@pytest.mark.slow
def test_declined_confirmed_and_given_up(till: Till) -> None:
    before = till.kinds()["top_up"]
    with chromium() as browser, new_page(browser) as page:
        sign_in(page, till)
        begin(page, till, "12")
        page.check("input[name=outcome][value=decline]")
        page.click("button")
        page.wait_for_url("**/billing/top-ups/*")
        expect(page.locator("h1")).to_contain_text("did not go through")

        begin(page, till, "13")
        page.check("input[name=outcome][value=cancel]")
        page.click("button")
        page.wait_for_url("**/billing/top-ups/*")
        expect(page.locator("h1")).to_contain_text("Waiting")
        assert till.kinds()["top_up"] == before

        begin(page, till, "14")
        page.check("input[name=outcome][value=confirm]")
        page.click("button")
        page.click("button[value=yes]")
        page.wait_for_url("**/billing/top-ups/*")
        expect(page.locator("h1")).to_contain_text("14.00")
        assert till.kinds()["top_up"] == before + 1

        # Paid, but the way back was lost: the page of the top-up finds out by itself.
        begin(page, till, "15")
        page.check("input[name=outcome][value=timeout]")
        page.click("button")
        expect(page.locator("h1")).to_contain_text("Time is over")
        page.goto(f"{till.product.url}/billing")
        till.product.wait_for(lambda: till.kinds()["top_up"] == before + 2, "the payment")
    assert till.mismatches() == []
