"""Who was in a session and how long, as intervals on a time line. Pure, and a Protocol for where they come
from.

Theory. A *visit* is one leg's time in the room: from `join_at` to `leave_at` of its call record. One person
may have several, one after another (a reload, a second call) or at once (their telephone beside their
browser), so how long a person was there is the length of the *union* of their visits, never the sum:
somebody who dials in for ten minutes of an hour in the browser was there for an hour, of which ten minutes
by phone too. The union by way cannot be longer than the union of all, and that cannot be longer than the
session.

    browser  ████████████████░░░░██████████
    phone            ██████████████
    there    ██████████████████████████████

A person is a `participant_id`: the seat, which a visitor's browser keeps and their personal PIN shares. A
caller without a PIN of their own is somebody new with every call, because a telephone number is not a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from sqlalchemy.orm import Session


class Way(StrEnum):
    """How somebody came in."""

    BROWSER = "browser"
    PHONE = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One leg in one room. `country`: where a caller is, from their number or the one they dialled;
    `number`: the caller's, masked. Raises ValueError when it ends before it begins.
    """

    session_id: int
    participant_id: str
    way: Way
    join_at: datetime
    leave_at: datetime
    country: str | None = None
    number: str | None = None

    def __post_init__(self) -> None:
        if self.leave_at < self.join_at:
            raise ValueError("a visit ends before it begins")


class VisitSource(Protocol):
    """Where visits come from: the call records."""

    def of_sessions(self, session: Session, session_ids: Collection[int]) -> Sequence[Visit]:
        """All visits of these sessions that are over, ordered by session and time of joining."""

    def settled(self, session: Session, session_id: int) -> bool:
        """Whether no leg of the session is still up, so that nothing more is to come."""


def present_ms(visits: Iterable[Visit]) -> int:
    """The length of the union of the visits, in ms."""
    total, until = timedelta(), None
    for visit in sorted(visits, key=lambda one: one.join_at):
        begin = visit.join_at if until is None else max(visit.join_at, until)
        if visit.leave_at > begin:
            total += visit.leave_at - begin
            until = visit.leave_at
        elif until is None:
            until = visit.leave_at
    return total // timedelta(milliseconds=1)


def most_at_once(visits: Sequence[Visit]) -> int:
    """The most people present in one moment. Somebody who leaves in the moment another comes made room."""
    changes: list[tuple[datetime, int, str]] = []
    for visit in visits:
        if visit.leave_at > visit.join_at:
            changes += [(visit.join_at, 1, visit.participant_id), (visit.leave_at, 0, visit.participant_id)]
    legs: dict[str, int] = {}
    most = 0
    for _moment, coming, participant in sorted(changes):
        left = legs.get(participant, 0) + (1 if coming else -1)
        if left:
            legs[participant] = left
        else:
            del legs[participant]
        most = max(most, len(legs))
    return most
