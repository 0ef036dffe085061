"""The tables of rating: decks, their rates, what each call cost, and what waits for a price or a decision.

- A deck's rates are never changed, and only a draft's can be deleted: triggers see to it.  A changed price
  list is a new version, so a version that is in memory is never out of date.
- `cdr_rating` keeps every price that a call ever had.  The current one is the one without a successor, and a
  partial unique index allows one of them.  Only `superseded_by` is ever written, once.
- Amounts are integers of 10⁻⁶ of the currency's main unit.

There are no foreign keys to call records: those live on the bridge, and facts do not depend on prices.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime

_WORD = String(32)
_LINE = String(255)
_UUID = String(36)
_PREFIX = String(15)
_U = BigInteger()
CURRENT = text("superseded_by IS NULL")


class RateDeck(Base):
    """One version of a price list."""

    __tablename__ = "rate_deck"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("cost_decimals BETWEEN 0 AND 6", name="cost_decimals"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="valid"),
        CheckConstraint("state IN ('draft', 'active', 'retired')", name="state"),
        Index("ix_rate_deck_currency_state", "currency", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    version: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    cost_decimals: Mapped[int]
    rounding: Mapped[str] = mapped_column(_WORD)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(_WORD)
    sample: Mapped[bool]
    """Made-up prices for trying things out."""
    source: Mapped[str] = mapped_column(_LINE)
    """The file it came from."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(_LINE)
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    activated_by: Mapped[str | None] = mapped_column(_LINE)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retired_by: Mapped[str | None] = mapped_column(_LINE)


class RateRow(Base):
    """One line of a deck; see `billing.decks.Rate`."""

    __tablename__ = "rate"
    __table_args__ = (
        CheckConstraint("connect_fee_u >= 0 AND per_minute_u >= 0", name="amounts"),
        CheckConstraint("first_s > 0 AND next_s > 0 AND grace_ms >= 0", name="blocks"),
        Index("ix_rate_deck_id", "deck_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    deck_id: Mapped[int] = mapped_column(ForeignKey("rate_deck.id"))
    number_class: Mapped[str] = mapped_column(_WORD)
    called_prefix: Mapped[str] = mapped_column(_PREFIX)
    origin_prefix: Mapped[str] = mapped_column(_PREFIX)
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    valid_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    connect_fee_u: Mapped[int] = mapped_column(_U)
    per_minute_u: Mapped[int] = mapped_column(_U)
    first_s: Mapped[int]
    next_s: Mapped[int]
    min_charge_u: Mapped[int | None] = mapped_column(_U)
    max_charge_u: Mapped[int | None] = mapped_column(_U)
    grace_ms: Mapped[int]
    description: Mapped[str] = mapped_column(_LINE)


class CdrRating(Base):
    """What a call cost, according to one version of the truth. Versions count from 1."""

    __tablename__ = "cdr_rating"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("superseded_by IS NULL OR superseded_by > version", name="superseded_by"),
        CheckConstraint("billed_sec >= 0 AND cost_u >= 0", name="amounts"),
        Index("uq_cdr_rating_current", "cdr_id", unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT),
        Index("ix_cdr_rating_cost_u", "cost_u", "cdr_id", sqlite_where=CURRENT, postgresql_where=CURRENT),
        Index("ix_cdr_rating_session_id", "session_id"),
        Index("ix_cdr_rating_account_id_answer_at", "account_id", "answer_at"),
    )

    cdr_id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    account_id: Mapped[int | None]
    answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment that chose deck and rate."""
    conn_ms: Mapped[int | None]
    deck_id: Mapped[int] = mapped_column(ForeignKey("rate_deck.id"))
    rate_id: Mapped[int] = mapped_column(ForeignKey("rate.id"))
    matched_prefix: Mapped[str] = mapped_column(_PREFIX)
    matched_origin: Mapped[str] = mapped_column(_PREFIX)
    billed_sec: Mapped[int]
    connect_fee_u: Mapped[int] = mapped_column(_U)
    unit_price_u: Mapped[int] = mapped_column(_U)
    cost_u: Mapped[int] = mapped_column(_U)
    currency: Mapped[str] = mapped_column(String(3))
    rounding: Mapped[str] = mapped_column(_WORD)
    cost_decimals: Mapped[int]
    reason: Mapped[str] = mapped_column(_LINE)
    """`first` for a call's first price, else why it was rated again."""
    rerating_id: Mapped[int | None] = mapped_column(ForeignKey("rerating.id"))
    rated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rated_by: Mapped[str] = mapped_column(_LINE)
    superseded_by: Mapped[int | None]
    """The version that came after; empty: this one is current."""


class UnratedCall(Base):
    """A billable call that no rate fits: it waits for a deck, and is never charged 0 instead."""

    __tablename__ = "unrated_call"
    __table_args__ = (Index("ix_unrated_call_first_at", "first_at"),)

    cdr_id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    session_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    account_id: Mapped[int | None]
    reason: Mapped[str] = mapped_column(_WORD)
    number_class: Mapped[str | None] = mapped_column(_WORD)
    called_e164: Mapped[str | None] = mapped_column(_WORD)
    answer_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]


class Rerating(Base):
    """A wish to rate calls again: asked for by one person, decided by another."""

    __tablename__ = "rerating"
    __table_args__ = (
        CheckConstraint("state IN ('requested', 'applied', 'rejected')", name="state"),
        CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="two_people"),
        CheckConstraint("state = 'requested' OR decided_by IS NOT NULL", name="decided"),
        Index("ix_rerating_state", "state"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(_WORD)
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[int]
    """User id."""
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[int | None]
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decision_note: Mapped[str] = mapped_column(Text)


class ReratingLine(Base):
    """One call of a re-rating: what it costs, and what it would cost. The old side is empty for a call that
    had no price.
    """

    __tablename__ = "rerating_line"
    __table_args__ = (
        UniqueConstraint("rerating_id", "cdr_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rerating_id: Mapped[int] = mapped_column(ForeignKey("rerating.id"))
    cdr_id: Mapped[str] = mapped_column(_UUID)
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    account_id: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    old_version: Mapped[int | None]
    old_cost_u: Mapped[int | None] = mapped_column(_U)
    old_billed_sec: Mapped[int | None]
    new_deck_id: Mapped[int] = mapped_column(ForeignKey("rate_deck.id"))
    new_rate_id: Mapped[int] = mapped_column(ForeignKey("rate.id"))
    new_cost_u: Mapped[int] = mapped_column(_U)
    new_billed_sec: Mapped[int]
