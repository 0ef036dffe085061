"""A mixer and its phones in memory: what each phone says goes in as packets, what it hears comes out as sound.

Nothing here waits: ticks are counted, arrival times are computed.
"""

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import G722
import numpy as np

from bridge.mixer import protocol as p
from bridge.mixer.engine import TICK_NS, Mixer
from bridge.mixer.g711 import decode, encode
from bridge.mixer.intake import PacketList
from bridge.mixer.legs import MediaParameters
from bridge.mixer.sockets import pack_address
from tests.support.sound import Sound, tones_in

PT = {0: 0, 1: 8, 2: 9}


@dataclass
class Phone:
    leg: int
    codec: int = 0
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
        self.address = ("127.0.0.1", 20000 + 2 * self.leg)
        self._encoder = G722.G722(16000, 64000)

    @property
    def rate(self) -> int:
        return 16000 if self.codec == 2 else 8000

    def packet(self, payload: bytes, *, pt: int | None = None, marker: bool = False) -> bytes:
        """The next packet of the stream; advances sequence number and timestamp."""
        kind = (PT[self.codec] if pt is None else pt) | (marker << 7)
        data = struct.pack(">BBHII", 0x80, kind, self.seq & 0xFFFF, self.ts & 0xFFFFFFFF, self.ssrc) + payload
        self.seq += 1
        self.ts += len(payload) if pt is None else 0
        return data

    def code(self, sound: Sound) -> bytes:
        if self.codec == 2:
            return bytes(self._encoder.encode(sound.astype(np.int16)))
        return encode(sound.astype(np.int16), alaw=self.codec == 1).tobytes()

    def sound(self) -> Sound:
        """All that was heard, as int16 at the phone's own rate."""
        if self.codec == 2:
            decoder = G722.G722(16000, 64000)
            return np.concatenate([np.frombuffer(decoder.decode(h), np.int16) for h in self.heard])
        data = np.frombuffer(b"".join(self.heard), np.uint8)
        return decode(data, alaw=self.codec == 1)


class Loop:
    def __init__(self, capacity: int = 64) -> None:
        self.mixer = Mixer(capacity)
        self.phones: dict[int, Phone] = {}
        self.tick = 100
        self.events: list[p.Event] = []
        self.extra: list[tuple[bytes, bytes, int, int]] = []

    def add(self, phone: Phone, *, room: int | None = 1, speak: bool = True, hear: str = "room",
            nat: bool = True, expected: tuple[str, int] | None = None) -> Phone:
        self.phones[phone.leg] = phone
        self.mixer.add(phone.leg, self.media(phone, nat=nat, expected=expected), ssrc=0xAA000000 + phone.leg)
        self.mixer.place(phone.leg, room=room, speak=speak, hear=hear)
        return phone

    def media(self, phone: Phone, *, nat: bool = True, expected: tuple[str, int] | None = None,
              send: bool = True, receive: bool = True) -> MediaParameters:
        ip, port = expected or phone.address
        return MediaParameters(sock=0, codec=phone.codec, pt=PT[phone.codec], dtmf_pt=phone.dtmf_pt,
                               remote_ip=ip, remote_port=port, remote_rtcp_port=port + 1, nat=nat,
                               send=send, receive=receive)

    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000 + self.tick * TICK_NS

    def run(self, ticks: int) -> list[p.Event]:
        """Advance; returns the events of these ticks."""
        begin = len(self.events)
        for _ in range(ticks):
            packets = list(self.extra)
            self.extra.clear()
            for phone in self.phones.values():
                name = pack_address(*phone.address)
                if phone.says is not None:
                    data = phone.packet(phone.code(phone.says(self.tick)))
                    phone.outbox.append((data, 8.0))
                for data, age_ms in phone.outbox:
                    packets.append((data, name, 0, self.now_ns() - int(age_ms * 1e6)))
                phone.outbox.clear()
            self.mixer.receive(PacketList(packets), tick=self.tick, tick_ns=self.now_ns())
            self.mixer.mix(self.tick)
            output = self.mixer.output
            legs = {row: leg for leg, row in self.mixer.rows()}
            for row, address in zip(output.order.tolist(), output.payloads.tolist(), strict=True):
                self.phones[legs[row]].heard.append(ctypes.string_at(address, 160))
            self.events += self.mixer.events
            self.mixer.events.clear()
            self.tick += 1
        return self.events[begin:]


def hears(phone: Phone, tones: dict[str, float], *, last_ticks: int = 50) -> set[str]:
    """Names of the tones heard in the last ticks."""
    n = phone.rate // 50 * last_ticks
    return tones_in(phone.sound()[-n:].astype(np.float64), tones, rate=phone.rate)
