"""What the SIP side tells the rest: frozen events, past tense, made on the pjsua thread.

Every call that reaches us ends in exactly one `Ended` (after an `Invited`) or one `Refused` (instead of
it), so that a record of each can be written. The first, challenged INVITE of a digest trunk is no call of
its own: its repetition with credentials is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from bridge.media import Codec

SipCallId = NewType("SipCallId", int)
"""One SIP call in this process; never used twice."""


class Presentation(StrEnum):
    """Whether the caller's number may be shown (RFC 3323)."""

    ALLOWED = "allowed"
    ANONYMOUS = "anonymous"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMedia:
    """Where the mixer hears this call: RTP on `port`, RTCP on the next."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """What both sides agreed on."""

    codec: Codec
    payload_type: int
    dtmf_payload_type: int | None
    remote_ip: str
    remote_port: int
    remote_rtcp_port: int
    ptime_ms: int
    """Packet length that the phone asks for."""
    send: bool
    """We may send."""
    receive: bool
    """The phone may send to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerFacts:
    """Who called whom from where, as far as the INVITE tells."""

    trunk: str
    """Name of the trunk; empty when the source is unknown."""
    called_raw: str
    called_e164: str | None
    """The dialled number, ours or not; None when it is none."""
    number_id: str | None
    """Our entry in the number book; None when the number is not ours."""
    caller_raw: str
    caller_e164: str | None
    caller_presentation: Presentation
    display_name: str
    source_ip: str
    source_port: int
    transport: str
    sip_call_id: str
    user_agent: str
    received_at_s: float
    """Monotonic clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited(CallerFacts):
    """A call from a trunk waits for `ring`, `answer` or `reject`."""

    call: SipCallId
    codecs: tuple[Codec, ...]
    """What both sides could speak, best first; empty when the phone leaves the offer to us."""
    media_ip_version: int
    """4 or 6: what the phone sends sound from. `LocalMedia.ip` must be of the same version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(CallerFacts):
    """A call that the SIP side turned away by itself."""

    status: int
    slug: str
    """Reason slug of the record.

    One of not-allowed, auth-failed, bridge-full, malformed, no-common-codec, server-error.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Our 200 is on its way."""

    call: SipCallId
    media: Negotiated | None
    """None while the phone still owes its answer (it left the offer to us)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The phone's ACK arrived: the call is up."""

    call: SipCallId


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChanged:
    """Hold, resume, another codec or address; also the late answer to our own offer."""

    call: SipCallId
    media: Negotiated


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """A key that came as SIP INFO."""

    call: SipCallId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The call is over, whoever ended it."""

    call: SipCallId
    status: int
    """Last SIP status: 200 for a call that was up, 487 for one cancelled, else the refusal."""
    q850: int | None
    """Cause from a Reason header (RFC 6432), ours or theirs."""
    reason_text: str
    by_remote: bool
    cancelled: bool
    """Given up by the caller before it was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Result of an outbound registration."""

    trunk: str
    ok: bool
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Result of `probe`."""

    call: SipCallId
    alive: bool


SipEvent = Invited | Refused | Answered | Confirmed | MediaChanged | KeyInfo | Ended | Registered | Probed
