"""What organisers see of their tickets: rows, sums, and the rows of a file. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from billing.chart import Kind
from billing.ledger_models import LedgerAccount
from billing.money import Money
from billing.payments.models import Checkout
from billing.tickets.models import Ticket
from billing.tickets.states import State
from events.access_models import EventToken
from events.models import EventPin

PAGE_SIZE = 100
COLUMNS = (
    "ticket", "state", "reason", "first_name", "last_name", "email", "amount", "currency", "refunded",
    "provider", "payment", "paid_at", "token", "first_use_date", "first_use_how", "mailed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ticket. `pin` has all but its last three digits hidden."""

    ticket: Ticket
    checkout: Checkout
    token: str | None
    first_use_date: datetime | None
    first_use_how: str | None
    revoked: bool
    pin: str | None = field(repr=False)

    @property
    def amount(self) -> Money:
        return Money(self.ticket.amount, self.ticket.currency)

    @property
    def name(self) -> str:
        return f"{self.ticket.first_name} {self.ticket.last_name}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of one currency: what good tickets brought, and what went back."""

    currency: str
    tickets: int
    taken: Money
    refunded: Money


def rows(
    session: Session, event_id: int, *, words: str = "", page: int = 1, page_size: int | None = PAGE_SIZE
) -> Sequence[Row]:
    """One page (from 1), newest first; all with a `page_size` of None. Those whose money may still come or
    came: what expired or was declined is no ticket.
    """
    query = _query().where(*_shown(event_id))
    for word in words.split()[:8]:
        columns = (Ticket.email, Ticket.first_name, Ticket.last_name, EventToken.token)
        query = query.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    query = query.order_by(Ticket.id.desc())
    if page_size is not None:
        query = query.offset((page - 1) * page_size).limit(page_size)
    return [_row(*found) for found in session.execute(query)]


def one(session: Session, event_id: int, ticket_id: int) -> Row | None:
    """A ticket of the event."""
    found = session.execute(_query().where(Ticket.event_id == event_id, Ticket.id == ticket_id)).one_or_none()
    return None if found is None else _row(*found)


def count(session: Session, event_id: int) -> int:
    """How many `rows` there are without words."""
    query = select(func.count()).select_from(Ticket).join(Checkout, Checkout.id == Ticket.checkout_id)
    return session.scalar(query.where(*_shown(event_id))) or 0


def totals(session: Session, event_id: int) -> Sequence[Totals]:
    """The sums of each currency in which tickets were paid."""
    valid = func.sum(Ticket.amount - Ticket.refunded).filter(Ticket.state == State.VALID)
    query = (
        select(
            Ticket.currency,
            func.count().filter(Ticket.state == State.VALID),
            func.coalesce(valid, 0),
            func.sum(Ticket.refunded),
        )
        .where(Ticket.event_id == event_id, Ticket.state != State.OPEN)
        .group_by(Ticket.currency)
        .order_by(Ticket.currency)
    )
    return [
        Totals(
            currency=currency,
            tickets=tickets,
            taken=Money(int(taken), currency),
            refunded=Money(int(refunded), currency),
        )
        for currency, tickets, taken, refunded in session.execute(query)
    ]


def owed(session: Session, account_id: int) -> Sequence[Money]:
    """What we owe the organiser for tickets of all their events, by currency."""
    query = select(LedgerAccount.posted, LedgerAccount.currency).where(
        LedgerAccount.kind == Kind.TICKETS,
        LedgerAccount.owner == str(account_id),
        LedgerAccount.posted != 0,
    )
    found = session.execute(query.order_by(LedgerAccount.currency))
    return [Money(row.posted, row.currency) for row in found]


def line(row: Row) -> Sequence[str]:
    """A row of the file, in the order of `COLUMNS`; whoever writes it makes formulas harmless."""
    ticket = row.ticket
    return [
        str(ticket.id), ticket.state, ticket.reason, ticket.first_name, ticket.last_name, ticket.email,
        str(row.amount.amount), ticket.currency, str(Money(ticket.refunded, ticket.currency).amount),
        row.checkout.psp, row.checkout.payment_ref, _moment(ticket.paid_at), row.token or "",
        _moment(row.first_use_date), row.first_use_how or "", _moment(ticket.mailed_at),
    ]  # fmt: skip


def _shown(event_id: int) -> list[ColumnElement[bool]]:
    hoped = Checkout.state.in_(("created", "redirected"))
    return [Ticket.event_id == event_id, or_(Ticket.state != State.OPEN, hoped)]


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _query() -> Select[Ticket, Checkout, EventToken, str]:
    same_seat = (EventPin.event_id == Ticket.event_id) & (EventPin.seat_id == EventToken.seat_id)
    return (
        select(Ticket, Checkout, EventToken, EventPin.pin)
        .join(Checkout, Checkout.id == Ticket.checkout_id)
        .outerjoin(EventToken, EventToken.id == Ticket.token_id)
        .outerjoin(EventPin, same_seat & EventPin.joinable)
    )


def _row(ticket: Ticket, checkout: Checkout, token: EventToken | None, pin: str | None) -> Row:
    return Row(
        ticket=ticket,
        checkout=checkout,
        token=None if token is None else token.token,
        first_use_date=None if token is None else token.first_use_date,
        first_use_how=None if token is None else token.first_use_how,
        revoked=token is not None and token.revoked_at is not None,
        pin=None if pin is None else "•" * (len(pin) - 3) + pin[-3:],
    )
