"""What should agree about tickets and does not: part of the daily reconciliation. Reads only.

    ticket-unposted      money is said to have come, and the ledger knows nothing of it
    ticket-unknown       the ledger took money for a ticket that is still unpaid here
    ticket-without-way   a good ticket without a token that opens
    ticket-stuck         the provider declined a refund, or another amount came: somebody must look
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.orm import Session

from billing.ledger_models import LedgerTransaction
from billing.payments.models import Checkout
from billing.posting import TransactionType
from billing.tickets.models import Ticket
from billing.tickets.states import State
from billing.trial_balance import Mismatch
from events.access_models import EventToken


def mismatches(session: Session) -> list[Mismatch]:
    """All of the module text, by ticket."""
    idem: ColumnElement[str] = literal("ticket:") + Checkout.psp + ":" + Checkout.payment_ref
    posted = (
        select(LedgerTransaction.id)
        .where(LedgerTransaction.idem == idem, LedgerTransaction.type == TransactionType.TICKET)
        .exists()
    )
    opens = (
        select(EventToken.id)
        .where(EventToken.id == Ticket.token_id, EventToken.event_id == Ticket.event_id)
        .exists()
    )
    query = (
        select(Ticket.id, Ticket.state, posted, opens)
        .join(Checkout, Checkout.id == Ticket.checkout_id)
        .where((Ticket.state != State.OPEN) | (Checkout.state == "paid"))
        .order_by(Ticket.id)
    )
    found = []
    for ticket_id, state, is_posted, has_way in session.execute(query):
        subject = f"ticket {ticket_id}"
        if state == State.OPEN:
            detail = "was paid, and is neither good nor on its way back"
            found.append(Mismatch(check="ticket-unknown", subject=subject, detail=detail))
        elif not is_posted:
            detail = f"is {state}, and no payment of it was posted"
            found.append(Mismatch(check="ticket-unposted", subject=subject, detail=detail))
        if state == State.VALID and not has_way:
            found.append(Mismatch(check="ticket-without-way", subject=subject, detail="has no token"))
        if state == State.STUCK:
            detail = "its money cannot go back by itself"
            found.append(Mismatch(check="ticket-stuck", subject=subject, detail=detail))
    return found
