"""How many listening browsers does a core carry, and how long does sound take through the WebRTC process?

    python -m bench.browsers [--listeners 150] [--seconds 6] [--bare 60] [--skip-bare]

The real WebRTC process sends to real aiortc peers in another process.  Those check, decrypt and count their
first second of packets; then they only count, so that the machine's other core is enough for many.

Printed: CPU of the process per listener and second, all included, when all hear one audience stream (encoded
once), and when each hears a source of its own (encoded for each).  The same
for aiortc alone, with its own senders, tracks and pacing: packets encoded once, and an encoder for each.
Then where the time per listener goes, and the delay of sound in either direction.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import multiprocessing
import os
import secrets
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np
import pylibsrtp
import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from rooms.webrtc.opus import FRAME_SAMPLES, Encoder
from rooms.webrtc.outgoing import Outgoing
from rooms.webrtc.reports import Reports
from rooms.webrtc.rtp import timestamp_after
from tests.rooms.webrtc.studio import RATE, Browser, Leg, Studio, studio, until
from tests.support.sound import Says, Sound

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CHECKED = 50
ENCODE_MS = 0.26
"""One frame; see rooms.webrtc.opus."""


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def kernel_s(pid: int) -> float:
    """The part of them that was spent in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[12]) / _TICKS_PER_S


def voice() -> Says:
    """Something that costs a speech codec what speech costs: noise in the rhythm of syllables."""
    generator = np.random.default_rng(7)
    t = np.arange(RATE * 4) / RATE
    loud = np.clip(np.sin(2 * np.pi * 2.1 * t) + 0.3, 0, 1)
    tone = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
    sound = (4000 * loud * (tone + 0.2 * generator.normal(size=len(t)))).astype(np.int16)
    frames = sound.reshape(-1, FRAME_SAMPLES)
    return lambda tick: frames[tick % len(frames)]


# The listeners, in a process of their own.


async def listeners(pipe: Connection, count: int) -> None:
    """Peers that take offers out of a pipe and count packets; answers ("how many?") until told None."""
    loop = asyncio.get_running_loop()
    received = [0] * count
    peers: list[Browser] = []
    for number in range(count):
        browser = Browser(number)
        peers.append(browser)
        await loop.run_in_executor(None, pipe.send, await browser.offer())
        await browser.accept(await loop.run_in_executor(None, pipe.recv))
        await browser.connected()
    cheap = [False] * count
    while (word := await loop.run_in_executor(None, pipe.recv)) is not None:
        for number, browser in enumerate(peers):
            if not cheap[number] and len(browser.heard) >= _CHECKED:
                cheap[number] = True
                received[number] = len(browser.heard)
                _only_count(browser, received, number)
        done = sum(cheap) == count if word == "checked" else sum(received)
        await loop.run_in_executor(None, pipe.send, done)
    for browser in peers:
        await browser.close()


def _only_count(browser: Browser, received: list[int], number: int) -> None:
    """From now on packets are not even decrypted."""
    connection = browser._transceiver.sender.transport.transport._connection

    def count(data: bytes, component: int) -> None:  # noqa: ARG001
        if data[0] > 127 and not 191 < data[1] < 224:
            received[number] += 1

    connection.data_received = count


def run_listeners(pipe: Connection, count: int) -> None:
    uvloop.run(listeners(pipe, count))


class Listeners:
    """The owner's end of the listeners' process."""

    def __init__(self, count: int) -> None:
        self.count = count
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run_listeners, args=(theirs, count), daemon=True)
        self._process.start()

    async def _ask(self, word: Any) -> Any:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._pipe.send, word)
        return await loop.run_in_executor(None, self._pipe.recv)

    async def connect(self, answer: Any) -> None:
        """answer: async, number and offer → answer."""
        loop = asyncio.get_running_loop()
        for number in range(self.count):
            offer = await loop.run_in_executor(None, self._pipe.recv)
            await loop.run_in_executor(None, self._pipe.send, await answer(number, offer))

    async def checked(self) -> None:
        while not await self._ask("checked"):
            await asyncio.sleep(0.2)

    async def received(self) -> int:
        count: int = await self._ask("count")
        return count

    async def stop(self) -> None:
        self._pipe.send(None)
        await asyncio.get_running_loop().run_in_executor(None, self._process.join, 10)
        if self._process.is_alive():
            self._process.kill()


# Our process.


async def ours(count: int, seconds: float) -> dict[str, float]:
    """ms of CPU per listener and second: the audience, and one encoder each."""
    crowd = Listeners(count)
    async with studio() as s:
        assert s.client.pid is not None
        used = cpu_s(s.client.pid)
        await crowd.connect(s.client.offer)
        joined = cpu_s(s.client.pid) - used
        audience = await s.leg(1)
        audience.play(voice(), s.ports[1])
        for number in range(count):
            s.client.listen(number, 1)
        await crowd.checked()
        for number in range(count):
            s.client.listen(number, None)
        await asyncio.sleep(2)
        idle = await _spent(s, seconds / 2)
        for number in range(count):
            s.client.listen(number, 1)
        await asyncio.sleep(1)
        before, late = await crowd.received(), _late(s)
        kernel = kernel_s(s.client.pid)
        once = await _spent(s, seconds)
        kernel = (kernel_s(s.client.pid) - kernel) / seconds
        lost = 1 - (await crowd.received() - before) / (count * 50 * seconds)
        late = _late(s) - late
        each = min(count, 40)
        legs = [await s.leg(100 + number) for number in range(each)]
        for number in range(count):
            s.client.listen(number, 100 + number if number < each else None)
        play = asyncio.create_task(_play_all(legs, voice()))
        await asyncio.sleep(1)
        own = await _spent(s, seconds / 2)
        play.cancel()
    await crowd.stop()
    return {
        "join": 1000 * joined / count,
        "resting": 1000 * idle / count,
        "once": 1000 * once / count,
        "kernel": 1000 * kernel / count,
        "each": 1000 * (own - idle * (count - each) / count) / each,
        "missing": lost,
        "late": late,
    }


def _late(s: Studio) -> int:
    stats = s.client.stats()
    return 0 if stats is None else stats.late_ticks


async def _play_all(legs: list[Leg], says: Says) -> None:
    loop = asyncio.get_running_loop()
    due, tick = loop.time(), 0
    while True:
        payload = says(tick).astype(">i2").tobytes()
        for leg in legs:
            leg.send(payload)
        tick, due = tick + 1, due + 0.020
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _spent(s: Studio, seconds: float) -> float:
    """CPU of the process, seconds per second."""
    assert s.client.pid is not None
    begun, used = time.monotonic(), cpu_s(s.client.pid)
    await asyncio.sleep(seconds)
    return (cpu_s(s.client.pid) - used) / (time.monotonic() - begun)


# aiortc alone.


class Encoded(MediaStreamTrack):
    """Hands out packets that were encoded before."""

    kind = "audio"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets, self._tick, self._begun = packets, 0, time.monotonic()

    async def recv(self) -> Any:
        self._tick += 1
        await asyncio.sleep(max(0.0, self._begun + 0.02 * self._tick - time.monotonic()))
        packet = av.Packet(self._packets[self._tick % len(self._packets)])
        packet.pts, packet.time_base = self._tick * FRAME_SAMPLES, fractions.Fraction(1, RATE)
        return packet


class Raw(Encoded):
    """Hands out sound that aiortc encodes for each listener."""

    def __init__(self, says: Says) -> None:
        super().__init__([])
        self._says = says

    async def recv(self) -> Any:
        self._tick += 1
        await asyncio.sleep(max(0.0, self._begun + 0.02 * self._tick - time.monotonic()))
        frame = av.AudioFrame.from_ndarray(self._says(self._tick).reshape(1, -1), "s16", "mono")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = self._tick * FRAME_SAMPLES, fractions.Fraction(1, RATE)
        return frame


async def bare_server(pipe: Connection, count: int, raw: bool) -> None:
    loop = asyncio.get_running_loop()
    encoder, says = Encoder(), voice()
    packets = [encoder.encode(says(tick).tobytes()) for tick in range(200)]
    peers = []
    for _ in range(count):
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peers.append(pc)
        pc.addTrack(Raw(says) if raw else Encoded(packets))
        await pc.setRemoteDescription(
            RTCSessionDescription(await loop.run_in_executor(None, pipe.recv), "offer")
        )
        await pc.setLocalDescription(await pc.createAnswer())
        await loop.run_in_executor(None, pipe.send, pc.localDescription.sdp)
    await loop.run_in_executor(None, pipe.recv)
    for pc in peers:
        await pc.close()


def run_bare_server(pipe: Connection, count: int, raw: bool) -> None:
    asyncio.run(bare_server(pipe, count, raw))


async def bare(count: int, seconds: float, *, raw: bool) -> float:
    """ms of CPU per listener and second of aiortc's own senders."""
    loop = asyncio.get_running_loop()
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    server = context.Process(target=run_bare_server, args=(theirs, count, raw), daemon=True)
    server.start()
    assert server.pid is not None
    crowd = Listeners(count)

    async def answer(number: int, offer: str) -> str:  # noqa: ARG001
        await loop.run_in_executor(None, pipe.send, offer)
        told: str = await loop.run_in_executor(None, pipe.recv)
        return told

    await crowd.connect(answer)
    await crowd.checked()
    before, used = await crowd.received(), cpu_s(server.pid)
    await asyncio.sleep(seconds)
    spent = (cpu_s(server.pid) - used) / (await crowd.received() - before)
    await crowd.stop()
    pipe.send(None)
    await loop.run_in_executor(None, server.join, 10)
    if server.is_alive():
        server.kill()
    return 1000 * spent * 50  # a server that falls behind sends fewer packets than it should


# Where the time goes.


def parts(count: int, seconds: float) -> dict[str, float]:
    """µs per packet of what is done for each listener outside the kernel.

    In the rhythm of the process: once in 20 ms for all listeners, each with its own objects, so that caches
    are as cold as they are there.
    """
    streams = [Outgoing(payload_type=111, ssrc=number) for number in range(count)]
    sessions = [_srtp() for _ in range(count)]
    reports = [Reports(ssrc=number, cname="x" * 16) for number in range(count)]
    payload = secrets.token_bytes(100)
    spent = dict.fromkeys(("header and state", "SRTP (AES-256-GCM)", "RTCP out"), 0.0)
    ticks = int(seconds * 50)
    for tick in range(ticks):
        at = [time.process_time()]
        packets = [one.packet(payload, source=1, step=960, now_s=0.02 * tick) for one in streams]
        at.append(time.process_time())
        for session, packet in zip(sessions, packets, strict=True):
            session.protect(packet)
        at.append(time.process_time())
        for number in range(tick % 100, count, 100):
            report = reports[number].compound(packets=1, octets=1, timestamp=1, now_s=0.0, unix_s=float(tick))
            sessions[number].protect_rtcp(report)
        at.append(time.process_time())
        for name, begun, ended in zip(spent, at, at[1:], strict=False):
            spent[name] += ended - begun
        time.sleep(0.02)
    return {name: 1e6 * total / ticks / count for name, total in spent.items()}


def _srtp() -> pylibsrtp.Session:
    return pylibsrtp.Session(
        pylibsrtp.Policy(
            key=secrets.token_bytes(44),
            ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
        )
    )


# Delay.


async def delays() -> dict[str, float]:
    """ms: from an L16 frame to its Opus packet at a browser, and from an Opus packet to its L16 frame."""
    t = np.arange(RATE // 4) / RATE
    chirp = (9000 * np.sin(2 * np.pi * (300 * t + 4000 * t * t)) * np.hanning(len(t))).astype(np.int16)
    sound = np.concatenate([np.zeros(RATE), chirp, np.zeros(RATE)]).astype(np.int16)
    frames = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)

    def says(tick: int) -> Sound:
        return frames[tick] if tick < len(frames) else np.zeros(FRAME_SAMPLES, np.int16)

    async with studio() as s:
        leg = await s.leg(1)
        browser = await s.join(1, listen=1, speak=1)
        await asyncio.sleep(0.5)
        browser.forget()
        leg.play(says, s.ports[1])
        await until(lambda: len(browser.heard) > len(frames) + 5)
        skip = len(browser.heard) - next(
            i for i in range(len(browser.heard)) if browser.heard[i][0] >= leg.sent_s[0]
        )
        arrived = [at for at, _ in browser.heard[-skip:]]
        down = [b - a for a, b in zip(leg.sent_s, arrived, strict=False)]
        shift_down = _shift(sound, browser.sound())
        rested = timestamp_after(browser.heard[-skip][1].timestamp, browser.heard[0][1].timestamp)
        browser.say(says)
        await until(lambda: len(leg.heard) > len(frames))
        up = [at - sent for (at, _), sent in zip(leg.heard, browser.sent_s, strict=False)]
        shift_up = _shift(sound, leg.sound())
    return {
        "down, packet, median": 1000 * float(np.median(down)),
        "down, packet, 99 %": 1000 * float(np.percentile(down, 99)),
        "down, coding": 1000 * (shift_down - rested) / RATE,
        "up, packet, median": 1000 * float(np.median(up)),
        "up, packet, 99 %": 1000 * float(np.percentile(up, 99)),
        "up, coding (the test's encoder included)": 1000 * shift_up / RATE,
    }


def _shift(sent: Sound, heard: Sound) -> int:
    """Samples by which a sound is later."""
    size = len(sent) + len(heard)
    both = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent.astype(float), size))
    at = int(np.argmax(np.fft.irfft(both, size)))
    return at if at < size // 2 else at - size


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--listeners", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--bare", type=int, default=40, help="listeners for aiortc alone")
    parser.add_argument("--skip-bare", action="store_true")
    options = parser.parse_args()

    found = await ours(options.listeners, options.seconds)
    rows = [("audience, encoded once", found["once"]), ("encoded for each", found["each"])]
    if not options.skip_bare:
        rows.append(("aiortc alone, encoded once", await bare(options.bare, options.seconds, raw=False)))
        rows.append(("aiortc alone, encoded for each", await bare(options.bare, options.seconds, raw=True)))
    print(f"\nCPU of the process per listener and second, {options.listeners} listeners")
    for name, ms in rows:
        print(f"  {name:34} {ms:7.2f} ms   {1000 / max(ms, 0.01):7.0f} listeners a core")
    print(f"  {'a listener that rests':34} {found['resting']:7.2f} ms")
    print(f"  {'to let one in (ICE, DTLS), once':34} {found['join']:7.2f} ms")
    print(f"  encoding for each costs {found['each'] / max(found['once'], 0.01):.1f} times as much")
    print(f"  packets missing {100 * found['missing']:.2f} %, late ticks {found['late']:.0f}")

    per_packet = found["once"] * 1000 / 50
    print(f"\nwhere the time goes: {per_packet:.1f} µs per packet and listener, of it")
    measured = {"kernel: UDP out and in": 1000 * found["kernel"] / 50}
    measured |= parts(options.listeners, options.seconds / 2)
    measured["encoder"] = 1000 * ENCODE_MS / options.listeners
    outside = 1 - found["kernel"] / found["once"]
    measured["tick, STUN, RTCP in"] = found["resting"] * 1000 / 50 * outside
    for name, us in measured.items():
        print(f"  {name:34} {us:7.2f} µs  {100 * us / per_packet:5.0f} %")
    rest = per_packet - sum(measured.values())
    print(f"  {'rest: calls between them':34} {rest:7.2f} µs  {100 * rest / per_packet:5.0f} %")

    print("\ndelay through the process, ms")
    for name, ms in (await delays()).items():
        print(f"  {name:42} {ms:6.1f}")


if __name__ == "__main__":
    asyncio.run(main())
