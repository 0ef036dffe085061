"""Who calls, in all the forms Twilio has for it."""

from __future__ import annotations

import pytest

from bridge.twilio.callers import Caller


@pytest.mark.parametrize(
    ("text", "e164", "user", "presentation"),
    [
        ("+12025550123", "+12025550123", "+12025550123", "allowed"),
        ("+266696687", None, None, "anonymous"),
        ("+7378742833", None, None, "anonymous"),
        ("Anonymous", None, None, "anonymous"),
        ("client:alice", None, "alice", "unavailable"),
        ("sip:+33975129519@example.sip.twilio.com", "+33975129519", "+33975129519", "allowed"),
        ("sip:alice@example.sip.twilio.com", None, "alice", "unavailable"),
        ("", None, None, "unavailable"),
        ("12345", None, "12345", "unavailable"),
    ],
)
def test_callers(text: str, e164: str | None, user: str | None, presentation: str) -> None:
    caller = Caller.of(text)
    assert (caller.e164, caller.user, caller.presentation) == (e164, user, presentation)
    assert caller.raw == text
