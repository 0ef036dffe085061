"""What organisers say about tickets, beside what they say about the event: for pages and for the HTTP API.

The event is saved first, and what it sells in the same transaction: what is wrong with the price undoes both.
What is said about tickets of an event that is not paid is left alone, as forms send hidden fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from billing.tickets import offers, prices
from billing.tickets.offers import Offer
from events.errors import BadEventError, FieldProblem
from events.fields import AccessType
from events.models import Event
from web.services import Services


def save(
    session: Session, services: Services, event: Event, fields: Mapping[str, Any], *, now: datetime
) -> Offer | None:
    """Keep `ticket[…]` of the fields with the event. Raises BadEventError."""
    if event.access_type != AccessType.PAID:
        return None
    if services.billing is None or services.billing.tickets is None:
        raise BadEventError([FieldProblem(field="access_type", message="cannot be 4: nothing is sold here")])
    known = offers.of(session, event.id)
    wishes = prices.parse_offer(
        fields,
        known=None if known is None else known.price,
        currency=services.billing.currency,
        takes=services.billing.tickets.takes,
    )
    return offers.save(session, event, wishes, now=now)


def copied(session: Session, services: Services, event: Event, made: Event) -> None:
    """A copy of a paid event asks the same price."""
    if made.access_type == AccessType.PAID:
        offers.copy(session, event, made, now=services.now())


def values(offer: Offer | None, *, currency: str) -> dict[str, str]:
    """What stands in the fields `ticket[…]` of a form."""
    if offer is None:
        return {"price": "", "currency": currency, "capacity": ""}
    return {
        "price": str(offer.price.amount),
        "currency": offer.price.currency,
        "capacity": "" if offer.capacity is None else str(offer.capacity),
    }
