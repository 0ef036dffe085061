"""Registering: once for each address, whatever is replayed; approval; the address book; the token."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from contacts import service as contacts
from contacts.fields import parse_contact
from database.types import now_utc
from events import registrations, service, tokens, web_hooks
from events.directory import PinDirectory
from events.errors import BadEventError, RegistrationError, UnknownEventError
from events.fields import parse_wishes
from events.models import Event
from events.registration_form import RegistrationForm, arrange, as_json, check, form_of
from events.registrations import Registered, RegistrationStatus
from events.token_text import new_token
from events.web_hook_models import WebHookDelivery
from events.web_hooks import Kind

NOW = now_utc()
Sessions = sessionmaker[Session]
PERSON = {"1": "Ann", "2": "Martin", "3": "Ann@Example.org"}
ROWS = [
    {"kind": "text", "label": "Company", "required": "1"},
    {"kind": "choice", "label": "Size", "options": "small\nlarge\n\nsmall"},
    {"kind": "checkbox", "label": "I agree", "required": True},
]


def make_event(sessions: Sessions, *, approval: bool = False, rows: Any = (), **fields: Any) -> Event:
    with sessions.begin() as session:
        account = create_account(session, email=f"{new_token()}@example.org", now=NOW).account
        wishes = parse_wishes({"name": "Results", **fields})
        event = service.create_event(session, account_id=account.id, wishes=wishes, now=NOW)
        form = arrange(RegistrationForm(), rows, enabled=True, approval=approval)
        registrations.set_form(session, event, form, now=NOW)
        return event


def register(sessions: Sessions, event: Event, *, now: Any = NOW, **more: str) -> Registered:
    with sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        entry = check(form_of(fresh.registration), {**PERSON, **more})
        return registrations.register(session, fresh, entry, language="fr", timezone="Europe/Paris", now=now)


def test_a_form_keeps_the_numbers_of_its_fields() -> None:
    form = arrange(RegistrationForm(), ROWS, enabled=True, approval=True)
    assert [one.id for one in form.fields] == [4, 5, 6]
    assert form.fields[1].options == ("small", "large")
    assert form_of(as_json(form)) == form
    moved = arrange(
        form,
        [{"id": "6", "kind": "checkbox", "label": "Yes"}, {"kind": "text", "label": "New"},
         {"id": "4", "kind": "text", "label": "Firm"}, {"id": "4", "kind": "text", "label": "Twice"}],
        enabled=True, approval=False,
    )  # fmt: skip
    assert [one.id for one in moved.fields] == [6, 7, 4, 8], "5 is never given to another field"
    assert form_of({"enabled": True, "template": 1}) == RegistrationForm(enabled=True)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"kind": "text", "label": " "}, "fields[0][label]"),
        ({"kind": "text", "label": "x" * 201}, "fields[0][label]"),
        ({"kind": "file", "label": "x"}, "fields[0][kind]"),
        ({"kind": "choice", "label": "x", "options": "one"}, "fields[0][options]"),
        ({"kind": "choice", "label": "x", "options": "\n".join(map(str, range(51)))}, "fields[0][options]"),
    ],
)
def test_fields_that_cannot_be(row: dict[str, Any], name: str) -> None:
    with pytest.raises(BadEventError) as refused:
        arrange(RegistrationForm(), [row], enabled=True, approval=False)
    assert [problem.field for problem in refused.value.problems] == [name]
    with pytest.raises(BadEventError, match="at most"):
        arrange(RegistrationForm(), [{"kind": "text", "label": "x"}] * 31, enabled=True, approval=False)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"1": ""}, 1),
        ({"2": "x" * 101}, 2),
        ({"1": "Win at http://evil.example"}, 1),
        ({"3": "nobody"}, 3),
        ({"3": {"a": "b"}}, 3),
        ({"4": " "}, 4),
        ({"4": "x" * 2_001}, 4),
        ({"4": "a\x00b"}, 4),
        ({"5": "huge"}, 5),
        ({"6": "0"}, 6),
    ],
)
def test_answers_that_cannot_be(given: dict[str, Any], number: int) -> None:
    form = arrange(RegistrationForm(), ROWS, enabled=True, approval=False)
    good = {**PERSON, "4": "Acme <b>", "5": "small", "6": "1", "7": "unknown"}
    assert check(form, good).answers == {"4": "Acme <b>", "5": "small", "6": True}
    with pytest.raises(BadEventError) as refused:
        check(form, {**good, **given})
    assert [problem.field for problem in refused.value.problems] == [f"registration[{number}]"]


def test_registering_gives_a_token_and_a_place_in_the_address_book(sessions: Sessions) -> None:
    event = make_event(sessions)
    done = register(sessions, event)
    assert (done.fresh, done.mail_due, done.registration.status) == (True, True, RegistrationStatus.APPROVED)
    assert done.token is not None
    assert (done.token.token.name, done.token.token.sent_to_email) == ("Ann Martin", "ann@example.org")
    directory = PinDirectory(sessions)
    directory.refresh()
    caller = directory.lookup(done.token.pin or "")
    assert caller is not None
    assert caller.person_name == "Ann Martin"
    with sessions.begin() as session:
        ((group, number),) = contacts.groups(session, account_id=event.account_id)
        assert (group.name, group.event_id, number) == ("Results", event.id, 1)
        found = contacts.addresses(session, event.account_id, [group.id])
        assert [(one.email, one.name) for one in found] == [("ann@example.org", "Ann Martin")]


def test_a_replayed_registration_changes_nothing_and_sends_nothing(sessions: Sessions) -> None:
    event = make_event(sessions)
    first = register(sessions, event)
    again = register(sessions, event, **{"1": "Eve", "3": "ANN@example.org"})
    assert (again.fresh, again.mail_due) == (False, False)
    assert (again.registration.id, again.registration.first_name) == (first.registration.id, "Ann")
    assert again.token is not None
    assert first.token is not None
    assert again.token.pin == first.token.pin
    later, keys = NOW, {first.mail_key}
    for _ in range(10):
        later += timedelta(minutes=11)
        more = register(sessions, event, now=later)
        keys |= {more.mail_key} if more.mail_due else set()
    assert len(keys) == registrations.MAILS_MAX, "a lost mail is sent again, a few times at most"
    with sessions.begin() as session:
        assert tokens.count(session, event) == registrations.count(session, event)[None] == 1


def test_the_same_form_many_times_at_once_is_one_registration(sessions: Sessions) -> None:
    event = make_event(sessions)
    start, done, errors = threading.Barrier(5), [], []

    def work() -> None:
        start.wait()
        try:
            done.append(register(sessions, event))
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [one.fresh for one in done].count(True) == 1
    assert [one.mail_due for one in done].count(True) == 1
    with sessions.begin() as session:
        assert tokens.count(session, event) == 1


def test_approval(sessions: Sessions) -> None:
    event = make_event(sessions, approval=True, access_type=3)
    ann = register(sessions, event)
    bob = register(sessions, event, **{"3": "bob@example.org"})
    assert (ann.registration.status, ann.token, ann.mail_due) == (RegistrationStatus.PENDING, None, True)
    with sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        row = registrations.get(session, fresh, registration_id=ann.registration.id)
        done = registrations.approve(session, fresh, row, now=NOW)
        assert done.mail_due
        assert done.mail_key != ann.mail_key
        assert done.token is not None
        text = done.token.token.token
        assert not registrations.approve(session, fresh, row, now=NOW).mail_due
        assert registrations.count(session, fresh) == {"pending": 1, "approved": 1, "declined": 0, None: 2}
        assert [r.email for r in registrations.find(session, fresh, status=RegistrationStatus.PENDING)] == [
            "bob@example.org"
        ]
        gone = registrations.decline(session, fresh, row, now=NOW)
        assert gone.mail_due
        assert tokens.look_up(session, event_id=fresh.id, text=text) is None
        assert not registrations.decline(session, fresh, row, now=NOW).mail_due
        with pytest.raises(UnknownEventError):
            registrations.get(session, fresh, registration_id=10**6)
    again = register(sessions, event, now=NOW + timedelta(days=1))
    assert (again.mail_due, again.registration.status) == (False, RegistrationStatus.DECLINED)
    assert bob.fresh


def test_strangers_do_not_change_the_address_book(sessions: Sessions) -> None:
    event = make_event(sessions)
    known = parse_contact({"email": "ann@example.org", "first_name": "Anna"})
    with sessions.begin() as session:
        contacts.save(session, account_id=event.account_id, fields=known, now=NOW)
    register(sessions, event)
    with sessions.begin() as session:
        found, _ = contacts.find(session, account_id=event.account_id)
        assert [(one.first_name, one.last_name) for one in found] == [("Anna", "Martin")]


def test_events_that_take_no_registrations(sessions: Sessions) -> None:
    event = make_event(sessions)
    with sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        service.update_event(session, fresh, wishes=parse_wishes({"registration": {"enabled": "0"}}), now=NOW)
        assert form_of(fresh.registration) == RegistrationForm(enabled=False)
    with pytest.raises(RegistrationError):
        register(sessions, event)
    over = make_event(sessions)
    with sessions.begin() as session:
        service.finish_event(session, over.id, now=NOW)
    with pytest.raises(RegistrationError):
        register(sessions, over)


def test_web_hooks_hear_of_each_decision_once(sessions: Sessions) -> None:
    event = make_event(sessions, approval=True, rows=ROWS, access_type=3)
    with sessions.begin() as session:
        web_hooks.add_hook(
            session, account_id=event.account_id, url="https://hooks.example.org/", now=NOW,
            kinds=[Kind.REGISTRATION, Kind.REGISTRATION_APPROVED, Kind.REGISTRATION_DECLINED],
        )  # fmt: skip
    for _ in range(2):
        number = register(sessions, event, **{"4": "Acme", "5": "small", "6": "1"}).registration.id
    for second, change in enumerate([registrations.approve] * 2 + [registrations.decline] * 2):
        with sessions.begin() as session:
            fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
            row = registrations.get(session, fresh, registration_id=number)
            change(session, fresh, row, now=NOW + timedelta(seconds=second))
    with sessions() as session:
        bodies = [json.loads(row.body) for row in session.query(WebHookDelivery).order_by(WebHookDelivery.id)]
    assert [body["type"] for body in bodies] == [
        "registration.created", "registration.approved", "registration.declined",
    ]  # fmt: skip
    assert [body["data"]["status"] for body in bodies] == ["pending", "approved", "declined"]
    data = bodies[0]["data"]
    assert (data["event_id"], data["registration_id"], data["email"]) == (event.id, number, "ann@example.org")
    assert data["fields"] == {"Company": "Acme", "Size": "small", "I agree": True}


def test_who_needs_no_approval_is_told_of_once(sessions: Sessions) -> None:
    event = make_event(sessions)
    with sessions.begin() as session:
        kinds = [Kind.REGISTRATION, Kind.REGISTRATION_APPROVED]
        url = "https://hooks.example.org/"
        web_hooks.add_hook(session, account_id=event.account_id, url=url, kinds=kinds, now=NOW)
    register(sessions, event)
    with sessions() as session:
        (body,) = [json.loads(row.body) for row in session.query(WebHookDelivery)]
    assert (body["type"], body["data"]["status"]) == ("registration.created", "approved")
