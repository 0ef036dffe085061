"""Sound quality and added delay of the media plane, measured.

    python -m bench.quality [--seconds 32] [--skip-delay]

First table: a reference goes through the mixer while the network loses packets and delays them unevenly.  It
is computed, not played in real time, so it is the same on every machine: level (dB against the reference),
gaps (ms of silence per second of the reference's speech), delay from a packet's arrival on a clean line to
the tick in which its sound leaves (median and 95th percentile over the seconds), drift of that delay from the
first to the last third, and what the buffer missed, threw away or filled in.

Second table: the real worker, two phones on loopback.  A tone burst is sent now and then; the delay is the
time from the packet that carries its start to the packet in which it comes out, both stamped where they pass
the phone's socket, position within the packet included.
"""

import argparse
import asyncio
import socket
import struct
import threading
import time

import numpy as np
import numpy.typing as npt

from bench.mixer import free_ports, speech
from bridge.mixer.client import MixerClient
from bridge.mixer.g711 import decode, encode
from tests.bridge.mixer.loop import Loop, Phone
from tests.support.sound import rms_db, sine

Sound = npt.NDArray[np.float64]
FRAME = 160
_WIDTHS = (5, 7, 7, 7, 7, 7, 7, 5, 5, 7)


class Network:
    """Loses and delays the packets of a stream.  jitter_ms: extra delay, uniform in [0, jitter_ms]."""

    def __init__(self, *, loss: float, jitter_ms: float, seed: int = 1) -> None:
        self._loss, self._jitter = loss, jitter_ms
        self._rng = np.random.default_rng(seed)
        self._under_way: list[tuple[float, bytes]] = []

    def send(self, packet: bytes, at_ms: float) -> None:
        if self._rng.random() >= self._loss:
            self._under_way.append((at_ms + self._rng.uniform(0, self._jitter), packet))

    def arrived(self, until_ms: float) -> list[tuple[bytes, float]]:
        """Packets that arrived by `until_ms`, each with its age in ms, in order of arrival."""
        here = sorted((entry for entry in self._under_way if entry[0] <= until_ms), key=lambda e: e[0])
        self._under_way = [entry for entry in self._under_way if entry[0] > until_ms]
        return [(packet, until_ms - at) for at, packet in here]


def through_mixer(reference: npt.NDArray[np.int16], network: Network) -> tuple[Sound, Loop]:
    """What a listener hears of a speaker's reference (8 kHz) that crosses the network."""
    loop = Loop()
    talker, listener = loop.add(Phone(1)), loop.add(Phone(2), speak=False)
    # A constant gain makes levels comparable: levelling is measured elsewhere.
    frames = reference[: len(reference) // FRAME * FRAME].reshape(-1, FRAME)
    for tick, frame in enumerate(frames):
        sent_ms = tick * 20.0
        network.send(talker.packet(encode(frame, alaw=False).tobytes()), sent_ms)
        talker.outbox += network.arrived(sent_ms + 8.0)  # the mixer's tick comes 8 ms after the phone's
        loop.run(1)
    return listener.sound().astype(np.float64), loop


def delays_ms(reference: Sound, heard: Sound, rate: int = 8000) -> npt.NDArray[np.float64]:
    """Delay of `heard` behind `reference` in each second, ms.

    The mixer's tick is 8 ms after the phone's packet.
    """
    found = []
    for start in range(rate, min(len(reference), len(heard)) - 2 * rate, rate):
        piece = reference[start : start + rate]
        window = heard[start : start + 2 * rate]
        match = np.correlate(window, piece, "valid")
        found.append(int(np.argmax(match)) / rate * 1000 + 8.0)
    return np.array(found)


def gaps_ms_per_s(reference: Sound, heard: Sound, delay_ms: float) -> float:
    """Time in which the reference speaks and nothing is heard."""
    shift = round((delay_ms - 8.0) * 8)
    n = min(len(reference), len(heard) - shift) // 80 * 80
    ref = reference[:n].reshape(-1, 80)
    out = heard[shift : shift + n].reshape(-1, 80)
    speaks = np.sqrt((ref**2).mean(axis=1)) > 300
    silent = np.sqrt((out**2).mean(axis=1)) < 20
    return float(np.count_nonzero(speaks & silent) * 10 / max(1, np.count_nonzero(speaks)) * 100)


def quality_table(seconds: int) -> None:
    voice = np.tile(speech(8.0), seconds // 8 + 1)[: seconds * 8000]
    voice = (voice * 10 ** ((-20 - rms_db(voice)) / 20)).astype(np.int16)
    tone = np.concatenate([sine(440)(tick) for tick in range(seconds * 50)])
    names = ("loss", "jitter", "level", "gaps", "delay", "95 %", "drift", "lost", "late", "filled")
    units = ("%", "ms", "dB", "ms/s", "ms", "ms", "ms", "", "", "ms")
    for title, row in (("reference", names), ("", units)):
        print(f"{title:<10} " + " ".join(f"{cell:>{w}}" for cell, w in zip(row, _WIDTHS, strict=True)))
    for name, reference in (("speech", voice), ("440 Hz", tone)):
        for loss in (0.0, 0.01, 0.03, 0.10):
            for jitter in (0.0, 20.0, 60.0):
                heard, loop = through_mixer(reference, Network(loss=loss, jitter_ms=jitter))
                delay = delays_ms(voice.astype(np.float64), heard) if name == "speech" else np.array([np.nan])
                report = loop.mixer.report(1, dict(loop.mixer.rows())[1], final=False)
                third = max(1, len(delay) // 3)
                settled = slice(4 * 8000, None)
                gaps = (
                    gaps_ms_per_s(reference.astype(np.float64), heard, float(np.nanmedian(delay)))
                    if name == "speech"
                    else float(
                        np.count_nonzero(np.sqrt((heard[settled].reshape(-1, 80) ** 2).mean(axis=1)) < 20)
                        * 10
                        / (seconds - 4)
                    )
                )
                print(
                    f"{name:<10} {loss * 100:5.0f} {jitter:7.0f} "
                    f"{rms_db(heard[settled]) - rms_db(reference[settled]):7.2f} {gaps:7.1f} "
                    f"{_cell(np.median(delay))} {_cell(np.percentile(delay, 95))} "
                    f"{_cell(np.mean(delay[-third:]) - np.mean(delay[:third]))} "
                    f"{report.lost_pkts:5d} {report.discarded_pkts:5d} {report.concealed_ms:7d}",
                    flush=True,
                )


def _cell(value: np.floating) -> str:
    """A tone repeats itself, so its delay cannot be told."""
    return "      –" if np.isnan(value) else f"{value:7.1f}"


class _Pair:
    """Two real phones: one sends bursts, the other listens."""

    def __init__(self) -> None:
        self.talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for sock in (self.talker, self.listener):
            sock.bind(("127.0.0.1", 0))
        self.heard: list[tuple[float, npt.NDArray[np.int16]]] = []
        self._stop = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        self.listener.settimeout(0.5)
        while not self._stop:
            try:
                data = self.listener.recv(2048)
            except TimeoutError:
                continue
            now = time.monotonic()
            self.heard.append((now, decode(np.frombuffer(data[12:], np.uint8), alaw=False)))

    def run(self, to: tuple[str, int], seconds: float, *, spread_ms: float) -> list[tuple[float, float]]:
        """Send for some seconds; [(when a burst's first sample was sent, second of the test)]."""
        rng = np.random.default_rng(3)
        bursts: list[tuple[float, float]] = []
        begin = due = time.monotonic()
        silence = encode(np.zeros(FRAME, np.int16), alaw=False).tobytes()
        t = np.arange(FRAME) / 8000
        burst = encode((9000 * np.sin(2 * np.pi * 1000 * t)).astype(np.int16), alaw=False).tobytes()
        for number in range(int(seconds * 50)):
            late = rng.uniform(0, spread_ms) / 1000 if 2.0 < due - begin < 4.0 else 0.0
            time.sleep(max(0.0, due + late - time.monotonic()))
            loud = number % 20 == 10
            header = struct.pack(">BBHII", 0x80, 0, number & 0xFFFF, number * FRAME, 77)
            if loud:
                bursts.append((time.monotonic(), due - begin))
            self.talker.sendto(header + (burst if loud else silence), to)
            due += 0.02
        self._stop = True
        return bursts

    def onsets(self) -> list[float]:
        """When each burst's first sample came out."""
        found: list[float] = []
        for at, sound in self.heard:
            loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 600)
            if len(loud) and (not found or at - found[-1] > 0.15):
                found.append(at + int(loud[0]) / 8000)
        return found


async def delay_table(seconds: float) -> None:
    print("\nadded delay, RTP in to RTP out, real worker (ms)")
    for title, spread in (("clean line", 0.0), ("60 ms jitter from second 2 to 4", 60.0)):
        first = free_ports(4)
        client = MixerClient(
            addresses=["127.0.0.1"], ports=range(first, first + 8), capacity=64, on_event=lambda _: None
        )
        await client.start()
        pair = _Pair()
        ports = []
        for sock, speak in ((pair.talker, True), (pair.listener, False)):
            leg, _, port = client.reserve(family="v4")
            ports.append(port)
            client.open(
                leg,
                codec=0,
                pt=0,
                dtmf_pt=101,
                remote_ip="127.0.0.1",
                remote_port=sock.getsockname()[1],
                remote_rtcp_port=1,
                nat=False,
                send=True,
                receive=True,
            )
            client.place(leg, room=1, speak=speak, hear="room")
        await asyncio.sleep(0.2)
        bursts = await asyncio.to_thread(pair.run, ("127.0.0.1", ports[0]), seconds, spread_ms=spread)
        await asyncio.sleep(0.3)
        onsets = np.array(pair.onsets())
        await client.stop()
        by_time: dict[str, list[float]] = {"": [], "before": [], "during": [], "2 s after": []}
        for sent, second in bursts:
            later = onsets[onsets >= sent]
            if len(later) and later[0] - sent < 0.3:
                if not spread:
                    by_time[""].append((later[0] - sent) * 1000)
                elif second < 4 or second > 6:
                    when = "before" if second < 2 else "during" if second < 4 else "2 s after"
                    by_time[when].append((later[0] - sent) * 1000)
        for when, values in by_time.items():
            if values:
                print(
                    f"{title:<34} {when:<10} median {np.median(values):5.1f}   "
                    f"95 % {np.percentile(values, 95):5.1f}"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=32)
    parser.add_argument("--skip-delay", action="store_true")
    options = parser.parse_args()
    quality_table(options.seconds)
    if not options.skip_delay:
        asyncio.run(delay_table(12.0))


if __name__ == "__main__":
    main()
