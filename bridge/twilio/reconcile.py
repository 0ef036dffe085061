"""Our call records beside Twilio's bill: what is only in one book, and what the two see differently.

Twilio counts from its answer, which is when it opens our stream, to its end, in whole seconds rounded up; we
count from the first message of the stream.  A difference of up to SLACK_S is how things are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.twilio.repository import Pair, pairs

SLACK_S = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """One call, and in a word what is wrong with it; "" for nothing."""

    pair: Pair
    finding: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Price in millionths of the currency."""
        pair = self.pair
        return {
            "call_sid": pair.call_sid,
            "ended_at": pair.ended_at.isoformat(),
            "conn_ms": pair.ours_ms,
            "twilio_duration_s": pair.theirs_s,
            "twilio_status": pair.status,
            "price_u": pair.price_u,
            "currency": pair.currency,
            "reason_slug": pair.reason_slug,
            "finding": self.finding,
        }

    def line(self) -> str:
        """For people."""
        pair = self.pair
        ours = "-" if pair.ours_ms is None else f"{pair.ours_ms / 1000:.1f} s"
        theirs = "-" if pair.theirs_s is None else f"{pair.theirs_s} s"
        price = "-" if pair.price_u is None else f"{pair.price_u / 1_000_000:.6f} {pair.currency or ''}"
        ended = f"{pair.ended_at:%Y-%m-%d %H:%M:%S}"
        return f"{ended}  {pair.call_sid}  {ours:>9}  {theirs:>7}  {price:>14}  {self.finding}".rstrip()


def compared(session: Session, *, begin: datetime | None, before: datetime | None) -> Iterator[Compared]:
    """Every call of that time, ours first."""
    for pair in pairs(session, begin=begin, before=before):
        yield Compared(pair, finding(pair))


def finding(pair: Pair) -> str:
    """What is wrong, in a word."""
    if pair.reason_slug is None:
        return "no-record"
    if pair.status is None:
        return "no-callback"
    if abs((pair.theirs_s or 0) - (pair.ours_ms or 0) / 1000) > SLACK_S:
        return "duration-differs"
    return "no-price" if pair.price_u is None and pair.theirs_s else ""
