"""The sound side of test telephones: real UDP sockets, real time, keys as RFC 4733 events or as tones.

One thread (`Studio`) plays all phones of a test: every 20 ms each sends a packet and takes what came.  A
phone records everything it hears with its sequence numbers, so that a test can ask for loss as well as for
sound.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass

import G722
import numpy as np

from bridge.mixer.g711 import decode, encode
from tests.support.sound import Says, Sound, tones_in

_PT = {"PCMU": 0, "PCMA": 8, "G722": 9}
_EVENTS = "0123456789*#ABCD"
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_GRID = "123A456B789C*0#D"
KEY_TICKS, TONE_TICKS = 5, 8
PAUSE_TICKS, TONE_PAUSE_TICKS = 4, 6
_SETTLE_PACKETS = 10


@dataclass(frozen=True, slots=True)
class Heard:
    at_s: float
    seq: int
    ts: int
    marker: bool
    payload: bytes


class RtpPhone:
    """Sound of one call.  `says` is what the microphone hears; None sends digital silence."""

    def __init__(
        self,
        codec: str = "PCMA",
        *,
        host: str = "127.0.0.1",
        dtmf_pt: int | None = 101,
        says: Says | None = None,
    ) -> None:
        self.codec, self.dtmf_pt, self.says = codec, dtmf_pt, says
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.remote: tuple[str, int] | None = None
        self.sending = True
        self.heard: list[Heard] = []
        self.seq, self.ts, self.ssrc = 100, 16000, int(np.random.default_rng().integers(1, 1 << 31))
        self._keys: deque[str] = deque()
        self._press: tuple[str, int] | None = None
        self._pause = 0
        self._tick = 0
        self._coder = G722.G722(16000, 64000)

    @property
    def rate(self) -> int:
        return 16000 if self.codec == "G722" else 8000

    def sdp(self, *, direction: str = "sendrecv", version: int = 1) -> str:
        """An offer for this phone."""
        kind = "IP6" if ":" in self.host else "IP4"
        formats = f"{_PT[self.codec]}" + (f" {self.dtmf_pt}" if self.dtmf_pt is not None else "")
        lines = [
            "v=0",
            f"o=phone 1 {version} IN {kind} {self.host}",
            "s=-",
            f"c=IN {kind} {self.host}",
            "t=0 0",
            f"m=audio {self.port} RTP/AVP {formats}",
            f"a=rtpmap:{_PT[self.codec]} {self.codec}/8000",
        ]
        if self.dtmf_pt is not None:
            lines += [f"a=rtpmap:{self.dtmf_pt} telephone-event/8000", f"a=fmtp:{self.dtmf_pt} 0-16"]
        lines.append(f"a={direction}")
        return "\r\n".join(lines) + "\r\n"

    def connect(self, answer_sdp: str) -> None:
        """Send where the answer says."""
        host, port = "", 0
        for line in answer_sdp.splitlines():
            if line.startswith("c="):
                host = line.split()[-1]
            elif line.startswith("m=audio"):
                port = int(line.split()[1])
        self.remote = (host, port)

    def press(self, keys: str) -> None:
        """Type keys one after the other; `typed` tells when they are out."""
        self._keys.extend(keys)

    @property
    def typed(self) -> bool:
        return not self._keys and self._press is None and self._pause == 0

    def sound(self, *, last_s: float | None = None, first: int = 0) -> Sound:
        """What was heard, as int16: all, from the packet `first` on, or the last seconds."""
        packets = list(self.heard)
        start = first if last_s is None else max(0, len(packets) - round(last_s * 50))
        # G.722 is adaptive: a decoder that begins in the middle needs a moment to settle.
        before = min(start, _SETTLE_PACKETS) if self.codec == "G722" else 0
        data = b"".join(packet.payload for packet in packets[start - before :])
        if self.codec == "G722":
            decoded = G722.G722(16000, 64000).decode(data) if data else b""
            return np.frombuffer(decoded, np.int16)[before * 320 :]
        return decode(np.frombuffer(data, np.uint8), alaw=self.codec == "PCMA")

    def tones(self, tones: dict[str, float], *, last_s: float = 0.5) -> set[str]:
        """Names of the tones heard lately."""
        return tones_in(self.sound(last_s=last_s).astype(np.float64), tones, rate=self.rate)

    def lost(self) -> int:
        """Packets missing between the first and the last one heard."""
        if not self.heard:
            return 0
        return ((self.heard[-1].seq - self.heard[0].seq) & 0xFFFF) + 1 - len(self.heard)

    def close(self) -> None:
        self._socket.close()

    # For the studio.

    def tick(self, now_s: float) -> None:
        self._take(now_s)
        if self.remote is None or not self.sending:
            return
        self._tick += 1
        if self._press is None and self._pause == 0 and self._keys:
            self._press = (self._keys.popleft(), 0)
        if self._press is not None:
            self._send_key()
        else:
            self._pause = max(0, self._pause - 1)
            self._send(self._payload(self._frame()), pt=_PT[self.codec])
            self.ts += 160

    def _frame(self) -> Sound:
        if self.says is None:
            return np.zeros(self.rate // 50, np.int16)
        return self.says(self._tick)

    def _payload(self, frame: Sound) -> bytes:
        if self.codec == "G722":
            return bytes(self._coder.encode(frame.astype(np.int16)))
        return encode(frame.astype(np.int16), alaw=self.codec == "PCMA").tobytes()

    def _send_key(self) -> None:
        assert self._press is not None
        key, step = self._press
        if self.dtmf_pt is None:
            n = self.rate // 50
            t = (step * n + np.arange(n)) / self.rate
            at = _GRID.index(key)
            tone = np.sin(2 * np.pi * _ROWS[at // 4] * t) + np.sin(2 * np.pi * _COLUMNS[at % 4] * t)
            self._send(self._payload((tone * 5000).astype(np.int16)), pt=_PT[self.codec])
            self.ts += 160
            self._press = (key, step + 1) if step + 1 < TONE_TICKS else None
        else:
            last = step + 1 >= KEY_TICKS
            body = struct.pack(">BBH", _EVENTS.index(key), 10 | (0x80 if last else 0), 160 * (step + 1))
            for _ in range(3 if last else 1):
                self._send(body, pt=self.dtmf_pt, marker=step == 0)
            self._press = None if last else (key, step + 1)
            if last:
                self.ts += 160 * KEY_TICKS
        if self._press is None:
            self._pause = TONE_PAUSE_TICKS if self.dtmf_pt is None else PAUSE_TICKS

    def _send(self, payload: bytes, *, pt: int, marker: bool = False) -> None:
        header = struct.pack(
            ">BBHII", 0x80, pt | (marker << 7), self.seq & 0xFFFF, self.ts & 0xFFFFFFFF, self.ssrc
        )
        self.seq += 1
        self.send_raw(header + payload)

    def send_raw(self, data: bytes) -> None:
        assert self.remote is not None
        with contextlib.suppress(OSError):
            self._socket.sendto(data, self.remote)

    def _take(self, now_s: float) -> None:
        while True:
            try:
                data = self._socket.recv(2048)
            except OSError:
                return
            _, kind, seq, ts, _ = struct.unpack_from(">BBHII", data)
            if kind & 0x7F == _PT[self.codec]:
                self.heard.append(Heard(now_s, seq, ts, bool(kind & 0x80), data[12:]))


class Studio:
    """Plays phones in real time, in one thread."""

    def __init__(self) -> None:
        self.phones: list[RtpPhone] = []
        self._running = True
        self._thread = threading.Thread(target=self._run, name="studio", daemon=True)

    def __enter__(self) -> Studio:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = False
        self._thread.join(2.0)
        for phone in self.phones:
            phone.close()

    def add(self, phone: RtpPhone) -> RtpPhone:
        self.phones.append(phone)
        return phone

    def _run(self) -> None:
        due_s = time.monotonic()
        while self._running:
            for phone in list(self.phones):
                phone.tick(due_s)
            due_s += 0.02
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
