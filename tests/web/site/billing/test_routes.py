"""Every page about money: for strangers, for another account, for what is not there, and for its owner."""

from __future__ import annotations

import re

import pytest

from tests.web.site.billing.conftest import Rooms
from tests.web.site.conftest import post
from web.site import i18n
from web.site.assets import assets
from web.site.render import TEMPLATES, environment

KEY = "form-0123456789012345678901234"
OWN = [
    "/billing",
    f"/billing/top-up?key={KEY}",
    "/billing/transactions",
    "/billing/transactions/export.csv",
    "/billing/transactions/{charge}",
    "/billing/transactions/{charge}/calls",
    "/billing/transactions/{charge}/calls.csv",
    "/billing/calls/{call}",
    "/billing/cards",
    "/billing/profile",
    "/billing/invoices",
    "/billing/invoices/{invoice}.pdf",
    "/billing/statement",
    "/billing/statement.csv",
    "/billing/estimate",
    "/billing/estimate/result",
    "/billing/estimate/part",
    "/billing/top-ups/{top_up}",
    "/billing/top-ups/{top_up}/state",
]
POSTS = ["/billing/top-up", "/billing/cards", "/billing/cards/1/default", "/billing/cards/1/remove",
         "/billing/profile"]  # fmt: skip


def filled(path: str, rooms: Rooms) -> str:
    return path.format(
        charge=rooms.charge, call=rooms.call, invoice=rooms.invoice, top_up=rooms.house.last_top_up
    )


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_pages_for_their_owner(language: str, rooms: Rooms) -> None:
    for path in OWN:
        mine = filled(path, rooms)
        answer = rooms.ann.get(f"{mine}{'&' if '?' in mine else '?'}lang={language}")
        assert answer.status_code == 200, (path, answer.text[:300])
        if answer.headers["content-type"].startswith("text/html"):
            assert "style=" not in answer.text, path
            assert "onclick" not in answer.text, path


def test_strangers_sign_in_first(rooms: Rooms) -> None:
    for path in OWN:
        refused = rooms.stranger.get(filled(path, rooms))
        assert refused.status_code == 303, path
        assert refused.headers["location"].startswith("/sign-in?next=%2Fbilling"), path
    for path in POSTS:
        assert post(rooms.stranger, path, page="/sign-in").headers["location"].startswith("/sign-in"), path


def test_what_is_another_accounts_is_not_there(rooms: Rooms) -> None:
    for path in OWN:
        if "{" in path:
            assert rooms.bob.get(filled(path, rooms)).status_code == 404, path
    assert rooms.bob.post("/billing/cards/1/remove").status_code == 404
    assert rooms.bob.post("/billing/cards/1/default").status_code == 404
    assert "4242" in rooms.ann.text("/billing/cards")
    assert "Results" not in rooms.bob.text("/billing/transactions")
    assert "Results" not in rooms.bob.text("/billing/transactions/export.csv")


def test_what_is_not_there(rooms: Rooms) -> None:
    for wrong in ("0", "999999", "x", "-1", "9" * 30, "²", "1.5"):
        for path in ("/billing/transactions/{}", "/billing/transactions/{}/calls", "/billing/calls/{}",
                     "/billing/invoices/{}.pdf", "/billing/top-ups/{}", "/billing/top-ups/{}/go",
                     "/billing/transactions/{}/calls.csv", "/billing/top-ups/{}/state"):  # fmt: skip
            assert rooms.ann.get(path.format(wrong)).status_code == 404, path.format(wrong)
    assert rooms.ann.post("/billing/cards/77/remove").status_code == 404
    for query in ("page=0", "page=x", "page=99999999999"):
        assert rooms.ann.get(f"/billing/transactions?{query}").status_code == 422
    nonsense = "kind=x&from=yesterday&to=2026-99-99&sort=colour&order=sideways&page=900000"
    assert rooms.ann.get(f"/billing/transactions?{nonsense}").status_code == 200


def test_posts_need_a_token(rooms: Rooms) -> None:
    for path in POSTS:
        assert rooms.ann.client.post(path, data={"key": KEY, "amount": "5000"}).status_code == 403, path


def test_names_of_events_are_text(rooms: Rooms) -> None:
    for path in OWN:
        answer = rooms.ann.get(filled(path, rooms))
        if answer.headers["content-type"].startswith("text/html"):
            assert "<b>Results</b>" not in answer.text, path
    assert "&lt;b&gt;Results&lt;/b&gt; &amp; more" in rooms.ann.text("/billing/transactions")


def test_where_billing_is_not_set_up_there_is_nothing(rooms: Rooms) -> None:
    object.__setattr__(rooms.house.services, "billing", None)
    assert rooms.ann.get("/billing").status_code == 404
    page = rooms.ann.text("/events/new")
    assert 'href="/billing' not in page
    assert rooms.ann.get(f"/events/{rooms.ann.person.event_id}").status_code == 200


@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_every_template_can_be_read_and_its_icons_are_drawn(language: str) -> None:
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', assets().files["icons.svg"].body.decode()))
    for path in (TEMPLATES / "billing").glob("*.html"):
        environment(language).get_template(f"billing/{path.name}")
        assert set(re.findall(r'icon\("([\w-]+)"', path.read_text())) <= drawn, path.name
