"""Facts for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, new_id

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def begun(**more: Any) -> CallFacts:
    """A call that was answered and joined a room."""
    call = more.pop("id", None) or new_id()
    known: dict[str, Any] = {
        "id": call, "source": "sip", "source_call_id": f"{call}@phone", "leg": "1", "setup_at": T0,
        "ring_at": at(0.1), "answer_at": at(1), "join_at": at(9), "direction": Direction.IN,
        "channel": Channel.SIP, "node_id": "node-1", "sw_version": "0.1.0", "account_id": 7,
        "session_id": "session-1", "participant_id": "p1", "caller_e164": "+33123456789",
        "caller_raw": '"Ann" <sip:0123456789@carrier>', "called_e164": "+33184886300",
    }
    return CallFacts(**(known | more))


def ended(**more: Any) -> CallFacts:
    """A call that is over after 61 s of connection."""
    known: dict[str, Any] = {
        "leave_at": at(62), "end_at": at(62), "end_basis": EndBasis.BYE,
        "disposition": Disposition.SUCCESS, "reason_slug": "caller-hung-up", "q850": 16,
    }
    return begun(**(known | more))
