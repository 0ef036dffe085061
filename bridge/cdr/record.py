"""What is known of one call: `CallFacts`, the fields of a call detail record (CDR).

Theory.  A CDR holds facts only, no price: prices are applied later and may be applied again.  One record per
leg; (source, source_call_id, leg) names it for ever, so that a record delivered twice is one record.  Facts
grow while the call is up (`dataclasses.replace`) and are complete when `end_at` is set.

- Moments are aware UTC datetimes in whole milliseconds.  Durations are computed from them, never stored by
  the writer: setup (to the answer, or to the end without one), connection (answer to end: what a bill is
  based on) and conference (in the room).
- A wall clock that is set back during a call must not cost us the record, so a moment that lies before an
  earlier one in the order of a call's life is lifted to it.
- No RTP, no quality: such fields are None, never 0.
- Whether a call is billable depends on what happened (answered, by telephone, somebody to bill), never on
  the cause with which it ended.  A call to a toll-free number that the event did not take on has nobody to
  bill: whoever knew the number and the PIN could run up a bill with it otherwise.
- Text from the network is cut to one clean line; it is stored, exported and shown.
- No key digits anywhere: a PIN leaves a result and a number of attempts.

E.164: ITU-T E.164 (15 digits at most).  Causes: ITU-T Q.850, RFC 6432.  Caller's presentation: RFC 3323/3325.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import uuid6

from bridge.cdr.errors import BadFactsError
from bridge.cdr.outcome import Disposition, PinResult
from bridge.cdr.q850 import CauseSource
from database.types import to_utc_ms

TEXT_CHARS_MAX = 255
_E164 = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)


class Direction(StrEnum):
    """Who called whom."""

    IN = "in"
    OUT = "out"


class Channel(StrEnum):
    """The way in; only telephone legs are rated."""

    SIP = "sip"
    TWILIO = "twilio"
    WEBRTC = "webrtc"


class CallerPresentation(StrEnum):
    """Whether the caller's number may be shown, and whether there was one."""

    ALLOWED = "allowed"
    ANONYMOUS = "anonymous"
    UNAVAILABLE = "unavailable"


class NumberClass(StrEnum):
    """Kind of the number called, as it was at call time."""

    CITY = "city"
    TOLLFREE = "tollfree"
    MOBILE = "mobile"


class EndBasis(StrEnum):
    """How the end was learned. Anything but BYE (signalling): `end_at` is the last RTP heard."""

    BYE = "bye"
    MEDIA_TIMEOUT = "media_timeout"
    NODE_CRASH = "node_crash"
    REAPER = "reaper"
    CAP = "cap"


class HangupParty(StrEnum):
    """Who ended the call."""

    CALLER = "caller"
    CALLEE = "callee"
    BRIDGE = "bridge"
    UNKNOWN = "unknown"


class NonbillableReason(StrEnum):
    """Why nobody is billed for a leg."""

    NOT_ANSWERED = "not-answered"
    NOT_TELEPHONE = "not-telephone"
    NO_ACCOUNT = "no-account"
    NOT_TAKEN_ON = "not-taken-on"  # by a toll-free number, to an event that does not pay for it


#: The order of a call's life.
MOMENTS = ("setup_at", "ring_at", "answer_at", "join_at", "leave_at", "end_at")
_COUNTS = ("ptime_ms", "rx_pkts", "tx_pkts", "lost_pkts", "discarded_pkts", "pin_attempts")
_ONE_LINERS = ("caller_raw", "trunk_id", "number_id", "participant_id", "session_id", "linked_id",
               "parent_leg_id", "codec", "mos_algo", "node_id", "sw_version")
_MEASURES = {"loss_pct": 3, "burst_r": 3, "jitter_avg_ms": 1, "jitter_max_ms": 1, "rtt_ms": 1,
             "r_factor": 2, "mos_cq": 2}


def new_id() -> str:
    """A fresh record id: UUID version 7 (RFC 9562 §5.7), so ids sort by time of creation."""
    return str(uuid6.uuid7())


def one_line(text: str) -> str:
    """Text from outside as one printable line of at most `TEXT_CHARS_MAX` characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(clean.split())[:TEXT_CHARS_MAX]


def key_text(text: str) -> str:
    """Text that is part of a key: as `one_line`, but two long ones that differ stay different."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(clean) <= TEXT_CHARS_MAX:
        return clean
    digest = hashlib.sha256(clean.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{clean[: TEXT_CHARS_MAX - 65]}~{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """The facts of one leg; docs/cdr.md explains every field. Raises BadFactsError when built wrong."""

    id: str
    source: str
    source_call_id: str
    leg: str
    setup_at: datetime
    direction: Direction
    channel: Channel
    node_id: str
    sw_version: str

    session_id: str | None = None
    participant_id: str | None = None
    account_id: int | None = None
    subaccount_id: int | None = None
    linked_id: str | None = None
    parent_leg_id: str | None = None

    caller_e164: str | None = None
    caller_presentation: CallerPresentation = CallerPresentation.UNAVAILABLE
    caller_raw: str = ""
    called_e164: str | None = None
    number_id: str | None = None
    number_class: NumberClass | None = None
    trunk_id: str | None = None
    src_ip: str | None = None

    ring_at: datetime | None = None
    answer_at: datetime | None = None
    join_at: datetime | None = None
    leave_at: datetime | None = None
    end_at: datetime | None = None
    end_basis: EndBasis | None = None

    sip_status: int | None = None
    q850: int | None = None
    cause_source: CauseSource | None = None
    hangup_party: HangupParty | None = None
    disposition: Disposition | None = None
    reason_slug: str | None = None

    codec: str | None = None
    ptime_ms: int | None = None
    rx_pkts: int | None = None
    tx_pkts: int | None = None
    lost_pkts: int | None = None
    discarded_pkts: int | None = None
    loss_pct: float | None = None
    burst_r: float | None = None
    jitter_avg_ms: float | None = None
    jitter_max_ms: float | None = None
    rtt_ms: float | None = None
    r_factor: float | None = None
    mos_cq: float | None = None
    mos_algo: str | None = None

    pin_result: PinResult | None = None
    pin_attempts: int = 0

    def __post_init__(self) -> None:
        for name in ("source", "source_call_id", "leg"):
            self._set(name, key_text(getattr(self, name)))
        for name in _ONE_LINERS:
            if getattr(self, name) is not None:
                self._set(name, one_line(getattr(self, name)))
        for name, decimals in _MEASURES.items():
            value = getattr(self, name)
            if value is not None:
                self._set(name, round(float(value), decimals))
        self._order_moments()
        self._check()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _order_moments(self) -> None:
        latest = None
        for name in MOMENTS:
            moment: datetime | None = getattr(self, name)
            if moment is None:
                continue
            try:
                moment = to_utc_ms(moment)
            except ValueError as exc:
                raise BadFactsError(f"{name}: {exc}") from exc
            latest = moment if latest is None else max(latest, moment)
            self._set(name, latest)

    def _check(self) -> None:
        try:
            uuid.UUID(self.id)
            if self.src_ip is not None:
                self._set("src_ip", str(ipaddress.ip_address(self.src_ip)))
        except ValueError as exc:
            raise BadFactsError(str(exc)) from exc
        for name in ("source", "source_call_id", "leg", "node_id"):
            if not getattr(self, name):
                raise BadFactsError(f"{name} is empty")
        for name in ("caller_e164", "called_e164"):
            number = getattr(self, name)
            if number is not None and not _E164.fullmatch(number):
                raise BadFactsError(f"{name} is not E.164")
        for name in _COUNTS:
            count = getattr(self, name)
            if count is not None and count < 0:
                raise BadFactsError(f"{name} is negative")
        if self.q850 is not None and not 0 <= self.q850 <= 127:
            raise BadFactsError("q850 is a number of seven bits")
        if self.end_at is not None and None in (self.end_basis, self.disposition, self.reason_slug):
            raise BadFactsError("an ended call has an end_basis, a disposition and a reason_slug")

    @property
    def setup_ms(self) -> int | None:
        """From the INVITE to the answer, or to the end of a call that was never answered; ms."""
        return _between_ms(self.setup_at, self.answer_at or self.end_at)

    @property
    def conn_ms(self) -> int | None:
        """From the answer to the end; the basis of billing; ms."""
        return _between_ms(self.answer_at, self.end_at)

    @property
    def conf_ms(self) -> int | None:
        """In the room, after the PIN; ms."""
        return _between_ms(self.join_at, self.leave_at or self.end_at)

    @property
    def nonbillable_reason(self) -> NonbillableReason | None:
        """Why nobody is billed; None when somebody is."""
        if self.answer_at is None:
            return NonbillableReason.NOT_ANSWERED
        if self.channel is Channel.WEBRTC:
            return NonbillableReason.NOT_TELEPHONE
        if self.account_id is None:
            return NonbillableReason.NO_ACCOUNT
        not_taken_on = self.pin_result in (PinResult.OFF, PinResult.SPENT)
        if self.number_class is NumberClass.TOLLFREE and not_taken_on:
            return NonbillableReason.NOT_TAKEN_ON
        return None

    @property
    def billable(self) -> bool:
        """Whether the leg goes to rating."""
        return self.nonbillable_reason is None


def _between_ms(begin: datetime | None, end: datetime | None) -> int | None:
    if begin is None or end is None:
        return None
    return round((end - begin).total_seconds() * 1000)
