"""The shell of tickets: what pages and routes call. Short transactions, and the cashier between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from billing.money import Money
from billing.payments.cashier import Cashier
from billing.payments.errors import NotPossibleError
from billing.payments.models import Checkout
from billing.payments.sale import Sale
from billing.tickets import offers
from billing.tickets.errors import (
    HasTicketError,
    NotOnSaleError,
    PriceChangedError,
    SoldOutError,
    TicketStateError,
    UnknownTicketError,
)
from billing.tickets.models import Ticket
from billing.tickets.sales import TICKET, TicketSales, event_of, has_ticket
from billing.tickets.states import State
from events import repository
from events.models import Event

MAIL_AGAIN_AFTER = timedelta(minutes=10)
MAILS_MAX = 20
"""How often a way in is mailed because somebody asks; organisers stop there, too."""
_KINDS = frozenset({TICKET})
_PUBLIC_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys. `email` in lower case; `language` and `timezone` for the mail."""

    first_name: str
    last_name: str
    email: str
    language: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A ticket with the visit to the provider that pays it."""

    ticket: Ticket
    checkout: Checkout
    event: Event


class TicketDesk:
    """Sells, looks up, mails again and refunds."""

    def __init__(self, sessions: sessionmaker[Session], cashier: Cashier, sales: TicketSales) -> None:
        self._sessions = sessions
        self._cashier = cashier
        self._sales = sales

    def takes(self, money: Money) -> bool:
        """Whether any provider here can be paid so much."""
        return any(gateway.takes(money) for gateway in self._cashier.gateways)

    def providers(self, money: Money) -> list[str]:
        """The names of those that can, in the order of the settings."""
        return [gateway.psp for gateway in self._cashier.gateways if gateway.takes(money)]

    def buy(
        self, event_id: int, buyer: Buyer, *, key: str, price: Money, psp: str, now: datetime
    ) -> Checkout:
        """Open a page to pay a ticket, at the `price` that the buyer saw. The same key is the same ticket:
        who comes back to correct their name or address before paying does so.

        Raises NotOnSaleError, SoldOutError, PriceChangedError, HasTicketError, and as `Cashier.sell`.
        """
        with self._sessions.begin() as session:
            event = repository.get_any(session, event_id)
            offer = offers.of(session, event_id)
            if event is None or offer is None or not offers.on_sale(event):
                raise NotOnSaleError("this event sells no tickets")
            if offer.price != price:
                raise PriceChangedError(offer.price)
            held = has_ticket(session, event_id, buyer.email)
            mine = held is not None and self._key_of(session, held) == _key(event_id, key)
            if held is not None and not mine:
                if self._may_mail(held, now):
                    self._sales.mail_again(session, held, now=now)
            elif offer.left == 0 and not mine:
                raise SoldOutError("all tickets are sold")
        if held is not None and not mine:
            raise HasTicketError("this address has a ticket")
        sale = Sale(
            account_id=event.account_id,
            amount=price,
            email=buyer.email,
            idem_key=_key(event_id, key),
            description=event.name[:120],
            path="/tickets/{}",
            cancel_query="?cancelled=1",
            locale=buyer.language,
            kind=TICKET,
            beside=partial(_written, event_id=event_id, buyer=buyer, now=now),
        )
        return self._cashier.sell(sale, psp=psp, now=now)

    def by_key(self, event_id: int, account_id: int, key: str) -> Checkout | None:
        """The visit to a provider that a form of this key began."""
        query = select(Checkout).where(
            Checkout.account_id == account_id, Checkout.idem_key == _key(event_id, key)
        )
        with self._sessions.begin() as session:
            return session.scalars(query).one_or_none()

    def look(self, public_id: str, *, ask: bool, now: datetime) -> Bought:
        """How a ticket stands; with `ask` the provider is asked, if that may change anything.

        Raises UnknownTicketError.
        """
        with self._sessions.begin() as session:
            found = _find(session, public_id)
        if ask and found.ticket.state == State.OPEN:
            self._cashier.finish(found.checkout.account_id, public_id, now=now, kinds=_KINDS)
            with self._sessions.begin() as session:
                found = _find(session, public_id)
        return found

    def mail_again(self, account_id: int, event_id: int, ticket_id: int, *, now: datetime) -> Ticket:
        """The organiser wants the way in to go out once more.

        Raises UnknownTicketError, TicketStateError for a ticket that is not good or was mailed too often.
        """
        with self._sessions.begin() as session:
            ticket = own(session, account_id, event_id, ticket_id)
            if ticket.state != State.VALID or ticket.mails >= MAILS_MAX:
                raise TicketStateError("this ticket is not mailed again")
            self._sales.mail_again(session, ticket, now=now)
            return ticket

    def refund(
        self, account_id: int, event_id: int, ticket_id: int, *, actor: str, reason: str, now: datetime
    ) -> Ticket:
        """The organiser sends the price back; the token opens nothing from now on. The provider is asked at
        once, and again by the runner until it answers.

        Raises UnknownTicketError, TicketStateError, and NotPossibleError when so much is not owed to the
        organiser any more, because it was paid out.
        """
        with self._sessions.begin() as session:
            ticket = own(session, account_id, event_id, ticket_id)
            if ticket.state not in (State.VALID, State.STUCK):
                raise TicketStateError("this ticket cannot be refunded")
            refund = self._sales.send_back(session, ticket, actor=actor, reason=reason, now=now)
        self._cashier.carry_on_refund(refund.id, now=now)
        with self._sessions.begin() as session:
            return own(session, account_id, event_id, ticket_id)

    def refunded_outside(
        self, account_id: int, event_id: int, ticket_id: int, *, reason: str, now: datetime
    ) -> Ticket:
        """The provider could not send the money back, and the organiser did so themselves. Nothing is posted:
        what was taken stays owed to the organiser, who paid it back out of their own pocket.

        Raises UnknownTicketError, TicketStateError.
        """
        with self._sessions.begin() as session:
            ticket = own(session, account_id, event_id, ticket_id)
            if ticket.state != State.STUCK:
                raise TicketStateError("the provider has not declined to refund this ticket")
            ticket.state, ticket.reason, ticket.updated_at = State.REFUNDED, f"outside: {reason}"[:255], now
            session.flush()
            return ticket

    def _may_mail(self, ticket: Ticket, now: datetime) -> bool:
        old = ticket.mailed_at is None or now - ticket.mailed_at >= MAIL_AGAIN_AFTER
        return old and ticket.mails < MAILS_MAX

    @staticmethod
    def _key_of(session: Session, ticket: Ticket) -> str:
        return session.get_one(Checkout, ticket.checkout_id).idem_key


def own(session: Session, account_id: int, event_id: int, ticket_id: int) -> Ticket:
    """A ticket of the account's event, locked. Raises UnknownTicketError."""
    ticket = session.get(Ticket, ticket_id, with_for_update=True, populate_existing=True)
    if ticket is None or (ticket.account_id, ticket.event_id) != (account_id, event_id):
        raise UnknownTicketError("there is no such ticket")
    return ticket


def _find(session: Session, public_id: str) -> Bought:
    if _PUBLIC_ID.fullmatch(public_id) is None:
        raise UnknownTicketError("there is no such ticket")
    query = select(Ticket, Checkout).join(Checkout, Checkout.id == Ticket.checkout_id)
    row = session.execute(query.where(Checkout.public_id == public_id)).one_or_none()
    if row is None:
        raise UnknownTicketError("there is no such ticket")
    ticket, checkout = row
    return Bought(ticket=ticket, checkout=checkout, event=event_of(session, ticket))


def _written(session: Session, checkout: Checkout, *, event_id: int, buyer: Buyer, now: datetime) -> None:
    """The ticket of a checkout; while nothing is paid, whoever has its key may correct who it is for."""
    query = select(Ticket).where(Ticket.checkout_id == checkout.id).with_for_update()
    ticket = session.scalars(query).one_or_none()
    if ticket is None:
        if checkout.kind != TICKET:
            raise NotPossibleError("this key was used for something else")
        ticket = Ticket(
            event_id=event_id, account_id=checkout.account_id, checkout_id=checkout.id, token_id=None,
            state=State.OPEN, reason="", currency=checkout.currency, amount=checkout.amount, refunded=0,
            refund_tries=0, mails=0, mailed_at=None, paid_at=None, created_at=now,
        )  # fmt: skip
        session.add(ticket)
    elif ticket.state != State.OPEN:
        return
    ticket.first_name, ticket.last_name, ticket.email = buyer.first_name, buyer.last_name, buyer.email
    ticket.language, ticket.timezone, ticket.updated_at = buyer.language, buyer.timezone, now
    session.flush()


def _key(event_id: int, key: str) -> str:
    return f"{TICKET}:{event_id}:{key}"
