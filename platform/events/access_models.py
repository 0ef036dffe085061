"""The tables of who may enter: tokens, links that let in by themselves, and registrations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class EventToken(Base):
    """Six characters that let one person in. Browser and telephone of one token are the seat `seat_id`.

    The token is kept in clear, because the organiser reads it again. Its telephone PIN is the `event_pin` of
    the same seat. `browser_digest` belongs to the browser that used the token first; no other may.
    """

    __tablename__ = "event_token"
    __table_args__ = (
        UniqueConstraint("event_id", "token"),
        Index("ix_event_token_event_id_sent_to_email", "event_id", "sent_to_email"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    token: Mapped[str] = mapped_column(String(6))
    seat_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    sent_to_email: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    first_use_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_use_how: Mapped[str | None] = mapped_column(String(8))
    browser_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Autologin(Base):
    """A link made for one person by a program of the organiser: only the digest of its secret is kept."""

    __tablename__ = "event_autologin"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("event_token.id"))
    seat_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    browser_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))


class Registration(Base):
    """Somebody who registered for an event. One row for a mail address, in lower case, and event.

    `answers` maps the number of a custom field to what was answered. `token_id` is the way in that was
    mailed.
    """

    __tablename__ = "registration"
    __table_args__ = (
        UniqueConstraint("event_id", "email"),
        Index("ix_registration_event_id_status", "event_id", "status"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    status: Mapped[str] = mapped_column(String(16))
    email: Mapped[str] = mapped_column(String(254))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str] = mapped_column(String(64))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("event_token.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mails: Mapped[int]
