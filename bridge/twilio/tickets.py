"""One-time tokens that tie a media socket to the call whose web hook was answered. No I/O.

Twilio passes the parameters of `<Stream>` on in the `start` message, so a random token there proves that
whoever opened the socket was given our TwiML.  A token lives some seconds and opens one stream; only its
hash is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict

from bridge.twilio.errors import TicketError

TICKET_S = 20.0
TICKETS_MAX = 10_000
"""Tokens remembered, used ones included; the oldest go first."""


class Tickets:
    def __init__(self, *, valid_s: float = TICKET_S, limit: int = TICKETS_MAX) -> None:
        self._valid_s, self._limit = valid_s, limit
        self._given: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._used: OrderedDict[bytes, None] = OrderedDict()

    def give(self, call_sid: str, *, now_s: float) -> str:
        """A fresh token for this call."""
        token = secrets.token_urlsafe(24)
        self._given[_hash(token)] = (call_sid, now_s + self._valid_s)
        while len(self._given) > self._limit:
            self._given.popitem(last=False)
        return token

    def use(self, token: str, *, now_s: float) -> str:
        """The call this token was given for. Raises TicketError."""
        key = _hash(token)
        if key in self._used:
            raise TicketError("used")
        call_sid, until_s = self._given.pop(key, ("", 0.0))
        if not call_sid:
            raise TicketError("unknown")
        if now_s > until_s:
            raise TicketError("expired")
        self._used[key] = None
        while len(self._used) > self._limit:
            self._used.popitem(last=False)
        return call_sid


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).digest()
