"""Ways out: a mail server (SMTP, RFC 5321), or files for whoever has none.

What a server's answers mean is RFC 5321 §4.2.1: 4xx is "not now", 5xx is "never". A refused sign-in at the
server is the operator's mistake and is put right some day, so mails wait for it. Everything has a timeout.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, Protocol

from mail.errors import RefusedError, TryLaterError

TIMEOUT_S = 20.0
_UNSAFE = re.compile(r"[^A-Za-z0-9@._-]")


class Sender(Protocol):
    """Hands over one message."""

    def send(self, message: EmailMessage, *, recipient: str) -> None:
        """Raises TryLaterError, RefusedError."""


class SmtpSender:
    """A mail server. `security`: `starttls`, `tls` from the first byte, or `none`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Literal["starttls", "tls", "none"] = "starttls",
        user: str | None = None,
        password: str | None = None,
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._login = (user, password or "") if user is not None else None
        self._timeout_s = timeout_s
        self._context = context or ssl.create_default_context()

    def send(self, message: EmailMessage, *, recipient: str) -> None:
        try:
            with self._connected() as server:
                server.send_message(message, to_addrs=[recipient])
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


def _judged(code: int, reason: bytes | str) -> TryLaterError | RefusedError:
    said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    return RefusedError(f"{code} {said}") if 500 <= code < 600 else TryLaterError(f"{code} {said}")
