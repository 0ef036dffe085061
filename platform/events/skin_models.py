"""The tables of looks: colours, and the pictures that go with them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class Skin(Base):
    """A look of an account's events. The one without an account is the house's own, and the first of all.

    `public_key` names the look in addresses that guests' browsers ask for, so that nobody finds the looks of
    others by counting. An account has at most one look that is the default of its new events.
    """

    __tablename__ = "skin"
    __table_args__ = (
        Index(
            "uq_skin_account_id_default",
            "account_id",
            unique=True,
            sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    public_key: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    accent: Mapped[str] = mapped_column(String(7))
    background: Mapped[str] = mapped_column(String(7))
    is_default: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SkinPicture(Base):
    """A picture of a look, as `events.pictures` drew it. `kind`: `logo` or `banner`; `digest` is its address,
    so that browsers may keep it for ever.
    """

    __tablename__ = "skin_picture"

    skin_id: Mapped[int] = mapped_column(ForeignKey("skin.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    content_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
