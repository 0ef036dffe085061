"""Pages about who may enter: tokens, the registration form, registering, who registered."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from events import registrations, service, tokens
from events.fields import parse_wishes
from events.models import Event
from events.registration_form import RegistrationForm, arrange, form_of
from mail.models import OutboxMail
from tests.web.site.conftest import Person, post
from web.services import Services
from web.site.access.form_editor import rearranged
from web.site.access.register import BURST

EVIL = '"><script>alert(1)</script>'


def event_of(services: Services, person: Person) -> Event:
    with services.readers() as session:
        return service.get_event(session, account_id=person.account_id, event_id=person.event_id)


def open_form(services: Services, person: Person, *, approval: bool = False, access_type: int = 1) -> Event:
    rows = [
        {"kind": "text", "label": EVIL},
        {"kind": "choice", "label": "Size", "options": f"small\n{EVIL}", "required": "1"},
        {"kind": "checkbox", "label": "I agree", "required": "1"},
    ]
    with services.sessions.begin() as session:
        event = service.get_event(session, account_id=person.account_id, event_id=person.event_id)
        service.update_event(
            session,
            event,
            wishes=parse_wishes({"access_type": access_type, "name": EVIL}),
            now=services.now(),
        )
        form = arrange(RegistrationForm(), rows, enabled=True, approval=approval)
        registrations.set_form(session, event, form, now=services.now())
        return event


def fill_in(browser: TestClient, event: Event, **more: str) -> int:
    page = f"/{event.url_name}/register"
    fields = {
        "registration[1]": EVIL, "registration[2]": "Martin", "registration[3]": "zoe@example.org",
        "registration[5]": "small", "registration[6]": "1", "timezone": "Europe/Paris", **more,
    }  # fmt: skip
    return post(browser, page, fields, page=page).status_code


def mails(services: Services) -> list[OutboxMail]:
    with services.readers() as session:
        return list(session.scalars(select(OutboxMail).order_by(OutboxMail.id)))


@pytest.mark.parametrize(
    "what",
    ["tokens", "tokens/tokens.csv", "registration", "registrations", "registrations/registrations.csv"],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_are_the_organisers_alone(
    what: str, language: str, ann: Person, bob: Person, browser: TestClient
) -> None:
    path = f"/events/{ann.event_id}/{what}"
    assert browser.get(path).headers["location"].startswith("/sign-in")
    assert bob.client.get(path).status_code == 404
    assert ann.client.get("/events/999/tokens").status_code == 404
    assert ann.client.get(f"{path}?lang={language}").status_code == 200


def test_tokens_are_made_released_and_taken_back(ann: Person, bob: Person, services: Services) -> None:
    page = f"/events/{ann.event_id}/tokens"
    assert ann.post(page, {"how_many": "3"}).headers["location"] == f"{page}?done=tokens_made"
    for wrong in ("", "0", "x", "99999999", "-1"):
        assert ann.post(page, {"how_many": wrong}).status_code == 422
    assert bob.post(page, {"how_many": "3"}).status_code == 404
    assert ann.client.post(page, data={"how_many": "3"}).status_code == 403, "not from our page"
    event = event_of(services, ann)
    with services.sessions.begin() as session:
        made = tokens.entries(session, event)
        tokens.use(session, event_id=event.id, text=made[0].token.token, browser=b"x", now=services.now())
    text = ann.client.get(page).text
    assert all(one.token.token in text for one in made)
    assert "Release" in text
    one = made[0].token
    assert bob.post(f"{page}/{one.id}/revoke").status_code == 404
    assert bob.post(f"/events/{bob.event_id}/tokens/{one.id}/revoke").status_code == 404
    assert ann.post(f"{page}/{one.id}/release").status_code == 303
    assert ann.post(f"{page}/{one.id}/revoke").status_code == 303
    assert ann.post(f"{page}/{one.id}/eat").status_code == 404
    text = ann.client.get(page).text
    assert "Taken back" in text
    assert "Release" not in text
    csv = ann.client.get(f"{page}/tokens.csv").text
    assert csv.count("\r\n") == 4
    assert f"?t={one.token}" in csv


def test_the_form_is_arranged_without_scripts(ann: Person, services: Services) -> None:
    page = f"/events/{ann.event_id}/registration"
    rows = {
        "enabled": "1", "approval": "1",
        "fields[0][kind]": "text", "fields[0][label]": EVIL, "fields[0][required]": "1",
        "fields[7][kind]": "choice", "fields[7][label]": "Size", "fields[7][options]": "small\r\nlarge",
    }  # fmt: skip
    added = ann.post(page, {**rows, "do": "add-checkbox"})
    assert "Not saved yet" in added.text
    assert EVIL not in added.text
    assert form_of(event_of(services, ann).registration).fields == ()
    assert ann.post(page, {**rows, "do": "save"}).status_code == 303
    kept = form_of(event_of(services, ann).registration)
    assert [(one.id, one.label) for one in kept.fields] == [(4, EVIL), (5, "Size")]
    assert (kept.enabled, kept.approval) == (True, True)
    assert EVIL not in ann.client.get(page).text
    swapped = {"enabled": "0", "fields[b][id]": "5", "fields[b][kind]": "choice", "fields[b][label]": "Size",
               "fields[b][options]": "s\nl",
               "fields[a][id]": "4", "fields[a][kind]": "text", "fields[a][label]": "Firm"}  # fmt: skip
    assert ann.post(page, swapped).status_code == 303
    assert [one.id for one in form_of(event_of(services, ann).registration).fields] == [5, 4]
    bad = ann.post(page, {"fields[0][kind]": "choice", "fields[0][label]": "", "fields[0][options]": "one"})
    assert bad.status_code == 422
    assert bad.text.count('class="error"') == 2


def test_rows_move() -> None:
    rows = [{"label": name} for name in "abc"]
    order = lambda wanted: "".join(row["label"] for row in rearranged(rows, wanted))  # noqa: E731
    moves = ("up-1", "down-1", "remove-1", "up-0", "down-2", "up-9", "x", "")
    assert [order(wanted) for wanted in moves] == [
        "bac", "acb", "ac", "abc", "abc", "abc", "abc", "abc",
    ]  # fmt: skip
    assert rearranged(rows, "add-text")[-1]["kind"] == "text"
    assert len(rearranged(rows, "add-file")) == 3


@pytest.mark.parametrize("language", ["en", "fr"])
def test_somebody_registers(language: str, ann: Person, browser: TestClient, services: Services) -> None:
    event = open_form(services, ann, access_type=3)
    text = browser.get(f"/{event.url_name}/register?lang={language}").text
    assert EVIL not in text
    assert "alert(1)" in text
    assert fill_in(browser, event) == 303
    assert fill_in(browser, event) == 303, "again"
    (sent,) = mails(services)
    with services.readers() as session:
        (made,) = tokens.entries(session, event)
    assert f"/{event.url_name}?t={made.token.token}" in sent.body_text
    assert made.pin is not None
    assert f"{made.pin[:3]} {made.pin[3:6]} {made.pin[6:]}" in sent.body_text
    assert "<script" not in sent.body_html
    assert ("jeton" in sent.body_text) == (language == "fr")
    done = browser.get(f"/{event.url_name}/register?sent=1").text
    assert made.token.token not in done, "the way in goes out by mail alone"
    listed = ann.client.get(f"/events/{ann.event_id}/registrations").text
    assert EVIL not in listed
    assert "zoe@example.org" in listed
    assert "zoe@example.org" in ann.client.get("/contacts").text


def test_answers_that_are_not_taken_are_shown_again(
    ann: Person, browser: TestClient, services: Services
) -> None:
    event = open_form(services, ann)
    page = f"/{event.url_name}/register"
    refused = post(browser, page, {"registration[1]": EVIL, "registration[5]": "huge"}, page=page)
    assert refused.status_code == 422
    assert refused.text.count('class="error"') == 4
    assert EVIL not in refused.text
    assert mails(services) == []


def test_robots_are_thanked_and_strangers_sites_refused(
    ann: Person, browser: TestClient, services: Services
) -> None:
    event = open_form(services, ann)
    assert fill_in(browser, event, website="http://spam.example") == 303
    assert browser.post(f"/{event.url_name}/register", data={"registration[1]": "x"}).status_code == 403
    assert mails(services) == []
    # The allowance comes back with time, and a busy machine takes its time: more than a burst may be needed.
    codes = (fill_in(browser, event, **{"registration[3]": f"p{n}@example.org"}) for n in range(5 * BURST))
    assert 429 in codes


def test_closed_forms(ann: Person, browser: TestClient, services: Services) -> None:
    event = event_of(services, ann)
    closed = browser.get(f"/{event.url_name}/register")
    assert closed.status_code == 410
    assert '<form class="card' not in closed.text
    assert fill_in_closed(browser, event) in (409, 422)
    assert browser.get("/nowhere/register").status_code == 404


def fill_in_closed(browser: TestClient, event: Event) -> int:
    fields = {"registration[1]": "Ann", "registration[2]": "M", "registration[3]": "a@example.org"}
    return post(browser, f"/{event.url_name}/register", fields, page="/sign-in").status_code


def test_the_organiser_decides(ann: Person, bob: Person, browser: TestClient, services: Services) -> None:
    event = open_form(services, ann, approval=True)
    fill_in(browser, event)
    with services.readers() as session:
        (row,) = registrations.find(session, event)
    page = f"/events/{ann.event_id}/registrations"
    for action in ("approve", "decline", "resend"):
        assert bob.post(f"{page}/{row.id}/{action}").status_code == 404
    assert [mail.key for mail in mails(services)] == [f"registration-{row.id}-1"]
    for action in ("approve", "approve", "resend", "decline"):
        assert ann.post(f"{page}/{row.id}/{action}").status_code == 303
    assert [mail.key for mail in mails(services)] == [f"registration-{row.id}-{n}" for n in (1, 2, 3, 4)]
    assert ann.post(f"{page}/{row.id}/eat").status_code == 404
    assert ann.post(f"{page}/999/approve").status_code == 404
    csv = ann.client.get(f"{page}/registrations.csv").text
    assert "declined" in csv
    assert "zoe@example.org" in csv
