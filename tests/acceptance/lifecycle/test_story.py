"""The life of a webinar: planned, invited to, attended by browser and telephone, ended, thanked for, looked at."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.caller import Office, until
from tests.phones.visitor import Chromiums
from tests.support.post_office import Letter, PostOffice
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

PARIS = ZoneInfo("Europe/Paris")
ZOE = "zoe@example.org"
PASTED = f"""Zoé Martin <{ZOE}>
nobody at example dot org
{ZOE}, paul@example.org
"""


def test_a_webinar_with_tokens_from_its_date_to_its_thanks(
    organiser: Organiser, product: Product, post: PostOffice, browsers: Chromiums, office: Office
) -> None:
    starts = datetime.now(PARIS).replace(second=0, microsecond=0) + timedelta(minutes=20)
    room = organiser.plan(
        "Résultats & chiffres",
        starts_at=starts.strftime("%Y-%m-%dT%H:%M"),
        duration="0:45",
        timezone="Europe/Paris",
        access_type="3",
        **{"settings[phonegateway_enabled]": "1"},
    )
    letter = invited(organiser, room, post, starts)

    # The mail's link, in a browser.
    zoe = browsers.visitor("Zoé", room, locale="fr-FR")
    zoe.page.goto(letter.link("?t="))
    zoe.fill_in(way="listen")
    zoe.here()
    zoe.sees("#waiting")
    seat = zoe.participant_id

    # It begins by a key, and she is in it by herself; then she dials with the mail's PIN.
    ann = office.caller("ann")
    ann.dial()
    ann.enter(room, room.presenter_pin)
    ann.press("7")
    room.becomes(started=True)
    zoe.shows("#waiting[hidden]")
    mobile = office.caller("mobile")
    mobile.dial()
    mobile.press(f"{letter.pin}#")
    zoe.becomes(id=seat, devices=["phone", "web"], sound="phone")
    assert sorted(one["role"] for one in room.people()) == ["participant", "presenter"]

    # It ends.
    ann.press("9")
    for each in (ann, mobile):
        each.hung_up_on()
    zoe.page.wait_for_url("**/thanks", timeout=20_000)


def invited(organiser: Organiser, room: Room, post: PostOffice, starts: datetime) -> Letter:
    """People are invited on the page; the mail to Zoé, which is checked."""
    shown = organiser.preview(room, PASTED, language="fr", note="À tout de suite !")
    assert "Résultats & chiffres" in shown
    problems = organiser.page.locator("main form.card").inner_text()
    assert "Line 2" in problems
    assert ZOE in problems
    organiser.send()
    letter = post.letter(ZOE)
    assert letter.subject == "Invitation : Résultats & chiffres"
    assert "Bonjour Zoé Martin" in letter.text
    return letter
