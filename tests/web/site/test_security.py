"""What no page of ours lets others do."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from tests.web.site.conftest import Person, new_browser, sign_in, token_of
from web.site.limits import KEYS_MAX, Delays, Rates

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
POSTS = [
    "/sign-in",
    "/sign-out",
    "/forgot",
    "/reset/whatever",
    "/account/profile",
    "/account/password",
    "/account/keys",
    "/account/keys/1/revoke",
    "/account/sign-out-elsewhere",
    "/events/new",
    "/events/1/edit",
    "/events/1/delete",
]


@pytest.mark.parametrize("path", POSTS)
def test_no_form_without_its_token(path: str, ann: Person, bob: Person) -> None:
    theirs = token_of(bob.client, "/account")
    for fields in (
        {},
        {"csrf_token": ""},
        {"csrf_token": "x" * 43},
        {"csrf_token": theirs},
        {"csrf_token": "é"},
    ):
        answer = ann.client.post(path, data={"name": "x", **fields})
        assert answer.status_code == 403
        assert "This form has expired" in answer.text
    assert ann.client.get("/account").status_code == 200


def test_every_post_is_in_the_list(site: FastAPI) -> None:
    from web.site import account, events, signin

    there_are = {
        route.path.replace("{event_id}", "1").replace("{key_id}", "1").replace("{token}", "whatever")
        for module in (account, events, signin)
        for route in module.router.routes
        if "POST" in getattr(route, "methods", ())
    }
    assert there_are == set(POSTS)
    assert site is not None


def test_a_token_of_before_signing_in_is_worth_nothing_after(browser: TestClient, ann: Person) -> None:
    before = token_of(browser, "/sign-in")
    sign_in(browser, "ann@example.org")
    assert browser.post("/account/keys", data={"csrf_token": before}).status_code == 403
    assert ann.client.get("/account").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/forgot", "/nowhere/at/all", "/events", "/account", "/events/new"]
)
def test_every_page_has_strict_headers(path: str, ann: Person) -> None:
    answer = ann.client.get(path, follow_redirects=True)
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'",
                 "base-uri 'none'", "frame-ancestors 'none'"):  # fmt: skip
        assert rule in policy.split("; ")
    assert "unsafe" not in policy
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert not re.search(r"\son\w+=", answer.text)
    for attributes in re.findall(r"<script([^>]*)>", answer.text):
        assert 'src="/assets/~' in attributes or 'type="application/json"' in attributes
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!testserver)', answer.text)


def test_what_people_type_stays_text(ann: Person) -> None:
    fields = {
        "name": NASTY,
        "lobby_description": NASTY,
        "lobby_enabled": "1",
        "settings[thank_you_page_url]": "https://example.org/?" + NASTY.replace(" ", ""),
    }
    answer = ann.post(f"/events/{ann.event_id}/edit", fields)
    assert answer.status_code == 303
    ann.post("/account/profile", {"name": NASTY, "language": "en", "timezone": "UTC"})
    mine = f"/events/{ann.event_id}"
    pages = ["/events", mine, f"{mine}/edit", f"{mine}/delete", "/account", "/", f"/events?q={NASTY}"]
    pages += [f"/sign-in?next={NASTY}", f"/{NASTY}", f"/?done={NASTY}&lang={NASTY}"]
    for page in pages:
        text = ann.client.get(page).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert 'value="<' not in text
    answer = ann.post(
        "/events/new", {**dict.fromkeys(fields, NASTY), "timezone": NASTY, "duration": NASTY}
    )
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text


def test_a_flood_of_forms_is_stopped(site: FastAPI) -> None:
    with new_browser(site) as client:
        token = token_of(client, "/sign-in")
        answers = {client.post("/sign-out", data={"csrf_token": token}).status_code for _ in range(80)}
    assert answers == {303, 429}


def test_errors_are_pages_for_people_and_json_for_programs(browser: TestClient) -> None:
    page = browser.get("/nowhere/at/all")
    assert (page.status_code, "There is nothing here" in page.text) == (404, True)
    program = browser.get("/nowhere/at/all", headers={"Accept": "application/json"})
    assert program.json()["message"]
    assert browser.get("/v1/nothing").json()["message"]
    french = browser.get("/nowhere/at/all", headers={"Accept-Language": "fr-CA,fr;q=0.9"})
    assert "Il n’y a rien ici" in french.text


def test_what_nobody_expected_is_a_page_that_tells_nothing(site: FastAPI) -> None:
    @site.get("/broken/by/a/bug")
    def broken() -> None:
        raise RuntimeError("secret detail")

    with new_browser(site) as client:
        answer = client.get("/broken/by/a/bug")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret" not in answer.text


def test_waits_grow_and_are_forgotten() -> None:
    delays, waits, now_s = Delays(free=2, first_s=1, longest_s=8), [], 0.0
    for _ in range(7):
        assert delays.attempt("k", now_s=now_s) == 0
        waits.append(wait_s := delays.attempt("k", now_s=now_s) if delays._known["k"][1] > now_s else 0.0)
        now_s += wait_s
    assert waits == [0, 1, 2, 4, 8, 8, 8]
    assert delays.attempt("other", now_s=now_s) == 0
    delays.forgive("k")
    assert delays.attempt("k", now_s=now_s) == 0
    now_s += 3600
    assert delays.attempt("k", now_s=now_s) == 0


def test_a_blocked_key_does_not_use_up_another() -> None:
    delays = Delays(free=1, first_s=10)
    assert delays.attempt("a", now_s=0) == 0
    assert delays.attempt("a", "b", now_s=0) == 10
    assert delays.attempt("b", now_s=0) == 0


@given(st.lists(st.floats(min_value=0, max_value=10), max_size=100))
def test_no_more_pass_than_the_rate(gaps_s: list[float]) -> None:
    rates, now_s, passed = Rates(per_minute=60, burst=3), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        passed += rates.take("k", now_s=now_s)
    assert passed <= 3 + now_s + 1e-6


def test_limits_forget_the_oldest() -> None:
    delays, rates = Delays(), Rates(per_minute=1, burst=1)
    for number in range(KEYS_MAX + 10):
        delays.attempt(str(number), now_s=0)
        rates.take(str(number), now_s=0)
    assert len(delays._known) == len(rates._due_s) == KEYS_MAX
