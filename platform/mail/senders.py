"""Ways out: a mail server (SMTP, RFC 5321), or files for whoever has none.

What a server's answers mean is RFC 5321 §4.2.1: 4xx is "not now", 5xx is "never". A refused sign-in at the
server is the operator's mistake and is put right some day, so mails wait for it. Everything has a timeout.

The connection to a server is kept for the next mail (RFC 5321 §3.3 has many in one session), which makes
thousands of them quick, and leaves nothing to do between the server's yes and our note of it: goodbye (QUIT)
is said when nothing more is to be sent. That a kept connection still stands is asked (NOOP) before the mail
is offered to it, so that no mail is offered twice here.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, Protocol

from mail.errors import RefusedError, TryLaterError

TIMEOUT_S = 20.0
MAILS_MAX = 100
"""Mails over one connection; servers do not like more."""
_UNSAFE = re.compile(r"[^A-Za-z0-9@._-]")


class Sender(Protocol):
    """Hands over one message."""

    def send(self, message: EmailMessage, *, recipient: str) -> None:
        """Raises TryLaterError, RefusedError."""

    def rest(self) -> None:
        """Nothing more is to be sent for a while: let go of what was kept for the next mail."""


class SmtpSender:
    """A mail server. `security`: `starttls`, `tls` from the first byte, or `none`. `bounces_to`: the sender
    on the envelope, to whom servers report what they could not deliver; None: the one in the mail.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Literal["starttls", "tls", "none"] = "starttls",
        user: str | None = None,
        password: str | None = None,
        bounces_to: str | None = None,
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._login = (user, password or "") if user is not None else None
        self._bounces_to = bounces_to
        self._timeout_s = timeout_s
        self._context = context or ssl.create_default_context()
        self._kept: smtplib.SMTP | None = None
        self._kept_mails = 0

    def send(self, message: EmailMessage, *, recipient: str) -> None:
        server: smtplib.SMTP | None = None
        try:
            server = self._ready()
            server.send_message(message, from_addr=self._bounces_to, to_addrs=[recipient])
            self._kept, self._kept_mails = server, self._kept_mails + 1
        except smtplib.SMTPRecipientsRefused as exc:
            code, reason = exc.recipients[recipient]
            raise _judged(code, reason) from exc
        except smtplib.SMTPAuthenticationError as exc:
            raise TryLaterError(f"the mail server refuses our user or password ({exc.smtp_code})") from exc
        except smtplib.SMTPNotSupportedError as exc:
            raise TryLaterError(f"the mail server cannot do what the settings ask for: {exc}") from exc
        except smtplib.SMTPResponseException as exc:
            raise _judged(exc.smtp_code, exc.smtp_error) from exc
        except (smtplib.SMTPException, OSError) as exc:
            raise TryLaterError(f"the mail server cannot be reached: {exc}") from exc
        finally:
            if server is not None and server is not self._kept:
                server.close()

    def rest(self) -> None:
        server, self._kept = self._kept, None
        if server is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def _ready(self) -> smtplib.SMTP:
        """The kept connection if it still stands, or a new one; whoever has it keeps it again when all is
        well.
        """
        if self._kept_mails >= MAILS_MAX:
            self.rest()
        server, self._kept = self._kept, None
        if server is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if server.noop()[0] == 250:
                    return server
            server.close()
        self._kept_mails = 0
        return self._connected()

    def _connected(self) -> smtplib.SMTP:
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_s, context=self._context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        try:
            if self._security == "starttls":
                server.starttls(context=self._context)
            if self._login is not None:
                server.login(*self._login)
        except BaseException:
            server.close()
            raise
        return server


class FileSender:
    """Writes each mail as `<folder>/<message id>.eml`; the same mail twice is one file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage, *, recipient: str) -> None:  # noqa: ARG002
        name = _UNSAFE.sub("", str(message["Message-ID"]))
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished = self._folder / f".{name}.part"
            with unfinished.open("wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / f"{name}.eml")
        except OSError as exc:
            raise TryLaterError(f"the mail cannot be written: {exc}") from exc

    def rest(self) -> None:
        """Nothing is kept."""


def _judged(code: int, reason: bytes | str) -> TryLaterError | RefusedError:
    said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    return RefusedError(f"{code} {said}") if 500 <= code < 600 else TryLaterError(f"{code} {said}")
