"""One mail: checked when it is built, and turned into bytes by the standard library alone.

RFC 5322 headers are made by `email.message.EmailMessage` with the SMTP policy, which refuses line breaks in
headers, quotes names and encodes what is not ASCII (RFC 2047, 6532). Nothing from outside is ever put
together as header text, so nobody can add a header or a recipient. The text part comes first, the HTML part
is the better alternative (RFC 2046 §5.1.4). `Auto-Submitted` (RFC 3834) keeps holiday answers away.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from typing import Any

from mail.errors import BadMailError

SUBJECT_CHARS_MAX = 200
ATTACHMENT_BYTES_MAX = 5_000_000
HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post")
"""The headers that a mail may bring: the way out of mails like it, by one click (RFC 2369, RFC 8058)."""

_ADDRESS = re.compile(r"[^\s@\"(),:;<>\[\]\\]{1,64}@[^\s@\"(),:;<>\[\]\\]{1,190}")
_PLAIN_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
"""Atoms and dots alone (RFC 5322 §3.4.1): nearly all addresses, and 50 times cheaper than to parse them."""
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that comes with a mail.

    A `text/calendar` with a `method` (RFC 5546) is not put beside the text but offered as another form of it,
    which is what makes mail programs show "accept" and bring their calendars up to date (RFC 6047 §2.4).
    """

    name: str
    content_type: str
    body: bytes
    method: str = ""

    def __post_init__(self) -> None:
        if not self.name.isprintable() or "/" in self.name or not 1 <= len(self.name) <= 200:
            raise BadMailError(f"{self.name[:40]!r} is not a name of a file")
        if _TYPE.fullmatch(self.content_type) is None:
            raise BadMailError(f"{self.content_type[:40]!r} is not a content type")
        if self.method not in ("", "REQUEST", "CANCEL", "PUBLISH"):
            raise BadMailError(f"{self.method[:40]!r} is not a method of calendars")
        if len(self.body) > ATTACHMENT_BYTES_MAX:
            raise BadMailError(f"{self.name} is larger than {ATTACHMENT_BYTES_MAX} bytes")

    def as_json(self) -> dict[str, str]:
        return {
            "name": self.name,
            "content_type": self.content_type,
            "body": base64.b64encode(self.body).decode(),
            **({"method": self.method} if self.method else {}),
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> Attachment:
        return Attachment(
            name=values["name"],
            content_type=values["content_type"],
            body=base64.b64decode(values["body"]),
            method=values.get("method", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one person. Raises BadMailError when it could not be sent as it is."""

    to: str
    subject: str
    text: str
    html: str = ""
    to_name: str = ""
    attachments: Sequence[Attachment] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_address(self.to)
        if not self.subject.isprintable() or not 1 <= len(self.subject) <= SUBJECT_CHARS_MAX:
            raise BadMailError("a subject is one line")
        if not (self.to_name.isprintable() and len(self.to_name) <= 200):
            raise BadMailError("a name is one line")
        for name, value in self.headers.items():
            if name not in HEADERS or not value.isprintable() or len(value) > 900:
                raise BadMailError(f"{name[:40]!r} is not a header of ours, or not one line")


def check_address(text: str) -> None:
    """Whether this is one mail address and nothing else. Raises BadMailError."""
    if len(text) > 254 or not text.isprintable() or _ADDRESS.fullmatch(text) is None:
        raise BadMailError("this is not a mail address")
    if _PLAIN_ADDRESS.fullmatch(text) is None:
        _address("", text)


def parse_sender(text: str) -> Address:
    """`Name <address>` or an address, from the settings. Raises BadMailError."""
    found = getaddresses([text])
    if len(found) != 1 or not text.isprintable():
        raise BadMailError("the sender is one address, with or without a name")
    name, address = found[0]
    check_address(address)
    return _address(name, address)


def build(mail: Mail, *, sender: Address, message_id: str, at: datetime) -> EmailMessage:
    """The message as it is sent. `message_id` with its angle brackets."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = _address(mail.to_name, mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    for name, value in mail.headers.items():
        message[name] = value
    message.set_content(mail.text, cte="quoted-printable")
    if mail.html:
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    for one in mail.attachments:
        if one.method and one.content_type == "text/calendar":
            message.add_alternative(
                one.body.decode(),
                subtype="calendar",
                params={"method": one.method, "name": one.name},
                cte="base64",
            )
    for one in mail.attachments:
        if one.method and one.content_type == "text/calendar":
            continue
        maintype, _, subtype = one.content_type.partition("/")
        message.add_attachment(one.body, maintype=maintype, subtype=subtype, filename=one.name)
    return message


def _address(name: str, address: str) -> Address:
    try:
        return Address(display_name=name, addr_spec=address)
    except (HeaderParseError, ValueError, IndexError) as exc:
        raise BadMailError("this is not a mail address") from exc
