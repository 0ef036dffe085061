"""Mails to buyers: the way in with its receipt, and "your money goes back".

They enter the outbox in the transaction that decides it, under the ticket's own key, so whatever happens
twice is mailed once. The mail with the way in is an invitation between calendars (`method` REQUEST), too: its
entry is the one that other mails about the event bring up to date.

The receipt names the organiser as the seller and the amount that was paid. It is no invoice: tax on the price
is between seller and buyer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from billing.money import Money
from billing.tickets.models import Ticket
from billing.tickets.states import Reason
from events import ical, wording
from events.doors import token_link
from events.guest_mails import CALENDAR_NAME
from events.invitations import organiser_of
from events.models import Event
from events.tokens import TokenEntry
from events.wording import Number
from mail.message import Attachment
from mail.outbox import enqueue
from mail.texts import MailTexts

HERE = Path(__file__).parent


class BuyerMails:
    """A `sales.TicketMails`. `numbers` are asked for each time, because they may change."""

    def __init__(self, *, public_url: str, numbers: Callable[[], Sequence[Number]] = tuple) -> None:
        self._public_url = public_url
        self._numbers = numbers
        self._texts = MailTexts(HERE / "mail_templates", HERE / "mail_locale")

    def bought(
        self, session: Session, ticket: Ticket, event: Event, entry: TokenEntry, *, now: datetime
    ) -> None:
        """The link, the token, the numbers with the PIN, and the date for the calendar."""
        language = wording.language_of(ticket.language)
        organiser = organiser_of(session, event.account_id)
        link = token_link(f"{self._public_url}/{event.url_name}", entry.token.token)
        by_phone = bool(event.settings.get("phonegateway_enabled", True)) and entry.pin is not None
        values = {
            **self._about(ticket, event, language, organiser),
            "when": _when(event, ticket.timezone, language),
            "link": link,
            "token": entry.token.token,
            "pin": wording.grouped(entry.pin) if by_phone and entry.pin is not None else "",
            "numbers": wording.nearest(self._numbers(), zone=ticket.timezone, language=language)
            if by_phone
            else [],
        }
        name = f"{ticket.first_name} {ticket.last_name}".strip()
        files: tuple[Attachment, ...] = ()
        if event.starts_at is not None and not event.permanent_room:
            body = ical.calendar_of(
                event,
                url=link,
                method="REQUEST",
                description=link,
                organiser=organiser,
                attendee=(name, ticket.email),
            )
            files = (
                Attachment(
                    name=CALENDAR_NAME, content_type=ical.CONTENT_TYPE, body=body.encode(), method="REQUEST"
                ),
            )
        mail = self._texts.write(
            "ticket", language, values, to=ticket.email, to_name=name, attachments=files
        )
        ticket.mails += 1
        ticket.mailed_at = now
        enqueue(session, mail, key=f"ticket-{ticket.id}-{ticket.mails}", now=now)

    def going_back(self, session: Session, ticket: Ticket, event: Event, *, now: datetime) -> None:
        """Why there is no ticket (any more), and that the money is on its way."""
        language = wording.language_of(ticket.language)
        known = ticket.reason in tuple(Reason)
        values = {
            **self._about(ticket, event, language, organiser_of(session, event.account_id)),
            "reason": ticket.reason if known else "",
            "note": "" if known else ticket.reason,
        }
        name = f"{ticket.first_name} {ticket.last_name}".strip()
        mail = self._texts.write("ticket_refund", language, values, to=ticket.email, to_name=name)
        enqueue(session, mail, key=f"ticket-refund-{ticket.id}", now=now)

    def _about(
        self, ticket: Ticket, event: Event, language: str, organiser: tuple[str, str]
    ) -> dict[str, object]:
        return {
            "name": ticket.first_name,
            "event": event.name,
            "amount": Money(ticket.amount, ticket.currency).format(wording.LOCALES[language]),
            "seller": organiser[0] or organiser[1],
            "seller_mail": organiser[1],
            "number": str(ticket.id),
        }


def _when(event: Event, zone: str, language: str) -> str:
    """On the buyer's clocks; empty for an event without a date."""
    if event.starts_at is None or event.permanent_room:
        return ""
    day = wording.day(event.starts_at, zone=zone, language=language)
    clock = wording.clock(event.starts_at, zone=zone, language=language)
    return f"{day}, {clock} ({wording.zone_name(event.starts_at, zone=zone, language=language)})"
