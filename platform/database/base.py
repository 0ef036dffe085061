"""The declarative base of every table.

Constraints carry predictable names from the first migration on. SQLite and PostgreSQL would otherwise invent
different ones, and a later `DROP CONSTRAINT` could not be written once for both.
"""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of all mapped classes; its metadata is what the drift test compares with the migrations."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
