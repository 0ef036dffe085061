"""How people find in: by number, by address, on a small screen, with a password, in French."""

from __future__ import annotations

import pytest

from tests.phones.visitor import Chromiums
from tests.support.browser import PHONE
from tests.support.product import Product

pytestmark = pytest.mark.acceptance


def test_by_the_number_of_the_event_on_a_telephones_screen(browsers: Chromiums, product: Product) -> None:
    room = product.new_room("Found by number")
    digits = str(room.facts()["room_pin"])
    zoe = browsers.visitor("zoe", room, **PHONE)
    zoe.page.goto(f"{product.url}/join")
    field = zoe.page.locator("main form input:not([type=hidden])").first
    field.fill(f"{digits[:3]} {digits[3:6]} {digits[6:]}")
    field.press("Enter")
    zoe.page.wait_for_url(f"**/{room.facts()['name_url']}")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert zoe.page.evaluate(wide)
    zoe.fill_in(way="listen")
    zoe.here()
    zoe.becomes(connected=True)
    assert zoe.page.evaluate(wide)
    zoe.page.tap("#tab-people")
    zoe.sees(zoe.row(zoe.participant_id) + " .name", "zoe")
    for button in ("#mute", "#hand", "#leave"):
        box = zoe.page.locator(button).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40, (button, box)
    zoe.page.tap("#leave")
    zoe.page.tap("#dialog-leave button[value=ok]")
    zoe.shows("#room[data-phase=left]")
    assert room.people() == []


def test_a_number_that_nobody_has(browsers: Chromiums, product: Product) -> None:
    zoe = browsers.visitor("zoe", product.new_room("Not this one"))
    zoe.page.goto(f"{product.url}/join")
    field = zoe.page.locator("main form input:not([type=hidden])").first
    field.fill("999 999 999")
    field.press("Enter")
    zoe.sees("[role=alert], .error")
    assert zoe.page.url.split("?")[0].endswith("/join")


def test_a_password_and_a_presenters_pin(browsers: Chromiums, product: Product) -> None:
    room = product.new_room("Behind a password", access_type=2, password="correct horse")
    zoe = browsers.visitor("zoe", room)
    zoe.knock(way="listen", password="wrong horse")
    zoe.sees("#refused", "password")
    assert zoe.page.input_value("#name") == "zoe"
    assert room.people() == []
    zoe.page.fill("#password", "correct horse")
    zoe.click("#enter")
    zoe.here()
    zoe.becomes(role="participant")

    wes = browsers.visitor("wes", room)
    wes.page.goto(wes.address)
    wes.click(".join-presenter summary")
    wes.page.fill("#pin", room.presenter_pin)
    wes.page.evaluate("document.getElementById('password').required = false")
    wes.fill_in(way="listen")
    wes.here()
    wes.becomes(role="presenter")


def test_in_french(browsers: Chromiums, product: Product) -> None:
    room = product.new_room("Réunion d'été")
    zoe = browsers.visitor("zoé", room, locale="fr-FR")
    zoe.knock(way="listen")
    zoe.here()
    assert zoe.page.get_attribute("html", "lang") == "fr"
    zoe.sees("#event-name", "Réunion d'été")
    zoe.sees("#waiting-title", "commence bientôt")
    room.order("start")
    zoe.sees("#badge-mode", "")
    text, english = zoe.page.inner_text("#room"), ("People", "Questions in", "Leave", "Listen only", "Unmute")
    assert [word for word in english if word in text] == []
