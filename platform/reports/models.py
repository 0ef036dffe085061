"""The tables of what was: who came, what they thought, whom we thanked.

None has a foreign key to the session: like a call record, a row may reach the database before the session
that it belongs to. How long somebody was there is in none of them: that is in the call records alone, so that
statistics and bills cannot disagree.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class Attendee(Base):
    """Who a participant of a session was, as known when their browser entered for the first time.

    `device`, `system` and `browser` are read from `user_agent`; `country` (ISO 3166) from time zone and
    languages. An erased person has an empty name and user agent and no address.
    """

    __tablename__ = "attendee"
    __table_args__ = (
        Index("ix_attendee_account_id_email", "account_id", "email"),
        Index("ix_attendee_event_id_participant_id", "event_id", "participant_id"),
    )

    session_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    participant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[int]
    account_id: Mapped[int]
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254))
    ip: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(500))
    device: Mapped[str] = mapped_column(String(16))
    system: Mapped[str] = mapped_column(String(32))
    browser: Mapped[str] = mapped_column(String(32))
    country: Mapped[str | None] = mapped_column(String(2))
    timezone: Mapped[str | None] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EventRating(Base):
    """What one participant thought of one session: 1 to 5 stars, and a comment that may be empty."""

    __tablename__ = "event_rating"
    __table_args__ = (
        CheckConstraint("stars >= 1 AND stars <= 5", name="stars"),
        Index("ix_event_rating_event_id", "event_id"),
    )

    session_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    participant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[int]
    stars: Mapped[int]
    comment: Mapped[str] = mapped_column(Text)
    rated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionFarewell(Base):
    """This session's people have been thanked: so many mails went to the outbox."""

    __tablename__ = "session_farewell"

    session_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    mails: Mapped[int]
    done_at: Mapped[datetime] = mapped_column(UtcDateTime)
