"""What web hooks are told of calls: one message for each record, when the record is stored.

Theory. The message is written in the transaction that writes the record (the outbox pattern), and only for
records that this transaction made new: the journal may be replayed from any earlier point after a crash, the
record is there already then, and nobody is told twice. A fault here costs the message, never the record.

The message is the record as the HTTP API shows it: the caller's number masked, nothing of what the telephone
sent as its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from bridge.cdr.export import as_json
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import CallFacts
from database.errors import is_outage
from events.web_hooks import Kind, listeners, publish

_log = structlog.get_logger(__name__)


def tell_calls(session: Session, calls: Iterable[CallFacts], now: datetime) -> int:
    """Tell whoever wants to hear of these calls, which are stored now; how many messages.

    Raises SQLAlchemyError when the database is away.
    """
    told = 0
    known = {call.id: call for call in calls if call.account_id is not None}
    try:
        with session.begin_nested():
            wanted = listeners(session, {call.account_id for call in known.values()}, kind=Kind.CDR)
            for call in known.values():
                if call.account_id is not None and call.account_id in wanted:
                    told += publish(
                        session,
                        account_id=call.account_id,
                        kind=Kind.CDR,
                        key=f"cdr-{call.id}",
                        data=as_json(Cdr(**row_of(call), ingest_at=now)),
                        now=now,
                    )
    except Exception as exc:
        if is_outage(exc):
            raise
        _log.exception("cdr_not_told", calls=len(known))
        return 0
    return told
