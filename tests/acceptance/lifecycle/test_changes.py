"""An event is put off, an invitation taken back, the event called off: people's calendars follow."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.acceptance.lifecycle.organiser import Organiser
from tests.support.post_office import PostOffice

pytestmark = pytest.mark.acceptance

PARIS = ZoneInfo("Europe/Paris")
ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.mark.slow
def test_calendars_follow_the_event(organiser: Organiser, post: PostOffice) -> None:
    starts = datetime.now(PARIS).replace(hour=18, minute=0, second=0, microsecond=0) + timedelta(days=7)
    room = organiser.plan("Harvest", starts_at=f"{starts:%Y-%m-%dT%H:%M}", timezone="Europe/Paris")
    organiser.invite(room, f"Ann <{ANN}>\n{BOB}")
    first = post.letter(ANN, "Invitation: Harvest")
    post.letter(BOB, "Invitation: Harvest")
    organiser.reads(ANN, "Sent")
    organiser.reads(BOB, "Sent")
    notice = organiser.page.locator("form.notice").filter(has_text="has changed")
    expect(notice).to_have_count(0)

    # A text for those who wait is no change that a calendar shows; another day is.
    organiser.change(room, lobby_enabled="1", lobby_description="Soon!")
    organiser.open(f"/events/{room.id}/invitations")
    expect(notice).to_have_count(0)
    later = starts + timedelta(days=1, hours=1)
    organiser.change(room, starts_at=f"{later:%Y-%m-%dT%H:%M}")
    organiser.open(f"/events/{room.id}/invitations")
    expect(notice).to_contain_text("2 invitations")
    assert "knows an older date" in organiser.row(ANN).inner_text()

    # One of the two gets word that they are not invited any more, the other the new date.
    organiser.row(BOB).get_by_role("button", name="Take back").click()
    organiser.told("uninvited")
    taken_back = post.letter(BOB, number=2)
    notice.get_by_role("button").click()
    organiser.told("resent")
    changed = post.letter(ANN, "Changed: Harvest")
    expect(notice).to_have_count(0)
    organiser.open(f"/events/{room.id}/delete")
    organiser.page.locator("main form button.danger").click()
    organiser.told("deleted")
    called_off = post.letter(ANN, number=3)

    letters = (first, changed, taken_back, called_off)
    assert [each.calendar["METHOD"] for each in letters] == ["REQUEST", "REQUEST", "CANCEL", "CANCEL"]
    assert len({each.entry["UID"] for each in letters}) == 1
    assert [str(each.entry["ATTENDEE"]) for each in letters] == [
        f"mailto:{who}" for who in (ANN, ANN, BOB, ANN)
    ]
    was, now, gone, off = (int(each.entry["SEQUENCE"]) for each in letters)
    assert was < now <= gone
    assert now < off
    assert (first.entry["DTSTART"].dt, changed.entry["DTSTART"].dt) == (starts, later)
    assert [str(each.entry["STATUS"]) for each in (taken_back, called_off)] == ["CANCELLED"] * 2
    assert f"{later:%H:%M}" in changed.text
    assert len(post.letters(BOB)) == 2
