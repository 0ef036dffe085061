"""The life of a webinar: planned, invited to, attended by browser and telephone, ended, thanked for."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from reports.session_pdf import duration
from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.caller import Office
from tests.phones.visitor import Chromiums, Visitor
from tests.support.pdf_text import texts_of
from tests.support.post_office import Letter, PostOffice
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

PARIS = ZoneInfo("Europe/Paris")
NAME, ZOE = "Résultats & chiffres", "zoe@example.org"
PASTED = f"""Zoé Martin <{ZOE}>
nobody at example dot org
{ZOE}, paul@example.org
"""
NOTE = "À tout de suite !"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Seconds that something took, as the test knows it from outside: at least, and at most."""

    least_s: float
    most_s: float

    def fits(self, length_s: float) -> bool:
        return self.least_s <= length_s <= self.most_s


def test_a_webinar_with_tokens_from_its_date_to_its_thanks(
    organiser: Organiser, product: Product, post: PostOffice, browsers: Chromiums, office: Office
) -> None:
    starts = datetime.now(PARIS).replace(second=0, microsecond=0) + timedelta(minutes=20)
    room = organiser.plan(
        NAME,
        starts_at=starts.strftime("%Y-%m-%dT%H:%M"),
        duration="0:45",
        timezone="Europe/Paris",
        access_type="3",
        **{"settings[phonegateway_enabled]": "1"},
    )
    letter = invited(organiser, room, post)
    as_it_should_be_read(letter, product, starts)

    # The mail's link, in a browser: she waits, and is in it by herself when a key has begun it.
    zoe = browsers.visitor("Zoé", room, locale="fr-FR")
    zoe.page.goto(letter.link("?t="))
    knocked_s = time.monotonic()
    zoe.fill_in(way="listen", email=ZOE)
    zoe.here()
    zoe.sees("#waiting")
    came_s = time.monotonic()
    seat = zoe.participant_id
    ann = office.caller("ann")
    ann.dial()
    ann.enter(room, room.presenter_pin)
    zoe.sees("#waiting")
    ann.press("7")
    room.becomes(started=True)
    zoe.shows("#waiting[hidden]")

    # The mail's PIN, from a telephone: the same person, once in the list.
    mobile = office.caller("mobile")
    mobile.dial()
    typed_s = time.monotonic()
    mobile.press(f"{letter.pin}#")
    zoe.becomes(id=seat, devices=["phone", "web"], sound="phone")
    linked_s = time.monotonic()
    assert zoe.names == ["Correspondant, Paris", "Zoé"]
    assert [one["role"] for one in room.people()] == ["participant", "presenter"]

    pressed_s = time.monotonic()
    ann.press("9")
    for each in (ann, mobile):
        each.hung_up_on()
    ended_s = time.monotonic()
    zoe.page.wait_for_url("**/thanks", timeout=20_000)
    rated(zoe)

    all_agree(
        room,
        organiser,
        seat=seat,
        by_browser=Seen(least_s=pressed_s - came_s, most_s=ended_s - knocked_s),
        by_phone=Seen(least_s=pressed_s - linked_s, most_s=ended_s - typed_s),
    )
    organiser.open(f"/events/{room.id}/tokens")
    assert "Browser" in organiser.row(ZOE).inner_text()
    thanked(post, browsers)


def invited(organiser: Organiser, room: Room, post: PostOffice) -> Letter:
    """People are invited on the page, which tells what is wrong with what was pasted; the mail to Zoé."""
    shown = organiser.preview(room, PASTED, language="fr", note=NOTE)
    assert NOTE in shown
    said = organiser.page.locator("main form.card").inner_text()
    assert "Line 2: nobody at example dot org" in said
    assert f"Named more than once, invited once: {ZOE}" in said
    organiser.send()
    letter = post.letter(ZOE)
    other = post.letter("paul@example.org")
    assert other.pin != letter.pin
    assert other.link("?t=") != letter.link("?t=")
    for address in (ZOE, "paul@example.org"):
        organiser.reads(address, "Sent")
    # As previewed, but for what is theirs alone.
    for line in shown.splitlines()[1:]:
        if not any(own in line for own in ("http", "000 000 000", "Zoé")):
            assert line in letter.text
    return letter


def as_it_should_be_read(letter: Letter, product: Product, starts: datetime) -> None:
    """In French, with the nearest number first, the link and the PIN; and as an entry in a calendar."""
    assert letter.subject == f"Invitation : {NAME}"
    assert "Bonjour Zoé Martin," in letter.text
    assert NOTE in letter.text
    assert f"{starts:%H:%M}" in letter.text
    assert "Durée\N{NO-BREAK SPACE}: 45 min" in letter.text
    gateways = product.get("/v1/phone_gateways")
    numbers = [one for one in gateways if one["display"] in letter.text]
    at = {one["code"]: letter.text.index(one["display"]) for one in numbers}
    assert len(numbers) == 3
    assert min(at, key=lambda code: at[code]) == next(g["code"] for g in gateways if g["geo"] == "FR")
    link = letter.link("?t=")
    assert link.startswith(f"{product.url}/resultats-chiffres?t=")
    for part in (link, "Résultats &amp; chiffres", " ".join(letter.pin[n : n + 3] for n in (0, 3, 6))):
        assert part in letter.html
    assert (letter.calendar["METHOD"], letter.entry["SUMMARY"], letter.entry["STATUS"]) == (
        "REQUEST", NAME, "CONFIRMED",
    )  # fmt: skip
    assert letter.entry["DTSTART"].dt == starts
    assert letter.entry["DTSTART"].params["TZID"] == "Europe/Paris"
    assert letter.entry["DTEND"].dt - letter.entry["DTSTART"].dt == timedelta(minutes=45)
    assert (str(letter.entry["URL"]), str(letter.entry["ATTENDEE"])) == (link, f"mailto:{ZOE}")


def rated(zoe: Visitor) -> None:
    """The thank-you page, in her language; she gives four stars."""
    assert "Merci d’avoir participé" in zoe.page.inner_text("h1")
    zoe.page.locator("label.star:has(input[value='4'])").click()
    zoe.page.fill("#comment", "Très <b>clair</b>")
    zoe.page.click("main button[type=submit]")
    zoe.page.wait_for_url("**/thanks?done=rated")


def all_agree(room: Room, organiser: Organiser, *, seat: str, by_browser: Seen, by_phone: Seen) -> None:
    """Call records, the API, the page of the session, its file, its report and the statistics say the same
    about who was there and how long.

    Records have milliseconds, and so has the API; pages and files leave off what is less than a second, all
    alike.
    """
    records = room.finished_cdrs(3)
    hers = [one for one in records if one["participant_id"] == seat]
    by_way = {one["channel"]: one["conf_ms"] for one in hers}
    assert sorted(by_way) == ["sip", "webrtc"]
    in_all_ms = union_ms(hers)
    assert by_browser.fits(by_way["webrtc"] / 1000)
    assert by_phone.fits(by_way["sip"] / 1000)

    (run,) = room.sessions()
    attendees = room.product.get(f"{room.path}/sessions/{run['id']}/attendees")
    assert len(attendees) == run["total_visitors"] == run["max_visitors"] == 2
    (zoe,) = [one for one in attendees if one["uid"] == seat]
    assert (zoe["nickname"], zoe["email"], zoe["role"], zoe["country"]) == ("Zoé", ZOE, "listener", "FR")
    assert (zoe["rating"], zoe["rating_comment"]) == ("4", "Très <b>clair</b>")
    assert (zoe["present_s"], zoe["browser_s"], zoe["phone_s"]) == (
        in_all_ms / 1000, by_way["webrtc"] / 1000, by_way["sip"] / 1000,
    )  # fmt: skip
    (ann,) = [one for one in attendees if one["uid"] != seat]
    (anns_call,) = [one for one in records if one["participant_id"] == ann["uid"]]
    assert ann["present_s"] == anns_call["conf_ms"] / 1000

    shown = [duration(each) for each in (in_all_ms, by_way["webrtc"], by_way["sip"])]
    page = organiser.open(f"/events/{room.id}/sessions/{run['id']}")
    cells = page.locator("section:has(#people) tbody tr").filter(has_text=ZOE).locator("td").all_inner_texts()
    in_order(shown, cells)
    assert page.locator("section:has(#calls) tbody tr").count() == 3
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV", exact=True).click()
    rows = csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8-sig")))
    (row,) = [row for row in rows if row["email"] == ZOE]
    assert [row["present"], row["by_browser"], row["by_phone"]] == shown

    made = room.product.get(f"{room.path}/sessions/{run['id']}/generate-pdf/fr")
    in_order([NAME, "Zoé", ZOE, *shown, "France", "4"], texts_of(httpx.get(made["url"]).content))

    organiser.open("/statistics")
    row = organiser.row(NAME).locator("td, th").all_inner_texts()
    in_order(["2", duration(sum(round(one["present_s"] * 1000) for one in attendees))], row)


def union_ms(legs: Sequence[Any]) -> int:
    """Milliseconds in which somebody was there with at least one leg."""
    spans = sorted((moment(one["join_at"]), moment(one["leave_at"])) for one in legs)
    whole, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    for begin, end in spans:
        whole += max(end - max(begin, until), timedelta())
        until = max(until, end)
    return whole // timedelta(milliseconds=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def in_order(wanted: Sequence[str], found: Sequence[str]) -> None:
    """Check that these stand in a row, others between them or not."""
    rest = iter(found)
    assert all(any(one.strip() == each for one in rest) for each in wanted), (wanted, found)


def thanked(post: PostOffice, browsers: Chromiums) -> None:
    """One mail, to her and not to the presenter, nor to whoever did not come; its link opens her stars."""
    letter = post.letter(ZOE, "Merci")
    assert NAME in letter.subject
    (visitor,) = [each for each in browsers.visitors if each.name == "Zoé"]
    visitor.page.goto(letter.link("?rate="))
    assert visitor.page.locator("input[name=stars][value='4']").is_checked()
    assert visitor.page.input_value("#comment") == "Très <b>clair</b>"
    assert len(post.letters(ZOE)) == 2
    assert len(post.letters("paul@example.org")) == 1
