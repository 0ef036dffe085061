"""What crosses the pipe between the media worker and its owner: small typed messages (MessagePack).

Frames are those of `wire.frames`, and may be large: a new worker is told all clips at once.  Commands take
effect between ticks, in order.  Legs, rooms and clips are integers chosen by the owner; it never reuses a leg
number while the worker may still speak of it.
"""

import msgspec


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Negotiated media of a leg.

    codec: index into `legs.CODEC_NAMES`; port: our RTP port; dtmf_pt None: keys come in-band, in L16 not at
    all; remote_rtcp_port 0: no RTCP.
    """

    ip: str
    port: int
    codec: int
    pt: int
    dtmf_pt: int | None
    remote_ip: str
    remote_port: int
    remote_rtcp_port: int
    nat: bool
    send: bool
    receive: bool


class AddLeg(msgspec.Struct, frozen=True, tag=True):
    leg: int
    ssrc: int
    media: Media


class UpdateLeg(msgspec.Struct, frozen=True, tag=True):
    leg: int
    media: Media


class RemoveLeg(msgspec.Struct, frozen=True, tag=True):
    leg: int


class Place(msgspec.Struct, frozen=True, tag=True):
    """Where a leg is and what it may do.  hear: "room", "music" or "silence"."""

    leg: int
    room: int | None
    speak: bool
    hear: str


class LoadClip(msgspec.Struct, frozen=True, tag=True):
    clip: int
    frames: int
    pcmu: bytes
    pcma: bytes
    g722: bytes


class DropClip(msgspec.Struct, frozen=True, tag=True):
    clip: int


class SetMusic(msgspec.Struct, frozen=True, tag=True):
    clip: int


class Play(msgspec.Struct, frozen=True, tag=True):
    """Play clips one after the other to one leg, in place of whatever it hears."""

    leg: int
    play: int
    clips: list[int]


class StopPlay(msgspec.Struct, frozen=True, tag=True):
    leg: int


class RoomSound(msgspec.Struct, frozen=True, tag=True):
    """Let everybody who hears a room hear a clip in it (join and leave tones)."""

    room: int
    clip: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    pass


Command = (
    AddLeg
    | UpdateLeg
    | RemoveLeg
    | Place
    | LoadClip
    | DropClip
    | SetMusic
    | Play
    | StopPlay
    | RoomSound
    | Stop
)


class Ready(msgspec.Struct, frozen=True, tag=True):
    pid: int


class KeyPressed(msgspec.Struct, frozen=True, tag=True):
    leg: int
    key: str

    def __repr__(self) -> str:
        return f"KeyPressed(leg={self.leg})"  # keys may be digits of a PIN


class Talking(msgspec.Struct, frozen=True, tag=True):
    leg: int
    on: bool


class Played(msgspec.Struct, frozen=True, tag=True):
    leg: int
    play: int


class Latched(msgspec.Struct, frozen=True, tag=True):
    """The leg's sound comes from here; sound is sent there from now on."""

    leg: int
    ip: str
    port: int


class LegReport(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Quality of one leg so far: every 5 s for telephones, every 2 s for L16, and at the end.

    Times in ms; None where nothing was measured.
    """

    leg: int
    final: bool
    rx_pkts: int
    tx_pkts: int
    lost_pkts: int
    discarded_pkts: int
    loss_bursts: int
    jitter_avg_ms: float | None
    jitter_max_ms: float | None
    rtt_ms: float | None
    ptime_ms: int | None
    delay_ms: float | None
    concealed_ms: int
    last_rx_ns: int | None
    """CLOCK_REALTIME of the last packet."""


def with_rtt(report: LegReport, rtt_ms: float | None) -> LegReport:
    """The report with the round-trip time that RTCP told."""
    return msgspec.structs.replace(report, rtt_ms=rtt_ms)


class WorkerStats(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Once a second.  Counters since the worker began; tick times in ms over the last second."""

    legs: int
    ticks: int
    late_ticks: int
    tick_ms_mean: float
    tick_ms_max: float
    rx_pkts: int
    tx_pkts: int
    dropped: dict[str, int]
    cpu_s: float


class LastHeard(msgspec.Struct, frozen=True, tag=True):
    """Once a second: when each leg was last heard, by sound or by RTCP (CLOCK_REALTIME, ns)."""

    legs: list[int]
    rx_ns: list[int]


class StrayPorts(msgspec.Struct, frozen=True, tag=True):
    """Ports (address, RTP port) at which packets of no leg came just now."""

    ports: list[tuple[str, int]]


Event = StrayPorts | LastHeard | Ready | KeyPressed | Talking | Played | Latched | LegReport | WorkerStats

command_decoder = msgspec.msgpack.Decoder(list[Command])
event_decoder = msgspec.msgpack.Decoder(list[Event])

FRAME_BYTES_MAX = 1 << 30
