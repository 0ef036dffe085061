"""After an event: the thank-you page, anybody's page instead, and stars."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from events.models import Event
from events.service import get_event
from reports import passes
from reports.models import EventRating
from reports.passes import Pass
from rooms.modes import Role
from tests.reports.past import a_webinar
from tests.web.site.conftest import Person, post
from web import seat_tokens
from web.seat_tokens import Ticket
from web.services import Services


@dataclass(frozen=True)
class Past:
    services: Services
    event: Event
    run: int
    client: TestClient

    @property
    def page(self) -> str:
        return f"/{self.event.url_name}/thanks"

    def come_as(self, seat: str, role: Role = Role.PARTICIPANT) -> None:
        """The browser has the ticket of that seat."""
        ticket = Ticket(seat_id=seat, event_id=self.event.id, role=role, name="X", email=None,
                        issued_s=int(self.services.now().timestamp()))  # fmt: skip
        text = seat_tokens.sign(ticket, secret=self.services.secret)
        self.client.cookies.set(seat_tokens.cookie_name(self.event.id), text)

    def send(self, page: str | None = None, **fields: str) -> httpx.Response:
        return post(self.client, self.page, fields, page=page or self.page)

    def stars(self) -> list[tuple[str, int, str]]:
        with self.services.sessions() as session:
            rows = session.scalars(select(EventRating).order_by(EventRating.participant_id))
            return [(row.participant_id, row.stars, row.comment) for row in rows]

    def lead_to(self, address: str) -> None:
        with self.services.sessions.begin() as session:
            row = session.get_one(Event, self.event.id)
            row.settings = {**row.settings, "thank_you_page_url": address}


@pytest.fixture
def past(services: Services, ann: Person, browser: TestClient) -> Past:
    with services.sessions.begin() as session:
        event = get_event(session, account_id=ann.account_id, event_id=ann.event_id)
        run = a_webinar(session, event)
    return Past(services, event, run, browser)


def test_one_rating_for_a_seat_however_often_it_is_sent(past: Past) -> None:
    past.come_as("ann")
    for _ in range(2):
        assert past.send(stars="2", comment="Hm").status_code == 303
    assert past.stars() == [("ann", 2, "Hm")]
    assert past.send(stars="5", comment="\x00").status_code == 422
    past.send(stars="5", comment=" <script> ")
    assert past.stars() == [("ann", 5, "<script>")]
    shown = past.client.get(past.page).text
    assert 'value="5" required checked' in shown
    assert "&lt;script&gt;" in shown


def test_what_is_no_rating(past: Past) -> None:
    past.come_as("ann")
    for stars in ("0", "6", "", "²", "1.5", "-1", "1e0", "x" * 500):
        assert past.send(stars=stars).status_code == 422
    assert past.send(stars="3", comment="x" * 2_001).status_code == 422
    assert past.stars() == []


@pytest.mark.parametrize(("seat", "role"), [("stranger", Role.PARTICIPANT), ("ann", Role.PRESENTER)])
def test_who_was_not_there_and_who_gave_it_cannot_rate(past: Past, seat: str, role: Role) -> None:
    assert "stars" not in past.client.get(past.page).text
    past.come_as(seat, role)
    assert 'name="stars"' not in past.client.get(past.page).text
    assert past.send(page="/sign-in", stars="5").status_code == 404
    assert past.stars() == []


def test_without_our_form_nothing_is_kept(past: Past) -> None:
    past.come_as("ann")
    assert past.client.post(past.page, data={"stars": "5"}).status_code == 403


def test_the_link_of_the_mail_is_good_for_one_person_and_one_event(past: Past, bob: Person) -> None:
    key = passes.sign(Pass(session_id=past.run, participant_id="caller"), secret=past.services.secret)
    page = f"{past.page}?rate={key}"
    assert past.send(page=page, stars="4", rate=key).status_code == 303
    assert past.stars() == [("caller", 4, "")]
    for wrong in (key[:-1], key.replace("caller", "ann"), f"{past.run}.ann.", "x", "a.b.c", "é.b.c"):
        assert 'name="stars"' not in past.client.get(past.page, params={"rate": wrong}).text
    with past.services.sessions() as session:
        other = session.get_one(Event, bob.event_id).url_name
    assert 'name="stars"' not in past.client.get(f"/{other}/thanks?rate={key}").text


def test_the_organisers_own_page(past: Past) -> None:
    past.come_as("ann")
    past.lead_to("https://shop.example/thanks?a=1")
    answer = past.client.get(past.page)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://shop.example/thanks?a=1")


def test_only_the_web_is_led_to(past: Past) -> None:
    for address in ("javascript:alert(1)", "//evil.example", "https:evil", "ftp://x.example", "http://["):
        past.lead_to(address)
        assert past.client.get(past.page).status_code == 200


def test_nothing_in_the_request_says_where_to_go(past: Past) -> None:
    for query in ("next", "url", "rate", "thank_you_page_url"):
        answer = past.client.get(past.page, params={query: "https://evil.example"})
        assert answer.status_code == 200
        assert "evil.example" not in answer.text.split("<main")[1].split("</main>")[0]


def test_events_that_are_none(past: Past) -> None:
    assert past.client.get("/no-such-event/thanks").status_code == 404
