"""Messages to other programs, over real HTTP servers."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from events import web_hooks
from events.errors import BadEventError, UnknownEventError
from events.web_hook_models import WebHookDelivery
from events.web_hook_runner import TRIES_MAX, WebHookRunner, wait_after
from events.web_hook_sender import DeliveryError, HookSender, is_public
from events.web_hooks import Kind, add_hook, publish
from tests.events.planning import NOW, new_account


class Receiver:
    """A program that listens; `answers` are the statuses it gives, the last one for ever."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = [200]
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Be quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def listen(sessions: sessionmaker[Session], account: int, url: str, *kinds: Kind) -> tuple[int, str]:
    with sessions.begin() as session:
        hook = add_hook(
            session, account_id=account, url=url, kinds=kinds or [*Kind], now=NOW, allow_private=True
        )
        return hook.id, hook.secret


def tell(sessions: sessionmaker[Session], account: int, key: str, kind: Kind = Kind.EVENT_ENDED) -> int:
    with sessions.begin() as session:
        return publish(session, account_id=account, kind=kind, key=key, data={"event_id": 7}, now=NOW)


def runner(sessions: sessionmaker[Session]) -> WebHookRunner:
    return WebHookRunner(sessions, sender=HookSender(allow_private=True, timeout_s=3), version="1.0")


def test_a_message_arrives_once_and_is_signed(sessions: sessionmaker[Session], receiver: Receiver) -> None:
    account = new_account(sessions)
    _, secret = listen(sessions, account, receiver.url)
    tell(sessions, account, "session-1-ended")
    tell(sessions, account, "session-1-ended")
    assert runner(sessions).run_once(NOW) == 1
    assert runner(sessions).run_once(NOW + timedelta(days=3)) == 0
    ((headers, body),) = receiver.got
    told = json.loads(body)
    assert (told["type"], told["id"], told["data"]) == ("event.ended", "session-1-ended", {"event_id": 7})
    stamp, _, mac = headers["Tollbridge-Signature"].partition(",v1=")
    unix = stamp.removeprefix("t=")
    assert int(unix) == int(NOW.timestamp())
    wanted = hmac.new(secret.encode(), unix.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(mac, wanted)
    assert headers["Tollbridge-Event"] == "event.ended"


def test_only_what_is_wanted_and_only_ones_own(sessions: sessionmaker[Session], receiver: Receiver) -> None:
    ann, bob = new_account(sessions), new_account(sessions, "bob@example.org")
    listen(sessions, ann, receiver.url, Kind.CDR)
    assert tell(sessions, ann, "a", Kind.CDR) == 1
    assert tell(sessions, ann, "b", Kind.PAYMENT) == 0
    assert tell(sessions, bob, "c", Kind.CDR) == 0


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_anything_but_yes_is_tried_again_later(
    sessions: sessionmaker[Session], receiver: Receiver, answer: int
) -> None:
    account = new_account(sessions)
    listen(sessions, account, receiver.url)
    tell(sessions, account, "x")
    receiver.answers = [answer, answer, 204]
    run = runner(sessions)
    run.run_once(NOW)
    assert run.run_once(NOW + timedelta(seconds=29)) == 0
    run.run_once(NOW + timedelta(seconds=30))
    run.run_once(NOW + timedelta(seconds=90))
    assert len(receiver.got) == 3
    assert len({headers["Tollbridge-Delivery"] for headers, _ in receiver.got}) == 1
    with sessions() as session:
        row = session.scalars(select(WebHookDelivery)).one()
        assert (row.state, row.status, row.tries, row.next_try_at) == ("delivered", 204, 3, None)


def test_it_fails_in_the_end_and_can_be_sent_again(
    sessions: sessionmaker[Session], receiver: Receiver
) -> None:
    account = new_account(sessions)
    hook_id, _ = listen(sessions, account, receiver.url)
    tell(sessions, account, "x")
    receiver.answers = [503]
    now, run = NOW, runner(sessions)
    for tries in range(1, TRIES_MAX + 1):
        assert run.run_once(now) == 1
        now += wait_after(tries)
    assert run.run_once(now + timedelta(days=9)) == 0
    assert timedelta(days=1) < now - NOW < timedelta(days=4)
    receiver.answers = [200]
    with sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=account, hook_id=hook_id)
        (row,), total = web_hooks.deliveries(session, hook)
        assert (row.state, row.error, total) == ("failed", "the answer was 503", 1)
        web_hooks.redeliver(session, hook, delivery_id=row.id, now=now)
        with pytest.raises(UnknownEventError):
            web_hooks.redeliver(session, hook, delivery_id=row.id + 1, now=now)
    assert run.run_once(now) == 1
    with sessions() as session:
        assert session.scalars(select(WebHookDelivery.state)).one() == "delivered"


def test_a_worker_that_dies_leaves_the_message_to_the_next(
    sessions: sessionmaker[Session], receiver: Receiver
) -> None:
    account = new_account(sessions)
    listen(sessions, account, receiver.url)
    tell(sessions, account, "x")
    dead = runner(sessions)
    assert dead._claim(dead._due(NOW)[0][0], NOW) is not None
    assert runner(sessions).run_once(NOW + timedelta(seconds=60)) == 0
    assert runner(sessions).run_once(NOW + timedelta(minutes=3)) == 1


def test_a_silent_address_holds_up_nobody(sessions: sessionmaker[Session], receiver: Receiver) -> None:
    account = new_account(sessions)
    listen(sessions, account, "http://127.0.0.1:9/")
    listen(sessions, account, receiver.url)
    for number in range(5):
        tell(sessions, account, f"k{number}")
    assert runner(sessions).run_once(NOW) == 6
    assert len(receiver.got) == 5


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1%eth0",
        "fec0::1",
        "::7f00:1",
        "64:ff9b:1::1",
        "2001:0:0:0:0:0:80ff:fffe",
        "ff02::1",
    ],
)
def test_addresses_of_our_own_are_not_called(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are() -> None:
    assert is_public("93.184.215.14")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    "url", ["https://localhost/", "https://127.0.0.1:8080/", "https://[::1]/", "https://2130706433/"]
)
def test_a_name_that_leads_home_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError, match=r"public internet|not known"):
        HookSender().post(url, b"{}", {})


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://", "https://u:p@example.org/", "javascript:x",
     "https://example.org:99999/", "https://exa mple.org/", "https://example.org/\r\nX: y", "//example.org"],
)  # fmt: skip
def test_bad_addresses(sessions: sessionmaker[Session], url: str) -> None:
    account = new_account(sessions)
    with sessions.begin() as session, pytest.raises(BadEventError):
        add_hook(session, account_id=account, url=url, kinds=[Kind.CDR], now=NOW)


def test_a_name_that_is_pointed_elsewhere_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer leads home, but nobody asks twice."""
    answers = ["93.184.215.14", "127.0.0.1"]
    called: list[Any] = []

    def look_up(*_args: Any, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), 443))]

    def connect(address: Any, **_more: Any) -> None:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DeliveryError, match="refuses connections"):
        HookSender().post("https://rebind.example.org/", b"{}", {})
    assert called == [("93.184.215.14", 443)]


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    with pytest.raises(DeliveryError, match="public internet"):
        HookSender().post("https://example.org/", b"{}", {})


def test_an_answer_in_drops_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip() -> None:
            line, _ = listener.accept()
            with line:
                while not stop.wait(0.05):
                    try:
                        line.sendall(b"H" if not sent else b"x")
                    except OSError:
                        return
                    sent.append(1)

        sent: list[int] = []
        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began_s = time.monotonic()
        try:
            with pytest.raises(DeliveryError, match="no answer in time"):
                HookSender(allow_private=True, timeout_s=0.5).post(url, b"{}", {})
            assert time.monotonic() - began_s < 20
        finally:
            stop.set()
            thread.join()


def test_a_deleted_address_gets_nothing_more(sessions: sessionmaker[Session], receiver: Receiver) -> None:
    """Also when a message was on its way while the address was deleted."""
    account = new_account(sessions)
    hook_id, _ = listen(sessions, account, receiver.url)
    tell(sessions, account, "x")
    run = runner(sessions)
    claimed = run._claim(run._due(NOW)[0][0], NOW)
    assert claimed is not None
    with sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=account, hook_id=hook_id)
        web_hooks.delete_hook(session, hook, now=NOW)
    receiver.answers = [500]
    run._deliver(*claimed, now=NOW)
    assert run.run_once(NOW + timedelta(hours=1)) == 0
    assert len(receiver.got) == 1
    with sessions() as session:
        assert session.scalars(select(WebHookDelivery.state)).one() == "dropped"


def test_a_new_secret_signs_what_waits(sessions: sessionmaker[Session], receiver: Receiver) -> None:
    account = new_account(sessions)
    hook_id, old = listen(sessions, account, receiver.url)
    tell(sessions, account, "x")
    with sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=account, hook_id=hook_id)
        new = web_hooks.rotate_secret(session, hook)
    assert new != old
    runner(sessions).run_once(NOW)
    ((headers, body),) = receiver.got
    unix_s = int(NOW.timestamp())
    assert headers["Tollbridge-Signature"] == web_hooks.signature(new, body, unix_s=unix_s)


def test_an_address_is_changed(sessions: sessionmaker[Session]) -> None:
    account = new_account(sessions)
    with sessions.begin() as session:
        hook = add_hook(session, account_id=account, url="https://a.example.org/", kinds=[Kind.CDR], now=NOW)
        web_hooks.change_hook(session, hook, kinds=[Kind.EVENT_ENDED, Kind.EVENT_STARTED])
        assert (hook.url, hook.kinds) == ("https://a.example.org/", ["event.started", "event.ended"])
        for wrong in ({"url": "http://a.example.org/"}, {"kinds": []}, {"kinds": ["cdr.created", "moon"]}):
            with pytest.raises(BadEventError):
                web_hooks.change_hook(session, hook, **wrong)
