"""Staff's pages: who may come in, in both languages, and what is not there."""

from __future__ import annotations

import pytest

from billing.deck_faults import SENTENCES as FAULTS
from billing.explain import SENTENCES as STEPS
from tests.web.site.conftest import post
from tests.web.site.staff.conftest import Desk
from web.site.staff import words

PAGES = [
    "/staff/calls", "/staff/calls.csv", "/staff/calls/{call}", "/staff/sessions/{session}", "/staff/queues",
    "/staff/queues/unrated", "/staff/queues/suspicious", "/staff/queues/cards", "/staff/queues/vat",
    "/staff/queues/reconciliation", "/staff/reratings", "/staff/reratings/new",
    "/staff/reratings/new?sessions={session}", "/staff/rates", "/staff/rates/new", "/staff/rates/{deck}",
    "/staff/rates/{deck}/export.csv", "/staff/books", "/staff/books?account={account}",
    "/staff/books/trial-balance", "/staff/transactions/1", "/staff/transactions/1/reverse",
    "/staff/accounts/{account}/goodwill", "/staff/charts",
]  # fmt: skip
FORMS = [
    "/staff/calls/unmasked", "/staff/calls/{call}/number", "/staff/queues/unrated/rate",
    "/staff/queues/reconciliation", "/staff/reratings/new", "/staff/reratings/1/approve",
    "/staff/reratings/1/reject", "/staff/rates/sample", "/staff/rates/{deck}/activate",
    "/staff/rates/{deck}/retire", "/staff/rates/{deck}/delete", "/staff/transactions/1/reverse",
    "/staff/accounts/{account}/goodwill",
]  # fmt: skip
MISSING = [
    "/staff/calls/nobody", "/staff/calls/%C3%A9", "/staff/calls/" + "9" * 60, "/staff/sessions/1",
    "/staff/sessions/x", "/staff/sessions/" + "9" * 30, "/staff/reratings/9", "/staff/reratings/x",
    "/staff/rates/9", "/staff/rates/x", "/staff/rates/9/export.csv", "/staff/transactions/999999",
    "/staff/transactions/x", "/staff/transactions/999999/reverse", "/staff/accounts/999/goodwill",
    "/staff/nothing",
]  # fmt: skip


def path_of(desk: Desk, path: str) -> str:
    return path.format(
        call=desk.house.calls[0], session=desk.house.sessions[0], deck=desk.house.deck,
        account=desk.house.accounts[0],
    )  # fmt: skip


def test_pages_are_for_staff(desk: Desk) -> None:
    for page in PAGES:
        path = path_of(desk, page)
        assert desk.get(path).status_code == 200, path
        assert desk.bo.get(path).status_code == 200, path
        assert desk.org.get(path).status_code == 404, path
        assert desk.stranger.get(path).headers["location"].startswith("/sign-in?next="), path


def test_forms_are_for_staff(desk: Desk) -> None:
    for form in FORMS:
        path = path_of(desk, form)
        assert desk.post(path, who=desk.org).status_code == 404, path
        answer = post(desk.stranger, path, page="/sign-in")
        assert answer.headers["location"].startswith("/sign-in"), path
        assert desk.ada.post(path, data={"csrf_token": "x"}).status_code == 403, path
    for client, status in ((desk.org, 404), (desk.ada, 403)):
        answer = client.post("/staff/rates/new", files={"file": ("a.csv", b"x")}, data={"csrf_token": "x"})
        assert answer.status_code == status


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_in_both_languages(desk: Desk, language: str) -> None:
    for page in PAGES:
        path = path_of(desk, page)
        if ".csv" in path:
            continue
        text = desk.get(f"{path}{'&' if '?' in path else '?'}lang={language}").text
        assert f'<html lang="{language}">' in text, path
        assert 'style="' not in text, path
        assert "<script>" not in text, path


def test_what_is_not_there(desk: Desk) -> None:
    for path in MISSING:
        assert desk.get(path).status_code == 404, path
    for path in ("/staff/reratings/9/approve", "/staff/rates/9/retire", "/staff/transactions/9999/reverse"):
        assert desk.post(path, {"reason": "x", "note": "x"}).status_code == 404, path


def test_only_staff_sees_the_way_in(desk: Desk) -> None:
    assert "/staff/calls" in desk.ada.get("/account").text
    assert "/staff/calls" not in desk.org.get("/account").text


def test_sentences_are_those_of_billing() -> None:
    assert dict(words.STEPS) == dict(STEPS)
    assert dict(words.FAULTS) == dict(FAULTS)


def test_names_stay_text(desk: Desk) -> None:
    """An event is called `Product <b>launch</b>`, a caller `"=Ann <i>"`."""
    for path in ("/staff/calls?size=200", f"/staff/calls/{desk.house.calls[0]}", "/staff/queues/suspicious"):
        assert "<b>launch" not in desk.get(path).text
    assert "Product &lt;b&gt;launch" in desk.get("/staff/calls?size=200").text
    shown = desk.post(f"/staff/calls/{some_caller(desk)}/number").text
    assert "=Ann &lt;i&gt;" in shown
    echoed = desk.get("/staff/calls?number=%22%3E%3Cscript%3E").text
    assert "<script>" not in echoed
    assert "&#34;&gt;&lt;script&gt;" in echoed


def some_caller(desk: Desk) -> str:
    """A call whose caller has a number."""
    from bridge.cdr.models import Cdr

    with desk.services.readers() as session:
        for cdr_id in desk.house.calls:
            if session.get_one(Cdr, cdr_id).caller_e164 is not None:
                return cdr_id
    raise AssertionError
