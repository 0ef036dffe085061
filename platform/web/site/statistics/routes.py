"""Pages: statistics of an account, the history of its events, and who was in a session, with the same as
files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from accounts.sign_in import Visitor
from bridge.cdr.visits import CdrVisits
from events import service
from events.models import Event, EventSession
from reports.errors import NoSuchWordsError
from reports.figures import Figures, SessionFacts
from reports.people import Person
from reports.reading import MONTHS_MAX, people_in, statistics
from reports.session_pdf import SessionReport, draw
from reports.visits import most_at_once
from web.access import AllServices, parse_id
from web.errors import not_found
from web.services import Services
from web.site.billing.csv_file import csv_response
from web.site.i18n import N_, language_of
from web.site.render import render
from web.site.security import SignedIn
from web.site.statistics import tables
from web.site.statistics.shown import Bar, bars_of, show_with
from web.site.statistics.tables import Table

router = APIRouter(include_in_schema=False)
TABS = (("/statistics", N_("Overview")), ("/statistics/history", N_("History")))
HISTORY_PER_PAGE = 50
MONTHS_SHOWN = 12
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
MonthText = Annotated[str, Query(alias="from", max_length=20)]
LastText = Annotated[str, Query(alias="to", max_length=20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From the first of one month to the end of another."""

    first: date
    last: date

    @property
    def query(self) -> str:
        return f"from={self.first:%Y-%m}&to={self.last:%Y-%m}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPage:
    """What statistics/overview.html shows."""

    tabs: Sequence[tuple[str, str]]
    period: Period
    figures: Figures
    bars: Sequence[Bar]
    tables: dict[str, Table]
    show: Any
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """What statistics/history.html shows: one page of the sessions, newest first."""

    tabs: Sequence[tuple[str, str]]
    period: Period
    table: Table
    show: Any
    zone: str
    page: int
    pages: int


def period_of(first: str, last: str, *, today: date) -> Period:
    """The months asked for; the last twelve for anything that is none. At most `MONTHS_MAX`, the latest
    ones.
    """
    end = _month(last) or today.replace(day=1)
    begin = _month(first) or _months_before(end, MONTHS_SHOWN - 1)
    if begin > end:
        begin, end = end, begin
    return Period(first=max(begin, _months_before(end, MONTHS_MAX - 1)), last=end)


def _month(text: str) -> date | None:
    found = _MONTH.fullmatch(text)
    return None if found is None else date(int(found[1]), int(found[2]), 1)


def _months_before(month: date, count: int) -> date:
    index = month.year * 12 + month.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def _read(services: Services, visitor: Visitor, first: str, last: str) -> tuple[Period, Figures]:
    today = services.now().astimezone(ZoneInfo(visitor.timezone)).date()
    period = period_of(first, last, today=today)
    with services.readers() as session:
        figures = statistics(
            session,
            CdrVisits(),
            account_id=visitor.account_id,
            first=period.first,
            last=period.last,
            zone=visitor.timezone,
        )
    return period, figures


@router.get("/statistics")
def overview(
    request: Request, visitor: SignedIn, services: AllServices, first: MonthText = "", last: LastText = ""
) -> Response:
    period, figures = _read(services, visitor, first, last)
    shown = StatisticsPage(
        tabs=TABS,
        period=period,
        figures=figures,
        bars=bars_of(figures.months, language=language_of(request)),
        tables={key: make(figures) for key, make in tables.TABLES.items()},
        show=show_with(language_of(request), visitor.timezone),
        zone=visitor.timezone,
    )
    return render(request, "statistics/overview.html", shown)


@router.get("/statistics/history")
def history(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    first: MonthText = "",
    last: LastText = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    period, figures = _read(services, visitor, first, last)
    whole = tables.history(figures)
    begin = (page - 1) * HISTORY_PER_PAGE
    end = begin + HISTORY_PER_PAGE
    shown = HistoryPage(
        tabs=TABS,
        period=period,
        table=Table(
            key=whole.key,
            title=whole.title,
            columns=whole.columns,
            rows=whole.rows[begin:end],
            links=whole.links[begin:end],
        ),
        show=show_with(language_of(request), visitor.timezone),
        zone=visitor.timezone,
        page=page,
        pages=max(1, -(-len(whole.rows) // HISTORY_PER_PAGE)),
    )
    return render(request, "statistics/history.html", shown)


@router.get("/statistics/{key}.csv")
def export(
    visitor: SignedIn, services: AllServices, key: str, first: MonthText = "", last: LastText = ""
) -> Response:
    make = tables.TABLES.get(key)
    if make is None:
        raise not_found("page")
    period, figures = _read(services, visitor, first, last)
    table = make(figures)
    name = f"{key}-{period.first:%Y-%m}-{period.last:%Y-%m}"
    return csv_response(
        name, [column.name for column in table.columns], tables.file_rows(table, zone=visitor.timezone)
    )


@router.get("/events/{event_id}/sessions/{session_id}/attendees.csv")
def export_people(visitor: SignedIn, services: AllServices, event_id: str, session_id: str) -> Response:
    event, run, people = _session(services, visitor, event_id, session_id)
    table = tables.people(people)
    return csv_response(
        f"attendees-{run.id}",
        [column.name for column in table.columns],
        tables.file_rows(table, zone=event.timezone),
    )


@router.get("/events/{event_id}/sessions/{session_id}/report.pdf")
def report(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    session_id: str,
    language: Annotated[str, Query(alias="in", max_length=8)] = "",
) -> Response:
    event, run, _people = _session(services, visitor, event_id, session_id)
    try:
        return pdf_response(services, event, run, language=language or language_of(request))
    except NoSuchWordsError:
        raise not_found("page") from None


def pdf_response(services: Services, event: Event, run: EventSession, *, language: str) -> Response:
    """The report of a session as a file. Raises NoSuchWordsError, paper.fonts.FontMissingError."""
    with services.readers() as session:
        people = people_in(session, CdrVisits(), [run.id])
        visits = CdrVisits().of_sessions(session, [run.id])
    facts = SessionFacts(
        session_id=run.id, event_id=event.id, event_name=event.name, kind=event.room_type,
        started_at=run.started_at, ended_at=run.ended_at,
    )  # fmt: skip
    body = draw(
        SessionReport(
            facts=facts, zone=event.timezone, people=people, most_at_once=most_at_once(visits),
            made_at=services.now(),
        ),
        language=language,
    )  # fmt: skip
    headers = {
        "Content-Disposition": f'attachment; filename="session-{run.id}-{language}.pdf"',
        "Cache-Control": "no-store",
    }
    return Response(body, media_type="application/pdf", headers=headers)


def _session(
    services: Services, visitor: Visitor, event_id: str, session_id: str
) -> tuple[Event, EventSession, list[Person]]:
    with services.readers() as session:
        event = service.get_event(
            session,
            account_id=visitor.account_id,
            event_id=parse_id(event_id, digits_max=9, what="event"),
        )
        run = service.get_session(
            session, event, session_id=parse_id(session_id, digits_max=18, what="session")
        )
        return event, run, people_in(session, CdrVisits(), [run.id])
