"""A source: the RTP endpoint opposite one mixer leg.

What the leg sends (L16, 48 kHz, 20 ms) is encoded to Opus once and handed to every listener in the same turn
of the loop, so the work per listener is a header, SRTP and one system call.  Nobody listens: nothing is
encoded.  What somebody says who feeds this source goes the other way on the same socket.

Packets that do not come from the leg's address are dropped and counted: the port is on loopback, but other
programs are there too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

import numpy as np

from rooms.webrtc.counters import Counters
from rooms.webrtc.errors import Unavailable
from rooms.webrtc.opus import FRAME_SAMPLES, Encoder
from rooms.webrtc.rtp import L16_PAYLOAD_TYPE, parse, sequence_after, timestamp_after

_L16_BYTES = 2 * FRAME_SAMPLES
_STEP_MAX = 10 * 48000
_MISORDER_MAX = 100
"""Packets that are further behind than this are no late ones but a stream that began anew (RFC 3550 A.1): a
mixer that was replaced keeps the leg's SSRC and counts from elsewhere."""
_RECEIVE_BYTES = 1 << 20


class Listener(Protocol):
    """Who hears a source."""

    def hear(self, packet: bytes, *, source: int, step: int | None, now_s: float) -> None: ...


class Source(asyncio.DatagramProtocol):
    def __init__(self, number: int, *, mixer: tuple[str, int], counters: Counters) -> None:
        self.number = number
        self.mixer = mixer
        self.listeners: dict[Listener, None] = {}
        self.sequence = 0
        """Of the next L16 packet to the mixer."""
        self._counters = counters
        self._encoder: Encoder | None = None
        self._ssrc: int | None = None
        self._last: tuple[int, int] | None = None
        self._sock: socket.socket | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time

    async def open(self, ip: str, port: int) -> tuple[str, int]:
        """Bind; port 0 or one that is taken: any.  Raises Unavailable."""
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        for wish in dict.fromkeys((port, 0)):
            try:
                sock.bind((ip, wish))
                break
            except OSError as exc:
                problem = exc
        else:
            sock.close()
            raise Unavailable(f"no UDP port on {ip}: {problem}")
        self._sock = sock
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, sock=sock
        )
        address = sock.getsockname()
        return str(address[0]), int(address[1])

    def close(self) -> None:
        self.listeners.clear()
        if self._transport is not None:
            self._transport.close()
            self._transport = self._sock = None

    def add(self, listener: Listener) -> None:
        self.listeners[listener] = None

    def remove(self, listener: Listener) -> None:
        self.listeners.pop(listener, None)
        if not self.listeners:
            self._encoder = None
            self._last = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A frame from the mixer leg."""
        if len(data) > 1 and 191 < data[1] < 224:
            return  # the leg's RTCP: on loopback it tells nothing that is not known
        if addr[1] != self.mixer[1] or addr[0] != self.mixer[0]:
            self._counters.drop("foreign")
            return
        if not self.listeners:
            return
        rtp = parse(data)
        if rtp is None or rtp.payload_type != L16_PAYLOAD_TYPE or len(rtp.payload) != _L16_BYTES:
            self._counters.drop("malformed")
            return
        step: int | None = None
        if rtp.ssrc == self._ssrc and self._last is not None:
            ahead = sequence_after(rtp.sequence, self._last[0])
            if -_MISORDER_MAX <= ahead <= 0:
                self._counters.drop("late")
                return
            step = timestamp_after(rtp.timestamp, self._last[1])
            if ahead < 0 or not 0 < step <= _STEP_MAX:
                step = None
        self._ssrc, self._last = rtp.ssrc, (rtp.sequence, rtp.timestamp)
        self.play(np.frombuffer(rtp.payload, ">i2").astype(np.int16).tobytes(), step=step)

    def play(self, pcm: bytes, *, step: int | None) -> None:
        """Encode 20 ms once and hand them to all listeners.

        step: ticks since the frame before; None when the stream began anew.
        """
        if self._encoder is None:
            self._encoder = Encoder()
        self.send(self._encoder.encode(pcm), step=step)
        self._counters.encodes += 1

    def send(self, packet: bytes, *, step: int | None) -> None:
        """Hand one Opus packet to all listeners.

        The seam for the mixer: a mixer that encodes the audience itself, or sends it, comes in here.
        """
        now_s = self._clock()
        for listener in self.listeners:
            listener.hear(packet, source=self.number, step=step, now_s=now_s)

    def speak(self, packets: list[bytes]) -> None:
        """L16 packets to the mixer leg."""
        if self._sock is None:
            return
        for packet in packets:
            try:
                self._sock.sendto(packet, self.mixer)
            except OSError:
                self._counters.drop("unsent")
