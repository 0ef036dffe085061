"""Who comes in: a token is one person's, registering twice is once, and what guests write is text."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bridge.ivr.prompt import prompt
from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.caller import Office, until
from tests.phones.visitor import Chromiums, Visitor
from tests.support.post_office import PostOffice
from tests.support.product import Product, Room

pytestmark = pytest.mark.acceptance

TOKENS = "3"
"""The kind of access."""


def program(name: str) -> str:
    """A text that would be a program if a page or a mail took it for HTML."""
    return f"<b>{name}</b><script>broken=1</script><img src=x onerror=broken=1>"


def enter_by(visitor: Visitor, link: str, *, email: str = "somebody@example.org") -> None:
    """Open a link, fill in the page and send it off, whatever comes of it."""
    visitor.page.goto(link)
    visitor.fill_in(way="listen", email=email)


@pytest.mark.slow
def test_a_token_is_one_persons(
    organiser: Organiser, product: Product, browsers: Chromiums, office: Office
) -> None:
    room = organiser.plan("Tokens", permanent_room="1", access_type=TOKENS)
    page = organiser.open(f"/events/{room.id}/tokens")
    page.fill("input[name=how_many]", "2")
    page.get_by_role("button", name="Make").click()
    organiser.told("tokens_made")
    by_web, by_phone = product.get(f"{room.path}/tokens")["access_tokens"]

    zoe, eve = (browsers.visitor(name, room) for name in ("zoe", "eve"))
    enter_by(zoe, by_web["room_url"])
    zoe.here()

    # The same link in another browser, and one with a letter changed.
    enter_by(eve, by_web["room_url"])
    eve.sees("#refused", "This token is in use in another browser")
    eve.sees("#refused", "First use")
    token = by_web["token"]
    other = token[:-1] + ("B" if token[-1] != "B" else "C")
    enter_by(eve, by_web["room_url"].replace(token, other))
    eve.sees("#refused", "There is no such token in this event")
    # Neither without one, nor by the links and the PIN that many share.
    enter_by(eve, eve.address)
    eve.sees("#refused", "This event is for invited people")
    enter_by(eve, f"{eve.address}?l={room.facts()['access_role_hashes']['listener']}")
    eve.sees("#refused", "This event is for invited people")
    mallory = office.caller("mallory")
    mallory.dial()
    mallory.press(f"{room.listener_pin}#")
    mallory.hears_prompt(prompt("pin.wrong"), within_s=15)
    mallory.hang_up()
    assert [one["name"] for one in room.people()] == ["zoe"]

    # The first use of the other one is a call.
    bob = office.caller("bob")
    bob.dial()
    bob.enter(room, str(by_phone["phone_pin"]))
    organiser.open(f"/events/{room.id}/tokens")
    assert "Browser" in organiser.row(token).inner_text()
    organiser.reads(by_phone["token"], "Phone")
    until(
        lambda: [one["first_use_how"] for one in product.get(f"{room.path}/tokens")["access_tokens"]],
        lambda: "the uses are not noted",
    )
    enter_by(eve, by_phone["room_url"])  # its person's browser, for all we know
    eve.here()
    eve.becomes(devices=["phone", "web"])
    assert len(room.people()) == 2

    # Taken back on the page: its person is out, with browser and telephone.
    organiser.row(by_phone["token"]).get_by_role("button", name="Take back").click()
    organiser.told("token_revoked")
    eve.shows("#room[data-phase=removed]")
    bob.hung_up_on()
    assert [one["name"] for one in room.people()] == ["zoe"]
    enter_by(eve, by_phone["room_url"])
    eve.sees("#refused", "The organiser took this token back")


def test_who_registers_once_twice_and_again(
    organiser: Organiser, product: Product, post: PostOffice, browsers: Chromiums
) -> None:
    room = organiser.plan(program("Event"), permanent_room="1", access_type=TOKENS)
    arrange_form(organiser, room)

    page = (visitor := browsers.visitor("amy", room)).page
    page.goto(f"{visitor.address}/register")
    assert page.inner_text("h1") == program("Event")
    page.fill("input[name='registration[1]']", program("Amy"))
    page.fill("input[name='registration[2]']", program("Pond"))
    page.fill("input[name='registration[3]']", "amy@example.org")
    page.get_by_label(program("Firm")).fill(program("Acme"))
    forms = []
    page.on("request", lambda one: forms.append(one.post_data) if one.method == "POST" else None)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The organiser looks at it")
    waits = post.letter("amy@example.org", "Your registration has arrived")

    # Back, and once more; and the very same form again, by another way.
    page.go_back()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert forms[0] is not None
    again = visitor.context.request.post(
        page.url.partition("?")[0],
        data=forms[0],
        headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": product.url},
    )
    assert again.ok, again.text()
    assert again.url.endswith("?sent=1")

    # The organiser sees one, as it was written, and lets her in.
    shown = organiser.open(f"/events/{room.id}/registrations")
    row = organiser.row("amy@example.org")
    for part in (program("Amy"), program("Pond"), program("Acme")):
        assert part in row.inner_text()
    row.get_by_role("button", name="Approve").click()
    organiser.told("registration_approved")
    letter = post.letter("amy@example.org", "You are registered")
    assert [each.subject for each in post.letters("amy@example.org")] == [waits.subject, letter.subject]
    for each in (waits, letter):
        assert program("Amy") in each.text
        assert "<script" not in each.html
        assert "<img src=x" not in each.html
    near = [one["location"] for one in product.get("/v1/phone_gateways") if one["display"] in letter.text]
    assert sorted(near) == ["Dublin", "London", "Paris"]  # her clock is that of Paris, her language English
    enter_by(visitor, letter.link("?t="), email="amy@example.org")
    visitor.here()
    assert visitor.names == ["amy"]
    assert str(product.get(f"{room.path}/registrations/active")[0]["email"]) == "amy@example.org"

    # Whoever registered is in the event's group of the address book.
    shown = organiser.open("/contacts")
    shown.locator("main a").filter(has_text=program("Event")).click()
    assert program("Amy") in organiser.row("amy@example.org").inner_text()
    for seen in (page, shown):
        assert seen.evaluate("window.broken") is None

    # Declined after all: she is out.
    organiser.open(f"/events/{room.id}/registrations")
    organiser.row("amy@example.org").get_by_role("button", name="Decline").click()
    visitor.shows("#room[data-phase=removed]")
    post.letter("amy@example.org", "", number=3)


def arrange_form(organiser: Organiser, room: Room) -> None:
    """Registration is on, with approval and a field of the organiser's own."""
    page = organiser.open(f"/events/{room.id}/registration")
    for name in ("enabled", "approval"):
        page.locator(f"input[name={name}][type=checkbox]").set_checked(True, force=True)
    page.locator("button[data-add=text]").click()
    page.get_by_label("What you ask").fill(program("Firm"))
    page.locator("button.primary[value=save]").click()
    organiser.told("registration_saved")
