"""The database side of the call records: one transaction per batch of journal lines, each repeatable.

Delivering the same lines again changes nothing: a final record is inserted under its UNIQUE key or not at
all, an open call is inserted or brought up to date, and closing removes it.  So the journal may be replayed
from any earlier point after a crash. Whoever wants to hear of records is told in the same transaction, and
only of those that it made new.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import structlog
from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.orm import Session, sessionmaker

from bridge.cdr.models import Cdr, CdrOpen, row_of
from bridge.cdr.progress import Checkpoint
from bridge.cdr.quality import LegStats
from bridge.cdr.record import CallFacts
from bridge.cdr.spool import Line
from database.errors import is_outage

#: Lines in one transaction: long enough to share its sync, short enough not to hold SQLite's write lock.
BATCH_LINES = 200

_log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()
_facts_decoder = msgspec.json.Decoder(CallFacts)
_stats_decoder = msgspec.json.Decoder(LegStats)

#: Told (session, new records, now) within the transaction that stores them; see `bridge.cdr.news`.
Tell = Callable[[Session, Sequence[CallFacts], datetime], object]


def is_row_at_fault(error: BaseException) -> bool:
    """True when the database is fine and will never take this row."""
    if isinstance(error, IntegrityError | DataError):
        return True
    # A value that could not even be bound: StatementError itself, none of its database-side children.
    return type(error) is StatementError and not is_outage(error)


class Delivery:
    """Statements on `cdr` and `cdr_open` on behalf of one life (`boot_id`) of one node. Holds no state."""

    def __init__(
        self, sessions: sessionmaker[Session], *, node_id: str, boot_id: str, tell: Tell | None = None
    ) -> None:
        self._sessions = sessions
        self._node_id = node_id
        self._boot_id = boot_id
        self._tell = tell

    def deliver(self, lines: Sequence[Line], *, now: datetime) -> list[CallFacts]:
        """Write at most `BATCH_LINES` lines in one transaction.

        Returns final records that were not stored because another record has their (source,
        source_call_id, leg).  Raises SQLAlchemyError, and then nothing was written.
        """
        opened: dict[str, CallFacts] = {}
        closed: dict[str, CallFacts] = {}
        for line in lines:
            if line.facts is None:
                continue
            if line.op == "close":
                closed.setdefault(line.facts.id, line.facts)
                opened.pop(line.facts.id, None)
            elif line.facts.id not in closed:
                opened[line.facts.id] = line.facts
        with self._sessions.begin() as session:
            refused = self._insert_closed(session, closed, now) if closed else []
            if opened:
                self._upsert_open(session, opened.values(), now)
        return refused

    def save_checkpoints(self, points: Collection[Checkpoint]) -> None:
        """Bring the open rows of many calls up to date. Raises SQLAlchemyError."""
        table = cast(Table, CdrOpen.__table__)
        statement = (
            update(table)
            .where(table.c.id == bindparam("call"))
            .values(seen_at=bindparam("seen"), last_rtp_at=bindparam("rtp"), stats=bindparam("counters"))
        )
        rows = [
            {
                "call": point.id,
                "seen": point.seen_at,
                "rtp": point.last_rtp_at,
                "counters": None if point.stats is None else _encoder.encode(point.stats).decode(),
            }
            for point in sorted(points, key=lambda point: point.id)  # one lock order for all writers
        ]
        if rows:
            with self._sessions.begin() as session:
                session.connection().execute(statement, rows)

    def orphans(self) -> list[tuple[CallFacts, Checkpoint]]:
        """Open rows that an earlier life of this node left behind. Raises SQLAlchemyError."""
        mine = select(CdrOpen).where(CdrOpen.node_id == self._node_id, CdrOpen.boot_id != self._boot_id)
        with self._sessions() as session:
            found = list(session.scalars(mine))
        orphans = []
        for row in found:
            try:
                facts = _facts_decoder.decode(row.facts)
                stats = None if row.stats is None else _stats_decoder.decode(row.stats)
            except (msgspec.DecodeError, ValueError):
                _log.error("cdr_open_row_unreadable", cdr_id=row.id)  # left for a person to look at
                continue
            point = Checkpoint(id=row.id, seen_at=row.seen_at, last_rtp_at=row.last_rtp_at, stats=stats)
            orphans.append((facts, point))
        return orphans

    def _insert_closed(
        self, session: Session, closed: dict[str, CallFacts], now: datetime
    ) -> list[CallFacts]:
        before = set(session.scalars(select(Cdr.id).where(Cdr.id.in_(closed))))
        rows = [row_of(facts) | {"ingest_at": now} for facts in closed.values()]
        # One compiled statement for many rows; a list of VALUES would be compiled anew for every batch.
        session.connection().execute(_insert(session)(Cdr.__table__).on_conflict_do_nothing(), rows)
        session.execute(delete(CdrOpen).where(CdrOpen.id.in_(closed)))
        stored = set(session.scalars(select(Cdr.id).where(Cdr.id.in_(closed))))
        if self._tell is not None and (fresh := stored - before):
            self._tell(session, [facts for call, facts in closed.items() if call in fresh], now)
        return [facts for call, facts in closed.items() if call not in stored]

    def _upsert_open(self, session: Session, opened: Iterable[CallFacts], now: datetime) -> None:
        rows = [
            {
                "id": facts.id,
                "node_id": self._node_id,
                "boot_id": self._boot_id,
                "facts": _encoder.encode(facts).decode(),
                "seen_at": now,
            }
            for facts in opened
        ]
        statement: Any = _insert(session)(CdrOpen.__table__)
        new = statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={"facts": new.facts, "boot_id": new.boot_id, "node_id": new.node_id},
        )
        session.connection().execute(statement, rows)


def _insert(session: Session) -> Any:
    """`INSERT … ON CONFLICT` of the session's database."""
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
