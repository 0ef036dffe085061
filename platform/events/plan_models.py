"""The tables of what is done about an event without anybody asking: steps, invitations, calendar feeds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class EventStep(Base):
    """One step that was begun; that it is UNIQUE is why no step is taken twice.

    `occurrence` is the planned start it belongs to (or the session, for a permanent room), so that an event
    put off has its steps again. `place` says how far a long step has come; `done_at` is None until it is
    over.
    """

    __tablename__ = "event_step"
    __table_args__ = (UniqueConstraint("event_id", "kind", "occurrence"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    kind: Mapped[str] = mapped_column(String(24))
    occurrence: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    place: Mapped[str] = mapped_column(String(300))
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Invitation(Base):
    """One person who is invited to one event.

    `wanted` is the mail that is still to be written into the outbox (`invite`, `update` or `cancel`), or
    None. `round` counts the mails wanted so far, `mail_key` finds the last one in the outbox, `sequence` is
    the event's when it was written: a smaller one than the event's means that the event changed since.
    """

    __tablename__ = "invitation"
    __table_args__ = (UniqueConstraint("event_id", "email"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"))
    email: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(8))
    role: Mapped[str] = mapped_column(String(16))
    wanted: Mapped[str | None] = mapped_column(String(16), index=True)
    note: Mapped[str] = mapped_column(Text)
    round: Mapped[int]
    sequence: Mapped[int]
    mail_key: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Unsubscription(Base):
    """Somebody who wants no more invitations and reminders of an account."""

    __tablename__ = "unsubscription"
    __table_args__ = (UniqueConstraint("account_id", "email"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    email: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CalendarFeed(Base):
    """The secret part of the address under which an account's events can be subscribed to."""

    __tablename__ = "calendar_feed"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
