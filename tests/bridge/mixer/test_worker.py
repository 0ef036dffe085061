"""The worker as its owner has it: a process, real sockets, real time; and what remains when it is killed."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import numpy as np
import pytest

from bridge.mixer import protocol as p
from bridge.mixer.client import MixerClient, NoPortsError
from bridge.mixer.clips import encode_clip
from bridge.mixer.legs import L16
from tests.phones.rtp_phone import RtpPhone, Studio
from tests.support.sound import Says, Sound, sine, tone, tones_in

_CODEC = {"PCMU": (0, 0), "PCMA": (1, 8), "G722": (2, 9)}
TONES = {"ann": 440.0, "bob": 910.0, "prompt": 1730.0}


class Bridge:
    """A client with its worker, and phones on real sockets."""

    def __init__(self, client: MixerClient, studio: Studio, events: list[p.Event]) -> None:
        self.client, self.studio, self.events = client, studio, events

    def call(self, phone: RtpPhone, *, nat: bool = True, expected_port: int | None = None) -> int:
        leg, ip, port = self.client.reserve(family="v4")
        codec, pt = _CODEC[phone.codec]
        remote = expected_port or phone.port
        self.client.open(leg, codec=codec, pt=pt, dtmf_pt=101, remote_ip=phone.host, remote_port=remote,
                         remote_rtcp_port=remote + 1, nat=nat, send=True, receive=True)  # fmt: skip
        self.client.place(leg, room=1, speak=True, hear="room")
        phone.remote = (ip, port)
        self.studio.add(phone)
        return leg

    async def until(self, condition: Callable[[], bool], *, within_s: float = 5.0) -> float:
        """Wait for something to become true; the seconds it took."""
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < within_s, "did not happen"
            await asyncio.sleep(0.02)
        return time.monotonic() - begun

    def reports(self, leg: int) -> list[p.LegReport]:
        return [e for e in self.events if isinstance(e, p.LegReport) and e.leg == leg]


@contextlib.asynccontextmanager
async def bridge(*, capacity: int = 16, ports: int = 8) -> AsyncIterator[Bridge]:
    events: list[p.Event] = []
    first = random.SystemRandom().randrange(20000, 60000, 2)
    client = MixerClient(
        addresses=["127.0.0.1"], ports=range(first, first + ports), capacity=capacity, on_event=events.append
    )
    await client.start()
    try:
        with Studio() as studio:
            yield Bridge(client, studio, events)
    finally:
        await client.stop()


def live(scenario: Callable[[Bridge], Awaitable[None]], **how: int) -> None:
    async def run() -> None:
        async with bridge(**how) as scene:
            await scenario(scene)

    asyncio.run(run())


def test_sound_keys_and_prompts_pass_between_real_phones() -> None:
    async def scenario(b: Bridge) -> None:
        ann = RtpPhone("PCMU", says=sine(440.0))
        bob = RtpPhone("G722", says=sine(910.0, rate=16000))
        first, second = b.call(ann), b.call(bob, expected_port=9)
        await b.until(lambda: ann.tones(TONES) == {"bob"} and bob.tones(TONES) == {"ann"})
        assert p.Latched(second, "127.0.0.1", bob.port) in b.events
        bob.press("42#")
        await b.until(lambda: "".join(e.key for e in b.events if isinstance(e, p.KeyPressed)) == "42#")
        b.client.load_clip("hello", encode_clip(tone(1730.0, 0.6, rate=16000)))
        b.client.play(first, 5, ["hello"])
        await b.until(lambda: p.Played(first, 5) in b.events)
        assert "prompt" in ann.tones(TONES, last_s=0.4)
        assert "prompt" not in bob.tones(TONES)
        await b.until(lambda: b.client.stats is not None and b.client.stats.legs == 2)
        before = b.client.legs
        b.client.close(second)
        await b.until(lambda: any(r.final for r in b.reports(second)))
        final = b.reports(second)[-1]
        assert final.rx_pkts > 5
        assert final.tx_pkts > 5
        assert final.lost_pkts <= 2
        assert b.client.legs == before - 1
        assert ann.lost() == 0

    live(scenario)


class L16End:
    """What the WebRTC process has for one leg: a socket that sends a frame each 20 ms and listens."""

    def __init__(self, says: Says) -> None:
        self.says, self.remote, self.sent = says, ("", 0), 0
        self.heard: list[bytes] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.setblocking(False)
        self.port: int = self._sock.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "L16End":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._sock.close()

    def _run(self) -> None:
        due, number = time.monotonic(), 0
        while not self._over.wait(max(0.0, due - time.monotonic())):
            if self.remote[1]:
                header = struct.pack(">BBHII", 0x80, 96, number & 0xFFFF, number * 960, 77)
                self._sock.sendto(header + self.says(number).astype(">i2").tobytes(), self.remote)
                self.sent += 1
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.heard.append(self._sock.recv(4096))
            number, due = number + 1, due + 0.02

    def sound(self, *, last_s: float) -> Sound:
        frames = self.heard[-round(last_s * 50) :]
        return np.frombuffer(b"".join(data[12:] for data in frames), ">i2").astype(np.float64)


def test_browsers_ends_and_a_telephone_hear_each_other_on_real_sockets() -> None:
    async def scenario(b: Bridge) -> None:
        ann = RtpPhone("PCMU", says=sine(440.0))
        b.call(ann)
        with L16End(sine(910.0, rate=48000)) as bob, L16End(lambda _: np.zeros(960, np.int16)) as audience:
            legs = []
            for end, speak in ((bob, True), (audience, False)):
                leg, ip, port = b.client.reserve(family="v4")
                b.client.open(leg, codec=L16, pt=96, dtmf_pt=None, remote_ip="127.0.0.1",
                              remote_port=end.port, remote_rtcp_port=0, nat=False, send=True,
                              receive=True)  # fmt: skip
                b.client.place(leg, room=1, speak=speak, hear="room")
                legs.append(leg)
                if speak:
                    end.remote = (ip, port)

            def hears(end: L16End) -> set[str]:
                return tones_in(end.sound(last_s=0.5), TONES, rate=48000)

            await b.until(
                lambda: (
                    ann.tones(TONES) == {"bob"}
                    and hears(bob) == {"ann"}
                    and hears(audience) == {"ann", "bob"}
                )
            )
            await b.until(lambda: bool(b.reports(legs[0]) and b.reports(legs[1])), within_s=4.0)
            heads = [struct.unpack(">BBHII", data[:12]) for data in audience.heard]
            assert {len(data) for data in audience.heard} == {1932}
            assert [head[1] for head in heads] == [0xE0] + [96] * (len(heads) - 1)
            ticks = [(head[3] - heads[0][3]) & 0xFFFFFFFF for head in heads]
            assert all(tick % 960 == 0 for tick in ticks)
            assert len({head[4] for head in heads}) == 1
        b.client.close(legs[0])
        await b.until(lambda: any(r.final for r in b.reports(legs[0])))
        assert bob.sent - 2 <= b.reports(legs[0])[-1].rx_pkts <= bob.sent
        assert bob.sent > 5

    live(scenario)


def test_an_end_that_only_listens_does_not_occupy_a_port() -> None:
    async def scenario(b: Bridge) -> None:
        ports = []
        for _ in range(6):
            leg, _, port = b.client.reserve(family="v4")
            b.client.open(leg, codec=L16, pt=96, dtmf_pt=None, remote_ip="127.0.0.1", remote_port=9,
                          remote_rtcp_port=0, nat=False, send=False, receive=True)  # fmt: skip
            ports.append(port)
        assert len(set(ports)) == 1

    live(scenario)


def test_a_killed_worker_is_replaced_and_the_call_goes_on() -> None:
    async def scenario(b: Bridge) -> None:
        ann, bob = RtpPhone("PCMU", says=sine(440.0)), RtpPhone("PCMA", says=sine(910.0))
        first, second = b.call(ann), b.call(bob, expected_port=9)
        b.client.load_clip("music", encode_clip(tone(1730.0, 1.0, rate=16000)))
        b.client.set_music("music")
        await b.until(lambda: ann.tones(TONES) == {"bob"} and bob.tones(TONES) == {"ann"})
        await b.until(lambda: bool(b.reports(first) and b.reports(second)), within_s=8.0)
        told = {leg: b.reports(leg)[-1].rx_pkts for leg in (first, second)}
        b.client.load_clip("long", encode_clip(tone(1730.0, 20.0, rate=16000)))
        b.client.play(first, 9, ["long"])
        await b.until(lambda: "prompt" in ann.tones(TONES, last_s=0.2))
        pid = b.client.worker_pid
        assert pid is not None
        ann.heard.clear()
        bob.heard.clear()
        os.kill(pid, signal.SIGKILL)
        took = await b.until(
            lambda: ann.tones(TONES, last_s=0.2) == {"bob"} and bob.tones(TONES, last_s=0.2) == {"ann"}
        )
        assert took < 2.0
        assert p.Played(first, 9) in b.events, "or whoever waits for the prompt waits for ever"
        assert b.client.worker_pid != pid
        assert b.client.restarts == 1
        leg, _, _ = b.client.reserve(family="v4")
        b.client.close(leg)
        for leg in (first, second):
            b.client.close(leg)
        await b.until(lambda: all(b.reports(leg) and b.reports(leg)[-1].final for leg in (first, second)))
        for leg in (first, second):
            assert b.reports(leg)[-1].rx_pkts > told[leg], "what the dead worker counted is kept"

    live(scenario)


def test_a_talker_does_not_talk_on_after_the_death_of_the_worker() -> None:
    async def scenario(b: Bridge) -> None:
        ann = RtpPhone("PCMU", says=sine(440.0))  # webrtcvad takes a pure tone for a voice
        leg = b.call(ann)
        await b.until(lambda: p.Talking(leg, True) in b.events)
        pid = b.client.worker_pid
        assert pid is not None
        ann.says = None
        os.kill(pid, signal.SIGKILL)
        await b.until(lambda: b.client.worker_pid != pid and b.client.ready)
        await b.until(lambda: [e.on for e in b.events if isinstance(e, p.Talking)][-1] is False, within_s=1.0)

    live(scenario)


def test_a_call_that_ends_while_there_is_no_worker_has_a_final_report() -> None:
    async def scenario(b: Bridge) -> None:
        ann = RtpPhone("PCMU", says=sine(440.0))
        leg = b.call(ann)
        await b.until(lambda: bool(b.reports(leg)), within_s=8.0)
        pid = b.client.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        b.client.close(leg)
        await b.until(lambda: b.reports(leg)[-1].final, within_s=2.0)
        assert b.reports(leg)[-1].rx_pkts > 0
        assert b.client.legs == 0

    live(scenario)


def test_clips_beyond_the_limit_do_not_take_the_music_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.mixer.client.MAX_CLIPS", 3)

    async def scenario(b: Bridge) -> None:
        b.client.load_clip("music", encode_clip(tone(1730.0, 1.0, rate=16000)))
        b.client.set_music("music")
        for i in range(6):
            b.client.load_clip(i, encode_clip(tone(440.0, 0.1, rate=16000)))
        ann = RtpPhone("PCMU")
        leg = b.call(ann)
        b.client.place(leg, room=None, speak=False, hear="music")
        await b.until(lambda: ann.tones(TONES) == {"prompt"})
        pid = b.client.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        ann.heard.clear()
        await b.until(
            lambda: len(ann.heard) > 20 and ann.tones(TONES, last_s=0.3) == {"prompt"}, within_s=3.0
        )
        assert b.client.restarts == 1

    live(scenario)


def test_late_ticks_and_drops_are_told() -> None:
    async def scenario(b: Bridge) -> None:
        _, _, port = b.client.reserve(family="v4")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(10):
                stranger.sendto(b"\x80\x00" + bytes(170), ("127.0.0.1", port))
                stranger.sendto(b"rubbish", ("127.0.0.1", port))
                stranger.sendto(b"\x80\xc8\x00", ("127.0.0.1", port + 1))

        def counted() -> bool:
            stats = b.client.stats
            return stats is not None and (
                stats.dropped["stray"], stats.dropped["malformed"], stats.dropped["rtcp_malformed"]
            ) == (10, 10, 10)  # fmt: skip

        await b.until(counted)
        stats = b.client.stats
        assert stats is not None
        assert stats.ticks > 0
        assert 0 <= stats.late_ticks <= stats.ticks
        assert 0 < stats.tick_ms_mean <= stats.tick_ms_max

    live(scenario)


# Ports.


def test_no_two_wait_on_a_port_while_others_are_free() -> None:
    async def scenario(b: Bridge) -> None:
        taken = [b.client.reserve(family="v4")[2] for _ in range(4)]
        assert len(set(taken)) == 4
        assert len({b.client.reserve(family="v4")[2] for _ in range(4)}) == 4, "and then evenly"

    live(scenario, capacity=20, ports=8)


def test_a_call_that_is_not_answered_gives_its_port_back() -> None:
    async def scenario(b: Bridge) -> None:
        for _ in range(50):
            leg, _, _ = b.client.reserve(family="v4")
            b.client.close(leg)
        assert b.client.legs == 0

    live(scenario, capacity=4)


def test_all_legs_taken() -> None:
    async def scenario(b: Bridge) -> None:
        legs = [b.client.reserve(family="v4")[0] for _ in range(3)]
        with pytest.raises(NoPortsError):
            b.client.reserve(family="v4")
        with pytest.raises(NoPortsError):
            b.client.reserve(family="v6")
        b.client.close(legs[0])
        b.client.reserve(family="v4")

    live(scenario, capacity=3)


def test_a_range_that_is_taken_says_what_to_do() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1] & ~1
        client = MixerClient(addresses=["127.0.0.1"], ports=range(port, port + 2), capacity=1, on_event=print)
        with pytest.raises(NoPortsError, match="TOLLBRIDGE_RTP_PORTS"):
            asyncio.run(client.start())


# Orphans.

_OWNER = """
import asyncio, sys, random
from bridge.mixer.client import MixerClient
async def main():
    first = random.SystemRandom().randrange(20000, 60000, 2)
    client = MixerClient(addresses=["127.0.0.1"], ports=range(first, first + 4), capacity=4, on_event=id)
    await client.start()
    print(client.worker_pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_worker_whose_owner_is_gone_ends() -> None:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, env=environment)
    assert owner.stdout is not None
    worker = int(owner.stdout.readline())
    os.kill(worker, 0)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        try:
            with open(f"/proc/{worker}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.02)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker lives on")
