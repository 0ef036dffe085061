"""Signed messages of the test provider to the product, with retries.

The signature is an HMAC-SHA256 over the moment of sending and the body, in a header
`Test-Signature: t=<unix seconds>,v1=<hex>`; a message that is older than `TOLERANCE_S` is refused, so that
one that was overheard cannot be played again later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import Any

import httpx

from billing.payments.errors import BadSignatureError
from billing.payments.test_gateway.books import Books

HEADER = "test-signature"
TOLERANCE_S = 300
RETRY_S = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
"""Waits between deliveries; after the last the message is dropped."""
LATE_S = 45.0
"""How late a late web hook is."""


def sign(secret: str, body: bytes, *, now_s: float) -> str:
    """The value of the signature header."""
    moment = str(int(now_s))
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def verify(secret: str, body: bytes, header: str, *, now_s: float) -> None:
    """Raises BadSignatureError unless `header` signs `body` and is fresh."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    moment = parts.get("t", "")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 15):
        raise BadSignatureError("the web hook is not signed")
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(digest.encode(), parts.get("v1", "").encode()):
        raise BadSignatureError("the signature of the web hook is wrong")
    if abs(now_s - int(moment)) > TOLERANCE_S:
        raise BadSignatureError("the web hook is too old")


def announce(
    books: Books, type_: str, data: dict[str, Any], *, manner: str, now_s: float, before: str = ""
) -> None:
    """Have an event delivered. `manner`: once, twice, late, or reversed: the event `before`, which should
    come first, comes afterwards.
    """

    def put(kind: str, due_s: float, times: int = 1) -> None:
        event_id = f"test_event_{secrets.token_hex(8)}"
        event = {"id": event_id, "type": kind, "created": now_s, "data": data}
        for _ in range(times):
            books.send(event_id, json.dumps(event), due_s=due_s)

    with books.step():
        if before:
            put(before, now_s + (1.0 if manner == "reversed" else 0.0))
        put(type_, now_s + (LATE_S if manner == "late" else 0.0), 2 if manner == "twice" else 1)


class Courier:
    """Delivers web hooks to `url`. `run_once` returns how many arrived."""

    def __init__(self, books: Books, *, url: str, secret: str, timeout_s: float = 10.0) -> None:
        self._books = books
        self._url = url
        self._secret = secret
        self._client = httpx.Client(timeout=timeout_s)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def run_once(self, now_s: float) -> int:
        """Try everything that is due once; what fails is tried again later."""
        arrived = 0
        for hook in self._books.due_hooks(now_s):
            body = hook.body.encode()
            headers = {
                HEADER: sign(self._secret, body, now_s=now_s),
                "content-type": "application/json",
            }
            try:
                ok = self._client.post(self._url, content=body, headers=headers).is_success
            except httpx.HTTPError:
                ok = False
            if ok or hook.tries >= len(RETRY_S):
                self._books.delivered(hook.row)
                arrived += ok
            else:
                self._books.postpone(hook.row, due_s=now_s + RETRY_S[hook.tries])
        return arrived
