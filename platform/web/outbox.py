"""What waits to be sent to one page: answers in order, changes of the room, and never more than a bound.

A page that takes its time must not cost memory. Changes may be left out because the whole state says the
same: when more than `CHANGES_MAX` wait, all of them are dropped, counted, and the page gets the state
instead, as it is when it is its turn. Answers cannot be left out; a page asks no faster than its rate allows,
so more than `ANSWERS_MAX` of them waiting means that nobody reads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

CHANGES_MAX = 512
ANSWERS_MAX = 256


class Outbox:
    """`state`: the frames that stand for everything dropped; called when they are about to be sent."""

    def __init__(self, *, state: Callable[[], list[str]]) -> None:
        self._state = state
        self._frames: deque[tuple[str, bool]] = deque()
        self._changes = 0
        self._stale = False
        self._news = asyncio.Event()
        self._closing = False
        self._empty = asyncio.Event()
        self.overflows = 0

    def answer(self, frame: str) -> bool:
        """A frame that must arrive; False when nobody reads."""
        if len(self._frames) - self._changes >= ANSWERS_MAX:
            return False
        self._frames.append((frame, False))
        self._news.set()
        return True

    def change(self, frame: str) -> None:
        """A frame that the state can stand for."""
        if self._stale:
            return
        if self._changes >= CHANGES_MAX:
            self.overflows += 1
            self.restate()
            return
        self._frames.append((frame, True))
        self._changes += 1
        self._news.set()

    def restate(self) -> None:
        """Send the state instead of the changes that wait."""
        self.forget_changes()
        self._stale = True
        self._news.set()

    def forget_changes(self) -> None:
        """The changes that wait, or the state in their place, are told another way."""
        self._frames = deque(item for item in self._frames if not item[1])
        self._changes = 0
        self._stale = False

    def finish(self) -> None:
        """Nothing more comes: `take` gives what waits, and then None."""
        self._closing = True
        self._news.set()

    async def drained(self) -> None:
        """Wait until `take` has given everything, after `finish`."""
        await self._empty.wait()

    async def take(self) -> str | None:
        """The next frame; waits for it. None: no more."""
        while True:
            if self._frames:
                frame, is_change = self._frames.popleft()
                self._changes -= is_change
                return frame
            if self._stale:
                self._stale = False
                for frame in self._state():
                    self._frames.append((frame, False))
                continue
            if self._closing:
                self._empty.set()
                return None
            self._news.clear()
            await self._news.wait()
