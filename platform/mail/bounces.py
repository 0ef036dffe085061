"""What comes back: which mail of ours could not be delivered, and why. Pure.

A mail server that takes a mail and cannot deliver it later sends a report to the envelope's sender. Most are
delivery status notifications: a `multipart/report` (RFC 6522) with a `message/delivery-status` (RFC 3464) for
machines, one block for the report and one for each recipient, and the mail or its headers as the last part.
Older ones of Exim have a header `X-Failed-Recipients` and sentences.

Whose bounce it is tells our own Message-ID, which stays the same for all tries and is in every report that
quotes headers, be it as a part, in `References` or in the sentences. Its 128 random bits are known to the
recipient and the servers on the way alone, so nobody else can make a mail count as come back. Addresses are
not compared: behind a forwarding the failed one is another than the one we wrote to.

Only `Action: failed` counts, not `delayed`, and no holiday answer, which quotes the Message-ID, too. A report
is read as bytes from strangers: what cannot be read is no bounce, and nothing else happens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.policy import compat32

from mail.texts import one_line

READ_BYTES_MAX = 1_000_000
"""What is read of a report; Message-IDs stand in its first part, or right behind it."""
PARTS_MAX = 100
REASON_CHARS_MAX = 400

_OURS = re.compile(r"<[0-9a-f]{32}@tollbridge>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class NotABounceError(Exception):
    """The message says of no mail of ours that it could not be delivered; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """A mail of ours that could not be delivered. `message_id` with its angle brackets, `reason` one line."""

    message_id: str
    reason: str


def read_bounce(raw: bytes) -> Bounce:
    """The mail that a report is about. Raises NotABounceError for anything that is no report of a failure."""
    try:
        message = message_from_bytes(raw[:READ_BYTES_MAX], policy=compat32)
        parts = _parts(message)
        reason = _reason(message, parts)
        if reason is None:
            raise NotABounceError("the message reports no failure")
        found = next(_ids(message, parts), None)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise NotABounceError("the message cannot be read") from exc
    if found is None:
        raise NotABounceError("the report names no mail of ours")
    return Bounce(message_id=found, reason=one_line(reason)[:REASON_CHARS_MAX] or "not delivered")


def _parts(message: Message) -> list[Message]:
    parts = []
    for part in message.walk():
        parts.append(part)
        if len(parts) >= PARTS_MAX:
            break
    return parts


def _reason(message: Message, parts: list[Message]) -> str | None:
    """Why it failed; None when nothing failed."""
    for part in parts:
        if part.get_content_type() == "message/delivery-status":
            return next((text for text in map(_failure, _blocks(part)) if text is not None), None)
    if message["X-Failed-Recipients"] is not None:
        return _sentence(parts)
    return None


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [one for one in payload if isinstance(one, Message)]
    return []


def _failure(block: Message) -> str | None:
    """Status and diagnostic of one recipient's block, None unless it says "failed" (RFC 3464 §2.3)."""
    if _field(block, "Action").lower() != "failed":
        return None
    status = _field(block, "Status")
    kind, semicolon, said = _field(block, "Diagnostic-Code").partition(";")
    words = said if semicolon else kind
    if _STATUS.match(status) and status.split()[0] not in words:
        words = f"{status.split()[0]} {words}"
    return words.strip() or "not delivered"


def _field(block: Message, name: str) -> str:
    return one_line(str(block.get(name, "")))


def _sentence(parts: list[Message]) -> str:
    """The line of an older report of Exim that has the server's answer, such as "550 no such user"."""
    for part in parts:
        for line in _text(part).splitlines():
            if re.search(r"\b[45]\d\d[ -]", line) or "unrouteable" in line.lower():
                return line.strip()
    return "not delivered"


def _ids(message: Message, parts: list[Message]) -> Iterator[str]:
    """Our Message-IDs: first where the mail that failed is quoted, then where it is referred to."""
    for part in parts[1:]:
        yield from _OURS.findall(str(part.get("Message-ID", "")))
    for part in parts:
        yield from _OURS.findall(_text(part))
    for name in ("In-Reply-To", "References"):
        yield from _OURS.findall(str(message.get(name, "")))


def _text(part: Message) -> str:
    """A part that is text, headers included as `text/rfc822-headers`; unknown characters replaced."""
    if part.is_multipart() or part.get_content_maintype() not in ("text", "message"):
        return ""
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    try:
        return body.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:  # a charset that is none
        return body.decode("utf-8", "replace")
