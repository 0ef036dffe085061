"""The tables of invoices. Documents, their lines and their PDFs only grow: triggers refuse every change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class InvoiceCounter(Base):
    """The last number of a series. The row is locked while a number is taken, so there are no gaps."""

    __tablename__ = "invoice_counter"

    series: Mapped[str] = mapped_column(String(32), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class Invoice(Base):
    """An invoice or a credit note, frozen. `content` is all that the PDF shows."""

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("series", "serial", name="uq_invoice_series_serial"),
        Index("ix_invoice_account_id_issued_at", "account_id", "issued_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(48), unique=True)
    series: Mapped[str] = mapped_column(String(32))
    serial: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    credits_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[int] = mapped_column(BigInteger)
    vat: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    period_start: Mapped[datetime] = mapped_column(UtcDateTime)
    period_end: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    locale: Mapped[str] = mapped_column(String(8))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class InvoiceLine(Base):
    """A usage posting on a document. Each is on one invoice, and on one credit note at most."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        UniqueConstraint("transaction_id", "kind", name="uq_invoice_line_transaction_id_kind"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    transaction_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(16))
    net: Mapped[int] = mapped_column(BigInteger)
    vat: Mapped[int] = mapped_column(BigInteger)


class InvoicePdf(Base):
    """The document as a file, drawn once; `sha256` in hexadecimal."""

    __tablename__ = "invoice_pdf"

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    pdf: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VatCheck(Base):
    """What VIES says of an account's VAT number. `consultation` is its proof that we asked.

    `state` is the last answer other than "unknown", or unknown; `next_try_at` when to ask again.
    """

    __tablename__ = "vat_check"
    __table_args__ = (
        UniqueConstraint("account_id", "vat_number", name="uq_vat_check_account_id_vat_number"),
        Index("ix_vat_check_next_try_at", "next_try_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    vat_number: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(255))
    consultation: Mapped[str] = mapped_column(String(64))
    fault: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int]
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
