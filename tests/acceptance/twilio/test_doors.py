"""What must not get in, what comes twice, and what comes late."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import secrets

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.phones.caller import PARIS
from tests.phones.twilio_cloud import PUBLIC, TwilioCloud, signature, wait_until
from tests.phones.twilio_phone import TwilioCall
from tests.support.product import Product

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

MEDIA = "wss://bridge.example.org/twilio/media"


def counter(product: Product, what: str) -> int:
    found = re.search(rf'tollbridge_twilio_total{{what="{what}"}} (\S+)', product.get("/metrics"))
    assert found is not None
    return int(float(found[1]))


def calls_total(product: Product) -> float:
    found = re.search(r"^tollbridge_calls_total (\S+)", product.get("/metrics"), re.MULTILINE)
    assert found is not None
    return float(found[1])


def call_of(cloud: TwilioCloud, product: Product, number: str = PARIS) -> TwilioCall:
    """A call that has not begun: for tests that send its web hooks and sockets themselves."""
    return TwilioCall(cloud, product.url, number, caller="+12025550177")


def token_in(twiml: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', twiml)
    assert found is not None, twiml
    return found[1]


def media_socket(cloud: TwilioCloud, product: Product, **headers: str) -> ClientConnection:
    signed = {"X-Twilio-Signature": signature(cloud.auth_token, MEDIA), **headers}
    url = product.url.replace("http", "ws") + "/twilio/media"
    return connect(url, additional_headers=signed, compression=None, legacy=True)


def start(call: TwilioCall, token: str, **changes: object) -> str:
    facts = call.start_facts({"token": token}) | {"streamSid": "MZ1"} | changes
    return json.dumps({"event": "start", "sequenceNumber": "1", "start": facts, "streamSid": "MZ1"})


def closed_with(socket: ClientConnection) -> int | None:
    """Read until the other side closes; its code."""
    try:
        while True:
            socket.recv(timeout=5)
    except ConnectionClosed:
        return socket.close_code


@pytest.mark.parametrize("path", ["/twilio/voice", "/twilio/again", "/twilio/status"])
@pytest.mark.parametrize("signed", ["", "wrong", "bm90IGEgc2lnbmF0dXJlIGF0IGFsbA=="])
def test_an_unsigned_web_hook_is_refused_logged_and_counted(
    cloud: TwilioCloud, product: Product, path: str, signed: str
) -> None:
    before, calls = counter(product, "hooks_refused"), calls_total(product)
    answer = cloud.hook(product.url, path, call_of(cloud, product).fields(), signed=signed)
    assert answer.status_code == 403
    assert counter(product, "hooks_refused") == before + 1
    assert calls_total(product) == calls
    wait_until(lambda: "twilio_signature_refused" in product.text, "a line in the log")


def test_a_signature_of_other_fields_or_of_another_account_is_wrong(
    cloud: TwilioCloud, product: Product
) -> None:
    fields = call_of(cloud, product).fields()
    signed = signature(cloud.auth_token, PUBLIC + "/twilio/voice", fields.items())
    moved = {**fields, "To": "+442070484146"}
    assert cloud.hook(product.url, "/twilio/voice", moved, signed=signed).status_code == 403
    stranger = signature(secrets.token_hex(16), PUBLIC + "/twilio/voice", fields.items())
    assert cloud.hook(product.url, "/twilio/voice", fields, signed=stranger).status_code == 403
    other = {**fields, "AccountSid": "AC" + "0" * 32}
    assert cloud.hook(product.url, "/twilio/voice", other).status_code == 400


def test_garbage_at_the_web_hooks_is_answered(cloud: TwilioCloud, product: Product) -> None:
    for fields in ({}, {"CallSid": "x"}, {"AccountSid": cloud.account_sid}):
        assert cloud.hook(product.url, "/twilio/voice", fields).status_code == 400
    url = product.url + "/twilio/voice"
    assert httpx.post(url, content=b"\xff\xfe=%zz", headers={"X-Twilio-Signature": "x"}).status_code == 400
    assert httpx.post(url, content=b"a=" + b"x" * 100_000).status_code == 400
    assert httpx.get(url).status_code == 405
    assert httpx.post(product.url + "/twilio/nothing").status_code == 404


def test_a_number_that_is_not_ours_is_rejected_with_a_record(cloud: TwilioCloud, product: Product) -> None:
    before = calls_total(product)
    call = call_of(cloud, product, "+12025550100").start()
    assert call.ended.wait(5)
    assert call.rejected == "rejected"
    assert call.tokens == []
    assert calls_total(product) == before + 1
    again = cloud.hook(product.url, "/twilio/voice", call.fields())
    assert "<Reject" in again.text
    assert calls_total(product) == before + 1, "asked twice, it is one call"
    record = wait_until(lambda: records_of(product, call.call_sid), "the record")[0]
    assert (record["reason_slug"], record["channel"], record["called_e164"]) == (
        "no-such-number", "twilio", "+12025550100",
    )  # fmt: skip


def records_of(product: Product, call_sid: str) -> list[dict[str, object]]:
    """Call records by CallSid, from the database, as the command shows them."""
    text = product.command("cdr", "export", "--json")
    return [row for row in map(json.loads, text.splitlines()) if row["source_call_id"] == call_sid]


def test_a_replayed_web_hook_is_told_the_same_and_is_no_second_call(
    cloud: TwilioCloud, product: Product
) -> None:
    call, before = call_of(cloud, product), calls_total(product)
    first = cloud.hook(product.url, "/twilio/voice", call.fields())
    second = cloud.hook(product.url, "/twilio/voice", call.fields())
    assert first.status_code == second.status_code == 200
    assert first.headers["content-type"].startswith("application/xml")
    assert first.text == second.text
    assert calls_total(product) == before + 1
    with media_socket(cloud, product) as socket:
        socket.send(start(call, token_in(first.text)))
        assert json.loads(socket.recv(timeout=10))["event"] == "media"
        third = cloud.hook(product.url, "/twilio/voice", call.fields())
        assert third.text == first.text
        with media_socket(cloud, product) as thief:
            thief.send(start(call, token_in(third.text)))
            assert closed_with(thief) == 1008
        assert json.loads(socket.recv(timeout=10))["streamSid"] == "MZ1", "the real one goes on"
        socket.send(json.dumps({"event": "stop", "streamSid": "MZ1", "stop": {}}))
    assert calls_total(product) == before + 1


def test_a_token_is_used_once_by_its_own_call(cloud: TwilioCloud, product: Product) -> None:
    refused = counter(product, "tokens_refused")
    call, other = call_of(cloud, product), call_of(cloud, product)
    token = token_in(cloud.hook(product.url, "/twilio/voice", call.fields()).text)
    cloud.hook(product.url, "/twilio/voice", other.fields())
    for message in (start(call, ""), start(call, "guessed"), start(call, token + "x")):
        with media_socket(cloud, product) as socket:
            socket.send(message)
            assert closed_with(socket) == 1008
    assert counter(product, "tokens_refused") == refused + 3
    with media_socket(cloud, product) as socket:
        socket.send(start(other, token))
        assert closed_with(socket) == 1008
    with media_socket(cloud, product) as socket:
        socket.send(start(call, token))
        assert closed_with(socket) == 1008, "shown for another call it is used up"


@pytest.mark.parametrize(
    "first",
    [
        "no JSON",
        '{"event":"media","media":{"payload":"AAAA"}}',
        '{"event":"start"}',
        '{"event":"dtmf","dtmf":{"digit":"1"}}',
        "x" * 100_000,
    ],
)
def test_a_socket_that_begins_otherwise_is_closed(cloud: TwilioCloud, product: Product, first: str) -> None:
    with media_socket(cloud, product) as socket:
        socket.send(first)
        assert closed_with(socket) in (1008, 1009)


def test_a_socket_must_be_signed_and_may_have_any_origin(cloud: TwilioCloud, product: Product) -> None:
    before = counter(product, "sockets_refused")
    for signed in ("", signature("other", MEDIA), signature(cloud.auth_token, PUBLIC + "/twilio/media")):
        with pytest.raises(InvalidStatus) as caught:
            media_socket(cloud, product, **{"X-Twilio-Signature": signed})
        assert caught.value.response.status_code == 403
    assert counter(product, "sockets_refused") == before + 3
    with media_socket(cloud, product, Origin="https://evil.example") as socket:
        socket.send("{}")
        assert closed_with(socket) == 1008, "Twilio has no origin; a page in a browser has no signature"


def test_another_encoding_is_refused(cloud: TwilioCloud, product: Product) -> None:
    call = call_of(cloud, product)
    token = token_in(cloud.hook(product.url, "/twilio/voice", call.fields()).text)
    with media_socket(cloud, product) as socket:
        wide = {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1}
        socket.send(start(call, token, mediaFormat=wide))
        assert closed_with(socket) == 1008


def test_a_call_outlives_some_nonsense_on_its_socket_but_not_any_amount(
    cloud: TwilioCloud, product: Product
) -> None:
    call = call_of(cloud, product)
    token = token_in(cloud.hook(product.url, "/twilio/voice", call.fields()).text)
    frame = base64.b64encode(b"\xff" * 160).decode()
    with media_socket(cloud, product) as socket:
        socket.send(start(call, token))
        for text in ("{", '{"event":"news"}', '{"event":"mark","mark":{"name":"not ours"}}', b"\x00\xff"):
            socket.send(text)
        socket.send(json.dumps({"event": "media", "media": {"payload": frame}, "streamSid": "MZ1"}))
        assert json.loads(socket.recv(timeout=10))["event"] == "media"
        with contextlib.suppress(ConnectionClosed):  # it may hang up before all is said
            for _ in range(30):
                socket.send("{")
        assert closed_with(socket) == 1003
    assert "<Connect>" in cloud.hook(product.url, "/twilio/again", call.fields()).text
    cloud.hook(product.url, "/twilio/status", call.fields(CallStatus="completed"))


def test_no_key_and_no_whole_number_in_the_log(cloud: TwilioCloud, product: Product) -> None:
    call = call_of(cloud, product)
    token = token_in(cloud.hook(product.url, "/twilio/voice", call.fields()).text)
    with media_socket(cloud, product) as socket:
        socket.send(start(call, token))
        for digit in "918273645#":
            socket.send(json.dumps({"event": "dtmf", "dtmf": {"digit": digit}, "streamSid": "MZ1"}))
        socket.recv(timeout=10)
        socket.send(json.dumps({"event": "stop", "streamSid": "MZ1"}))
        closed_with(socket)
    assert "918273645" not in product.text
    assert "2025550177" not in product.text
    assert cloud.auth_token not in product.text
    assert token not in product.text
