"""A paid event by the front door: planned, bought at the test provider's page, entered by link and by PIN."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.caller import Office
from tests.phones.visitor import Chromiums
from tests.support.post_office import PostOffice
from tests.support.product import Product

pytestmark = pytest.mark.acceptance

PARIS = ZoneInfo("Europe/Paris")
ZOE = "zoe.pays@example.org"


def test_a_ticket_is_bought_and_lets_in_its_buyer(
    organiser: Organiser, product: Product, post: PostOffice, browsers: Chromiums, office: Office
) -> None:
    starts = datetime.now(PARIS).replace(second=0, microsecond=0) + timedelta(minutes=20)
    room = organiser.plan(
        "Masterclass",
        starts_at=starts.strftime("%Y-%m-%dT%H:%M"),
        timezone="Europe/Paris",
        access_type="4",
        **{"ticket[price]": "12.50", "ticket[currency]": "EUR", "ticket[capacity]": "2"},
    )
    facts = product.get(f"/v1/conferences/{room.id}")["conference"]
    assert facts["access_type"] == 4
    assert facts["ticket"] == {"price": "12.50", "currency": "EUR", "capacity": 2, "sold": 0}

    # The shared PIN of guests opens nothing, and the entrance sends people to the till.
    stranger = office.caller("stranger")
    stranger.dial()
    stranger.press(f"{room.listener_pin}#")
    zoe = browsers.visitor("Zoé", room)
    zoe.page.goto(zoe.address)
    zoe.page.locator("#buy-a-ticket a").click()
    zoe.page.fill("input[name=first_name]", "Zoé")
    zoe.page.fill("input[name=last_name]", "Martin")
    zoe.page.fill("input[name=email]", ZOE)
    zoe.page.locator("#buy button[type=submit]").click()
    zoe.page.wait_for_url(re.compile("/pay/"))
    zoe.page.get_by_role("button", name="Go on").click()
    zoe.page.wait_for_url(re.compile("/tickets/"))
    zoe.page.wait_for_selector("#ticket-state[data-state=paid]", timeout=20_000)

    letter = post.letter(ZOE)
    assert letter.subject == "Your ticket: Masterclass"
    assert "€12.50" in letter.text
    assert letter.entry["SUMMARY"] == "Masterclass"
    zoe.page.goto(letter.link("?t="))
    zoe.fill_in(way="listen", email=ZOE)
    zoe.here()
    seat = zoe.participant_id
    mobile = office.caller("mobile")
    mobile.dial()
    mobile.press(f"{letter.pin}#")
    zoe.becomes(id=seat, devices=["phone", "web"], sound="phone")
    assert [one["id"] for one in room.people()] == [seat], "whoever did not pay stays outside"

    organiser.open(f"/events/{room.id}/tickets")
    row = organiser.row(ZOE).inner_text()
    assert "€12.50" in row
    assert "Paid" in row
    assert letter.pin not in re.sub(r"\s", "", row)
    (ticket,) = product.get(f"/v1/conferences/{room.id}/tickets")["tickets"]
    assert (ticket["state"], ticket["amount"], ticket["email"]) == ("valid", "12.50", ZOE)
    assert len(post.letters(ZOE)) == 1
