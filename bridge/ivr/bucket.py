"""A token bucket: how often something may happen, with room for a burst.

The bucket holds at most `burst` tokens and gains `per_s` of them a second; what finds no token does not
happen. Time is an argument. A clock that steps back adds nothing and breaks nothing.
"""

__all__ = ["Bucket"]


class Bucket:
    """Allows `burst` at once and `per_s` for long."""

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens", "refused")

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s: float | None = None
        self.refused = 0
        """How often `take` said no."""

    def take(self, *, now_s: float) -> bool:
        """Use one token; False when there is none."""
        if self._at_s is not None and now_s > self._at_s:
            self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s if self._at_s is None else max(self._at_s, now_s)
        if self._tokens < 1.0:
            self.refused += 1
            return False
        self._tokens -= 1.0
        return True
