"""The tables of tickets: what an event asks for one, and who bought which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime

_VALID = text("state = 'valid'")


class TicketOffer(Base):
    """What a ticket of an event costs now, and how many there are (None: as many as people want)."""

    __tablename__ = "ticket_offer"
    __table_args__ = (CheckConstraint("price > 0", name="price"),)

    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))
    price: Mapped[int] = mapped_column(BigInteger)
    capacity: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Ticket(Base):
    """One ticket that somebody began to buy. `amount` is what this buyer was asked for, whatever the offer
    says later; `refunded` what went back of it. The way in is the token; `mails` counts how often it went
    out.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        Index(
            "uq_ticket_event_id_email_valid", "event_id", "email", unique=True,
            sqlite_where=_VALID, postgresql_where=_VALID,
        ),
        Index("ix_ticket_event_id_state", "event_id", "state"),
        CheckConstraint("amount > 0 AND refunded >= 0", name="amount"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    checkout_id: Mapped[int] = mapped_column(ForeignKey("payment_checkout.id"), unique=True)
    token_id: Mapped[int | None] = mapped_column(ForeignKey("event_token.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(255))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    refunded: Mapped[int] = mapped_column(BigInteger)
    refund_tries: Mapped[int]
    mails: Mapped[int]
    mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
