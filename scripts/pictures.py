"""Take the pictures of pages for the documentation.

    PYTHONPATH=.:platform .venv/bin/python scripts/pictures.py [name ...]

A house full of calls, top-ups and charges, whose events have guests, registrations and a past, is made with
the real services, as the tests make it. Its pages are opened in Chromium: on a desktop and on a telephone, in
English and in French, a few in the dark. With names only the pictures whose names begin so are taken.
Pictures of the room are taken by its own tests.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from accounts.users import Role, find_user, set_roles
from database import migrate
from database.engine import create_engine, make_sessions
from tests.billing.payments.server import free_socket, serving, url_of
from tests.support import lifecycle_house
from tests.support.billing_house import NOW, PASSWORD, BillingHouse, Person, open_house
from tests.support.browser import DESKTOP, PHONE, chromium, new_page
from tests.support.gate import MemoryGate
from tests.support.lifecycle_house import AGENDA, CONTACTS_CSV, LOBBY, PASTED, Lifecycle, Sold
from tests.support.product import Product
from tests.support.room_site import GATEWAYS
from tests.web.site.conftest import create_site
from web import join_routes
from web import socket as live_socket

PICTURES = Path(__file__).parents[1] / "docs" / "img" / "pages"
QUALITY = 62
"""Of WebP: words stay sharp, and a page takes 20 to 40 kB."""
DARK = ("event", "statistics", "register", "waiting-room")
WAYS: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("", DESKTOP, "en"), ("-phone", PHONE, "en"), ("-fr", DESKTOP, "fr"), ("-phone-fr", PHONE, "fr"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Takes the page that is open when its picture is wanted; `kind` ends the name of the file."""

    page: Page
    kind: str
    wanted: tuple[str, ...]

    def wants(self, name: str) -> bool:
        return not self.wanted or any(name.startswith(one) for one in self.wanted)

    def take(self, name: str) -> None:
        """Into `docs/img/pages`; dark as well for some."""
        self.page.wait_for_load_state("networkidle")
        self._save(f"{name}{self.kind}")
        if name in DARK and self.kind in ("", "-phone-fr"):
            self.page.emulate_media(color_scheme="dark")
            self._save(f"{name}{self.kind}-dark")
            self.page.emulate_media(color_scheme="light")

    def _save(self, name: str) -> None:
        png = Image.open(io.BytesIO(self.page.screenshot(animations="disabled")))
        png.convert("RGB").save(PICTURES / f"{name}.webp", quality=QUALITY, method=6)


def money_pages(house: BillingHouse, big: int) -> Mapping[str, str]:
    """Pages about money and of the staff: name → path."""
    charge = house.charge_of(big)
    with house.sessions() as session:
        call = house.calls.of_session(session, big)[0].cdr_id
    return {
        "billing": "/billing",
        "top-up": "/billing/top-up",
        "transactions": "/billing/transactions",
        "transaction": f"/billing/transactions/{charge}",
        "explained": f"/billing/calls/{call}",
        "calculator": "/billing/estimate",
        "staff-calls": "/staff/calls",
        "staff-call": f"/staff/calls/{call}",
        "staff-rates": "/staff/rates",
        "staff-charts": "/staff/charts",
    }


def fill(house: BillingHouse) -> tuple[Person, int, Lifecycle, Sold]:
    """Ann's account with money and events; the session of the largest charge."""
    ann = house.account("ann@example.org", event="Quarterly results")
    house.company(ann)
    house.now = NOW - timedelta(days=40)
    house.top_up(ann, 2_000, save_card=True)
    for days in (38, 21, 12, 9):
        house.session(ann, at=NOW - timedelta(days=days), calls=9, minutes=45)
    big = house.session(ann, at=NOW - timedelta(days=3), calls=14, minutes=60)
    house.now = NOW
    house.scene.runner.run_once(NOW)
    house.invoice(ann)
    life = lifecycle_house.fill(house.services, account_id=ann.account_id, now=NOW)
    sold = lifecycle_house.sell_tickets(house, account_id=ann.account_id, now=NOW)
    return ann, big, life, sold


def deeds(url: str, life: Lifecycle) -> Mapping[str, Callable[[Page], None]]:
    """Pages that come of a deed: name → the deed."""

    def preview(page: Page) -> None:
        page.goto(f"{url}/events/{life.planned}/invitations")
        page.fill("textarea[name=addresses]", PASTED)
        page.click("button[value=preview]")
        page.wait_for_selector("button[value=send]")

    def imported(page: Page) -> None:
        page.goto(f"{url}/contacts/import")
        file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": CONTACTS_CSV}
        page.set_input_files("input[type=file]", [file])  # type: ignore[list-item]
        page.click("main form .btn.primary")
        page.wait_for_selector("main [role=status]")

    def refused(page: Page) -> None:
        page.goto(f"{url}/events/new")
        page.fill("input[name=name]", "Another launch")
        page.fill("input[name=starts_at]", "2026-12-01T14:30")
        page.click("main .btn.primary")
        page.wait_for_selector(".error")

    return {"invitations-preview": preview, "contacts-imported": imported, "event-refused": refused}


def waiting_rooms(browser: Browser, product: Product) -> Iterator[str]:
    """The waiting room of the running product, with its music, as a guest sees it."""
    begins = datetime.now(UTC) + timedelta(days=2)
    wishes = {
        "name": "Product launch: what changes in 2027", "timezone": "Europe/Paris", "duration": "1:00",
        "starts_at": begins.strftime("%Y-%m-%dT14:00"), "agenda": AGENDA,
        "lobby_enabled": 1, "lobby_description": LOBBY,
    }  # fmt: skip
    answer = product.send("POST", "/v1/conferences", wishes)
    address = answer.json()["room"]["room_url"]
    for kind, options, language in WAYS:
        with new_page(browser, **options, locale={"en": "en-GB", "fr": "fr-FR"}[language]) as page:
            page.goto(f"{product.url}/{address.rpartition('/')[2]}")
            page.fill("#name", "Élodie Martin")
            page.fill("#email", "elodie.martin@example.org")
            page.locator("input[name=way][value=listen]").check()
            page.click("#enter")
            page.wait_for_selector("#room[data-phase=live]")
            page.locator("#banner").wait_for(state="hidden")
            Camera(page=page, kind=kind, wanted=()).take("waiting-room")
            yield "waiting-room"


def take_all(
    browser: Browser, url: str, life: Lifecycle, shown: tuple[Mapping[str, str], ...]
) -> Iterator[str]:
    """Take what is wanted of the pages of guests, of organisers and of money, the last in English only; the
    names as they are taken.
    """
    guests, pages, money = shown
    wanted = tuple(sys.argv[1:])
    for kind, options, language in WAYS:
        locale = {"en": "en-GB", "fr": "fr-FR"}[language]
        with new_page(browser, **options, locale=locale) as page:
            page.clock.set_fixed_time(NOW)
            camera = Camera(page=page, kind=kind, wanted=wanted)
            for name, path in guests.items():
                if camera.wants(name):
                    page.goto(f"{url}{path}")
                    camera.take(name)
                    yield name
        with new_page(browser, **options, locale=locale) as page:
            camera = Camera(page=page, kind=kind, wanted=wanted)
            page.goto(f"{url}/sign-in")
            page.fill("input[name=email]", "ann@example.org")
            page.fill("input[name=password]", PASSWORD)
            page.click("main button[type=submit]")
            page.wait_for_url("**/events")
            page.goto(f"{url}/events?lang={language}")
            own = {**pages, **money} if language == "en" else pages
            for name, path in own.items():
                if camera.wants(name):
                    page.goto(f"{url}{path}")
                    camera.take(name)
                    yield name
            for name, deed in deeds(url, life).items():
                if camera.wants(name):
                    deed(page)
                    camera.take(name)
                    yield name


def main() -> None:
    """Make the house, take the pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/pictures.db"
        migrate.upgrade(address)
        engine = create_engine(address)
        with open_house(engine, make_sessions(engine)) as house:
            sock = free_socket()
            url = url_of(sock)
            gate = MemoryGate(house.services.live, clock=time.monotonic)
            house.services = replace(house.services, public_url=url, gate=gate, gateways=GATEWAYS)
            ann, big, life, sold = fill(house)
            with house.sessions.begin() as session:
                set_roles(session, find_user(session, ann.email), [Role.ORGANISER, Role.BILLING])
            app = create_site(house.services)
            app.include_router(join_routes.router)
            app.include_router(live_socket.router)
            pages = {**lifecycle_house.pages(life), "tickets": sold.tickets}
            guests = {
                **lifecycle_house.guest_pages(life),
                "ticket": sold.ticket,
                "ticket-bought": sold.bought,
            }
            money = money_pages(house, big)
            with serving(app, sock), chromium() as browser:
                taken = list(take_all(browser, url, life, (guests, pages, money)))
            print(f"{len(taken)} pages in {PICTURES}")
        engine.dispose()
        if not sys.argv[1:] or "waiting-room" in sys.argv[1:]:
            with Product(Path(folder)) as product, chromium() as browser:
                print(f"{len(list(waiting_rooms(browser, product)))} waiting rooms")


if __name__ == "__main__":
    main()
