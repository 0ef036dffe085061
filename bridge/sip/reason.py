"""Why a call ended: the Reason header field (RFC 3326), with ISDN causes (RFC 6432).

Reason: Q.850;cause=16;text="Normal call clearing", SIP;cause=200
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.sip.headers import split_list

_PARAMETER = re.compile(r';\s*(?P<name>[\w-]+)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^;,\s]*)')
_TEXT_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What a Reason field says."""

    q850: int | None
    sip: int | None
    text: str


NO_REASON = Reason(q850=None, sip=None, text="")


def parse_reason(values: tuple[str, ...]) -> Reason:
    """Read every Reason value of a request; protocols we do not know are skipped."""
    q850: int | None = None
    sip: int | None = None
    text = ""
    for part in (part for line in values for part in split_list(line)):
        protocol = part.partition(";")[0].strip().lower()
        parameters = {match["name"].lower(): match["value"] for match in _PARAMETER.finditer(part)}
        cause = parameters.get("cause", "")
        number = int(cause) if cause.isascii() and cause.isdigit() and len(cause) <= 3 else None
        if protocol == "q.850" and number is not None and 1 <= number <= 127:
            q850 = q850 or number
        elif protocol == "sip" and number is not None and 100 <= number <= 699:
            sip = sip or number
        else:
            continue
        raw = parameters.get("text", "").strip('"')
        text = text or "".join(char for char in raw if char.isprintable())[:_TEXT_MAX]
    return Reason(q850=q850, sip=sip, text=text)


def format_reason(q850: int, text: str = "") -> str:
    """The value of a Reason field.

    Raises:
        ValueError: `q850` is not a cause value (1 to 127, ITU-T Q.850).
    """
    if not 1 <= q850 <= 127:
        raise ValueError(f"{q850} is no Q.850 cause")
    clean = "".join(char for char in text if char.isprintable() and char not in '"\\')[:_TEXT_MAX]
    return f"Q.850;cause={q850}" + (f';text="{clean}"' if clean else "")
