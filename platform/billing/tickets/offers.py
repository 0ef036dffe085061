"""What each event asks for a ticket. No function commits.

A new price is for tickets that are bought from now on: each ticket keeps the price at which its buyer began.
Whether an event sells tickets is its access type's word; an offer stays when that changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.money import Money
from billing.tickets.models import Ticket, TicketOffer
from billing.tickets.prices import CAPACITY, PRICE, OfferWishes
from billing.tickets.states import State
from events.errors import BadEventError, FieldProblem
from events.fields import AccessType, Status
from events.models import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A ticket of an event costs `price`; `sold` of `capacity` (None: no limit) are sold."""

    event_id: int
    price: Money
    capacity: int | None
    sold: int

    @property
    def left(self) -> int | None:
        """How many there still are; None: as many as people want."""
        return None if self.capacity is None else max(self.capacity - self.sold, 0)


def of(session: Session, event_id: int) -> Offer | None:
    """The event's offer, whatever its access type is."""
    return of_many(session, [event_id]).get(event_id)


def of_many(session: Session, event_ids: Sequence[int]) -> Mapping[int, Offer]:
    """The offers of these events that have one."""
    if not event_ids:
        return {}
    sold: dict[int, int] = {
        row[0]: row[1]
        for row in session.execute(
            select(Ticket.event_id, func.count())
            .where(Ticket.event_id.in_(event_ids), Ticket.state == State.VALID)
            .group_by(Ticket.event_id)
        )
    }
    return {
        row.event_id: Offer(
            event_id=row.event_id,
            price=Money(row.price, row.currency),
            capacity=row.capacity,
            sold=sold.get(row.event_id, 0),
        )
        for row in session.scalars(select(TicketOffer).where(TicketOffer.event_id.in_(event_ids)))
    }


def on_sale(event: Event) -> bool:
    """Whether tickets of the event can be bought, if it has a price."""
    return (
        event.access_type == AccessType.PAID and event.status == Status.ACTIVE and event.deleted_at is None
    )


def save(session: Session, event: Event, wishes: OfferWishes, *, now: datetime) -> Offer | None:
    """Change what the wishes mention; the event's offer afterwards.

    Raises BadEventError: a paid event needs a price, and there cannot be fewer tickets than are sold.
    """
    row = session.get(TicketOffer, event.id, with_for_update=True)
    if row is None and wishes.price is not None:
        row = TicketOffer(event_id=event.id, capacity=None)
        session.add(row)
    if row is None:
        if event.access_type == AccessType.PAID:
            raise BadEventError([FieldProblem(field=PRICE, message="is required")])
        return None
    if wishes.price is not None:
        row.currency, row.price = wishes.price.currency, wishes.price.minor
    if wishes.capacity is not None:
        row.capacity = wishes.capacity or None
    row.updated_at = now
    session.flush()
    offer = of(session, event.id)
    assert offer is not None, "it was just written"
    if offer.capacity is not None and wishes.capacity is not None and offer.capacity < offer.sold:
        problem = f"must be at least {offer.sold}: so many are sold"
        raise BadEventError([FieldProblem(field=CAPACITY, message=problem)])
    return offer


def copy(session: Session, event: Event, made: Event, *, now: datetime) -> None:
    """A copy of an event costs the same."""
    offer = of(session, event.id)
    if offer is not None:
        save(session, made, OfferWishes(price=offer.price, capacity=offer.capacity), now=now)
