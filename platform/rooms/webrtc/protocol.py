"""What crosses the pipe between the WebRTC process and its owner.

Peers and sources are integers chosen by the owner.  Commands take effect in order.  `Offer` and `OpenSource`
are answered, by request or source; all others are not.
"""

from __future__ import annotations

import msgspec


class IceServer(msgspec.Struct, frozen=True, kw_only=True):
    """A STUN or TURN server for ourselves (most servers with a public address need none)."""

    url: str
    username: str | None = None
    credential: str | None = None


class Host(msgspec.Struct, frozen=True):
    """An address of this machine, and the one under which browsers reach it (NAT 1:1), if another."""

    ip: str
    announced: str | None = None


class Configure(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """First of all messages.  ports: first and last UDP port for browsers, None for any."""

    hosts: list[Host]
    ports: tuple[int, int] | None
    servers: list[IceServer]
    capacity: int


class Offer(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """listen, speak: what the peer hears and feeds, for a peer that is not there yet."""

    request: int
    peer: int
    sdp: str
    listen: int | None
    speak: int | None


class OpenSource(msgspec.Struct, frozen=True, tag=True):
    """port 0: any.  A source keeps its port when the process is replaced, if it can."""

    source: int
    mixer_ip: str
    mixer_port: int
    ip: str
    port: int


class CloseSource(msgspec.Struct, frozen=True, tag=True):
    source: int


class Listen(msgspec.Struct, frozen=True, tag=True):
    peer: int
    source: int | None


class Speak(msgspec.Struct, frozen=True, tag=True):
    peer: int
    source: int | None


class ClosePeer(msgspec.Struct, frozen=True, tag=True):
    peer: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    pass


Command = Configure | Offer | OpenSource | CloseSource | Listen | Speak | ClosePeer | Stop


class Ready(msgspec.Struct, frozen=True, tag=True):
    pid: int


class Answer(msgspec.Struct, frozen=True, tag=True):
    request: int
    sdp: str


class OfferRefused(msgspec.Struct, frozen=True, tag=True):
    """theirs: the offer is bad; otherwise we cannot serve it now."""

    request: int
    reason: str
    theirs: bool


class SourcePort(msgspec.Struct, frozen=True, tag=True):
    """Where the mixer leg of a source must send, and where its sound comes from."""

    source: int
    ip: str
    port: int


class SourceFailed(msgspec.Struct, frozen=True, tag=True):
    source: int
    reason: str


class PeerState(msgspec.Struct, frozen=True, tag=True):
    """connecting, connected, disconnected (nothing comes), failed (an ICE restart may help), closed."""

    peer: int
    state: str


class PeerStats(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Quality over the last two seconds or so; None: not measured.

    loss_in_pct, jitter_ms: what came from the browser; loss_out_pct: what it misses of ours; loss_pct: the
    worse of the two.  level: loudest of its microphone in dBov (0 to -127, RFC 6464), told by the browser.
    """

    peer: int
    rtt_ms: float | None
    loss_pct: float | None
    loss_in_pct: float | None
    loss_out_pct: float | None
    jitter_ms: float | None
    level: int | None


class Stats(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Once a second; counters since the process began.  dropped: packets not used, by reason."""

    peers: int
    connected: int
    sources: int
    rx_pkts: int
    tx_pkts: int
    encodes: int
    decodes: int
    concealed: int
    dropped: dict[str, int]
    ticks: int
    late_ticks: int
    cpu_s: float


Event = Ready | Answer | OfferRefused | SourcePort | SourceFailed | PeerState | PeerStats | Stats

command_decoder = msgspec.msgpack.Decoder(list[Command])
event_decoder = msgspec.msgpack.Decoder(list[Event])
