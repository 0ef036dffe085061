"""The tables of payments. No card number, no name on a card, no address has a column here.

`payment_checkout` is one visit to a provider's page, `payment_charge` one debt to be taken from a card,
`payment_attempt` one try at it under one idempotency key, `payment_hook` one message of a provider.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime

_DEFAULT = text("is_default")


class Checkout(Base):
    """A top-up, (`kind` "card", `amount` 0) a card left without paying, or what else `purposes` know."""

    __tablename__ = "payment_checkout"
    __table_args__ = (
        UniqueConstraint("account_id", "idem_key", name="uq_payment_checkout_account_id_idem_key"),
        UniqueConstraint("psp", "provider_ref", name="uq_payment_checkout_psp_provider_ref"),
        Index("ix_payment_checkout_state_look_at", "state", "look_at"),
        Index("ix_payment_checkout_psp_payment_ref", "psp", "payment_ref"),
        CheckConstraint("amount >= 0", name="amount"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[str] = mapped_column(String(16))
    psp: Mapped[str] = mapped_column(String(16))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    save_card: Mapped[bool]
    idem_key: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str | None] = mapped_column(String(255))
    url: Mapped[str] = mapped_column(Text)
    payment_ref: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    look_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Customer(Base):
    """The provider's name for an account."""

    __tablename__ = "payment_customer"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    psp: Mapped[str] = mapped_column(String(16), primary_key=True)
    customer_ref: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Card(Base):
    """A saved card. A removed one keeps its row for the charges that point at it."""

    __tablename__ = "payment_card"
    __table_args__ = (
        UniqueConstraint("psp", "provider_ref", name="uq_payment_card_psp_provider_ref"),
        Index(
            "uq_payment_card_account_id_default",
            "account_id",
            unique=True,
            sqlite_where=_DEFAULT,
            postgresql_where=_DEFAULT,
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    psp: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str] = mapped_column(String(255))
    customer_ref: Mapped[str] = mapped_column(String(255))
    brand: Mapped[str] = mapped_column(String(32))
    last4: Mapped[str] = mapped_column(String(4))
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    is_default: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Charge(Base):
    """What a card has to pay, once. `key` is the natural key of the debt, `short:{usage_tx}`.

    `covered` is what of `amount` was paid otherwise: by the wallet after a top-up, or together with a later
    charge.
    """

    __tablename__ = "payment_charge"
    __table_args__ = (
        Index("ix_payment_charge_state_next_try_at", "state", "next_try_at"),
        Index("ix_payment_charge_account_id_state", "account_id", "state"),
        CheckConstraint("amount > 0 AND covered >= 0 AND covered <= amount", name="amount"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(String(120), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    covered: Mapped[int] = mapped_column(BigInteger)
    usage_tx: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    soft_declines: Mapped[int]
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Attempt(Base):
    """One try. The row is committed before the provider is called; `key` is `{charge key}:{n}`."""

    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("charge_id", "n", name="uq_payment_attempt_charge_id_n"),
        Index("ix_payment_attempt_state_next_call_at", "state", "next_call_at"),
        Index("ix_payment_attempt_psp_payment_ref", "psp", "payment_ref"),
        CheckConstraint("amount > 0", name="amount"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    charge_id: Mapped[int] = mapped_column(ForeignKey("payment_charge.id"))
    n: Mapped[int]
    key: Mapped[str] = mapped_column(String(140), unique=True)
    psp: Mapped[str] = mapped_column(String(16))
    card_id: Mapped[int] = mapped_column(ForeignKey("payment_card.id"))
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64))
    payment_ref: Mapped[str] = mapped_column(String(255))
    action_url: Mapped[str] = mapped_column(Text)
    calls: Mapped[int]
    next_call_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Refund(Base):
    """Money sent back by our wish. `key` is chosen by whoever asks and makes it happen once; `source` is the
    kind of ledger account that it comes out of.
    """

    __tablename__ = "payment_refund"
    __table_args__ = (
        Index("ix_payment_refund_state_next_call_at", "state", "next_call_at"),
        CheckConstraint("amount > 0", name="amount"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    psp: Mapped[str] = mapped_column(String(16))
    payment_ref: Mapped[str] = mapped_column(String(255))
    source: Mapped[str] = mapped_column(String(16), default="wallet", server_default="wallet")
    currency: Mapped[str] = mapped_column(String(3))
    amount: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64))
    provider_ref: Mapped[str] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(255))
    calls: Mapped[int]
    next_call_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Hook(Base):
    """A web hook that was seen: the reason why it changes things once."""

    __tablename__ = "payment_hook"
    __table_args__ = (
        UniqueConstraint("psp", "event_id", name="uq_payment_hook_psp_event_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    psp: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(32))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
