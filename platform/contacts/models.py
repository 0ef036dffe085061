"""The tables of the address book: contacts, groups, and who is in which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class Contact(Base):
    """A person in an account's address book, known by their mail address, which is kept in lower case."""

    __tablename__ = "contact"
    __table_args__ = (UniqueConstraint("account_id", "email"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    email: Mapped[str] = mapped_column(String(254))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str] = mapped_column(String(40))
    company: Mapped[str] = mapped_column(String(200))
    country: Mapped[str] = mapped_column(String(2))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ContactGroup(Base):
    """A group of contacts. One with an `event_id` gathers everybody who registered for that event; the number
    is no foreign key, because events are above this package.
    """

    __tablename__ = "contact_group"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        UniqueConstraint("event_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(String(300))
    event_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContactMembership(Base):
    """A contact is in a group."""

    __tablename__ = "contact_membership"

    group_id: Mapped[int] = mapped_column(ForeignKey("contact_group.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True, index=True)
