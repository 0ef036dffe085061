"""A mixer and its phones in memory: what each phone says goes in as packets, what it hears is sound.

Nothing here waits: ticks are counted, arrival times are computed.  A packet sent now arrives 8 ms before the
tick that takes it, unless a test says otherwise.
"""

import ctypes
import heapq
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import G722
import numpy as np

from bridge.mixer import protocol as p
from bridge.mixer.clips import Clip, encode_clip, load
from bridge.mixer.engine import TICK_NS, Mixer
from bridge.mixer.g711 import decode, encode
from bridge.mixer.intake import PacketList
from bridge.mixer.legs import MediaParameters
from bridge.mixer.sockets import pack_address
from tests.support.sound import Sound, tones_in

PCMU, PCMA, WIDE, FINE = 0, 1, 2, 3
PT = {PCMU: 0, PCMA: 8, WIDE: 9, FINE: 96}
RATE = {PCMU: 8000, PCMA: 8000, WIDE: 16000, FINE: 48000}
AGE_MS = 8.0
KEYS = "0123456789*#ABCD"

Arrival = Callable[[int, float], "float | Iterable[float] | None"]
"""(packet number, ms at which it would arrive on a clean line) → ms of its arrival(s), None when lost."""


@dataclass
class Phone:
    leg: int
    codec: int = PCMU
    says: Callable[[int], Sound] | None = None
    dtmf_pt: int | None = 101
    seq: int = 1000
    ts: int = 5000
    ssrc: int = 0
    address: tuple[str, int] = ("127.0.0.1", 0)
    heard: list[bytes] = field(default_factory=list)
    outbox: list[tuple[bytes, float]] = field(default_factory=list)
    """Packets and the ms before the tick at which they arrive."""

    def __post_init__(self) -> None:
        self.ssrc = self.ssrc or 0x1000 + self.leg
        if self.address[1] == 0:
            self.address = ("127.0.0.1", 20000 + 2 * self.leg)
        self._encoder = G722.G722(16000, 64000)

    @property
    def rate(self) -> int:
        return RATE[self.codec]

    def packet(self, payload: bytes, *, pt: int | None = None, marker: bool = False) -> bytes:
        """The next packet of the stream; advances sequence number and timestamp."""
        kind = (PT[self.codec] if pt is None else pt) | (marker << 7)
        data = struct.pack(">BBHII", 0x80, kind, self.seq & 0xFFFF, self.ts & 0xFFFFFFFF, self.ssrc) + payload
        self.seq += 1
        if pt is None:
            self.ts += len(payload) // 2 if self.codec == FINE else len(payload)
        return data

    def event(self, key: str, duration: int, *, end: bool = False, marker: bool = False) -> bytes:
        """The next packet of a pressed key; the timestamp stays."""
        body = struct.pack(">BBH", KEYS.index(key), 10 | (0x80 if end else 0), duration & 0xFFFF)
        return self.packet(body, pt=self.dtmf_pt, marker=marker)

    def code(self, sound: Sound) -> bytes:
        if self.codec == WIDE:
            return bytes(self._encoder.encode(sound.astype(np.int16)))
        if self.codec == FINE:
            return sound.astype(">i2").tobytes()
        return encode(sound.astype(np.int16), alaw=self.codec == PCMA).tobytes()

    def sound(self, *, last_ticks: int | None = None) -> Sound:
        """What was heard, as int16 at the phone's own rate: all of it, or the last ticks."""
        if self.codec == WIDE:
            data = G722.G722(16000, 64000).decode(b"".join(self.heard))
            whole = np.frombuffer(data, np.int16) if self.heard else np.zeros(0, np.int16)
        elif self.codec == FINE:
            whole = np.frombuffer(b"".join(self.heard), ">i2").astype(np.int16)
        else:
            whole = decode(np.frombuffer(b"".join(self.heard), np.uint8), alaw=self.codec == PCMA)
        return whole if last_ticks is None else whole[-self.rate // 50 * last_ticks :]


class Loop:
    def __init__(self, capacity: int = 64) -> None:
        self.mixer = Mixer(capacity)
        self.phones: dict[int, Phone] = {}
        self.tick = 100
        self.events: list[p.Event] = []
        self.extra: list[tuple[bytes, bytes, int, int]] = []
        """Datagrams for the next tick: data, raw source address, socket, arrival in ns."""
        self._wire: list[tuple[int, int, bytes, bytes]] = []
        self._order = 0

    # Legs.

    def add(
        self,
        phone: Phone,
        *,
        room: int | None = 1,
        speak: bool = True,
        hear: str = "room",
        nat: bool = True,
        expected: tuple[str, int] | None = None,
        sock: int = 0,
    ) -> Phone:
        self.phones[phone.leg] = phone
        media = self.media(phone, nat=nat, expected=expected, sock=sock)
        self.mixer.add(phone.leg, media, ssrc=0xAA000000 + phone.leg)
        self.mixer.place(phone.leg, room=room, speak=speak, hear=hear)
        return phone

    def media(
        self,
        phone: Phone,
        *,
        nat: bool = True,
        expected: tuple[str, int] | None = None,
        send: bool = True,
        receive: bool = True,
        sock: int = 0,
    ) -> MediaParameters:
        ip, port = expected or phone.address
        return MediaParameters(
            sock=sock,
            codec=phone.codec,
            pt=PT[phone.codec],
            dtmf_pt=phone.dtmf_pt,
            remote_ip=ip,
            remote_port=port,
            remote_rtcp_port=port + 1,
            nat=nat,
            send=send,
            receive=receive,
        )

    def place(self, phone: Phone, *, room: int | None = 1, speak: bool = True, hear: str = "room") -> None:
        self.mixer.place(phone.leg, room=room, speak=speak, hear=hear)

    def remove(self, phone: Phone) -> p.LegReport:
        report = self.mixer.remove(phone.leg)
        assert report is not None
        del self.phones[phone.leg]
        return report

    def report(self, phone: Phone) -> p.LegReport:
        row = self.mixer.row(phone.leg)
        assert row is not None
        return self.mixer.report(phone.leg, row, final=False)

    @property
    def dropped(self) -> dict[str, int]:
        return self.mixer.intake.dropped

    # The network.

    def now_ns(self) -> int:
        """When the next tick is due."""
        return 1_700_000_000_000_000_000 + self.tick * TICK_NS

    def send(self, phone: Phone, data: bytes, *, address: tuple[str, int] | None = None, sock: int = 0,
             age_ms: float = AGE_MS) -> None:  # fmt: skip
        """Let a datagram arrive before the next tick."""
        name = pack_address(*(address or phone.address))
        self.extra.append((data, name, sock, self.now_ns() - int(age_ms * 1e6)))

    def deliver(self, phone: Phone, data: bytes, *, in_ms: float) -> None:
        """Let a datagram arrive so many ms after the next tick is due (negative: before it)."""
        self._order += 1
        at = self.now_ns() + int(in_ms * 1e6)
        heapq.heappush(self._wire, (at, self._order, data, pack_address(*phone.address)))

    def stream(self, phone: Phone, sound: Sound, *, ptime_ms: float = 20.0, arrival: Arrival | None = None,
               ppm: float = 0.0) -> int:  # fmt: skip
        """Let a phone say something from now on, packet by packet, over a line of the test's making.

        ppm: how much the phone's clock is fast.  Returns the number of packets sent.
        """
        samples = round(phone.rate * ptime_ms / 1000)
        count = len(sound) // samples
        for i in range(count):
            data = phone.packet(phone.code(sound[i * samples : (i + 1) * samples]))
            clean = i * ptime_ms * (1 - ppm * 1e-6) - AGE_MS
            when = clean if arrival is None else arrival(i, clean)
            if when is None:
                continue
            for at in [when] if isinstance(when, int | float) else when:
                self.deliver(phone, data, in_ms=at)
        return count

    # Sounds.

    def clip(self, sound: Sound, *, loop: bool = False) -> Clip:
        """A clip from int16 sound at 16 kHz."""
        return load(encode_clip(sound.astype(np.int16), loop=loop))

    # Time.

    def run(self, ticks: int) -> list[p.Event]:
        """Advance; returns the events of these ticks."""
        begin = len(self.events)
        for _ in range(ticks):
            now = self.now_ns()
            packets = list(self.extra)
            self.extra.clear()
            while self._wire and self._wire[0][0] <= now:
                at, _, data, name = heapq.heappop(self._wire)
                packets.append((data, name, 0, at))
            for phone in self.phones.values():
                name = pack_address(*phone.address)
                if phone.says is not None:
                    data = phone.packet(phone.code(phone.says(self.tick)))
                    phone.outbox.append((data, AGE_MS))
                for data, age_ms in phone.outbox:
                    packets.append((data, name, 0, now - int(age_ms * 1e6)))
                phone.outbox.clear()
            self.mixer.receive(PacketList(packets), tick=self.tick, tick_ns=now)
            self.mixer.mix(self.tick)
            output = self.mixer.output
            legs = {row: leg for leg, row in self.mixer.rows()}
            sent = zip(
                output.order.tolist(), output.payloads.tolist(), output.payload_bytes.tolist(), strict=True
            )
            for row, address, size in sent:
                self.phones[legs[row]].heard.append(ctypes.string_at(address, size))
            self.events += self.mixer.events
            self.mixer.events.clear()
            self.tick += 1
        return self.events[begin:]


def hears(phone: Phone, tones: dict[str, float], *, last_ticks: int = 50) -> set[str]:
    """Names of the tones heard in the last ticks."""
    return tones_in(phone.sound(last_ticks=last_ticks).astype(np.float64), tones, rate=phone.rate)


def keys_of(events: list[p.Event], leg: int) -> str:
    """The keys a leg pressed, in order."""
    return "".join(event.key for event in events if isinstance(event, p.KeyPressed) and event.leg == leg)
