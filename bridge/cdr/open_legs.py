"""Calls that the records say are up although nobody has told of them for a while.

A node writes a checkpoint of each open call every few seconds (`bridge.cdr.store`).  A row of `cdr_open` that
has not been touched for `SILENT` belongs to a node that is gone, or to a call whose channel was lost: the
recovery of that node will end it at the last sound heard, and until then it is a matter for reconciliation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.cdr.models import CdrOpen

SILENT = timedelta(minutes=10)


class OpenCalls:
    """A `billing.reconciliation.OpenLegs`. Holds no state."""

    def without_channel(self, session: Session, *, now: datetime) -> Sequence[str]:
        """Ids of open calls whose last checkpoint is older than ten minutes, the oldest first."""
        return session.scalars(
            select(CdrOpen.id).where(CdrOpen.seen_at < now - SILENT).order_by(CdrOpen.seen_at, CdrOpen.id)
        ).all()
