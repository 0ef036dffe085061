"""A real mail server (aiosmtpd) on a free port of this machine, and the letters that it took.

with PostOffice() as post:
    with Product(folder, **post.settings) as product:
        letter = post.letter("ann@example.org", "Invitation")
        letter.text, letter.link("/talk?t="), letter.pin, letter.calendar
"""

from __future__ import annotations

import email
import email.policy
import re
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from types import TracebackType
from typing import Any

import icalendar
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer

from tests.support.product import free_port

_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail as its reader gets it."""

    message: EmailMessage
    recipient: str

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, f"“{self.subject}” has no part text/{kind}"
        return str(part.get_content())

    def link(self, part: str) -> str:
        """The one web address in the text that has this in it."""
        (found,) = {each for each in re.findall(r"https?://\S+", self.text) if part in each}
        return str(found)

    @property
    def pin(self) -> str:
        """The telephone PIN, which must stand in groups of three."""
        (found,) = re.findall(r"\b(\d{3} \d{3} \d{3}) #", self.text)
        return str(found).replace(" ", "")

    @property
    def calendar(self) -> icalendar.Calendar:
        """The calendar file that comes with it; there must be one."""
        (part,) = [each for each in self.message.walk() if each.get_content_type() == "text/calendar"]
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return icalendar.Calendar.from_ical(content)

    @property
    def entry(self) -> Any:
        """The event in the calendar file, an `icalendar.Event`: properties are of many types."""
        (found,) = self.calendar.walk("VEVENT")
        return found


class PostOffice:
    """See the module text."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._arrived = threading.Condition()
        self._server = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, _server: SMTP, _peer: Peer, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self._arrived:
            for recipient in envelope.rcpt_tos:
                self._letters.append(Letter(message, parseaddr(recipient)[1]))
            self._arrived.notify_all()
        return "250 taken"

    def __enter__(self) -> PostOffice:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a product that sends its mail here."""
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": str(self._server.port),
            "smtp_security": "none",
            "mail_from": "Tollbridge <events@example.com>",
        }

    def letters(self, to: str = "", subject: str = "") -> list[Letter]:
        """Those taken so far, oldest first."""
        with self._arrived:
            return [each for each in self._letters if to in ("", each.recipient) and subject in each.subject]

    def letter(self, to: str, subject: str = "", *, number: int = 1, within_s: float = _WAIT_S) -> Letter:
        """Wait for the `number`-th letter to somebody whose subject has this in it."""
        end_s = time.monotonic() + within_s
        with self._arrived:
            while len(found := self.letters(to, subject)) < number:
                left_s = end_s - time.monotonic()
                had = [each.subject for each in self.letters(to)]
                assert left_s > 0, f"letter {number} “{subject}” to {to} did not come; they have {had}"
                self._arrived.wait(left_s)
            return found[number - 1]
