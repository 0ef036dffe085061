"""What is still to be charged: scopes whose calls have prices. Written by whoever prices calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from billing.ledger_models import UsageWork

_CALL = "call-"


def scope_of(session_id: int | None, cdr_id: str) -> str:
    """What a call is charged together with: its session, or itself when it never reached one."""
    return str(session_id) if session_id is not None else f"{_CALL}{cdr_id}"


def call_of(scope: str) -> str | None:
    """The call that is a scope of its own; None for a session's scope."""
    return scope.removeprefix(_CALL) if scope.startswith(_CALL) else None


def session_of(scope: str) -> int | None:
    """The session of a scope; None for that of a single call."""
    return None if scope.startswith(_CALL) else int(scope)


def note_work(session: Session, scopes: Iterable[str], *, due_at: datetime) -> None:
    """These scopes have calls to charge, not before `due_at`; a time that was noted before stays."""
    rows = [
        {"scope": scope, "session_id": session_of(scope), "due_at": due_at, "tries": 0, "fault": None}
        for scope in sorted(set(scopes))
    ]
    if not rows:
        return
    table = cast(Table, UsageWork.__table__)
    build: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    session.connection().execute(
        statement.on_conflict_do_update(
            index_elements=["scope"],
            set_={"due_at": func.coalesce(table.c.due_at, statement.excluded.due_at)},
        ),
        rows,
    )
