"""Mails to many guests of one event that differ in a few words. No I/O but reading what the mail says.

Theory. Ten thousand invitations in one language are one text with other names, links and PINs. So the
template is filled once per language with *places*, words that occur nowhere else, and each mail is made by
putting a guest's own words there: escaped for HTML in the one part, for calendars in the other, one line in
the subject. That is much cheaper than filling the template each time, and the places are random, so that
nobody can bring one in through the name of an event.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import escape

from events import agenda, ical, skins, unsubscribe, wording
from events.doors import Door
from events.models import Event
from events.skins import HOUSE_LOOK, Look
from events.wording import Number
from mail.message import Attachment, Mail
from mail.texts import MailTexts

CALENDAR_NAME = "invite.ics"
ABOUT_CHARS_MAX = 1_500
_OWN_WORDS = ("name", "link", "pin", "leave", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody to write to. `note`: a few words of the organiser; `changed`: they know an older date."""

    email: str
    name: str
    language: str
    note: str = ""
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Master:
    """A mail with places in it."""

    subject: str
    text: str
    html: str
    calendar: ical.Form | None
    method: str
    places: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class GuestMails:
    """Writes mails about one event. `organiser`: name and mail address; `method` for the calendar file: none
    without one. Make a new one for each batch: what the event says is read once.
    """

    texts: MailTexts
    event: Event
    organiser: tuple[str, str]
    public_url: str
    secret: bytes = field(repr=False)
    numbers: Sequence[Number]
    template: str
    method: str = ""
    look: Look = HOUSE_LOOK
    _masters: dict[tuple[str, bool, bool, bool, str], _Master] = field(default_factory=dict)

    def write(self, reader: Reader, door: Door | None) -> Mail:
        """The mail for one guest. Raises BadMailError for a bad address."""
        language = wording.language_of(reader.language)
        has_pin = door is not None and door.pin is not None
        key = (language, bool(reader.name), has_pin, reader.changed, reader.note)
        master = self._masters.get(key)
        if master is None:
            master = self._masters[key] = self._master(*key)
        token = unsubscribe.make(self.secret, account_id=self.event.account_id, email=reader.email)
        leave = f"{self.public_url}/unsubscribe/{token}"
        own = {
            "name": reader.name,
            "link": door.link if door is not None else "",
            "pin": wording.grouped(door.pin) if door is not None and door.pin is not None else "",
            "leave": leave,
            "email": reader.email,
        }
        words = {master.places[name]: value for name, value in own.items()}
        files: tuple[Attachment, ...] = ()
        if master.calendar is not None:
            body = master.calendar.filled(words).encode()
            files = (
                Attachment(
                    name=CALENDAR_NAME, content_type=ical.CONTENT_TYPE, body=body, method=master.method
                ),
            )
        return Mail(
            to=reader.email,
            to_name=reader.name,
            subject=master.subject,
            text=_filled(master.text, words),
            html=_filled(master.html, {place: str(escape(value)) for place, value in words.items()}),
            attachments=files,
            headers={
                "List-Unsubscribe": f"<{leave}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )

    def _master(self, language: str, has_name: bool, has_pin: bool, changed: bool, note: str) -> _Master:
        event, zone = self.event, self.event.timezone
        places = {name: f"zz{secrets.token_hex(8)}zz" for name in _OWN_WORDS}
        when = None
        if event.starts_at is not None:
            when = {
                "day": wording.day(event.starts_at, zone=zone, language=language),
                "clock": wording.clock(event.starts_at, zone=zone, language=language),
                "zone": wording.zone_name(event.starts_at, zone=zone, language=language),
            }
        values = {
            "name": places["name"] if has_name else "",
            "event_name": event.name,
            "organiser": self.organiser[0] or self.organiser[1],
            "when": when,
            "duration": wording.duration(event.duration_min),
            "note": note,
            "changed": changed,
            "link": places["link"],
            "pin": places["pin"] if has_pin else None,
            "numbers": wording.nearest(self.numbers, zone=zone, language=language) if has_pin else [],
            "leave": places["leave"],
            "agenda": agenda.text_of(event.agenda),
            "about": _short(event.lobby_description) if event.lobby_enabled else "",
            "look": skins.for_mail(self.look, public_url=self.public_url),
        }
        filled = self.texts.write(self.template, language, values, to="guest@example.org")
        calendar = None
        if self.method and event.starts_at is not None:
            whole = ical.calendar_of(
                event,
                url=places["link"] if self.method != "CANCEL" else self.public_url,
                method=self.method,
                description=filled.text if self.method != "CANCEL" else "",
                organiser=self.organiser,
                attendee=("", places["email"]),
            )
            calendar = ical.form(whole, places.values())
        return _Master(
            subject=filled.subject,
            text=filled.text,
            html=filled.html,
            calendar=calendar,
            method=self.method,
            places=places,
        )


def _short(text: str) -> str:
    """What the organiser says to those who wait, short enough for ten thousand mails."""
    return text if len(text) <= ABOUT_CHARS_MAX else f"{text[:ABOUT_CHARS_MAX].rstrip()} …"


def _filled(text: str, words: Mapping[str, str]) -> str:
    for place, value in words.items():
        text = text.replace(place, value)
    return text
