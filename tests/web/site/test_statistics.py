"""Statistics as pages and as files: the same figures, for the account alone."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import date

import pytest
from fastapi.testclient import TestClient

from events.service import get_event
from reports import ratings
from tests.reports.past import T0, a_webinar
from tests.web.site.conftest import Person
from web.services import Services
from web.site.statistics.routes import period_of
from web.site.statistics.tables import TABLES

PERIOD = "from=2026-10&to=2026-12"


@pytest.fixture
def run(services: Services, ann: Person) -> int:
    with services.sessions.begin() as session:
        event = get_event(session, account_id=ann.account_id, event_id=ann.event_id)
        event.name = "=1+1 <b>Talk</b>"
        run = a_webinar(session, event)
        ratings.rate(
            session, event_id=event.id, session_id=run, participant_id="ann", stars=5, comment="=x", now=T0
        )
        return run


def cells(page: str, heading: str) -> list[list[str]]:
    """The rows of the table that is labelled by that id."""
    table = re.search(rf'aria-labelledby="{heading}"><table class="data">(.*?)</table>', page, re.DOTALL)
    assert table is not None, heading
    rows = re.findall(r"<tr>(.*?)</tr>", table[1], re.DOTALL)[1:]
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)
        ]
        for row in rows
    ]  # fmt: skip


def file(person: Person, path: str) -> list[list[str]]:
    answer = person.client.get(path)
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.text)))[1:]


@pytest.mark.usefixtures("run")
def test_the_file_says_what_the_page_says(ann: Person) -> None:
    page = ann.client.get(f"/statistics?{PERIOD}").text
    assert cells(page, "months") == [
        ["October 2026", "0", "0", "0", "0", "0", "0:00:00", "0:00:00", "0:00:00", "0:00:00", "–"],
        ["November 2026", "1", "1", "0", "1", "3", "0:37:30", "1:52:30", "1:30:00", "0:32:30", "5"],
        ["December 2026", "0", "0", "0", "0", "0", "0:00:00", "0:00:00", "0:00:00", "0:00:00", "–"],
    ]
    assert file(ann, f"/statistics/months.csv?{PERIOD}")[1] == [
        "2026-11", "1", "1", "0", "1", "3", "0:37:30", "1:52:30", "1:30:00", "0:32:30", "5.0",
    ]  # fmt: skip
    shown, saved = cells(page, "events"), file(ann, f"/statistics/events.csv?{PERIOD}")
    assert shown[0][0] == "=1+1 <b>Talk</b>"
    assert saved[0][0] == "'=1+1 <b>Talk</b>"
    assert shown[0][3:-1] == saved[0][3:-1]


def test_history_and_session_lead_to_each_other(ann: Person, run: int) -> None:
    session = f"/events/{ann.event_id}/sessions/{run}"
    assert f'href="{session}"' in ann.client.get(f"/statistics/history?{PERIOD}").text
    page = ann.client.get(session).text
    shown, saved = cells(page, "people"), file(ann, f"{session}/attendees.csv")
    assert [row[0] for row in shown] == ["Ann", "Bob", "+331******89"]
    assert [row[5:8] for row in shown] == [row[5:8] for row in saved]
    assert saved[0][-2:] == ["5", "'=x"]
    pdf = ann.client.get(f"{session}/report.pdf?in=ru")
    assert pdf.content.startswith(b"%PDF-")
    assert ann.client.get(f"{session}/report.pdf?in=xx").status_code == 404


@pytest.mark.usefixtures("run")
def test_every_table_can_be_saved(ann: Person) -> None:
    for key in TABLES:
        assert ann.client.get(f"/statistics/{key}.csv?{PERIOD}").status_code == 200
    assert ann.client.get(f"/statistics/nothing.csv?{PERIOD}").status_code == 404


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_in_both_languages_with_and_without_sessions(ann: Person, bob: Person, language: str) -> None:
    for path in ("/statistics", "/statistics/history"):
        for person in (ann, bob):
            page = person.client.get(f"{path}?{PERIOD}&lang={language}")
            assert page.status_code == 200
            assert "style=" not in page.text
            assert ("<td" in page.text) is (person is ann)


def test_nobody_else_sees_it(ann: Person, bob: Person, browser: TestClient, run: int) -> None:
    session = f"/events/{ann.event_id}/sessions/{run}"
    for path in (f"{session}/attendees.csv", f"{session}/report.pdf"):
        assert bob.client.get(path).status_code == 404
        assert browser.get(path).status_code == 303
    assert browser.get("/statistics").status_code == 303


def test_periods() -> None:
    today = date(2026, 3, 15)
    assert period_of("", "", today=today).query == "from=2025-04&to=2026-03"
    assert period_of("2026-02", "2025-12", today=today).query == "from=2025-12&to=2026-02"
    assert period_of("2001-01", "2026-13", today=today).query == "from=2023-04&to=2026-03"
