"""How many events of one account may take place at once. Pure.

An event with a date takes up one of the account's rooms from its start to its planned end; an end at the
moment of another's start is no overlap. Permanent rooms and events without a date take none up. Moments are
UTC, so an hour that the clocks show twice or leave out changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An event on the time line."""

    event_id: int
    name: str
    starts_at: datetime
    duration_min: int

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.duration_min)


def in_the_way(wanted: Span, others: Sequence[Span], *, rooms: int) -> list[Span]:
    """The events that leave no room for the wanted one, the earliest first; empty: there is room.

    With several rooms these are the ones that run together at the first moment at which all are taken.
    """
    near = [
        one
        for one in others
        if one.event_id != wanted.event_id
        and one.starts_at < wanted.ends_at
        and wanted.starts_at < one.ends_at
    ]
    # The number running at once only rises where one begins.
    for moment in sorted({wanted.starts_at, *(max(one.starts_at, wanted.starts_at) for one in near)}):
        running = [one for one in near if one.starts_at <= moment < one.ends_at]
        if len(running) >= rooms:
            return sorted(running, key=lambda one: (one.starts_at, one.event_id))
    return []
