"""Web seats: who is connected, who is lost for a moment, and who is gone.

Theory.  A browser's socket breaks for many reasons that are no goodbye: a reload, a change of network, a tab
put to sleep. So a lost socket starts a time of grace; whoever is back within it was never away, and only
when it runs out has the person left. One engine keeps all seats of the node: no clock, no timer of its own;
its owner arms one timer for `deadline_s()` and calls `due`.

Deadlines are kept in the order in which they run out, which is that of the losses because all have the
same grace: every operation is O(1), `due` O(seats that expired).
"""

from __future__ import annotations

SEAT_GRACE_S = 20.0
"""How long a lost seat is kept, in seconds."""


class Seats:
    """See the module text. `now_s` is monotonic seconds."""

    def __init__(self, *, grace_s: float = SEAT_GRACE_S) -> None:
        self._grace_s = grace_s
        self._connected: set[str] = set()
        self._lost: dict[str, float] = {}  # seat → when its grace runs out, soonest first

    def __contains__(self, seat_id: object) -> bool:
        """Whether the seat is connected or in its grace."""
        return seat_id in self._connected or seat_id in self._lost

    def __len__(self) -> int:
        return len(self._connected) + len(self._lost)

    def connected(self, seat_id: str) -> bool:
        """Whether the seat's socket is here now."""
        return seat_id in self._connected

    def connect(self, seat_id: str, *, now_s: float) -> bool:
        """The seat's socket is here; whether the seat is new (True) or came back or was here (False).

        A seat whose grace has run out is new, even if nobody asked for `due` meanwhile.
        """
        until_s = self._lost.pop(seat_id, None)
        known = seat_id in self._connected or (until_s is not None and now_s < until_s)
        self._connected.add(seat_id)
        return not known

    def disconnect(self, seat_id: str, *, now_s: float) -> None:
        """The seat's socket is gone. Nothing happens to a seat that is not connected."""
        if seat_id in self._connected:
            self._connected.remove(seat_id)
            self._lost[seat_id] = now_s + self._grace_s

    def forget(self, seat_id: str) -> None:
        """The person said goodbye or was put out: no grace."""
        self._connected.discard(seat_id)
        self._lost.pop(seat_id, None)

    def deadline_s(self) -> float | None:
        """When `due` has something to tell next; None: not as things are."""
        return next(iter(self._lost.values()), None)

    def due(self, *, now_s: float) -> list[str]:
        """Seats whose grace has run out, the longest gone first; they are forgotten."""
        gone = []
        for seat_id, until_s in self._lost.items():
            if until_s > now_s:
                break
            gone.append(seat_id)
        for seat_id in gone:
            del self._lost[seat_id]
        return gone
