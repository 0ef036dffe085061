"""Saved cards: which there are, which one pays, and taking one away. No function commits.

The first card that is saved becomes the default; saving a card again under the same provider id changes its
expiry and nothing else. A removed card keeps its row, for the attempts that name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing.payments.errors import UnknownPaymentError
from billing.payments.gateway import SavedCard
from billing.payments.models import Card, Customer


def list_cards(session: Session, account_id: int) -> Sequence[Card]:
    """The cards of an account, the default first, then the newest."""
    query = select(Card).where(Card.account_id == account_id, Card.removed_at.is_(None))
    return session.scalars(query.order_by(Card.is_default.desc(), Card.id.desc())).all()


def default_card(session: Session, account_id: int) -> Card | None:
    """The card that shortfalls are charged to."""
    query = select(Card).where(Card.account_id == account_id, Card.is_default, Card.removed_at.is_(None))
    return session.scalars(query).one_or_none()


def get_card(session: Session, account_id: int, card_id: int) -> Card:
    """One card of an account. Raises UnknownPaymentError."""
    card = session.get(Card, card_id)
    if card is None or card.account_id != account_id or card.removed_at is not None:
        raise UnknownPaymentError("there is no such card")
    return card


def is_expired(card: Card, *, at: datetime) -> bool:
    """Whether the month printed on the card is over; it is good through the month's last day."""
    return (card.exp_year, card.exp_month) < (at.year, at.month)


def save_card(session: Session, account_id: int, psp: str, card: SavedCard, *, now: datetime) -> Card:
    """Keep a card. The same card again is the same row; the first card is the default."""
    query = select(Card).where(Card.psp == psp, Card.provider_ref == card.ref)
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        row = Card(account_id=account_id, psp=psp, provider_ref=card.ref, is_default=False, created_at=now)
        session.add(row)
    elif row.account_id != account_id:
        raise UnknownPaymentError("this card belongs to another account")
    row.customer_ref, row.brand, row.last4 = card.customer, card.brand[:32], card.last4[-4:]
    row.exp_month, row.exp_year, row.removed_at = card.exp_month, card.exp_year, None
    session.flush()
    if default_card(session, account_id) is None:
        row.is_default = True
        session.flush()
    return row


def set_default(session: Session, account_id: int, card_id: int) -> Card:
    """Let this card pay from now on. Raises UnknownPaymentError."""
    card = get_card(session, account_id, card_id)
    session.execute(
        update(Card).where(Card.account_id == account_id, Card.is_default).values(is_default=False)
    )
    card.is_default = True
    session.flush()
    return card


def remove_card(session: Session, account_id: int, card_id: int, *, now: datetime) -> SavedCard:
    """Take a card away; the newest other one becomes the default. Returns what the provider must forget.

    Raises UnknownPaymentError.
    """
    card = get_card(session, account_id, card_id)
    was_default, card.is_default, card.removed_at = card.is_default, False, now
    session.flush()
    if was_default and (others := list_cards(session, account_id)):
        others[0].is_default = True
        session.flush()
    return as_saved(card)


def gone(session: Session, psp: str, ref: str, *, now: datetime) -> bool:
    """The provider no longer has the card. False when it was none of ours."""
    query = select(Card).where(Card.psp == psp, Card.provider_ref == ref, Card.removed_at.is_(None))
    card = session.scalars(query).one_or_none()
    if card is None:
        return False
    remove_card(session, card.account_id, card.id, now=now)
    return True


def as_saved(card: Card) -> SavedCard:
    """The card in the gateway's words."""
    return SavedCard(
        ref=card.provider_ref,
        customer=card.customer_ref,
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
    )


def customer_ref(session: Session, account_id: int, psp: str) -> str:
    """What the provider calls this account; empty when it does not know it."""
    row = session.get(Customer, (account_id, psp))
    return row.customer_ref if row else ""


def remember_customer(session: Session, account_id: int, psp: str, ref: str, *, now: datetime) -> None:
    """Note what the provider calls this account; the first name stays."""
    if ref and session.get(Customer, (account_id, psp)) is None:
        session.add(Customer(account_id=account_id, psp=psp, customer_ref=ref, created_at=now))
        session.flush()
