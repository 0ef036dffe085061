"""The way in that a mail offers: a link and the telephone PIN that goes with it.

In an event with tokens everybody who is invited has a token: the link and the PIN are theirs alone, and the
same ones in each mail. In a paid event whoever has a token, bought or given, is told of it; the others get
the address where tickets are sold, and no PIN. In all other events participants share the address and the
PIN. A presenter gets the presenters' link and PIN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from events.access_models import EventToken
from events.fields import AccessType, asks_for_token
from events.models import Event, EventPin
from events.tokens import Holder, make
from rooms.modes import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """`pin` is None when callers cannot come in."""

    link: str
    pin: str | None = field(repr=False)


class Doorkeeper(Protocol):
    """Knows the way in of each guest."""

    def doors(
        self, session: Session, event: Event, guests: Mapping[str, tuple[str, str]], *, now: datetime
    ) -> Mapping[str, Door]:
        """`guests` maps mail addresses to (name, role). The event's shared PINs are loaded."""


def token_link(url: str, token: str) -> str:
    """The address that enters with a token."""
    return f"{url}?t={token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The doorkeeper of this house."""

    public_url: str
    link_of: Callable[[str, str], str] = token_link

    def doors(
        self, session: Session, event: Event, guests: Mapping[str, tuple[str, str]], *, now: datetime
    ) -> Mapping[str, Door]:
        url = f"{self.public_url}/{event.url_name}"
        phones = bool(event.settings.get("phonegateway_enabled", True))
        shared = {pin.role: pin.pin for pin in event.pins if pin.joinable and phones}
        found: dict[str, Door] = {}
        wanting: dict[str, str] = {}
        for email, (name, role) in guests.items():
            if role == Role.PRESENTER:
                link = f"{url}?l={event.hash_presenter}"
                found[email] = Door(link=link, pin=shared.get(Role.PRESENTER))
            elif asks_for_token(event.access_type):
                wanting[email] = name
            else:
                found[email] = Door(link=url, pin=shared.get(Role.PARTICIPANT))
        for email, (token, pin) in _tokens(session, event, wanting, now=now).items():
            found[email] = Door(link=self.link_of(url, token), pin=pin if phones else None)
        for email in wanting.keys() - found.keys():
            found[email] = Door(link=url, pin=None)
        return found


def _tokens(
    session: Session, event: Event, wanting: Mapping[str, str], *, now: datetime
) -> Mapping[str, tuple[str, str | None]]:
    """The token and PIN of each address; made for those that have none, unless they are for sale."""
    if not wanting:
        return {}
    query = (
        select(EventToken.sent_to_email, EventToken.token, EventPin.pin)
        .outerjoin(
            EventPin, (EventPin.event_id == EventToken.event_id) & (EventPin.seat_id == EventToken.seat_id)
        )
        .where(
            EventToken.event_id == event.id,
            EventToken.revoked_at.is_(None),
            EventToken.sent_to_email.in_(list(wanting)),
        )
        .order_by(EventToken.id)
    )
    found: dict[str, tuple[str, str | None]] = {
        email: (token, pin) for email, token, pin in session.execute(query) if email is not None
    }
    if event.access_type == AccessType.PAID:
        return found
    missing: Sequence[str] = [email for email in wanting if email not in found]
    made = make(session, event, [Holder(name=wanting[email], email=email) for email in missing], now=now)
    for email, one in zip(missing, made, strict=True):
        found[email] = (one.token, one.pin)
    return found
