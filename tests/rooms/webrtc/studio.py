"""A WebRTC process, mixer legs that play and record L16, and browsers that are real aiortc peers.

The browsers' RTP is read and written packet by packet: what aiortc's own jitter buffer would do with it is
not what is tested here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from rooms.webrtc.client import Told, WebRtcClient
from rooms.webrtc.opus import FRAME_SAMPLES, Decoder, Encoder
from rooms.webrtc.protocol import PeerState, PeerStats
from rooms.webrtc.rtp import Rtp, header, parse, sequence_after, timestamp_after
from tests.support.sound import Says, Sound

RATE = 48000
PATIENCE_S = 15.0


async def until(true: Callable[[], object], *, what: str = "it") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.01)


class Leg(asyncio.DatagramProtocol):
    """A mixer leg: plays a tone as L16 each 20 ms, records what it is sent."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Rtp]] = []
        self.says: Says | None = None
        self.to: tuple[str, int] = ("", 0)
        self.sent_s: list[float] = []
        self._transport: Any = None
        self._task: asyncio.Task[None] | None = None
        self._sequence, self._timestamp, self._ssrc = 65530, 2**32 - 4000, secrets.randbits(32)

    async def open(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        address = self._transport.get_extra_info("sockname")
        return str(address[0]), int(address[1])

    def play(self, says: Says, to: tuple[str, int]) -> None:
        self.says, self.to = says, to
        if self._task is None:
            self._task = asyncio.create_task(self._play())

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        due, tick = loop.time(), 0
        while True:
            assert self.says is not None
            self.send(self.says(tick).astype(">i2").tobytes())
            tick, due = tick + 1, due + 0.020
            await asyncio.sleep(max(0.0, due - loop.time()))

    def send(self, payload: bytes) -> None:
        head = header(
            payload_type=96, marker=False, sequence=self._sequence, timestamp=self._timestamp, ssrc=self._ssrc
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self.sent_s.append(time.monotonic())
        self._transport.sendto(head + payload, self.to)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002
        rtp = parse(data)
        assert rtp is not None
        assert rtp.payload_type == 96
        self.heard.append((time.monotonic(), rtp))

    def sound(self) -> Sound:
        """What was recorded, on its own timeline: gaps are silence."""
        return timeline([(rtp.timestamp, np.frombuffer(rtp.payload, ">i2")) for _, rtp in self.heard])

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._transport.close()


def timeline(pieces: list[tuple[int, Sound]]) -> Sound:
    """Pieces of sound put where their timestamps say."""
    if not pieces:
        return np.zeros(0)
    first = pieces[0][0]
    places = [(timestamp_after(timestamp, first), piece) for timestamp, piece in pieces]
    sound = np.zeros(max(at + len(piece) for at, piece in places))
    for at, piece in places:
        if at >= 0:
            sound[at : at + len(piece)] = piece
    return sound


class Browser:
    """A real aiortc peer whose RTP is recorded as it comes, and sent as the test says."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._transceiver = self.pc.addTransceiver("audio")
        self.heard: list[tuple[float, RtpPacket]] = []
        self._encoder = Encoder()
        self._sequence, self._timestamp = 65500, 2**32 - 9600
        self._transceiver.receiver._handle_rtp_packet = self._record  # type: ignore[method-assign]
        self._task: asyncio.Task[None] | None = None
        self.sent_s: list[float] = []

    async def _record(self, packet: RtpPacket, arrival_time_ms: int) -> None:  # noqa: ARG002
        self.heard.append((time.monotonic(), packet))

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def connected(self) -> None:
        await until(lambda: self.pc.connectionState == "connected", what="a connection")

    # What it says.

    def next_packet(self, frame: Sound) -> bytes:
        """The next RTP packet of its microphone."""
        opus = self._encoder.encode(np.asarray(frame, np.int16).tobytes())
        head = header(
            payload_type=self._transceiver._codecs[0].payloadType,
            marker=False,
            sequence=self._sequence,
            timestamp=self._timestamp,
            ssrc=self._transceiver.sender._ssrc,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        return head + opus

    async def send(self, packet: bytes) -> None:
        self.sent_s.append(time.monotonic())
        await self._transceiver.sender.transport._send_rtp(packet)

    def say(self, says: Says, *, lose: Callable[[int], bool] = lambda _: False) -> None:
        """Speak in real time; packets whose number `lose` picks do not arrive."""
        self._task = asyncio.create_task(self._say(says, lose))

    async def _say(self, says: Says, lose: Callable[[int], bool]) -> None:
        loop = asyncio.get_running_loop()
        due, tick = loop.time(), 0
        while True:
            packet = self.next_packet(says(tick))
            if not lose(tick):
                await self.send(packet)
            tick, due = tick + 1, due + 0.020
            await asyncio.sleep(max(0.0, due - loop.time()))

    def hush(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    # What it hears.

    def forget(self) -> None:
        self.heard.clear()

    def sound(self) -> Sound:
        decoder = Decoder()
        pcm = [(packet.timestamp, decoder.decode(packet.payload)) for _, packet in self.heard]
        return timeline([(timestamp, np.frombuffer(frame, np.int16)) for timestamp, frame in pcm])

    def steps(self) -> list[tuple[int, int]]:
        """(packets, ticks) from each heard packet to the next."""
        packets = [packet for _, packet in self.heard]
        return [
            (sequence_after(b.sequence_number, a.sequence_number), timestamp_after(b.timestamp, a.timestamp))
            for a, b in pairwise(packets)
        ]

    async def close(self) -> None:
        self.hush()
        await self.pc.close()


class Studio:
    def __init__(self, **settings: Any) -> None:
        self.states: list[tuple[int, str]] = []
        self.stats: list[PeerStats] = []
        self.told: list[Told] = []
        self.client = WebRtcClient(on_event=self._on_event, **{"hosts": ["127.0.0.1"], **settings})
        self.browsers: list[Browser] = []
        self.legs: dict[int, Leg] = {}
        self.ports: dict[int, tuple[str, int]] = {}

    def _on_event(self, event: Told) -> None:
        self.told.append(event)
        if isinstance(event, PeerState):
            self.states.append((event.peer, event.state))
        elif isinstance(event, PeerStats):
            self.stats.append(event)

    def browser(self, number: int) -> Browser:
        browser = Browser(number)
        self.browsers.append(browser)
        return browser

    async def join(self, number: int, *, listen: int | None = None, speak: int | None = None) -> Browser:
        """A browser with sound."""
        browser = self.browser(number)
        self.client.listen(number, listen)
        self.client.speak(number, speak)
        await browser.accept(await self.client.offer(number, await browser.offer()))
        await browser.connected()
        await until(lambda: (number, "connected") in self.states, what="the state of a peer")
        return browser

    async def leg(self, source: int, says: Says | None = None) -> Leg:
        """A mixer leg and its source."""
        leg = self.legs[source] = Leg()
        ip, port = await leg.open()
        self.ports[source] = await self.client.open_source(source, ip, port)
        leg.to = self.ports[source]
        if says is not None:
            leg.play(says, self.ports[source])
        return leg


@asynccontextmanager
async def studio(**settings: Any) -> AsyncIterator[Studio]:
    """A running WebRTC process and everything around it; nothing is left behind."""
    made = Studio(**settings)
    await made.client.start()
    try:
        yield made
    finally:
        for browser in made.browsers:
            await browser.close()
        for leg in made.legs.values():
            leg.close()
        await made.client.stop()
