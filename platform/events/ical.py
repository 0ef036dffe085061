"""Events as calendars read them (RFC 5545), and as invitations between calendars (RFC 5546).

Theory. A calendar knows an event by its UID and takes the one with the highest SEQUENCE. So an event's UID
never changes and tells nothing (it is a hash that only this database could make), and `Event.sequence` rises
with every change that a calendar shows: an update then replaces the entry that is there, and a cancellation
takes it away. DTSTAMP is the event's last change, so that the same event is the same bytes.

A start is written on the clocks of the event's zone with the zone's rules beside it (VTIMEZONE): a calendar
that moves an event across a clock change has the organiser's intention, not only a moment. UTC is written
as UTC.

Text is escaped and lines are folded by the `icalendar` library. For thousands of invitations that differ in
a few words, `Form` fills a calendar that was made once and folds the lines that changed again (§3.1).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar

from events.fields import Status
from events.models import Event

CONTENT_TYPE = "text/calendar"
PRODUCT = "-//Tollbridge//Events//EN"
_NAMESPACE = uuid.UUID("6d1d4b1e-5f5e-5c57-9d8a-2f6f0a7b6c11")
_LINE_OCTETS = 75
_RULES_AROUND = timedelta(days=400)


def uid_of(event: Event) -> str:
    """The event's name among all calendars of the world (RFC 7986 §5.3)."""
    return f"{uuid.uuid5(_NAMESPACE, f'{event.id} {event.hash_host}')}@tollbridge"


def calendar_of(
    event: Event,
    *,
    url: str,
    method: str = "PUBLISH",
    description: str = "",
    organiser: tuple[str, str] | None = None,
    attendee: tuple[str, str] | None = None,
) -> str:
    """One event as a calendar object, CRLF at the ends of lines. `organiser` and `attendee` are (name, mail
    address). Raises ValueError for an event without a date.
    """
    calendar = _calendar(method)
    entry = _entry(event, url=url, description=description, cancelled=method == "CANCEL")
    if organiser is not None:
        entry.add("organizer", _person(*organiser))
    if attendee is not None:
        person = _person(*attendee)
        person.params["ROLE"] = "REQ-PARTICIPANT"
        person.params["PARTSTAT"] = "NEEDS-ACTION"
        person.params["RSVP"] = "FALSE"
        entry.add("attendee", person)
    calendar.add_component(entry)
    assert event.starts_at is not None
    _add_zones(calendar, [event.starts_at])
    return str(calendar.to_ical().decode())


def feed_of(events: Iterable[Event], *, name: str, url_of: Mapping[int, str]) -> str:
    """All events with a date as one calendar to subscribe to; asked for again every hour."""
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    starts: list[datetime] = []
    for event in events:
        if event.starts_at is not None:
            cancelled = event.deleted_at is not None
            calendar.add_component(_entry(event, url=url_of[event.id], description="", cancelled=cancelled))
            starts.append(event.starts_at)
    _add_zones(calendar, starts)
    return str(calendar.to_ical().decode())


@dataclass(frozen=True, slots=True)
class Form:
    """A calendar with places in it. Lines without a place stay as they are; only the others are folded anew
    for each person.
    """

    pieces: Sequence[tuple[str, bool]]
    """Text, and whether it is one unfolded line with places; the others are folded and end with CRLF."""

    def filled(self, values: Mapping[str, str]) -> str:
        """With each place replaced by its value, escaped as text (§3.3.11)."""
        words = {place: escaped(value) for place, value in values.items()}
        parts = []
        for text, has_places in self.pieces:
            if has_places:
                for place, word in words.items():
                    text = text.replace(place, word)
                text = _folded(text)
            parts.append(text)
        return "".join(parts)


def form(template: str, places: Iterable[str]) -> Form:
    """`template`, a whole calendar, prepared to be filled for many people."""
    wanted = list(places)
    pieces: list[tuple[str, bool]] = []
    for line in template.replace("\r\n ", "").split("\r\n"):
        if any(place in line for place in wanted):
            pieces.append((line, True))
        elif line and pieces and not pieces[-1][1]:
            pieces[-1] = pieces[-1][0] + _folded(line), False
        elif line:
            pieces.append((_folded(line), False))
    return Form(pieces)


def escaped(text: str) -> str:
    """`text` as a TEXT value."""
    plain = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return plain.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "")


def _folded(line: str) -> str:
    """`line` in pieces of at most 75 octets, no character cut in two."""
    raw = line.encode()
    parts: list[bytes] = []
    begin, room = 0, _LINE_OCTETS
    while len(raw) - begin > room:
        end = begin + room
        while raw[end] & 0xC0 == 0x80:  # inside a character of UTF-8
            end -= 1
        parts.append(raw[begin:end])
        begin, room = end, _LINE_OCTETS - 1  # the blank before it counts
    return b"\r\n ".join([*parts, raw[begin:]]).decode() + "\r\n"


def _calendar(method: str) -> icalendar.Calendar:
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _add_zones(calendar: icalendar.Calendar, starts: Sequence[datetime]) -> None:
    """The rules of the zones that are mentioned, for the years around the events and no others."""
    if starts:
        calendar.add_missing_timezones(
            first_date=(min(starts) - _RULES_AROUND).date(), last_date=(max(starts) + _RULES_AROUND).date()
        )


def _entry(event: Event, *, url: str, description: str, cancelled: bool) -> icalendar.Event:
    if event.starts_at is None:
        raise ValueError("an event without a date has no place in a calendar")
    entry = icalendar.Event()
    entry.add("uid", uid_of(event))
    entry.add("sequence", event.sequence)
    entry.add("dtstamp", event.updated_at)
    entry.add("created", event.created_at)
    entry.add("last-modified", event.updated_at)
    entry.add("summary", event.name)
    entry.add("dtstart", _on_clocks(event.starts_at, event.timezone))
    entry.add("dtend", _on_clocks(event.starts_at + timedelta(minutes=event.duration_min), event.timezone))
    entry.add("url", url)
    entry.add("location", url)
    if description:
        entry.add("description", description)
    over = cancelled or (event.deleted_at is not None and event.status == Status.INACTIVE)
    entry.add("status", "CANCELLED" if over else "CONFIRMED")
    entry.add("transp", "OPAQUE")
    return entry


def _on_clocks(moment: datetime, zone: str) -> datetime:
    return moment if zone == "UTC" else moment.astimezone(ZoneInfo(zone))


def _person(name: str, address: str) -> icalendar.vCalAddress:
    person = icalendar.vCalAddress(f"mailto:{address}")
    if name:
        person.params["CN"] = name
    return person
