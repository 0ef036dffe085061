"""Every way in which a call can end, as a table: slug → class, and what to signal.

The class says whose side the end lies on, the slug says why.  `sip_status` answers the INVITE when the call
ends before it was answered; after the answer a BYE with `q850` in its Reason header ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Disposition(StrEnum):
    """Class of an end."""

    SUCCESS = "success"  # somebody wanted it to end
    CLIENT_ERROR = "client_error"  # what the caller, their phone or their carrier sent
    REFUSED = "refused"  # the event's or the bridge's rules said no
    NETWORK_ERROR = "network_error"  # the line broke
    SERVER_ERROR = "server_error"  # our side failed


class PinResult(StrEnum):
    """What became of the PIN dialogue. None in a record: it was never reached."""

    OK = "ok"
    BAD = "bad"
    TIMEOUT = "timeout"
    OVER = "over"
    LOCKED = "locked"
    FULL = "full"
    OFF = "off"
    SPENT = "spent"  # toll-free minutes are used up
    BLOCKED = "blocked"
    ABANDONED = "abandoned"  # the caller left during the dialogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One way to end. `pin_result` is set where the slug alone tells it."""

    slug: str
    disposition: Disposition
    sip_status: int
    q850: int
    pin_result: PinResult | None = None


_D = Disposition
_P = PinResult
_TABLE: tuple[tuple[str, Disposition, int, int, PinResult | None], ...] = (
    ("caller-hung-up", _D.SUCCESS, 200, 16, None),
    ("caller-cancelled", _D.SUCCESS, 487, 16, None),
    ("event-ended", _D.SUCCESS, 480, 16, None),
    ("kicked", _D.SUCCESS, 480, 16, None),
    ("revoked", _D.SUCCESS, 480, 16, None),
    ("replaced", _D.SUCCESS, 480, 16, None),
    ("wrong-pin", _D.CLIENT_ERROR, 403, 21, _P.BAD),
    ("pin-timeout", _D.CLIENT_ERROR, 408, 102, _P.TIMEOUT),
    ("no-such-number", _D.CLIENT_ERROR, 404, 1, None),
    ("not-allowed", _D.CLIENT_ERROR, 403, 21, None),
    ("auth-failed", _D.CLIENT_ERROR, 403, 21, None),
    ("malformed", _D.CLIENT_ERROR, 400, 41, None),
    ("no-common-codec", _D.CLIENT_ERROR, 488, 31, None),
    ("event-over", _D.REFUSED, 410, 22, _P.OVER),
    ("event-locked", _D.REFUSED, 480, 21, _P.LOCKED),
    ("event-full", _D.REFUSED, 486, 17, _P.FULL),
    ("removed", _D.REFUSED, 403, 21, None),
    ("gateway-off", _D.REFUSED, 480, 21, _P.OFF),
    ("toll-free-off", _D.REFUSED, 480, 21, _P.OFF),
    ("toll-free-spent", _D.REFUSED, 480, 21, _P.SPENT),
    ("pin-guessing", _D.REFUSED, 403, 21, _P.BLOCKED),
    ("media-timeout", _D.NETWORK_ERROR, 408, 102, None),
    ("bridge-full", _D.SERVER_ERROR, 503, 42, None),
    ("shutdown", _D.SERVER_ERROR, 503, 41, None),
    ("server-error", _D.SERVER_ERROR, 500, 41, None),
    ("worker-lost", _D.SERVER_ERROR, 503, 41, None),
    ("node-crash", _D.SERVER_ERROR, 500, 41, None),
)

#: Every slug a call record can carry.
OUTCOMES: dict[str, Outcome] = {
    slug: Outcome(slug=slug, disposition=disposition, sip_status=status, q850=cause, pin_result=pin)
    for slug, disposition, status, cause, pin in _TABLE
}


def outcome(slug: str) -> Outcome:
    """The outcome of that slug; any slug we do not list (a bug of ours) is a `server-error`."""
    return OUTCOMES.get(slug, OUTCOMES["server-error"])
