"""Signing in as people do it: with cookies, forms and mails."""

from __future__ import annotations

import dataclasses
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from mail.models import OutboxMail
from tests.web.site.conftest import PASSWORD, Person, create_site, new_browser, post, sign_in
from web.services import Services
from web.site.security import safe_next


def test_the_way_in_and_out(browser: TestClient, ann: Person) -> None:
    assert browser.get("/events").headers["location"] == "/sign-in?next=%2Fevents"
    answer = sign_in(browser, " ANN@example.org", next_path="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "ann@example.org" in browser.get("/account").text
    assert browser.get("/sign-in").status_code == 303
    assert post(browser, "/sign-out", page="/account").headers["location"] == "/sign-in?done=signed_out"
    assert browser.get("/account").status_code == 303
    assert ann.client.get("/account").status_code == 200  # another browser of hers stays


def test_signing_in_gives_a_fresh_cookie_that_scripts_cannot_read(browser: TestClient, ann: Person) -> None:
    browser.cookies.set("tb_session", "planted-by-somebody")
    answer = sign_in(browser, "ann@example.org")
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("tb_session=")]
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert ann.client.cookies["tb_session"] not in cookie


@pytest.mark.usefixtures("ann")
def test_over_https_cookies_are_secure(services: Services) -> None:
    https = create_site(dataclasses.replace(services, public_url="https://events.example"))
    with new_browser(https) as client:
        client.base_url = client.base_url.copy_with(scheme="https")
        page = client.get("/sign-in")
        assert "Secure" in page.headers["set-cookie"]
        assert page.headers["strict-transport-security"].startswith("max-age=")
        answer = sign_in(client, "ann@example.org")
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("email", "password"),
    [("ann@example.org", "wrong"), ("eve@example.org", PASSWORD), ("", ""), ("ann@example.org", "x" * 5_000)],
)
def test_wrong_is_wrong_and_never_says_which(browser: TestClient, email: str, password: str) -> None:
    answer = sign_in(browser, email, password)
    assert answer.status_code == 422
    assert "The mail address or the password is not right." in answer.text
    assert password not in answer.text or not password
    assert "tb_session" not in answer.headers.get("set-cookie", "")


@pytest.mark.usefixtures("ann")
def test_guessing_is_slowed_down(browser: TestClient) -> None:
    answers = [sign_in(browser, "ann@example.org", "wrong").status_code for _ in range(7)]
    assert answers[:5] == [422] * 5
    assert answers[-1] == 429
    last = sign_in(browser, "ann@example.org")  # even with the right password
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    assert "Too many tries" in last.text


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ("/events/1?done=changed", "/events/1?done=changed"),
        ("https://evil.example/", "/events"),
        ("//evil.example/", "/events"),
        ("/\\evil.example", "/events"),
        ("/a\\b", "/events"),
        ("/\t/evil.example", "/events"),
        ("javascript:alert(1)", "/events"),
        ("/sign-out", "/events"),
        ("", "/events"),
        ("/" + "x" * 2_000, "/events"),
        ("/[", "/["),
    ],
)
def test_next_leads_nowhere_else(wanted: str, where: str) -> None:
    assert safe_next(wanted) == where


def test_a_forgotten_password(browser: TestClient, services: Services, ann: Person) -> None:
    known = post(browser, "/forgot", {"email": "ann@example.org"}, page="/forgot")
    unknown = post(browser, "/forgot", {"email": "eve@example.org"}, page="/forgot")
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace("ann@", "eve@") == unknown.text
    with services.readers() as session:
        (mail,) = session.scalars(select(OutboxMail)).all()
    assert mail.recipient == "ann@example.org"
    found = re.search(r"http://testserver(/reset/[\w-]+)", mail.body_text)
    assert found is not None
    link = found[1]
    assert link in mail.body_html
    assert post(browser, link, {"password": "short"}, page=link).status_code == 422
    done = post(browser, link, {"password": "a brand new password"}, page=link)
    assert done.headers["location"] == "/sign-in?done=password_set"
    assert ann.client.get("/events").status_code == 303  # signed out everywhere
    assert browser.get(link).status_code == 404
    assert post(browser, link, {"password": "once more, please"}, page="/forgot").status_code == 404
    assert sign_in(browser, "ann@example.org", "a brand new password").status_code == 303


def test_not_many_links_for_one_person(browser: TestClient) -> None:
    answers = [
        post(browser, "/forgot", {"email": "a@example.org"}, page="/forgot").status_code for _ in range(5)
    ]
    assert answers[-1] == 429
    assert post(browser, "/forgot", {"email": "nothing"}, page="/forgot").status_code == 422


def test_a_new_password_by_its_owner(browser: TestClient, ann: Person, services: Services) -> None:
    sign_in(browser, "ann@example.org")
    wrong = ann.post("/account/password", {"current_password": "no", "new_password": "another good one"})
    assert wrong.status_code == 422
    assert "This is not your password." in wrong.text
    weak = ann.post("/account/password", {"current_password": PASSWORD, "new_password": "weak"})
    assert (weak.status_code, "at least 10 characters" in weak.text) == (422, True)
    good = {"current_password": PASSWORD, "new_password": "another good one"}
    assert ann.post("/account/password", good).headers["location"] == "/account?done=password_changed"
    assert ann.client.get("/account").status_code == 200
    assert browser.get("/account").status_code == 303
    with services.readers() as session:
        assert [mail.recipient for mail in session.scalars(select(OutboxMail))] == ["ann@example.org"]
