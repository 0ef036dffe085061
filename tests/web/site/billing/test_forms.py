"""The calculator, the billing details, what runs now, and the pictures' numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import pytest

from billing.metering import Reading
from billing.money import Money
from tests.support.billing_house import NOW, PASSWORD
from tests.web.site.billing.conftest import Rooms
from tests.web.site.conftest import create_site, new_browser, sign_in
from web.services import Services
from web.site.billing.chart import HEIGHT, WIDTH, Day, bars_of, top_of
from web.site.billing.shown import Shown

PROFILE = {
    "legal_name": "Ann & Sons", "address_line1": "1 High Street", "postal_code": "10115", "city": "Berlin",
    "country": "DE", "business": "1", "vat_number": "DE 136 695 976", "timezone": "Europe/Berlin",
    "locale": "en", "currency": "EUR",
}  # fmt: skip


def test_the_calculator_answers_with_its_assumptions(rooms: Rooms) -> None:
    query = "participants=10&minutes=30&location=FR&share=50"
    for path in ("/billing/estimate", "/billing/estimate/result"):
        page = rooms.ann.text(f"{path}?{query}")
        assert "€7.56" in page  # 5 callers × 30 min × 0.042 + 20 %
        assert "5 of 10 people call" in page
        assert "first block 60 s" in page
    part = rooms.ann.text(f"/billing/estimate/part?{query}")
    assert " name=" not in part
    assert "7,56\u00a0€" in rooms.ann.text(f"/billing/estimate?{query}&lang=fr")


@pytest.mark.parametrize(
    "query", ["participants=-1", "participants=0", "participants=100001", "minutes=abc", "minutes=1441",
              "share=101", "share=-1", "location=XX", "location=%3Cb%3E", "participants=" + "9" * 30],
)  # fmt: skip
def test_questions_without_an_answer(query: str, rooms: Rooms) -> None:
    page = rooms.ann.text(f"/billing/estimate?{query}")
    assert 'class="error"' in page
    assert "big-amount" not in page


def test_billing_details_are_kept_and_checked(rooms: Rooms) -> None:
    bob = rooms.bob
    assert bob.post("/billing/profile", PROFILE).headers["location"] == "/billing/profile?done=billing_saved"
    page = bob.text("/billing/profile?done=billing_saved")
    assert "Ann &amp; Sons" in page
    assert "DE136695976" in page
    assert "Not confirmed yet" in page
    wrong = {"country": "ZZ", "vat_number": "DE1", "timezone": "Mars/Base", "locale": "xx", "currency": "QQQ",
             "legal_name": "x" * 121, "postal_code": "9" * 21, "city": "a\x07b"}  # fmt: skip
    for name, value in wrong.items():
        answer = bob.post("/billing/profile", {**PROFILE, name: value})
        assert answer.status_code == 422, name
        assert "Nothing is saved yet" in answer.text
    assert "DE136695976" in bob.text("/billing/profile")
    answer = bob.post("/billing/profile", {**PROFILE, "city": "<script>x", "locale": "?"})
    assert "<script>x" not in answer.text


def test_the_currency_is_fixed_by_the_first_money(rooms: Rooms) -> None:
    refused = rooms.ann.post("/billing/profile", {**PROFILE, "currency": "USD"})
    assert refused.status_code == 422
    assert "money in another currency" in refused.text
    assert 'name="currency"' not in rooms.ann.text("/billing/profile")
    fresh = rooms.house.account("new@example.org")
    with new_browser(create_site(rooms.house.services)) as client:
        assert sign_in(client, fresh.email, PASSWORD).status_code == 303
        assert 'name="currency"' in client.get("/billing/profile").text
        for path in ("", "/transactions", "/invoices", "/cards", "/statement"):
            assert client.get(f"/billing{path}").status_code == 200


class Meter:
    """Somebody's calls are running."""

    def __init__(self, account_id: int, session_id: int) -> None:
        self.account_id, self.session_id = account_id, session_id
        self.refreshed: list[int] = []
        self.reading = Reading(
            live_calls=4, cost=Money(123, "EUR"), per_minute=Money(20, "EUR"),
            lasts_until=NOW + timedelta(minutes=20),
        )  # fmt: skip

    def account_reading(self, account_id: int) -> Reading | None:
        return self.reading if account_id == self.account_id else None

    def session_reading(self, session_id: int) -> Reading | None:
        return self.reading if session_id == self.session_id else None

    def refresh(self, account_id: int) -> None:
        self.refreshed.append(account_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredServices(Services):
    """Services of a machine that answers calls."""

    tolls: Meter


def test_what_runs_now_is_shown(rooms: Rooms) -> None:
    ann = rooms.ann
    meter = Meter(ann.account_id, ann.person.sessions[-1])
    known = {name: getattr(rooms.house.services, name) for name in Services.__dataclass_fields__}
    ann.client.app.state.services = MeteredServices(**{**known, "tolls": meter})  # type: ignore[attr-defined]
    page = ann.text("/billing")
    assert "until 16:40" in page
    assert "€0.20" in page
    assert "Less than half an hour is left" in page
    assert "until 16:40" not in rooms.bob.text("/billing")
    session = ann.text(f"/events/{ann.person.event_id}/sessions/{ann.person.sessions[-1]}")
    assert "4 toll-free calls, €0.20 a minute" in session
    ann.text(f"/billing/top-ups/{rooms.house.last_top_up}")
    assert meter.refreshed == [ann.account_id]


def test_usage_on_the_pages_of_events(rooms: Rooms) -> None:
    ann = rooms.ann
    event = ann.text(f"/events/{ann.person.event_id}")
    assert "Phone minutes" in event
    session = ann.text(f"/events/{ann.person.event_id}/sessions/{ann.person.sessions[-1]}")
    assert f'href="/billing/transactions/{rooms.charge}"' in session
    waiting = rooms.house.session(ann.person, at=NOW - timedelta(hours=2), calls=2, charge=False)
    text = ann.text(f"/events/{ann.person.event_id}/sessions/{waiting}")
    assert "What each number cost" not in text


def test_the_scale_of_a_picture() -> None:
    for most, top in ((0, 1), (1, 1), (3, 5), (7, 10), (1900, 2000), (Fraction(3, 100), Fraction(5, 100))):
        assert top_of([Fraction(most)]) == top
    days = [Day(day=date(2026, 1, 1), value=Fraction(value), label="x") for value in (0, 1, 1000)]
    bars = bars_of(days, top=Fraction(1000))
    assert [float(bar.height) for bar in bars] == [0, 3, HEIGHT]
    assert float(bars[-1].x) + float(bars[-1].width) < WIDTH
    assert bars_of([], top=Fraction(1)) == []


def test_values_as_their_readers_write_them() -> None:
    english, french = Shown(language="en", zone="UTC"), Shown(language="fr", zone="Europe/Paris")
    assert english.money(Money(-123450, "EUR")) == "−€1,234.50"
    assert french.money(Money(123450, "EUR")) == "1\u202f234,50\u00a0€"
    assert (english.rough(Money(5000, "EUR")), english.rough(Money(5050, "EUR"))) == ("€50", "€50.50")
    assert english.cost(42_000, "EUR") == "€0.0420"
    assert english.cost(123, "EUR") == "€0.000123"
    assert french.percent(Fraction(21, 200)) == "10,5\u202f%"
    assert english.clocked(3_725_250) == "1:02:05.250"
    assert english.clocked(None) == "–"
    assert english.phone("+33184886300") == "+33 1 84 88 63 00"
    assert english.phone("anonymous") == "anonymous"
    assert french.exact(NOW) == "23 nov. 2026, 16:20:00,000"
