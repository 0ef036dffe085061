"""Statistics as tables: the same rows on the page and in the file. Pure.

A table knows its columns and what kind of value stands in each. The page and the CSV file are written from
the same rows: durations as h:mm:ss in both, ratings with one decimal; only words are translated on the
page, and months and moments, which the file has in ISO 8601.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from reports.figures import Figures, Share, Sums
from reports.people import Person
from reports.session_pdf import duration
from web.site.billing.csv_file import Plain
from web.site.i18n import N_

KINDS = {"webinar": N_("Webinar"), "meeting": N_("Meeting")}
WAYS = {"browser": N_("Browser"), "phone": N_("Phone"), "both": N_("Browser and phone")}
DEVICES = {
    "computer": N_("Computer"), "phone": N_("Phone"), "tablet": N_("Tablet"), "other": N_("Other"),
    "": N_("Not known"),
}  # fmt: skip
ROLES = {"presenter": N_("Presenter"), "participant": N_("Participant")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`name` heads the column of the file, `title` that of the page; `kind` says what is in it:
    text, number, duration (ms), rating, month, moment, kind, way, device, country, role or stars.
    """

    name: str
    title: str
    kind: str = "text"

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "duration", "rating", "stars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows as long as there are columns; `links` has an address for each row, or is empty."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    links: Sequence[str] = ()


_SUMS = (
    Column(name="sessions", title=N_("Sessions"), kind="number"),
    Column(name="participants", title=N_("Participants"), kind="number"),
    Column(name="average_presence", title=N_("Present on average"), kind="duration"),
    Column(name="presence", title=N_("Present in all"), kind="duration"),
    Column(name="by_browser", title=N_("By browser"), kind="duration"),
    Column(name="by_phone", title=N_("By phone"), kind="duration"),
    Column(name="rating", title=N_("Rating"), kind="rating"),
)


def _sums(sums: Sums) -> tuple[object, ...]:
    return (
        sums.sessions, sums.participants, sums.average_ms, sums.present_ms, sums.browser_ms, sums.phone_ms,
        sums.rating,
    )  # fmt: skip


def months(figures: Figures) -> Table:
    return Table(
        key="months",
        title=N_("By month"),
        columns=(
            Column(name="month", title=N_("Month"), kind="month"),
            Column(name="events", title=N_("Events"), kind="number"),
            Column(name="webinars", title=N_("Webinars"), kind="number"),
            Column(name="meetings", title=N_("Meetings"), kind="number"),
            *_SUMS,
        ),
        rows=[
            (month.first, month.events, month.webinars, month.meetings, *_sums(month.sums))
            for month in figures.months
        ],
    )


def kinds(figures: Figures) -> Table:
    return Table(
        key="kinds",
        title=N_("Webinars and meetings"),
        columns=(Column(name="kind", title=N_("Kind"), kind="kind"), *_SUMS),
        rows=[(kind, *_sums(sums)) for kind, sums in figures.kinds],
    )


def events(figures: Figures) -> Table:
    return Table(
        key="events",
        title=N_("By event"),
        columns=(
            Column(name="event", title=N_("Event")),
            Column(name="kind", title=N_("Kind"), kind="kind"),
            Column(name="last_session_at", title=N_("Last session"), kind="moment"),
            *_SUMS,
        ),
        rows=[(row.name, row.kind, row.last_at, *_sums(row.sums)) for row in figures.events],
        links=[f"/events/{row.event_id}" for row in figures.events],
    )


def history(figures: Figures) -> Table:
    return Table(
        key="history",
        title=N_("History"),
        columns=(
            Column(name="began_at", title=N_("Began"), kind="moment"),
            Column(name="event", title=N_("Event")),
            Column(name="kind", title=N_("Kind"), kind="kind"),
            Column(name="length", title=N_("Length"), kind="duration"),
            *_SUMS[1:],
        ),
        rows=[
            (
                row.facts.started_at, row.facts.event_name, row.facts.kind,
                None if row.facts.ended_at is None
                else round((row.facts.ended_at - row.facts.started_at).total_seconds() * 1000),
                *_sums(row.sums)[1:],
            )
            for row in figures.sessions
        ],
        links=[f"/events/{row.facts.event_id}/sessions/{row.facts.session_id}" for row in figures.sessions],
    )  # fmt: skip


def _shares(key: str, title: str, column: str, kind: str, shares: Sequence[Share]) -> Table:
    return Table(
        key=key,
        title=title,
        columns=(
            Column(name=key, title=column, kind=kind),
            Column(name="participants", title=N_("Participants"), kind="number"),
        ),
        rows=[(share.key, share.participants) for share in shares],
    )


def countries(figures: Figures) -> Table:
    return _shares("countries", N_("Where from"), N_("Country"), "country", figures.countries)


def devices(figures: Figures) -> Table:
    return _shares("devices", N_("Devices"), N_("Device"), "device", figures.devices)


def browsers(figures: Figures) -> Table:
    return _shares("browsers", N_("Browsers"), N_("Browser"), "text", figures.browsers)


def ways(figures: Figures) -> Table:
    return _shares("ways", N_("Ways in"), N_("Way in"), "way", figures.ways)


TABLES: dict[str, Callable[[Figures], Table]] = {
    make.__name__: make for make in (months, kinds, events, history, countries, devices, browsers, ways)
}
"""Every table that can be seen and saved."""


def people(found: Sequence[Person]) -> Table:
    """Who was in a session."""
    return Table(
        key="attendees",
        title=N_("Who was there"),
        columns=(
            Column(name="name", title=N_("Name")),
            Column(name="email", title=N_("Mail")),
            Column(name="role", title=N_("Role"), kind="role"),
            Column(name="joined_at", title=N_("Came"), kind="moment"),
            Column(name="left_at", title=N_("Left"), kind="moment"),
            Column(name="present", title=N_("Present"), kind="duration"),
            Column(name="by_browser", title=N_("By browser"), kind="duration"),
            Column(name="by_phone", title=N_("By phone"), kind="duration"),
            Column(name="device", title=N_("Device"), kind="device"),
            Column(name="system", title=N_("System")),
            Column(name="browser", title=N_("Browser")),
            Column(name="country", title=N_("Country"), kind="country"),
            Column(name="rating", title=N_("Rating"), kind="stars"),
            Column(name="comment", title=N_("Comment")),
        ),
        rows=[
            (
                person.shown_name, person.email, person.role, person.joined_at, person.left_at,
                person.present_ms, person.browser_ms, person.phone_ms, person.device, person.system,
                person.browser, person.country, person.stars, person.comment,
            )
            for person in found
        ],
    )  # fmt: skip


def file_rows(table: Table, *, zone: str) -> list[list[object]]:
    """The rows as they stand in the file; moments on the clocks of `zone`."""
    return [
        [in_file(value, column.kind, zone=zone) for value, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]


def in_file(value: object, kind: str, *, zone: str) -> object:
    """One value of the file."""
    match value:
        case None:
            return Plain("")
        case datetime():
            return Plain(value.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds"))
        case date():
            return Plain(f"{value:%Y-%m}")
        case int() if kind == "duration":
            return Plain(duration(value))
        case int() | float() if kind == "rating":
            return Plain(f"{value:.1f}")
    return value
