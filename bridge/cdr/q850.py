"""Why a call ended, in the telephone network's numbers (ITU-T Q.850).

A `Reason` header with protocol Q.850 (RFC 3326, RFC 6432) tells the cause itself and wins.  Without one the
SIP status is mapped as a gateway would, RFC 3398 §8.2.6.1, kept here as data.  A BYE without a reason is
normal clearing, 16.  The cause is information for people and carriers; it never decides what is billed.
"""

from __future__ import annotations

import re
from enum import StrEnum


class CauseSource(StrEnum):
    """Where the cause comes from."""

    REASON_HEADER = "reason_header"
    SIP_STATUS = "sip_status"
    BYE = "bye"
    BRIDGE = "bridge"  # we ended the call and chose it


NORMAL_CLEARING = 16
NORMAL_UNSPECIFIED = 31

_GROUPS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (41, (400,)),
    (21, (401, 402, 403, 407)),
    (1, (404, 485, 604)),
    (63, (405,)),
    (79, (406, 415)),
    (102, (408, 504)),
    (22, (410,)),
    (127, (413, 414, 416, 420, 421, 423, 505, 513)),
    (18, (480,)),
    (41, (481, 500, 503)),
    (25, (482, 483)),
    (28, (484,)),
    (17, (486, 600)),
    (16, (487,)),  # the caller hung up before the answer
    (31, (488, 606)),
    (79, (501,)),
    (38, (502,)),
    (21, (603,)),
)

#: SIP final status → Q.850 cause.
SIP_TO_Q850: dict[int, int] = {status: cause for cause, group in _GROUPS for status in group}

_CAUSE = re.compile(r"cause\s*=\s*([0-9]{1,3})", re.IGNORECASE)
#: Longer header values are cut: no carrier sends them, and what is parsed per call must stay small.
HEADER_CHARS_MAX = 2048


def _split(text: str, separator: str) -> list[str]:
    """Split outside quoted strings (RFC 3261 §25.1), one pass; an open quotation runs to the end."""
    parts, begin, quoted, escaped = [], 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            parts.append(text[begin:index].strip())
            begin = index + 1
    parts.append(text[begin:].strip())
    return parts


def cause_in_reason(header: str) -> int | None:
    """The Q.850 cause in the value of one or several `Reason` headers, comma-separated; None without one.

    Garbage is no cause: the header comes from the network.
    """
    for value in _split(header[:HEADER_CHARS_MAX], ","):
        protocol, *parameters = _split(value, ";")
        if protocol.upper() != "Q.850":
            continue
        for parameter in parameters:
            cause = _CAUSE.fullmatch(parameter)
            if cause is not None and 1 <= int(cause[1]) <= 127:
                return int(cause[1])
    return None


def cause_of(*, sip_status: int | None, reason_header: str | None) -> tuple[int, CauseSource]:
    """Cause and where it comes from, for an end that the other side signalled.

    `sip_status` is the final status of an INVITE that failed; None or a 2xx stands for a BYE.
    """
    if reason_header:
        cause = cause_in_reason(reason_header)
        if cause is not None:
            return cause, CauseSource.REASON_HEADER
    if sip_status is None or sip_status < 300:
        return NORMAL_CLEARING, CauseSource.BYE
    return SIP_TO_Q850.get(sip_status, NORMAL_UNSPECIFIED), CauseSource.SIP_STATUS
