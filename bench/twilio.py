"""Many Twilio streams at once through the front door: what does one cost?

    python -m bench.twilio [--streams 200] [--seconds 20]

Starts the whole product and, in this process, Twilio's side of that many calls: web hook, media socket, PIN
by dtmf messages, all into one room, where one presenter talks without pause and everyone else listens and
sends sound all the time.  Every stream is 50 messages a second in and 25 out, marks answered.

Printed: CPU of one core per stream, main process and media worker apart, beside the same processes before
any call; and what the callers heard: frames that are missing, and how long a mark took.  The sender writes
each message to all sockets at once, ready made, so that it costs little itself.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import secrets
import struct
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import uvloop

from bridge.mixer.g711 import encode
from tests.phones.twilio_cloud import PUBLIC, TwilioCloud, signature
from tests.support.product import Product
from tests.support.sound import sine

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MARK = re.compile(rb'"event":"mark".*?"name":"(\d+)"')
_MEDIA = b'"event":"media"'


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def text_frame(text: bytes) -> bytes:
    """A WebSocket text frame from a client, masked with zeros (RFC 6455 section 5.3)."""
    n = len(text)
    head = struct.pack(">BB", 0x81, 0x80 | n) if n < 126 else struct.pack(">BBH", 0x81, 0xFE, n)
    return head + bytes(4) + text


class Leg(asyncio.Protocol):
    """One media socket, read just as far as needed."""

    def __init__(self, call_sid: str, account_sid: str, token: str, signed: str) -> None:
        self.call_sid, self.account_sid, self.token, self.signed = call_sid, account_sid, token, signed
        self.open = asyncio.get_running_loop().create_future()
        self.payload_chars = self.marks = self.clears = 0
        self.mark_after: list[tuple[float, int]] = []
        self._buffer = b""
        self._upgraded = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        key = secrets.token_bytes(16)
        self.transport.write(
            b"GET /twilio/media HTTP/1.1\r\nHost: bridge.example.org\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
            + base64.b64encode(key)
            + b"\r\nX-Twilio-Signature: "
            + self.signed.encode()
            + b"\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head:
                self.open.set_exception(RuntimeError(head.decode()))
                return
            self._upgraded, self._buffer = True, rest
            self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
            start = {"streamSid": "MZ", "accountSid": self.account_sid,
                     "callSid": self.call_sid,
                     "customParameters": {"token": self.token},
                     "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000}}  # fmt: skip
            self.send({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": "MZ"})
            self.open.set_result(None)
        self._frames()

    def _frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            opcode, size, head = buffer[at] & 15, buffer[at + 1] & 127, 2
            if size == 126:
                if len(buffer) - at < 4:
                    break
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            if len(buffer) - at < head + size:
                break
            body = buffer[at + head : at + head + size]
            at += head + size
            if opcode == 9:
                self.transport.write(b"\x8a" + bytes([0x80 | size]) + bytes(4) + body)
            elif _MEDIA in body[:20]:
                self.payload_chars += size - body.index(b'"payload":"') - 14
            elif (mark := _MARK.search(body)) is not None:
                self.marks += 1
                self.send(
                    {
                        "event": "mark",
                        "sequenceNumber": "9",
                        "mark": {"name": mark[1].decode()},
                        "streamSid": "MZ",
                    }
                )
            else:
                self.clears += 1
        self._buffer = buffer[at:]

    def send(self, message: dict[str, object]) -> None:
        self.transport.write(text_frame(json.dumps(message).encode()))

    def press(self, keys: str) -> None:
        for key in keys:
            self.send({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": key}, "streamSid": "MZ"})


async def talk(legs: list[Leg], stop: asyncio.Event) -> int:
    """Every leg sends a tone in real time until told to stop; how many ticks began late."""
    tone = sine(425)
    due, tick, late = time.monotonic(), 0, 0
    while not stop.is_set():
        tick += 1
        payload = base64.b64encode(encode(np.asarray(tone(tick), np.int16), alaw=False).tobytes()).decode()
        media = {"track": "inbound", "chunk": str(tick), "timestamp": str(20 * tick), "payload": payload}
        frame = text_frame(json.dumps(
            {"event": "media", "sequenceNumber": str(tick + 1), "media": media, "streamSid": "MZ"}
        ).encode())  # fmt: skip
        for leg in legs:
            leg.transport.write(frame)
        due += 0.02
        wait = due - time.monotonic()
        late += wait < -0.02
        await asyncio.sleep(max(0.0, wait))
    return late


async def measure(product: Product, cloud: TwilioCloud, *, streams: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert product.process is not None
    main, worker = product.process.pid, product.worker_pids()[0]
    while True:  # prompts are being made in the background after a first start
        before = cpu_s(main)
        await asyncio.sleep(2.0)
        if cpu_s(main) - before < 0.1:
            break
    before = cpu_s(main), cpu_s(worker)
    await asyncio.sleep(3.0)
    idle = [(now - then) / 3.0 for now, then in zip((cpu_s(main), cpu_s(worker)), before, strict=True)]

    signed = signature(cloud.auth_token, "wss" + PUBLIC.removeprefix("https") + "/twilio/media")
    legs: list[Leg] = []
    begun = time.monotonic()
    async with httpx.AsyncClient() as client:
        for number in range(streams):
            sid = "CA" + secrets.token_hex(16)
            cloud.status[sid] = "in-progress"
            fields = {"CallSid": sid, "AccountSid": cloud.account_sid, "To": "+33975129519",
                      "From": f"+1202555{number:04d}", "CallStatus": "ringing"}  # fmt: skip
            hook = signature(cloud.auth_token, PUBLIC + "/twilio/voice", fields.items())
            answer = await client.post(
                product.url + "/twilio/voice", data=fields, headers={"X-Twilio-Signature": hook}
            )
            token = re.search(r'name="token" value="([^"]+)"', answer.text)
            assert token is not None, answer.text
            leg = Leg(sid, cloud.account_sid, token[1], signed)
            await loop.create_connection(lambda leg=leg: leg, "127.0.0.1", product.http_port)  # type: ignore[misc]
            await leg.open
            legs.append(leg)
    print(f"{streams} streams opened in {time.monotonic() - begun:.1f} s")

    stop = asyncio.Event()
    talking = asyncio.create_task(talk(legs, stop))
    for number, leg in enumerate(legs):
        leg.press((product.listener_pin if number else product.presenter_pin) + "#")
        await asyncio.sleep(0.005)
    for _ in range(200):
        people = await asyncio.to_thread(
            lambda: product.get(f"/v1/conferences/{product.room}/live", timeout=60.0)["participants"]
        )
        if len(people) == streams:
            break
        await asyncio.sleep(0.1)
    assert len(people) == streams, len(people)
    legs[0].press("7")
    await asyncio.sleep(12.0)  # greetings are over, everyone hears the presenter

    heard = [leg.payload_chars for leg in legs]
    clears = sum(leg.clears for leg in legs)
    before, at = (cpu_s(main), cpu_s(worker)), time.monotonic()
    own = time.process_time()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - at
    used = [(now - then) / lasted for now, then in zip((cpu_s(main), cpu_s(worker)), before, strict=True)]
    own = (time.process_time() - own) / lasted
    expected = lasted * 8000 * 4 / 3
    shares = sorted(
        (leg.payload_chars - then) / expected for leg, then in zip(legs[1:], heard[1:], strict=True)
    )
    stop.set()
    late = await talking
    metrics = dict(re.findall(r'tollbridge_twilio_total\{what="(\w+)"\} (\S+)', product.get("/metrics")))
    for leg in legs:
        leg.transport.abort()

    print(
        f"measured over {lasted:.0f} s; the senders themselves used {own:.0%} of a core, "
        f"{late} of their ticks were late"
    )
    print(f"{'':14}{'idle':>8}{'loaded':>9}{'per stream':>13}{'µs per stream and 20 ms':>26}")
    for name, still, busy in zip(("main process", "media worker"), idle, used, strict=True):
        each = (busy - still) / streams
        print(f"{name:14}{still:>8.1%}{busy:>9.1%}{each:>13.3%}{each * 20_000:>26.1f}")
    print(f"sound received: least {shares[0]:.2%}, median {shares[len(shares) // 2]:.2%} of what was said")
    print(f"clears for lateness during it: {sum(leg.clears for leg in legs) - clears}")
    print(
        "counters:", {name: int(float(metrics[name])) for name in ("frames_in", "late_cuts", "bad_messages")}
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--streams", type=int, default=200)
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        TwilioCloud() as cloud,
        Product(Path(folder), **cloud.settings()) as product,
    ):
        uvloop.run(measure(product, cloud, streams=given.streams, seconds=given.seconds))


if __name__ == "__main__":
    main()
