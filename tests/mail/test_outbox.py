"""A mail leaves once, after its transaction, whatever the mail server or the machine does meanwhile.

The server is a real one (aiosmtpd) on a free port of this machine.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from aiosmtpd.smtp import Session as Peer
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from mail import outbox as outbox_module
from mail.message import Attachment, Mail
from mail.models import OutboxMail
from mail.outbox import GIVE_UP_AFTER, LEASE, Outbox, wait_after
from mail.senders import FileSender, SmtpSender

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HELLO = Mail(
    to="ann@example.org", to_name="Ann, née O'Hara", subject="Bonjour – ça va", text="Hé\n", html="<p>Hé"
)


@dataclass
class Post:
    """A mail server that keeps what it takes, and answers what it is told to."""

    answers: list[str] = field(default_factory=list)
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    senders: list[str | None] = field(default_factory=list)
    peers: set[object] = field(default_factory=set)
    """Connections that mails came over."""
    transports: list[asyncio.BaseTransport | None] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None
    on_data: Callable[[], None] = lambda: None

    async def handle_DATA(self, server: SMTP, peer: Peer, envelope: Envelope) -> str:  # noqa: N802
        self.loop = asyncio.get_running_loop()
        self.peers.add(peer.peer)
        self.transports.append(server.transport)
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.recipients.append(envelope.rcpt_tos)
            self.senders.append(envelope.mail_from)
        self.on_data()
        return answer

    def hang_up(self) -> None:
        """Close all connections, as a server does that has waited long enough."""

        async def close() -> None:
            for transport in self.transports:
                if transport is not None:
                    transport.close()

        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(close(), self.loop).result(10)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    handler = Post()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def authenticate(*arguments: object) -> AuthResult:
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login, given.password) == (b"user", b"secret"))

    server = Controller(
        handler, hostname="127.0.0.1", port=port, auth_require_tls=False, authenticator=authenticate
    )
    server.start()
    try:
        yield handler, port
    finally:
        server.stop()


def smtp(port: int, **more: str) -> SmtpSender:
    return SmtpSender(host="127.0.0.1", port=port, security="none", timeout_s=5, **more)  # type: ignore[arg-type]


def make(sessions: sessionmaker[Session], sender: object, clock: Clock) -> Outbox:
    return Outbox(sessions, sender, mail_from="Tollbridge <us@example.com>", now=clock)  # type: ignore[arg-type]


def row(sessions: sessionmaker[Session]) -> OutboxMail:
    with sessions() as session:
        return session.scalars(select(OutboxMail)).one()


def test_a_mail_arrives_as_it_was_written(sessions: sessionmaker[Session], post: tuple[Post, int]) -> None:
    handler, port = post
    outbox = make(sessions, smtp(port), Clock())
    pdf = Attachment(name="Facture n°1.pdf", content_type="application/pdf", body=bytes(range(256)) * 9)
    with sessions.begin() as session:
        mail = Mail(to=HELLO.to, to_name=HELLO.to_name, subject=HELLO.subject, text="Hé\n", html="<p>Hé",
                    attachments=[pdf])  # fmt: skip
        assert outbox.enqueue(session, mail, key="one")
    assert outbox.send_due() == 1
    (message,) = handler.taken
    assert handler.recipients == [["ann@example.org"]]
    assert message["To"].addresses[0].display_name == "Ann, née O'Hara"
    assert message["To"].addresses[0].addr_spec == "ann@example.org"
    assert (message["Subject"], message["From"]) == ("Bonjour – ça va", "Tollbridge <us@example.com>")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content().strip(), html.get_content().strip()) == ("Hé", "<p>Hé")
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "Facture n°1.pdf"
    assert attachment.get_payload(decode=True) == pdf.body
    sent = row(sessions)
    assert (sent.state, sent.sent_at, sent.next_try_at) == ("sent", NOW, None)
    assert (sent.body_text, sent.attachments) == ("", [])
    assert outbox.send_due() == 0


def test_nothing_leaves_before_the_commit_nor_after_a_rollback(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    outbox = make(sessions, smtp(port), Clock())
    with sessions() as session:
        outbox.enqueue(session, HELLO, key="one")
        session.rollback()
    assert outbox.send_due() == 0
    assert handler.taken == []


def test_who_asks_twice_gets_one_mail(sessions: sessionmaker[Session], post: tuple[Post, int]) -> None:
    handler, port = post
    outbox = make(sessions, smtp(port), Clock())
    for _ in range(2):
        with sessions.begin() as session:
            fresh = outbox.enqueue(session, HELLO, key="invoice-17")
            again = outbox.enqueue(session, HELLO, key="invoice-17")
        assert not again
    assert not fresh
    outbox.send_due()
    assert len(handler.taken) == 1


def test_not_now_is_tried_again_ever_more_slowly(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    handler.answers = ["451 greylisted", "421 busy"]
    clock = Clock()
    outbox = make(sessions, smtp(port), clock)
    with sessions.begin() as session:
        outbox.enqueue(session, HELLO, key="one")
    for tries in (1, 2):
        assert outbox.send_due() == 1
        waiting = row(sessions)
        assert (waiting.state, waiting.next_try_at) == ("queued", clock.now + wait_after(tries))
        assert outbox.send_due() == 0
        clock.now += wait_after(tries)
    assert outbox.send_due() == 1
    assert len(handler.taken) == 1
    assert wait_after(1) < wait_after(2) < wait_after(5) <= wait_after(500) == timedelta(hours=1)


def test_never_is_not_tried_again(sessions: sessionmaker[Session], post: tuple[Post, int]) -> None:
    handler, port = post
    handler.answers = ["550 no such box"]
    outbox = make(sessions, smtp(port), clock := Clock())
    with sessions.begin() as session:
        outbox.enqueue(session, HELLO, key="one")
    outbox.send_due()
    failed = row(sessions)
    assert (failed.state, failed.next_try_at) == ("failed", None)
    assert "550 no such box" in (failed.error or "")
    clock.now += timedelta(days=1)
    assert outbox.send_due() == 0


def test_a_server_that_is_away_is_waited_for_two_days(sessions: sessionmaker[Session]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        outbox = make(sessions, smtp(closed.getsockname()[1]), clock := Clock())
        with sessions.begin() as session:
            outbox.enqueue(session, HELLO, key="one")
        outbox.send_due()
        assert row(sessions).state == "queued"
        clock.now += GIVE_UP_AFTER
        outbox.send_due()
        assert row(sessions).state == "failed"


def test_a_refused_sign_in_at_the_server_loses_no_mail(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    clock = Clock()
    with sessions.begin() as session:
        make(sessions, smtp(port), clock).enqueue(session, HELLO, key="one")
    make(sessions, smtp(port, user="user", password="wrong"), clock).send_due()
    assert row(sessions).state == "queued"
    assert "wrong" not in (row(sessions).error or "")
    clock.now += wait_after(1)
    make(sessions, smtp(port, user="user", password="secret"), clock).send_due()
    assert len(handler.taken) == 1


def test_a_server_without_tls_gets_nothing_when_tls_is_wanted(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    sender = SmtpSender(host="127.0.0.1", port=port, security="starttls", timeout_s=5)
    outbox = make(sessions, sender, Clock())
    with sessions.begin() as session:
        outbox.enqueue(session, HELLO, key="one")
    outbox.send_due()
    assert (row(sessions).state, handler.taken) == ("queued", [])


def test_two_workers_send_a_mail_once(sessions: sessionmaker[Session], post: tuple[Post, int]) -> None:
    handler, port = post
    workers = [make(sessions, smtp(port), Clock()) for _ in range(2)]
    with sessions.begin() as session:
        for number in range(6):
            workers[0].enqueue(session, HELLO, key=str(number))
    threads = [threading.Thread(target=worker.send_due) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({message["Message-ID"] for message in handler.taken}) == len(handler.taken) == 6


def test_a_commit_wakes_the_worker(sessions: sessionmaker[Session], post: tuple[Post, int]) -> None:
    handler, port = post
    arrived = threading.Event()
    handler.on_data = arrived.set
    outbox = make(sessions, smtp(port), Clock())
    outbox.start()
    try:
        with sessions.begin() as session:
            outbox.enqueue(session, HELLO, key="one")
        assert arrived.wait(outbox_module.POLL_S * 0.8)
    finally:
        outbox.stop()
    assert row(sessions).state == "sent"


_CRASHING = """
    import os, sys
    from datetime import datetime
    from pathlib import Path
    from database.engine import create_engine, make_sessions
    from mail.outbox import Outbox
    from mail.senders import FileSender

    class Dying(FileSender):
        def send(self, message, *, recipient):
            if sys.argv[3] == "after":
                super().send(message, recipient=recipient)
            os.kill(os.getpid(), 9)

    sessions = make_sessions(create_engine(sys.argv[1]))
    now = lambda: datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    Outbox(sessions, Dying(Path(sys.argv[2])), mail_from="us@example.com", now=now).send_due()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_in_the_middle_loses_nothing(
    sessions: sessionmaker[Session], migrated_url: str, tmp_path: Path, moment: str
) -> None:
    clock, folder = Clock(), tmp_path / "mail"
    outbox = make(sessions, FileSender(folder), clock)
    with sessions.begin() as session:
        outbox.enqueue(session, HELLO, key="one")
    root = Path(__file__).parents[2]
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_CRASHING), migrated_url, str(folder), moment],
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'platform'}"},
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert row(sessions).state == "sending"
    assert outbox.send_due() == 0  # somebody may be at it still
    clock.now += LEASE
    assert outbox.send_due() == 1
    (path,) = folder.glob("*.eml")  # the same Message-ID, so the same file
    assert email.message_from_bytes(path.read_bytes())["Message-ID"] == row(sessions).message_id
    assert row(sessions).state == "sent"


def enqueue_some(sessions: sessionmaker[Session], outbox: Outbox, count: int) -> None:
    with sessions.begin() as session:
        for number in range(count):
            outbox.enqueue(session, HELLO, key=f"mail {number}")


def test_mails_share_a_connection_until_there_are_no_more(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    sender = smtp(port)
    outbox = make(sessions, sender, Clock())
    enqueue_some(sessions, outbox, 3)
    assert outbox.send_due() == 3
    assert len(handler.peers) == 1
    sender.rest()
    sender.rest()
    enqueue_some(sessions, outbox, 4)
    assert outbox.send_due() == 1  # the others have left
    assert (len(handler.peers), len(handler.taken)) == (2, 4)
    sender.rest()


def test_reports_go_to_the_sender_on_the_envelope(
    sessions: sessionmaker[Session], post: tuple[Post, int]
) -> None:
    handler, port = post
    for number, more in enumerate([{}, {"bounces_to": "bounces@example.com"}], start=1):
        sender = smtp(port, **more)
        outbox = make(sessions, sender, Clock())
        enqueue_some(sessions, outbox, number)
        assert outbox.send_due() == 1
        sender.rest()
    assert handler.senders == ["us@example.com", "bounces@example.com"]
    assert [message["From"].addresses[0].addr_spec for message in handler.taken] == ["us@example.com"] * 2


def test_a_connection_is_not_kept_for_ever(
    sessions: sessionmaker[Session], post: tuple[Post, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mail.senders.MAILS_MAX", 2)
    handler, port = post
    sender = smtp(port)
    outbox = make(sessions, sender, Clock())
    enqueue_some(sessions, outbox, 5)
    assert outbox.send_due() == 5
    assert (len(handler.peers), len(handler.taken)) == (3, 5)
    sender.rest()


@pytest.mark.parametrize("answer", ["550 no", "451 later", "221 bye"])
def test_after_a_refusal_and_after_the_server_went_away_a_new_connection_is_made(
    sessions: sessionmaker[Session], post: tuple[Post, int], answer: str
) -> None:
    handler, port = post
    handler.answers = ["250 taken", answer]
    sender = smtp(port)
    outbox = make(sessions, sender, Clock())
    enqueue_some(sessions, outbox, 2)
    outbox.send_due()
    enqueue_some(sessions, outbox, 3)
    assert outbox.send_due() == 1
    assert len(handler.taken) == 2
    handler.hang_up()
    enqueue_some(sessions, outbox, 4)
    assert outbox.send_due() == 1
    assert len(handler.taken) == 3
    sender.rest()


def test_a_mail_that_trips_the_worker_does_not_stop_it(
    sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    first = threading.Event()

    class Tripping(FileSender):
        def send(self, message: EmailMessage, *, recipient: str) -> None:
            if not first.is_set():
                first.set()
                raise RuntimeError("a bug")
            super().send(message, recipient=recipient)
            done.set()

    done = threading.Event()
    outbox = make(sessions, Tripping(tmp_path), Clock())
    outbox.start()
    try:
        with sessions.begin() as session:
            outbox.enqueue(session, HELLO, key="one")
        assert first.wait(5)
        with sessions.begin() as session:
            outbox.enqueue(session, HELLO, key="two")
        assert done.wait(5)
    finally:
        outbox.stop()
