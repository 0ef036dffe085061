"""Keys sent as SIP INFO: `application/dtmf-relay` (Cisco's, widely copied) and `application/dtmf`.

Signal=5            the whole body of the second kind is: 5
Duration=160
"""

from __future__ import annotations

import re

KEYS = "0123456789*#ABCD"
_EVENTS = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_SIGNAL = re.compile(r"^\s*signal\s*=\s*([0-9a-d*#]{1,2})\s*$", re.I | re.M)


def key_of_info(content_type: str, body: str) -> str | None:
    """The key that an INFO body names, None when it names none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf-relay":
        match = _SIGNAL.search(body)
        text = match[1] if match else ""
    elif kind == "application/dtmf":
        text = body.strip()
    else:
        return None
    text = _EVENTS.get(text, text.upper())
    return text if len(text) == 1 and text in KEYS else None
