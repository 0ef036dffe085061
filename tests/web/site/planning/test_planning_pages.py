"""Invitations, calendars, copies, web hooks and the way out of mails, as people see them."""

from __future__ import annotations

import base64
import re

import icalendar
import pytest
from sqlalchemy import select

from database.types import now_utc
from events.doors import Doors
from events.invitations import InvitationWriter, MailParts
from events.models import Event
from events.plan_models import Invitation, Unsubscription
from mail.models import OutboxMail
from tests.web.site.conftest import Person
from web.services import Services


def write_mails(services: Services) -> None:
    url = services.public_url
    parts = MailParts(doors=Doors(public_url=url), public_url=url, secret=services.secret)
    InvitationWriter(services.sessions, parts).run_once(now_utc())


def mails(services: Services) -> list[OutboxMail]:
    with services.readers() as session:
        return list(session.scalars(select(OutboxMail).order_by(OutboxMail.id)))


def test_from_pasted_addresses_to_mails_that_update_a_calendar(ann: Person, services: Services) -> None:
    path = f"/events/{ann.event_id}/invitations"
    pasted = "Gus <gus@example.org>, gus@example.org; not an address\n<script>alert(1)</script>"
    first = ann.post(
        path, {"addresses": pasted, "language": "fr", "note": "<b>Hi</b>", "do": "preview"}, page=path
    )
    assert first.status_code == 200
    assert "2 entries are not mail addresses" in first.text
    assert "Invite 1 person" in first.text
    assert "<script>alert" not in first.text
    assert mails(services) == []
    sent = ann.post(
        path, {"addresses": pasted, "language": "fr", "note": "<b>Hi</b>", "do": "send"}, page=path
    )
    assert sent.status_code == 303
    write_mails(services)
    (mail,) = mails(services)
    assert mail.subject.startswith("Invitation : ")
    assert "&lt;b&gt;Hi&lt;/b&gt;" in mail.body_html
    change = {
        "name": "New name",
        "starts_at": "2036-05-02T11:00",
        "timezone": "Europe/Paris",
        "duration": "0:30",
    }
    assert ann.post(f"/events/{ann.event_id}/edit", change).status_code == 303
    assert "The event has changed since 1 invitation" in ann.client.get(path).text
    assert ann.post(f"{path}/resend", {"which": "outdated"}, page=path).status_code == 303
    write_mails(services)
    assert "The event has changed" not in ann.client.get(path).text
    assert ann.post(f"/events/{ann.event_id}/delete").status_code == 303
    write_mails(services)
    calendars = [
        icalendar.Calendar.from_ical(base64.b64decode(one.attachments[0]["body"])) for one in mails(services)
    ]
    entries = [calendar.walk("VEVENT")[0] for calendar in calendars]
    assert [str(calendar["METHOD"]) for calendar in calendars] == ["REQUEST", "REQUEST", "CANCEL"]
    assert len({str(entry["UID"]) for entry in entries}) == 1
    sequences = [int(entry["SEQUENCE"]) for entry in entries]
    assert sequences == sorted(set(sequences))
    assert entries[1].decoded("DTSTART").isoformat() == "2036-05-02T11:00:00+02:00"


def test_nobody_and_too_much_are_said(ann: Person) -> None:
    path = f"/events/{ann.event_id}/invitations"
    assert "Name at least one person" in ann.post(path, {"addresses": " ,; "}, page=path).text
    assert ann.post(path, {"addresses": "a@example.org,\n" * 30_000}, page=path).status_code in (200, 413)


def test_others_see_nothing(ann: Person, bob: Person) -> None:
    for path in ("invitations", "event.ics"):
        assert bob.client.get(f"/events/{ann.event_id}/{path}").status_code == 404
    for path in ("invitations", "invitations/resend", "copy"):
        assert bob.post(f"/events/{ann.event_id}/{path}", {"addresses": "x@example.org"}).status_code == 404


def test_one_click_and_no_more_mails(ann: Person, services: Services) -> None:
    path = f"/events/{ann.event_id}/invitations"
    ann.post(path, {"addresses": "gus@example.org", "do": "send"}, page=path)
    write_mails(services)
    (mail,) = mails(services)
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.sub(r"[<>]", "", mail.headers["List-Unsubscribe"]).removeprefix(services.public_url)
    assert ann.client.get(link).status_code == 200
    with services.readers() as session:
        assert session.scalars(select(Unsubscription)).all() == []
    assert ann.client.post(link, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert ann.client.post(f"{link[:-2]}AA").status_code == 404
    ann.post(f"{path}/resend", page=path)
    write_mails(services)
    assert len(mails(services)) == 1
    assert "Wants no mail" in ann.client.get(path).text


def test_a_feed_under_a_secret_address_that_can_be_changed(ann: Person) -> None:
    page = ann.client.get("/web-hooks").text
    found = re.search(r"/calendar/[\w-]+\.ics", page)
    assert found is not None
    feed = ann.client.get(found[0])
    entries = icalendar.Calendar.from_ical(feed.content).walk("VEVENT")
    assert [str(entry["SUMMARY"]) for entry in entries] == ["Event of ann@example.org"]
    ann.post("/web-hooks/calendar", page="/web-hooks")
    assert ann.client.get(found[0]).status_code == 404


def test_a_copy_has_secrets_of_its_own(ann: Person, services: Services) -> None:
    answer = ann.post(f"/events/{ann.event_id}/copy", page=f"/events/{ann.event_id}")
    assert answer.status_code == 303
    assert ann.client.get(answer.headers["location"]).status_code == 200
    with services.readers() as session:
        one, two = session.scalars(select(Event).where(Event.account_id == ann.account_id)).all()
        assert one.name == two.name
        assert two.starts_at is None
        assert {one.hash_host, one.url_name, one.room_pin}.isdisjoint(
            {two.hash_host, two.url_name, two.room_pin}
        )


def test_an_overlap_names_the_other_event(ann: Person) -> None:
    fields = {
        "name": "Second",
        "starts_at": "2036-05-01T12:30",
        "timezone": "Europe/Paris",
        "duration": "1:00",
    }
    refused = ann.post("/events/new", fields, page="/events/new")
    assert refused.status_code == 422
    assert "Event of ann@example.org, 2036-05-01 12:00 - 13:00 (Europe/Paris, UTC+0200)" in refused.text
    french = ann.client.get("/events/new?lang=fr")
    assert french.status_code == 200
    assert "Chevauche" in ann.post("/events/new", fields, page="/events/new").text
    later = {**fields, "starts_at": "2036-05-01T13:00"}
    assert ann.post("/events/new", later, page="/events/new").status_code == 303


def test_web_hooks_are_set_up_tried_and_deleted(ann: Person, bob: Person) -> None:
    bad = ann.post("/web-hooks", {"url": "http://localhost/"}, page="/web-hooks")
    assert bad.status_code == 422
    made = ann.post("/web-hooks", {"url": "https://example.org/h", "cdr.created": "1"}, page="/web-hooks")
    path = made.headers["location"].partition("?")[0]
    assert ann.post(f"{path}/test", page=path).status_code == 303
    assert "whsec_" in ann.client.get(path).text
    assert bob.client.get(path).status_code == 404
    assert ann.post(f"{path}/delete", page=path).status_code == 303
    assert ann.client.get(path).status_code == 404


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_in_both_languages(ann: Person, language: str, services: Services) -> None:
    with services.sessions.begin() as session:
        session.add(
            Invitation(
                event_id=ann.event_id, email="x@example.org", name="<i>X</i>", language="en",
                role="presenter",
                wanted=None, note="", round=1, sequence=0, created_at=now_utc(),
            )
        )  # fmt: skip
    for path in (f"/events/{ann.event_id}/invitations", "/web-hooks"):
        text = ann.client.get(f"{path}?lang={language}").text
        assert f'<html lang="{language}">' in text
        assert "<i>X</i>" not in text
