"""The mail about a registration: the person's own link, token and PIN, or that the organiser decides.

Numbers are those nearest to the time zone and language that the person registered with. It is put into the
outbox in the transaction that changed the registration.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from events.fields import DEFAULT_SETTINGS, asks_for_token
from events.models import Event
from events.personal_pins import grouped
from events.registrations import Registered, RegistrationStatus
from events.skins import Look, for_mail, look_of
from events.wording import Number, language_of, nearest
from mail.message import Mail
from mail.outbox import enqueue
from mail.texts import MailTexts
from web.services import Gateway, Services
from web.site import formats

_TEMPLATES = {
    RegistrationStatus.PENDING: "registration_pending",
    RegistrationStatus.APPROVED: "registered",
    RegistrationStatus.DECLINED: "registration_declined",
}
_mails = MailTexts()


def send(
    session: Session, services: Services, event: Event, found: Registered, *, language: str | None = None
) -> None:
    """Put the mail into the outbox when one is due. `language`: instead of the one they registered in."""
    if found.mail_due:
        spoken = language or found.registration.language
        mail = compose(services, event, found, language=spoken, look=look_of(session, event))
        enqueue(session, mail, key=found.mail_key, now=services.now())


def own_link(services: Services, event: Event, found: Registered) -> str:
    """The address with which this person, and nobody else, comes in."""
    url = f"{services.public_url}/{event.url_name}"
    return url if found.token is None else f"{url}?t={found.token.token.token}"


def compose(services: Services, event: Event, found: Registered, *, language: str, look: Look) -> Mail:
    """The mail to the person."""
    person, made = found.registration, found.token
    zone = person.timezone or event.timezone
    settings = {**DEFAULT_SETTINGS, **event.settings}
    by_phone = bool(settings["phonegateway_enabled"]) and made is not None
    numbers = _nearest(services, zone=zone, language=language) if by_phone else []
    when = ""
    if event.starts_at is not None and not event.permanent_room:
        shown = formats.filters(language)
        when = f"{shown['when'](event.starts_at, zone)} ({shown['zone_name'](zone, event.starts_at)})"
    values = {
        "name": person.first_name,
        "event": event.name,
        "when": when,
        "link": own_link(services, event, found),
        "token": made.token.token if made is not None and asks_for_token(event.access_type) else "",
        "pin": grouped(made.pin) if made is not None and made.pin is not None else "",
        "numbers": numbers,
        "look": for_mail(look, public_url=services.public_url),
    }
    template = _TEMPLATES[RegistrationStatus(person.status)]
    name = f"{person.first_name} {person.last_name}".strip()
    return _mails.write(template, language, values, to=person.email, to_name=name)


def _nearest(services: Services, *, zone: str, language: str) -> list[Gateway]:
    """The few numbers that the person will most likely want: the same as in an invitation."""
    by_number = {
        Number(location=one.location, display=one.display, country=one.country, language=one.language): one
        for one in services.gateways
    }
    found = nearest(list(by_number), zone=zone, language=language_of(language))
    return [by_number[number] for number in found]
