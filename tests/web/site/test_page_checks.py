"""All pages around an event, looked at by a machine: contrast in light and dark, labels, headings, focus,
targets, order of the Tab key, and nothing wider than a phone.

In French, whose words are longer. The checks are in tests/support/page_checks.js.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.billing.payments.server import free_socket, serving, url_of
from tests.support import lifecycle_house
from tests.support.billing_house import PASSWORD, open_house
from tests.support.browser import DESKTOP, PHONE, chromium, new_page
from tests.support.gate import MemoryGate
from tests.support.lifecycle_house import CONTACTS_CSV, PASTED, Lifecycle, Sold
from tests.web.site.conftest import create_site
from web import join_routes
from web import socket as live_socket
from web.services import Services

CHECKS = (Path(__file__).parents[2] / "support" / "page_checks.js").read_text()
NARROW = {"width": PHONE["viewport"]["width"], "height": PHONE["viewport"]["height"]}  # type: ignore[index]
LIKE_A_PHONE = {"structure": False, "contrast": False, "focus": False, "layout": True}


def lifecycle_site(services: Services, url: str) -> tuple[FastAPI, Services]:
    """The pages at `url`, with the rooms behind them."""
    gate = MemoryGate(services.live, clock=time.monotonic)
    known = replace(services, public_url=url, gate=gate)
    app = create_site(known)
    app.include_router(join_routes.router)
    app.include_router(live_socket.router)
    return app, known


def enter(page: Page, url: str) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("input[name=email]", "ann@example.org")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/events")


def faults(page: Page, what: str) -> list[str]:
    """What is wrong with the page that is open, on a desktop in light and dark and on a phone."""
    page.wait_for_load_state()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(DESKTOP["viewport"])  # type: ignore[arg-type]
    every = {"language": "fr", "structure": True, "contrast": True, "focus": True, "layout": True}
    found: list[tuple[str, str]] = [(what, one) for one in page.evaluate(CHECKS, every)]
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    found += [(f"{what}, phone", one) for one in page.evaluate(CHECKS, LIKE_A_PHONE)]
    for width in (700, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((what, f"wider than a screen of {width} px"))
    page.emulate_media(color_scheme="dark")
    dark = {**LIKE_A_PHONE, "layout": False, "contrast": True}
    found += [(f"{what}, dark", one) for one in page.evaluate(CHECKS, dark)]
    return [f"{where}: {one}" for where, one in found]


def deeds(page: Page, url: str, life: Lifecycle) -> list[str]:
    """Pages that come of a form: a preview with faults, a file with faults, a form sent empty."""
    found = []
    page.goto(f"{url}/events/{life.planned}/invitations")
    page.fill("textarea[name=addresses]", PASTED)
    page.click("button[value=preview]")
    page.wait_for_selector("button[value=send]")
    found += faults(page, "preview")
    page.goto(f"{url}/contacts/import")
    file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": CONTACTS_CSV}
    page.set_input_files("input[type=file]", [file])  # type: ignore[list-item]
    page.click("main form .btn.primary")
    page.wait_for_selector("main [role=status]")
    found += faults(page, "imported")
    page.goto(f"{url}/events/new")
    page.fill("input[name=name]", "x")
    page.fill("input[name=starts_at]", "2036-05-01T12:30")
    page.click("main .btn.primary")
    page.wait_for_selector(".error")
    return found + faults(page, "refused")


def look_at_all(page: Page, url: str, life: Lifecycle, sold: Sold) -> list[str]:
    wrong: list[str] = []
    guests = {**lifecycle_house.guest_pages(life), "ticket": sold.ticket, "bought": sold.bought}
    for name, path in guests.items():
        page.goto(f"{url}{path}")
        wrong += faults(page, name)
    enter(page, url)
    page.goto(f"{url}/events?lang=fr")
    for name, path in {**lifecycle_house.pages(life), "tickets": sold.tickets}.items():
        page.goto(f"{url}{path}")
        wrong += faults(page, name)
    return wrong + deeds(page, url, life)


@pytest.mark.slow
def test_nothing_is_wrong_that_a_machine_can_see(engine: Engine, sessions: sessionmaker[Session]) -> None:
    sock = free_socket()
    url = url_of(sock)
    wrong: list[str] = []
    with open_house(engine, sessions) as house:
        ann = house.account("ann@example.org")
        app, known = lifecycle_site(house.services, url)
        life = lifecycle_house.fill(known, account_id=ann.account_id, now=known.now(), audience=60)
        sold = lifecycle_house.sell_tickets(house, account_id=ann.account_id, now=known.now())
        with serving(app, sock), chromium() as browser, new_page(browser, locale="fr-FR") as page:
            wrong += look_at_all(page, url, life, sold)
    assert wrong == []
