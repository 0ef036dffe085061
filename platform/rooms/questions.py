"""The question queue: first come, first served, with a number that survives a redial.

Each question draws a rising number; the queue is kept sorted by it.  Somebody who comes back within the
rejoin time brings their number along and stands where they stood, unless they had the floor meanwhile.
Places are found by bisection: O(log n) to read, O(n) moves of pointers to change.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator


class QuestionQueue:
    """Ordered, each participant at most once."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []
        self._next = 1

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, participant_id: object) -> bool:
        return participant_id in self._number

    def __iter__(self) -> Iterator[str]:
        """Participants from the first to the last."""
        return (participant_id for _, participant_id in self._order)

    def position(self, participant_id: str) -> int | None:
        """Place counted from 1, None when not in the queue."""
        number = self._number.get(participant_id)
        if number is None:
            return None
        return bisect_left(self._order, (number, participant_id)) + 1

    def add(self, participant_id: str, *, number: int | None = None) -> int:
        """Put at the end, or back at an earlier `number`; the place from 1."""
        assert participant_id not in self._number
        if number is None:
            number = self._next
            self._next += 1
        self._number[participant_id] = number
        insort(self._order, (number, participant_id))
        return bisect_left(self._order, (number, participant_id)) + 1

    def remove(self, participant_id: str) -> int | None:
        """Take out; the number they had, or None when they were not in the queue."""
        number = self._number.pop(participant_id, None)
        if number is not None:
            del self._order[bisect_left(self._order, (number, participant_id))]
        return number

    def first(self) -> str | None:
        """Who is next."""
        return self._order[0][1] if self._order else None
