"""Calls that are said to be up, and of which nobody tells any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from bridge.cdr.models import CdrOpen
from bridge.cdr.open_legs import OpenCalls

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_only_calls_without_a_checkpoint_for_ten_minutes(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        for name, minutes in (("up", 1), ("lost", 11), ("long-lost", 300)):
            session.add(
                CdrOpen(
                    id=name, node_id="n", boot_id="b", facts="{}", seen_at=NOW - timedelta(minutes=minutes)
                )
            )
    with sessions() as session:
        assert OpenCalls().without_channel(session, now=NOW) == ["long-lost", "lost"]
