"""The organiser with their browser: signs in, plans events, invites, approves, looks at what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page, expect

from tests.phones.caller import until
from tests.phones.visitor import Visitor
from tests.support.product import Product, Room


class Organiser:
    """Everything here is done through pages, as a person does."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.product: Product = visitor.room.product

    @property
    def page(self) -> Page:
        return self.visitor.page

    def open(self, path: str) -> Page:
        """Go to a page of the house."""
        self.page.goto(f"{self.product.url}{path}")
        return self.page

    def sign_in(self) -> Organiser:
        """With the address and the password that the first start has printed."""
        page = self.open("/events")
        for field in ("account", "password"):
            found = re.search(rf"^\s+{field}\s+(\S+)", self.product.text, re.MULTILINE)
            assert found is not None
            page.fill(f"input[name={'email' if field == 'account' else field}]", found[1])
        page.click("main button[type=submit]")
        page.wait_for_url("**/events")
        return self

    def plan(self, name: str, **choices: str) -> Room:
        """Fill in the form of a new event; it must be taken. `choices`: see `fill_in`."""
        page = self.open("/events/new")
        page.fill("input[name=name]", name)
        self.fill_in(choices)
        page.get_by_role("button", name="Plan it").click()
        self.told("created")
        room_id = re.search(r"/events/(\d+)", page.url)
        assert room_id is not None
        facts = self.product.get(f"/v1/conferences/{room_id[1]}")["conference"]
        return Room(
            self.product,
            room_id[1],
            presenter_pin=str(facts["phone_presenter_pin"]),
            listener_pin=str(facts["phone_listener_pin"]),
        )

    def told(self, notice: str) -> None:
        """Wait for the page that says that something is done."""
        self.page.wait_for_url(re.compile(rf"[?&]done={notice}\b"))
        expect(self.page.locator(".page-notice")).to_be_visible()

    def fill_in(self, choices: Mapping[str, str]) -> None:
        """Fields of the form that is open: text, a choice of a list, a card (`access_type`), a switch."""
        for name, value in choices.items():
            field = self.page.locator(f'main [name="{name}"]:not([type=hidden])')
            kind = field.first.evaluate("one => one.type")
            if kind == "radio":
                self.page.locator(f'label:has(input[name="{name}"][value="{value}"])').click()
            elif kind == "checkbox":
                field.set_checked(value == "1", force=True)
            elif kind == "select-one":
                field.select_option(value)
            else:
                field.fill(value)

    def change(self, room: Room, **choices: str) -> None:
        """Fill in the form of an event that is there."""
        page = self.open(f"/events/{room.id}/edit")
        self.fill_in(choices)
        page.get_by_role("button", name="Save", exact=True).click()
        self.told("changed")

    def preview(self, room: Room, addresses: str, **choices: str) -> str:
        """Name people to invite; the mail as the page shows it before it is sent."""
        page = self.open(f"/events/{room.id}/invitations")
        page.fill("textarea[name=addresses]", addresses)
        self.fill_in(choices)
        page.get_by_role("button", name="Check and preview").click()
        return page.locator("pre.block").inner_text()

    def send(self) -> None:
        """What is previewed."""
        self.page.locator("button[name=do][value=send]").click()
        self.told("invited")

    def invite(self, room: Room, addresses: str, **choices: str) -> None:
        self.preview(room, addresses, **choices)
        self.send()

    def reads(self, row: str, text: str) -> None:
        """Reload the page until this row has this in it: what leaves by mail takes a moment."""

        def there() -> bool:
            self.page.reload()
            return text in self.row(row).inner_text()

        until(there, lambda: f"“{text}” is not in the row of {row}", within_s=30)

    def row(self, text: str) -> Any:
        """The row of the table with this in it; there must be one."""
        found = self.page.locator("main table tbody tr").filter(has_text=text)
        expect(found).to_have_count(1)
        return found
