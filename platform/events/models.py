"""The tables of events, their PINs and their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from database.base import Base
from database.types import UtcDateTime


class Event(Base):
    """A webinar or a meeting: planned once, or a permanent room that can be used again and again.

    A deleted event keeps its row (`deleted_at`), because call records and sessions go on pointing at it.
    `state` is where it is in its life (`events.steps.State`), brought up to date by the scheduler; `sequence`
    counts changes that calendars show (RFC 5545 §3.8.7.4); `planned_at` is when the present start was set.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_account_id_status", "account_id", "status"),
        Index("ix_event_status_starts_at", "status", "starts_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(255))
    room_type: Mapped[str] = mapped_column(String(16))
    permanent_room: Mapped[bool]
    access_type: Mapped[int]
    password_hash: Mapped[str | None] = mapped_column(String(200))
    room_pin: Mapped[str] = mapped_column(String(9), unique=True)
    url_name: Mapped[str] = mapped_column(String(80), unique=True)
    hash_listener: Mapped[str] = mapped_column(String(32))
    hash_presenter: Mapped[str] = mapped_column(String(32))
    hash_host: Mapped[str] = mapped_column(String(32))
    lobby_enabled: Mapped[bool]
    lobby_description: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_min: Mapped[int]
    timezone: Mapped[str] = mapped_column(String(64))
    skin_id: Mapped[int]
    registration: Mapped[dict[str, Any]] = mapped_column(JSON)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    capacity: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(BigInteger, index=True)
    state: Mapped[str] = mapped_column(String(16), default="scheduled", index=True)
    sequence: Mapped[int] = mapped_column(default=0)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    agenda: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)

    pins: Mapped[list[EventPin]] = relationship(
        back_populates="event",
        lazy="raise",
        order_by="EventPin.id",
        primaryjoin="and_(Event.id == EventPin.event_id, EventPin.seat_id.is_(None))",
    )
    """The PINs that everybody of a role shares; those of single visitors are not among them."""


class EventPin(Base):
    """A telephone PIN: it decides event and role.

    It is kept in clear, because the organiser reads it again in every invitation. `joinable` falls when the
    event is over or deleted; only among joinable rows must a PIN be unique.

    A row with a `seat_id` is the PIN of one web visitor, `person_name`, with which their telephone joins
    them; it may be deleted after `expires_at`.
    """

    __tablename__ = "event_pin"
    __table_args__ = (
        Index(
            "uq_event_pin_pin_joinable",
            "pin",
            unique=True,
            sqlite_where=text("joinable"),
            postgresql_where=text("joinable"),
        ),
        Index("uq_event_pin_event_id_seat_id", "event_id", "seat_id", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), index=True)
    pin: Mapped[str] = mapped_column(String(12), index=True)
    role: Mapped[str] = mapped_column(String(16))
    joinable: Mapped[bool]
    seat_id: Mapped[str | None] = mapped_column(String(64))
    person_name: Mapped[str | None] = mapped_column(String(200))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    event: Mapped[Event] = relationship(back_populates="pins", lazy="raise")


class EventRevision(Base):
    """The change counter: one row. An event carries its value at the event's last change."""

    __tablename__ = "event_revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class EventSession(Base):
    """One run of an event: from the first person in the room until the end, or until the room is empty.

    The id is made by the node that runs the room, so that a session can begin while the database is away.
    `last_seen_at` is moved on while it runs; after a crash it is the best known end.
    """

    __tablename__ = "event_session"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), index=True)
    node_id: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    total_visitors: Mapped[int]
    max_visitors: Mapped[int]
