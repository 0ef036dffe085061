"""The table of what Twilio says about our calls. A call record has no price (BILLING §1) and never changes;
Twilio prices a call minutes after its end. So its side of the story stands here, joined by CallSid, which is
the record's `source_call_id`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base
from database.types import UtcDateTime


class TwilioCall(Base):
    """One call as Twilio's books have it. price_u: charged to us, in millionths of `currency`."""

    __tablename__ = "twilio_call"
    __table_args__ = (Index("ix_twilio_call_next_try_at", "next_try_at"),)

    call_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    status: Mapped[str] = mapped_column(String(32))
    sip_status: Mapped[int | None]
    duration_s: Mapped[int | None]
    price_u: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(8))
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to ask for the price again; null: it is known, or will not come."""
