"""What mail servers send back when they cannot deliver: read, or left alone."""

from __future__ import annotations

import contextlib
import random
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from mail.bounces import NotABounceError, read_bounce
from mail.message import Mail
from mail.models import OutboxMail
from mail.outbox import came_back, enqueue
from tests.mail.test_outbox import NOW

OURS = "<0123456789abcdef0123456789abcdef@tollbridge>"

POSTFIX = f"""\
Return-Path: <>
Received: by mx.example.net (Postfix) id 4A1B2C3D4E; Mon, 23 Nov 2026 10:00:02 +0000 (UTC)
Date: Mon, 23 Nov 2026 10:00:02 +0000 (UTC)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: events@example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="5F6A7B8C9D.1795428002/mx.example.net"
Message-Id: <20261123100002.5F6A7B8C9D@mx.example.net>

This is a MIME-encapsulated message.

--5F6A7B8C9D.1795428002/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

<ann@example.org>: host mail.example.org[192.0.2.25] said: 550 5.1.1 <ann@example.org>:
    Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)

--5F6A7B8C9D.1795428002/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 4A1B2C3D4E
X-Postfix-Sender: rfc822; events@example.com
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; ann@example.org
Original-Recipient: rfc822;ann@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in
    virtual mailbox table

--5F6A7B8C9D.1795428002/mx.example.net
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <events@example.com>
From: Tollbridge <events@example.com>
To: Ann <ann@example.org>
Subject: Invitation
Message-ID: {OURS}

--5F6A7B8C9D.1795428002/mx.example.net--
"""

EXIM = f"""\
From: Mail Delivery System <Mailer-Daemon@mail.example.net>
To: events@example.com
Subject: Mail delivery failed: returning message to sender
X-Failed-Recipients: ann@example.org
Auto-Submitted: auto-replied
References: {OURS}
Message-Id: <E1vNabc-000123-AB@mail.example.net>
Date: Mon, 23 Nov 2026 10:00:02 +0000

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.org
    host mail.example.org [192.0.2.25]
    SMTP error from remote mail server after RCPT TO:<ann@example.org>:
    550 No such person at this address

------ This is a copy of the message, including all the headers. ------

Return-path: <events@example.com>
From: Tollbridge <events@example.com>
To: Ann <ann@example.org>
Subject: Invitation
Message-ID: {OURS}
"""

EXCHANGE = f"""\
From: <postmaster@example.onmicrosoft.example>
To: <events@example.com>
Subject: Undeliverable: Invitation
Date: Mon, 23 Nov 2026 10:00:02 +0000
Content-Type: multipart/report; report-type=delivery-status;
 boundary="_7a0c1e7e-2a2f-4a65-a1a2-0d0f5c1f2b3c_"
Content-Language: en-GB
In-Reply-To: {OURS}
References: {OURS}
Message-ID: <7a0c1e7e2a2f4a65@AM0PR01.example.outlook.example>
MIME-Version: 1.0

--_7a0c1e7e-2a2f-4a65-a1a2-0d0f5c1f2b3c_
Content-Type: multipart/alternative; differences=Content-Type;
 boundary="_inner_"

--_inner_
Content-Type: text/plain; charset="utf-16le"
Content-Transfer-Encoding: base64

WQBvAHUAcgAgAG0AZQBzAHMAYQBnAGUAIABjAG8AdQBsAGQAbgAnAHQAIABiAGUA
--_inner_
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body><p>Your message to <b>ann@example.org</b> couldn't be delivered.</p></body></html>
--_inner_--

--_7a0c1e7e-2a2f-4a65-a1a2-0d0f5c1f2b3c_
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01.example.outlook.example
Received-From-MTA: dns;smtp.example.com
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822;ann@example.org
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--_7a0c1e7e-2a2f-4a65-a1a2-0d0f5c1f2b3c_
Content-Type: message/rfc822

From: Tollbridge <events@example.com>
To: Ann <ann@example.org>
Subject: Invitation
Message-ID:
 {OURS}
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"

You are invited.

--_7a0c1e7e-2a2f-4a65-a1a2-0d0f5c1f2b3c_--
"""

HOLIDAY = f"""\
From: Ann <ann@example.org>
To: events@example.com
Subject: Out of office: Invitation
Auto-Submitted: auto-replied
In-Reply-To: {OURS}
References: {OURS}

I am away until Monday. 550 people are here.
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            POSTFIX,
            "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
        ),
        (EXIM, "550 No such person at this address"),
        (
            EXCHANGE,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ),
    ],
    ids=["postfix", "exim", "exchange"],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_reports_name_the_mail_and_say_why(text: str, reason: str, ends: str) -> None:
    found = read_bounce(text.replace("\n", ends).encode())
    assert found.message_id == OURS
    assert found.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        POSTFIX.replace("Action: failed", "Action: delayed"),
        EXCHANGE.replace("Action: failed", "Action: relayed"),
        POSTFIX.replace(OURS, "<somebody-elses@example.com>"),
        EXIM.replace(OURS, "<0123456789abcdef@tollbridge>"),
        HOLIDAY,
        "",
        "\n\n\n",
        "Subject: hello\n\nno report",
        f"Content-Type: multipart/report; report-type=delivery-status\n\n{OURS}",
        f"Content-Type: message/delivery-status\n\nAction: failed {OURS}",
        "Content-Type: message/delivery-status\n\n\x00\x00",
    ],
)
def test_whatever_else_comes_is_left_alone(text: str) -> None:
    with pytest.raises(NotABounceError):
        read_bounce(text.encode())


def test_the_third_part_may_be_missing_or_cut_off() -> None:
    whole = EXCHANGE.encode()
    assert read_bounce(whole[: whole.index(b"You are invited")]).message_id == OURS
    without = EXCHANGE[: EXCHANGE.index("Content-Type: message/rfc822")]
    assert read_bounce(without.encode()).message_id == OURS


def test_a_status_without_words_and_words_in_other_letters() -> None:
    bare = EXCHANGE.replace("Diagnostic-Code: smtp;", "X-Old: ")
    assert read_bounce(bare.encode()).reason == "5.1.10"
    french = POSTFIX.replace("User unknown in\n    virtual mailbox table", "Utilisateur inconnu : été\n")
    reason = read_bounce(french.encode()).reason
    assert reason.startswith("550 5.1.1 <ann@example.org>")
    assert reason.isprintable()
    assert len(read_bounce(POSTFIX.replace("User unknown", "x" * 5_000).encode()).reason) == 400


def test_exim_in_utf_16() -> None:
    head, _, body = EXIM.partition("\n\n")
    raw = head.encode() + b'\nContent-Type: text/plain; charset="utf-16"\n\n' + body.encode("utf-16")
    assert read_bounce(raw).message_id == OURS


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_no_bounce_and_costs_nothing(seed: int) -> None:
    dice = random.Random(seed)
    text = dice.choice([POSTFIX, EXIM, EXCHANGE])
    raw = bytearray(text.encode(dice.choice(["utf-8", "utf-16", "utf-16-be", "utf-32"])))
    for _ in range(dice.randrange(0, 200)):
        at = dice.randrange(len(raw))
        raw[at : at + dice.randrange(0, 4)] = dice.randbytes(dice.randrange(0, 4))
    with contextlib.suppress(NotABounceError):
        assert read_bounce(bytes(raw)).message_id == OURS


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 300_000,
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth)
            for depth in range(5_000)
        ),
        b"Content-Type: message/rfc822\n\n" * 20_000,
        b"X-Failed-Recipients: a\n" + b"a: b\n" * 200_000,
        b"Content-Type: text/plain; charset=no-such-charset\nX-Failed-Recipients: a\n\n\xff\xff",
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n====",
    ],
)
def test_what_is_made_to_hurt_does_not(raw: bytes) -> None:
    with pytest.raises(NotABounceError):
        read_bounce(raw)


def only(sessions: sessionmaker[Session]) -> OutboxMail:
    with sessions() as session:
        return session.scalars(select(OutboxMail)).one()


@pytest.mark.parametrize("state", ["queued", "sending", "sent"])
def test_a_mail_that_came_back_has_failed(sessions: sessionmaker[Session], state: str) -> None:
    with sessions.begin() as session:
        enqueue(session, Mail(to="ann@example.org", subject="Hello", text="Hello"), key="one", now=NOW)
    with sessions.begin() as session:
        session.scalars(select(OutboxMail)).one().state = state
    message_id = only(sessions).message_id
    told: Message[Any, Any] = message_from_bytes(POSTFIX.replace(OURS, message_id).encode())
    found = read_bounce(told.as_bytes())
    with sessions.begin() as session:
        assert came_back(session, message_id=found.message_id, reason=found.reason)
        assert not came_back(session, message_id=found.message_id, reason="again")
        assert not came_back(session, message_id=OURS, reason=found.reason)
    row = only(sessions)
    assert (row.state, row.next_try_at, row.error) == ("failed", None, found.reason)
