"""The tables of the ledger, of holds, and of what sessions were charged.

`ledger_transaction` and `ledger_entry` only grow; triggers in the database refuse everything else.
`ledger_account` carries what can be computed and is asked often (`posted`), what is reserved (`held`) and
the moment before which nothing may be posted any more (`mark_at`); its name never changes.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime

BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only columns of type INTEGER; its integers have 64 bits all the same."""


class LedgerAccount(Base):
    """One account of the chart. `posted` stands on the side on which the account grows."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("kind", "owner", "currency", name="uq_ledger_account_kind_owner_currency"),
        CheckConstraint("kind <> 'wallet' OR posted >= 0", name="wallet_not_negative"),
        CheckConstraint(
            "held = 0 OR (kind = 'wallet' AND held > 0 AND held <= posted)", name="held_within_posted"
        ),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(32))
    currency: Mapped[str] = mapped_column(String(3))
    posted: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    mark_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LedgerTransaction(Base):
    """Entries that belong together and sum to zero in each currency."""

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        Index("ix_ledger_transaction_account_id_posted_at", "account_id", "posted_at"),
        Index("ix_ledger_transaction_session_id", "session_id"),
        Index("ix_ledger_transaction_settles_id", "settles_id"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    type: Mapped[str] = mapped_column(String(16))
    idem: Mapped[str] = mapped_column(String(255), unique=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    settles_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"))
    account_id: Mapped[int | None]
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    reference: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str | None] = mapped_column(String(1000))


class LedgerEntry(Base):
    """One line of a transaction: debit above 0, credit below."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint(
            "transaction_id", "ledger_account_id", name="uq_ledger_entry_transaction_id_ledger_account_id"
        ),
        CheckConstraint("amount <> 0", name="amount_not_zero"),
        Index("ix_ledger_entry_ledger_account_id_transaction_id", "ledger_account_id", "transaction_id"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"))
    ledger_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    amount: Mapped[int] = mapped_column(BigInteger)


class Hold(Base):
    """Money of a wallet that is kept back for a session that runs. It resolves once."""

    __tablename__ = "ledger_hold"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("(state = 'open') = (resolved_at IS NULL)", name="resolved_once"),
        Index("ix_ledger_hold_state_expires_at", "state", "expires_at"),
        Index("ix_ledger_hold_ledger_account_id", "ledger_account_id"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    ledger_account_id: Mapped[int] = mapped_column(ForeignKey("ledger_account.id"))
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UsagePosting(Base):
    """One charge for a session, or for a call outside one: its lines, their sum, and what was posted.

    `scope` is the session's id, or `call-` and the call's. `transaction_id` is None when there was nothing
    to post (all lines cost 0). `current` falls when the charge is reversed.
    """

    __tablename__ = "usage_posting"
    __table_args__ = (
        UniqueConstraint("scope", "version", name="uq_usage_posting_scope_version"),
        Index("ix_usage_posting_account_id_posted_at", "account_id", "posted_at"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    scope: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    session_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    account_id: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    lines_u: Mapped[int] = mapped_column(BigInteger)
    rounding_u: Mapped[int] = mapped_column(BigInteger)
    net_minor: Mapped[int] = mapped_column(BigInteger)
    vat_minor: Mapped[int] = mapped_column(BigInteger)
    vat_country: Mapped[str | None] = mapped_column(String(2))
    transaction_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_transaction.id"), unique=True)
    current: Mapped[bool]
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UsageLine(Base):
    """One call in one charge. Among current lines, a call appears once."""

    __tablename__ = "usage_line"
    __table_args__ = (
        Index(
            "uq_usage_line_cdr_id_current",
            "cdr_id",
            unique=True,
            sqlite_where=text("current = 1"),
            postgresql_where=text("current"),
        ),
        Index("ix_usage_line_posting_id", "posting_id"),
    )

    id: Mapped[int] = mapped_column(BIG_ID, primary_key=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("usage_posting.id"))
    cdr_id: Mapped[str] = mapped_column(String(36))
    rating_version: Mapped[int]
    cost_u: Mapped[int] = mapped_column(BigInteger)
    current: Mapped[bool]


class UsageWork(Base):
    """Work: calls of one scope that are to be charged when `due_at` has come. `due_at` None: all is done."""

    __tablename__ = "usage_work"
    __table_args__ = (Index("ix_usage_work_due_at", "due_at"),)

    scope: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    fault: Mapped[str | None] = mapped_column(String(255))
