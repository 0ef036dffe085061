"""What a payment for a ticket changes: the purpose `ticket` of `billing.payments.purposes`.

Theory. Everything that a payment brings is written in the transaction that posts it: the posting, the token
with its PIN, the ticket's state, the mail in the outbox, the message for web hooks. The posting's natural key
is the provider's id of the payment, so whoever hears of it first — the buyer who comes back, the web hook,
the runner — does all of it, everybody later nothing, and a process that died has done none of it.

A place is not kept while somebody pays: otherwise anybody could keep all places for nothing. So money may
come for which there is no place any more, because all tickets are sold, the address has one already (two
tabs), or the event is over. Then there is no token, and the money goes back by itself, with a mail that says
why. The event's offer is locked while this is decided, so that two payments never get the last place.

What was taken is owed to the organiser, who is the seller (`tickets:{account}` of the ledger).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing import chart, ledger
from billing.chart import AccountName, Kind
from billing.money import Money
from billing.payments import purposes, refunds
from billing.payments.gateway import CheckoutPaid
from billing.payments.models import Checkout, Refund
from billing.payments.purposes import TOP_UPS, Purposes
from billing.tickets.models import Ticket, TicketOffer
from billing.tickets.states import Reason, State
from events import repository, tokens
from events.access_models import EventToken
from events.fields import Status
from events.models import Event
from events.tokens import Holder, TokenEntry
from events.web_hooks import Kind as HookKind

TICKET = "ticket"


class TicketMails(Protocol):
    """Writes to buyers, in the caller's transaction."""

    def bought(
        self, session: Session, ticket: Ticket, event: Event, entry: TokenEntry, *, now: datetime
    ) -> None:
        """The way in. Each time a new mail: `ticket.mails` counts."""

    def going_back(self, session: Session, ticket: Ticket, event: Event, *, now: datetime) -> None:
        """The money goes back: `ticket.reason`."""


class TicketSales:
    """A `purposes.Purpose`."""

    refunds_from = Kind.TICKETS
    disputes_from = Kind.TICKETS

    def __init__(self, mails: TicketMails) -> None:
        self._mails = mails
        self.by_kind: Purposes = {**TOP_UPS, TICKET: self}
        """All purposes of a house that sells tickets."""

    def accounts(self, account_id: int, currency: str) -> tuple[AccountName, ...]:
        return (chart.tickets(account_id, currency),)

    def paid(self, session: Session, checkout: Checkout, paid: CheckoutPaid, *, now: datetime) -> bool:
        assert paid.amount is not None
        posted = ledger.ticket_sold(
            session, checkout.account_id, paid.amount, psp=checkout.psp, payment_ref=paid.payment, at=now
        )
        if posted.replayed:
            return False
        ticket = _of_checkout(session, checkout)
        what = {"what": TICKET, "event_id": ticket.event_id, "ticket_id": ticket.id}
        purposes.tell(session, checkout, paid.amount, payment=paid.payment, what=what, now=now)
        if ticket.state != State.OPEN:
            ticket.reason = Reason.PAID_TWICE
            session.flush()
            return True
        ticket.paid_at = ticket.updated_at = now
        if paid.amount != Money(ticket.amount, ticket.currency):
            ticket.state, ticket.reason = State.STUCK, Reason.AMOUNT_DIFFERS
            session.flush()
            return True
        event = event_of(session, ticket)
        refusal = _no_place(session, ticket, event)
        if refusal is None:
            name = f"{ticket.first_name} {ticket.last_name}".strip()
            (made,) = tokens.issue(session, event, [Holder(name=name, email=ticket.email)], now=now)
            ticket.state, ticket.token_id = State.VALID, made.token.id
            self._mails.bought(session, ticket, event, made, now=now)
        else:
            self.send_back(session, ticket, actor="system", reason=refusal, now=now, even_if_spent=True)
        session.flush()
        return True

    def send_back(
        self, session: Session, ticket: Ticket, *, actor: str, reason: str, now: datetime,
        even_if_spent: bool = False,
    ) -> Refund:  # fmt: skip
        """Let the whole price go back and take the token away. The runner asks the provider.

        Raises NotPossibleError when less is owed to the organiser, because it was paid out.
        """
        checkout = session.get_one(Checkout, ticket.checkout_id)
        left = Money(ticket.amount - ticket.refunded, ticket.currency)
        refund = refunds.request(
            session, psp=checkout.psp, payment=checkout.payment_ref, amount=left,
            key=f"ticket:{ticket.id}:{ticket.refund_tries + 1}", actor=actor, reason=reason, now=now,
            by_kind=self.by_kind, even_if_spent=even_if_spent,
        )  # fmt: skip
        ticket.refund_tries += 1
        ticket.state, ticket.reason, ticket.updated_at = State.REFUNDING, reason[:255], now
        _revoke(session, ticket, now=now)
        self._mails.going_back(session, ticket, event_of(session, ticket), now=now)
        session.flush()
        return refund

    def refund_ended(self, session: Session, refund: Refund, *, now: datetime) -> None:
        paid = refunds.find_payment(session, refund.psp, refund.payment_ref)
        assert paid is not None
        assert paid.checkout is not None
        ticket = _of_checkout(session, paid.checkout)
        ticket.updated_at = now
        if refund.state == "declined":
            if ticket.state == State.REFUNDING:
                ticket.state = State.STUCK
        else:
            ticket.refunded += refund.amount
            money = Money(refund.amount, refund.currency)
            what = {"what": TICKET, "event_id": ticket.event_id, "ticket_id": ticket.id}
            purposes.tell(
                session, paid.checkout, money, payment=refund.provider_ref or refund.key, what=what, now=now,
                kind=HookKind.PAYMENT_REFUNDED,
            )  # fmt: skip
            if ticket.refunded >= ticket.amount:
                if ticket.state != State.REFUNDING:
                    ticket.reason = Reason.AT_PROVIDER
                ticket.state = State.REFUNDED
                _revoke(session, ticket, now=now)
        session.flush()

    def disputed(self, session: Session, checkout: Checkout, *, won: bool, now: datetime) -> None:
        """The token is taken away, and given back with the money. Whoever has bought another ticket meanwhile
        keeps that one, and the money goes back.
        """
        ticket = _of_checkout(session, checkout)
        if not won and ticket.state == State.VALID:
            ticket.state, ticket.reason = State.DISPUTED, Reason.CHARGEBACK
            _revoke(session, ticket, now=now)
        elif won and ticket.state == State.DISPUTED and has_ticket(session, ticket.event_id, ticket.email):
            self.send_back(
                session, ticket, actor="system", reason=Reason.DUPLICATE, now=now, even_if_spent=True
            )
        elif won and ticket.state == State.DISPUTED:
            ticket.state, ticket.reason = State.VALID, ""
            assert ticket.token_id is not None
            tokens.restore(session, event_of(session, ticket), session.get_one(EventToken, ticket.token_id))
        ticket.updated_at = now
        session.flush()

    def mail_again(self, session: Session, ticket: Ticket, *, now: datetime) -> None:
        """The way in goes out once more, to the same address."""
        assert ticket.token_id is not None
        event = event_of(session, ticket)
        entry = tokens.entry(session, event, token_id=ticket.token_id)
        self._mails.bought(session, ticket, event, entry, now=now)
        session.flush()


def event_of(session: Session, ticket: Ticket) -> Event:
    """The event of a ticket, deleted or not, PINs loaded."""
    event = repository.get_any(session, ticket.event_id)
    assert event is not None, "events keep their rows"
    return event


def sold(session: Session, event_id: int) -> int:
    """How many tickets let somebody in."""
    query = select(func.count()).where(Ticket.event_id == event_id, Ticket.state == State.VALID)
    return session.scalar(query) or 0


def has_ticket(session: Session, event_id: int, email: str) -> Ticket | None:
    """The good ticket of this mail address (lower case)."""
    query = select(Ticket).where(
        Ticket.event_id == event_id, Ticket.email == email, Ticket.state == State.VALID
    )
    return session.scalars(query).one_or_none()


def _no_place(session: Session, ticket: Ticket, event: Event) -> Reason | None:
    """Why this buyer cannot be let in; the offer is locked from now on."""
    offer = session.get(TicketOffer, ticket.event_id, with_for_update=True, populate_existing=True)
    if event.status != Status.ACTIVE or event.deleted_at is not None:
        return Reason.EVENT_OVER
    if has_ticket(session, ticket.event_id, ticket.email) is not None:
        return Reason.DUPLICATE
    if offer is not None and offer.capacity is not None and sold(session, ticket.event_id) >= offer.capacity:
        return Reason.SOLD_OUT
    return None


def _of_checkout(session: Session, checkout: Checkout) -> Ticket:
    query = select(Ticket).where(Ticket.checkout_id == checkout.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _revoke(session: Session, ticket: Ticket, *, now: datetime) -> None:
    if ticket.token_id is not None:
        row = session.get_one(EventToken, ticket.token_id)
        tokens.revoke(session, event_of(session, ticket), row, now=now)
