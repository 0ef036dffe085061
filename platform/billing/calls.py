"""Calls as billing sees them: the facts that a price depends on, wherever they are kept.

Call records live on the bridge, and billing imports nothing from there.  The bridge implements `CallSource`
over its own table (`bridge.cdr.billable`) and hands it in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class BillableCall:
    """One leg that is over. Times are aware UTC in whole milliseconds; numbers are whole E.164."""

    cdr_id: str
    source: str
    source_call_id: str
    leg: str
    session_id: int | None
    """The run of the event; None when the caller never reached one."""
    account_id: int | None
    """Who pays; None when no PIN led to an account, and then the call is not billable."""
    event_id: int | None
    number_id: str | None
    number_class: str | None
    """city, tollfree or mobile, as it was at the time of the call."""
    called_e164: str | None
    caller_e164: str | None
    """Whole, for rates by origin: not for display."""
    setup_at: datetime
    answer_at: datetime | None
    end_at: datetime
    conn_ms: int | None
    """Answer to end, the basis of the price. None without an answer."""
    end_basis: str
    """`bye`, or how else the end was learned; then `end_at` is the last sound heard."""
    billable: bool
    channel: str

    @property
    def key(self) -> str:
        """The natural key that stops double charging."""
        return f"cdr:{self.source}:{self.source_call_id}:{self.leg}"


class CallSource(Protocol):
    """Where billing finds calls. All of them are over; calls that are up come later."""

    def get(self, session: Session, cdr_id: str) -> BillableCall | None:
        """The call with this id, billable or not."""
        ...

    def get_many(self, session: Session, cdr_ids: Collection[str]) -> list[BillableCall]:
        """Those of these calls that exist, ordered by setup time."""
        ...

    def of_session(self, session: Session, session_id: int) -> list[BillableCall]:
        """All calls of one run of an event, billable or not, ordered by setup time."""
        ...

    def billable_between(self, session: Session, start: datetime, end: datetime) -> Iterator[BillableCall]:
        """Billable calls with `end_at` in [start, end), ordered by end, a thousand in memory at a time."""
        ...

    def unpriced(self, session: Session, *, since: datetime, limit: int) -> list[BillableCall]:
        """Billable calls that reached the database since then, have no price and do not wait in the unrated
        queue; the first to arrive first.
        """
        ...
