"""The outbox: from the transaction that wants a mail to the server that took it.

Theory. A mail must not leave when the transaction that caused it is rolled back, and must leave when it is
committed, whatever happens to the process next. So `enqueue` writes a row in that very transaction, and a
worker sends what is committed ("transactional outbox").

    queued ──claim──► sending ──taken──► sent
      ▲                  │
      └──4xx, no server──┤  (waits longer each time: 30 s, 1 min, 2 min … 1 h)
                         └──5xx, or two days old──► failed

A claim is one conditional UPDATE that is committed before the server is spoken to, so two workers never send
the same mail at once. Nobody can make "the server took it" and "we noted it" one step: after a crash between
the two the mail is sent again when the claim's lease is over, with the same Message-ID, by which mail boxes
recognise it (RFC 5322 §3.6.4); a file is simply written again. At least once, and hardly ever twice: between
the server's yes and our note there is one small transaction and nothing else, and one mail at most is there.

The key says what the mail is about ("invoice-17") and is UNIQUE: who asks twice gets one mail.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import event, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from database.polling import PollingThread
from mail.errors import RefusedError, TryLaterError
from mail.message import Attachment, Mail, build, parse_sender
from mail.models import OutboxMail
from mail.senders import Sender

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=2)
LEASE = timedelta(minutes=5)
"""How long a claim holds; longer than any sender may take."""
POLL_S = 5.0
_BATCH = 20
_WAITING = "mail_waiting"
_log = structlog.get_logger(__name__)


def enqueue(session: Session, mail: Mail, *, key: str, now: datetime) -> bool:
    """Let `mail` leave when the caller's transaction is committed. False: there is one with this key."""
    row = OutboxMail(**_values(mail, key=key, now=now))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    session.info[_WAITING] = True
    return True


def enqueue_all(session: Session, mails: Sequence[tuple[str, Mail]], *, now: datetime) -> None:
    """Let many mails (key, mail) leave with the caller's transaction; those whose key is there already stay
    as they are. One statement for all of them.
    """
    rows = [_values(mail, key=key, now=now) for key, mail in mails]
    if not rows:
        return
    kind: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    statement: Any = kind(OutboxMail.__table__).on_conflict_do_nothing(index_elements=["key"])
    session.connection().execute(statement, rows)
    session.info[_WAITING] = True


def came_back(session: Session, *, message_id: str, reason: str) -> bool:
    """The mail of that Message-ID was taken by a server that could not deliver it. False: there is none, or
    it is known to have failed.

    It is looked for among all mails, which takes some 0.1 s for a million.
    """
    failed = (
        update(OutboxMail)
        .where(OutboxMail.message_id == message_id, OutboxMail.state != "failed")
        .values(state="failed", next_try_at=None, error=reason[:400])
        .returning(OutboxMail.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(failed).first() is not None


def _values(mail: Mail, *, key: str, now: datetime) -> dict[str, Any]:
    return {
        "key": key,
        "message_id": f"<{secrets.token_hex(16)}@tollbridge>",
        "recipient": mail.to,
        "recipient_name": mail.to_name,
        "subject": mail.subject,
        "body_text": mail.text,
        "body_html": mail.html,
        "attachments": [one.as_json() for one in mail.attachments],
        "headers": dict(mail.headers),
        "state": "queued",
        "tries": 0,
        "next_try_at": now,
        "created_at": now,
    }


def wait_after(tries: int) -> timedelta:
    """How long to wait after the `tries`-th failure, from 1."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(tries - 1, 20)
    return min(doubled, LONGEST_WAIT)


class Outbox:
    """Takes mails, and sends them with a thread of its own once started."""

    def __init__(
        self, sessions: sessionmaker[Session], sender: Sender, *, mail_from: str, now: Callable[[], datetime]
    ) -> None:
        self._sessions = sessions
        self._sender = sender
        self._from = parse_sender(mail_from)
        self._now = now
        self._thread = PollingThread("mail", self._look, poll_s=POLL_S)

    def enqueue(self, session: Session, mail: Mail, *, key: str) -> bool:
        """As the function."""
        return enqueue(session, mail, key=key, now=self._now())

    def start(self) -> None:
        """Begin to send; commits of the same sessionmaker that hold mail are noticed at once."""
        event.listen(self._sessions, "after_commit", self._committed)
        self._thread.start()

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Finish the mail that is being sent, and no other."""
        if event.contains(self._sessions, "after_commit", self._committed):
            event.remove(self._sessions, "after_commit", self._committed)
        if self._thread.stop(timeout_s=timeout_s):
            self._sender.rest()

    def send_due(self) -> int:
        """Send what is due now; how many mails were tried."""
        tried = 0
        for mail_id in self._due():
            if self._thread.stopping:
                break
            claimed = self._claim(mail_id)
            if claimed is not None:
                self._send(claimed)
                tried += 1
        return tried

    def _look(self) -> bool:
        busy = self.send_due() > 0
        if not busy:
            self._sender.rest()
        return busy

    def _committed(self, session: Session) -> None:
        if session.info.pop(_WAITING, False):
            self._thread.wake()

    def _due(self) -> list[int]:
        query = select(OutboxMail.id).where(OutboxMail.next_try_at <= self._now())
        with self._sessions() as session:
            return list(session.scalars(query.order_by(OutboxMail.next_try_at, OutboxMail.id).limit(_BATCH)))

    def _claim(self, mail_id: int) -> OutboxMail | None:
        now = self._now()
        statement = (
            update(OutboxMail)
            .where(OutboxMail.id == mail_id, OutboxMail.next_try_at <= now)
            .values(state="sending", tries=OutboxMail.tries + 1, next_try_at=now + LEASE)
            .returning(OutboxMail.id)
        )
        with self._sessions.begin() as session:
            if session.execute(statement).scalar_one_or_none() is None:
                return None
            return session.get_one(OutboxMail, mail_id)

    def _send(self, row: OutboxMail) -> None:
        mail = Mail(
            to=row.recipient,
            to_name=row.recipient_name,
            subject=row.subject,
            text=row.body_text,
            html=row.body_html,
            attachments=[Attachment.from_json(one) for one in row.attachments],
            headers=row.headers,
        )
        message = build(mail, sender=self._from, message_id=row.message_id, at=row.created_at)
        try:
            self._sender.send(message, recipient=row.recipient)
        except TryLaterError as exc:
            now = self._now()
            if now - row.created_at >= GIVE_UP_AFTER:
                self._note(row, state="failed", next_try_at=None, error=str(exc))
            else:
                self._note(row, state="queued", next_try_at=now + wait_after(row.tries), error=str(exc))
        except RefusedError as exc:
            self._note(row, state="failed", next_try_at=None, error=str(exc))
        else:
            self._note(row, state="sent", next_try_at=None, error=None)

    def _note(self, row: OutboxMail, *, state: str, next_try_at: datetime | None, error: str | None) -> None:
        values: dict[str, Any] = {
            "state": state,
            "next_try_at": next_try_at,
            "error": None if error is None else error[:400],
            "sent_at": self._now() if state == "sent" else None,
        }
        if state == "sent":  # what was in it is nobody's business any more
            values |= {"body_text": "", "body_html": "", "attachments": []}
        with self._sessions.begin() as session:
            ours = (OutboxMail.id == row.id) & (OutboxMail.state == "sending")  # else it came back already
            session.execute(update(OutboxMail).where(ours).values(**values))
        _log.info("mail_" + ("waits" if state == "queued" else state), mail=row.id, tries=row.tries)
