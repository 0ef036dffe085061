"""Who signed it."""

from __future__ import annotations

import pytest

from bridge.twilio.fields import Fields
from bridge.twilio.signature import Signatures
from tests.phones.twilio_cloud import signature

TOKEN = "12345"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+12349013030"),
    ("Digits", "1234"),
    ("From", "+12349013030"),
    ("To", "+18005551212"),
]


def test_the_example_of_twilios_documentation() -> None:
    """The worked example of "Secure webhooks": token 12345 and this address."""
    ours = Signatures(auth_token=TOKEN, public_url="https://mycompany.com")
    signed = "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert ours.good_hook("/myapp.php", "foo=1&bar=2", Fields(CALL), signed)
    assert signature(TOKEN, "https://mycompany.com/myapp.php?foo=1&bar=2", CALL) == signed


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "/other.php"},
        {"query": "foo=1&bar=3"},
        {"fields": [*CALL, ("Extra", "1")]},
        {"fields": CALL[1:]},
        {"fields": [*CALL[:-1], ("To", "+18005551213")]},
        {"signed": ""},
        {"signed": "0/KCTR6DLpKmkAf8muzZqo1nDgq="},
        {"signed": "ünsigned"},
        {"base": "https://elsewhere.com"},
    ],
)
def test_whatever_is_changed_the_signature_is_wrong(changed: dict[str, object]) -> None:
    facts: dict[str, object] = {
        "base": "https://mycompany.com",
        "path": "/myapp.php",
        "query": "foo=1&bar=2",
        "fields": CALL,
        "signed": "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
        **changed,
    }
    ours = Signatures(auth_token=TOKEN, public_url=str(facts["base"]))
    fields = Fields(facts["fields"])  # type: ignore[arg-type]
    assert not ours.good_hook(str(facts["path"]), str(facts["query"]), fields, str(facts["signed"]))


def test_a_port_in_the_address_may_be_signed_or_not() -> None:
    """Twilio signs standard ports sometimes with and sometimes without their number."""
    ours = Signatures(auth_token=TOKEN, public_url="https://bridge.example.org")
    for url in ("https://bridge.example.org/twilio/voice", "https://bridge.example.org:443/twilio/voice"):
        assert ours.good_hook("/twilio/voice", "", Fields(CALL), signature(TOKEN, url, CALL))


def test_repeated_fields_are_signed_each() -> None:
    fields = Fields.parse(b"a=2&a=1&b=%C3%A9&c=")
    ours = Signatures(auth_token=TOKEN, public_url="https://b.example")
    text = [("a", "1"), ("a", "2"), ("b", "é"), ("c", "")]
    assert ours.good_hook("/x", "", fields, signature(TOKEN, "https://b.example/x", text))


def test_sockets_are_signed_over_wss_with_or_without_a_slash() -> None:
    ours = Signatures(auth_token=TOKEN, public_url="https://b.example/base")
    for url in ("wss://b.example/base/twilio/media", "wss://b.example/base/twilio/media/"):
        assert ours.good_socket("/twilio/media", signature(TOKEN, url))
    for url in (
        "https://b.example/base/twilio/media",
        "wss://b.example/twilio/media",
        "wss://evil/twilio/media",
    ):
        assert not ours.good_socket("/twilio/media", signature(TOKEN, url))
    assert not ours.good_socket("/twilio/media", "")


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%FF", b"&".join(b"a=%d" % n for n in range(300))])
def test_forms_that_are_none(body: bytes) -> None:
    with pytest.raises(ValueError):
        Fields.parse(body)
