"""The report of a session as PDF."""

from __future__ import annotations

import pytest

from reports.errors import NoSuchWordsError
from reports.figures import SessionFacts
from reports.models import EventRating
from reports.people import Identity, people_of
from reports.session_pdf import SessionReport, draw, duration
from reports.visits import Visit, Way
from reports.words import LANGUAGES, words_in
from tests.reports.past import T0, at


def report(people: int = 40) -> SessionReport:
    visits = [
        Visit(session_id=1, participant_id=f"p{n}", way=list(Way)[n % 2], join_at=at(n % 7), leave_at=at(50),
              country=["FR", None][n % 2])
        for n in range(people)
    ]  # fmt: skip
    said = EventRating(
        session_id=1, participant_id="p1", event_id=1, stars=5, comment="Bien <b>\n😀", rated_at=T0
    )
    facts = SessionFacts(
        session_id=1, event_id=1, event_name="Événement <i>", kind="webinar", started_at=T0, ended_at=at(55)
    )
    found = people_of(visits, ratings=[said], identities={"p0": Identity(name="Zoë Łukasz Иван", email=None)})
    return SessionReport(facts=facts, zone="Europe/Paris", people=found, most_at_once=people, made_at=at(90))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_all_words_and_draws(language: str) -> None:
    assert all(words_in(language).values())
    assert draw(report(3), language=language).startswith(b"%PDF-")


def test_the_same_facts_give_the_same_bytes_and_pages_follow() -> None:
    assert draw(report(), language="fr") == draw(report(), language="fr")
    assert draw(report(80), language="fr").count(b"/Type /Page\n") > 1


def test_a_session_with_nobody_and_a_language_that_is_none() -> None:
    assert draw(report(0), language="en").startswith(b"%PDF-")
    with pytest.raises(NoSuchWordsError):
        draw(report(), language="xx")


def test_durations() -> None:
    assert duration(3_725_999) == "1:02:05"
