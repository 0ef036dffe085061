"""Call records as billing sees them: `billing.calls.CallSource` over the table `cdr`.

Only columns that a price depends on are read.  A record's `session_id` is text because a record must be
storable whatever it holds; for billing a session is a number, and anything else is no session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from billing.calls import BillableCall
from billing.deck_models import CdrRating, UnratedCall
from bridge.cdr.models import Cdr
from events.models import EventSession

_CHUNK = 1000
_IN_MAX = 500
_BIGINT_MAX = 2**63 - 1
_COLUMNS = (
    Cdr.id, Cdr.source, Cdr.source_call_id, Cdr.leg, Cdr.session_id, Cdr.account_id, Cdr.number_id,
    Cdr.number_class, Cdr.called_e164, Cdr.caller_e164, Cdr.setup_at, Cdr.answer_at, Cdr.end_at, Cdr.conn_ms,
    Cdr.end_basis, Cdr.billable, Cdr.channel,
)


class CdrCalls:
    """A `CallSource`. Holds no state."""

    def get(self, session: Session, cdr_id: str) -> BillableCall | None:
        """The call with this id, billable or not."""
        return next(iter(self.get_many(session, [cdr_id])), None)

    def get_many(self, session: Session, cdr_ids: Collection[str]) -> list[BillableCall]:
        """Those of these calls that exist, ordered by setup time."""
        ids = list(cdr_ids)
        found: list[Any] = []
        for begin in range(0, len(ids), _IN_MAX):
            found += session.execute(select(*_COLUMNS).where(Cdr.id.in_(ids[begin : begin + _IN_MAX]))).all()
        return _calls(session, sorted(found, key=lambda row: (row.setup_at, row.id)))

    def of_session(self, session: Session, session_id: int) -> list[BillableCall]:
        """All calls of one run of an event, billable or not, ordered by setup time."""
        wanted = select(*_COLUMNS).where(Cdr.session_id == str(session_id)).order_by(Cdr.setup_at, Cdr.id)
        return _calls(session, session.execute(wanted).all())

    def billable_between(self, session: Session, start: datetime, end: datetime) -> Iterator[BillableCall]:
        """Billable calls with `end_at` in [start, end), ordered by end, a thousand in memory at a time."""
        wanted = _billable().where(Cdr.end_at >= start, Cdr.end_at < end)
        wanted = wanted.order_by(Cdr.end_at, Cdr.id).limit(_CHUNK)
        after = wanted
        while True:
            chunk = session.execute(after).all()
            yield from _calls(session, chunk)
            if len(chunk) < _CHUNK:
                return
            last = chunk[-1]
            # By key, not by OFFSET: records that arrive meanwhile shift nothing.
            after = wanted.where(
                Cdr.end_at >= last.end_at,
                or_(Cdr.end_at > last.end_at, and_(Cdr.end_at == last.end_at, Cdr.id > last.id)),
            )

    def unpriced(self, session: Session, *, since: datetime, limit: int) -> list[BillableCall]:
        """Billable calls that reached the database since then, have no price and do not wait in the unrated
        queue; the first to arrive first.
        """
        priced = exists().where(CdrRating.cdr_id == Cdr.id)
        waits = exists().where(UnratedCall.cdr_id == Cdr.id)
        wanted = _billable().where(Cdr.ingest_at >= since, ~priced, ~waits)
        return _calls(session, session.execute(wanted.order_by(Cdr.ingest_at, Cdr.id).limit(limit)).all())


def session_number(text: str | None) -> int | None:
    """A record's session as the number that events know; None for anything else."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    number = int(text)
    return number if number <= _BIGINT_MAX else None


def events_of(session: Session, session_ids: Iterable[int]) -> dict[int, int]:
    """The event of each session that is known."""
    ids = sorted(set(session_ids))
    found: dict[int, int] = {}
    for begin in range(0, len(ids), _IN_MAX):
        chunk = ids[begin : begin + _IN_MAX]
        rows = session.execute(
            select(EventSession.id, EventSession.event_id).where(EventSession.id.in_(chunk))
        )
        found.update({row.id: row.event_id for row in rows})
    return found


def _billable() -> Any:
    return select(*_COLUMNS).where(Cdr.billable)


def _calls(session: Session, rows: Iterable[Any]) -> list[BillableCall]:
    known = list(rows)
    numbers = {row.session_id: session_number(row.session_id) for row in known}
    events = events_of(session, (number for number in numbers.values() if number is not None))
    calls = []
    for row in known:
        number = numbers[row.session_id]
        calls.append(
            BillableCall(
                cdr_id=row.id, source=row.source, source_call_id=row.source_call_id, leg=row.leg,
                session_id=number, account_id=row.account_id,
                event_id=None if number is None else events.get(number), number_id=row.number_id,
                number_class=row.number_class, called_e164=row.called_e164, caller_e164=row.caller_e164,
                setup_at=row.setup_at, answer_at=row.answer_at, end_at=row.end_at, conn_ms=row.conn_ms,
                end_basis=row.end_basis, billable=row.billable, channel=row.channel,
            )
        )
    return calls
