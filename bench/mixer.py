"""CPU of the real media worker per leg and tick, beside a C loop that only receives and sends.

    python -m bench.mixer [--seconds 10] [--legs 100,400,1000,2000] [--tables 1234]

Both run on the same packets from the same generator, one after the other in one run: absolute times depend
on the machine and the moment, the ratio does not.  "Late" are ticks that began more than 5 ms after they were
due; "lost" are packets missing from what the phones received.

Table 4 is computed without sockets, on packets in memory: what a tick costs when browsers (legs of L16 at 48
kHz) are in the room, all of whom talk.  It shows the tenth percentile, which other programs hardly disturb.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import G722
import numpy as np

from bridge.mixer import protocol as p
from bridge.mixer.client import MixerClient
from bridge.mixer.g711 import encode
from bridge.mixer.intake import PacketList
from bridge.mixer.sockets import pack_address
from tests.bridge.mixer.loop import FINE, PCMU, Loop, Phone

HERE = Path(__file__).parent
PORTS = 32
WARM_S = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    cpu_s: float
    ticks: int
    late: int
    tick_ms_mean: float
    tick_ms_max: float
    memory_bytes: int
    phones: dict[str, int]


def speech(seconds: float = 8.0, rate: int = 8000) -> np.ndarray:
    """Something a voice detector takes for a voice: gliding harmonics with formants, in syllables."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros_like(t)
    for k in range(1, 24):
        formant = np.exp(-(((k * 120 - 600) / 400) ** 2)) + 0.5 * np.exp(-(((k * 120 - 1700) / 500) ** 2))
        sound += formant * np.sin(k * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * t) + 0.6, 0, 1)
    sound *= syllables
    return (sound / np.sqrt(np.mean(sound**2)) * 2600).clip(-32000, 32000).astype(np.int16)


def talk_file(folder: Path, codec: str) -> Path:
    """Payload bytes of speech, and one frame of silence at the end."""
    path = folder / f"talk.{codec}"
    if codec == "g722":
        sound = speech(rate=16000)
        coder = G722.G722(16000, 64000)
        data = bytes(coder.encode(np.concatenate([sound, np.zeros(3200, np.int16)])))
    else:
        data = encode(np.concatenate([speech(), np.zeros(1600, np.int16)]), alaw=False).tobytes()
    path.write_bytes(data)
    return path


def build(folder: Path, name: str) -> Path:
    binary = folder / name
    subprocess.run(["cc", "-O2", "-w", "-o", binary, HERE / f"{name}.c"], check=True)
    return binary


def phone_address(i: int) -> str:
    return f"127.1.{i // 250}.{i % 250 + 1}"


def free_ports(count: int) -> int:
    import socket

    for first in range(30000, 60000, 2 * count):
        socks = []
        try:
            for port in range(first, first + 2 * count):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                socks.append(s)
                s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()
    raise SystemExit("no free UDP ports on 127.0.0.1")


def start_phones(
    binary: Path, seconds: int, talk: Path, talkers: int, pt: int
) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [binary, str(seconds), talk, str(talkers), str(pt)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def finish_phones(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    process.wait()
    return json.loads(line)


def run_floor(folder: Path, legs: int, seconds: int, talk: Path) -> float:
    """CPU seconds of the C loop over the measured time."""
    first = free_ports(PORTS)
    floor = subprocess.Popen(
        [folder / "floor", str(first), str(PORTS), str(legs), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert floor.stdout is not None
    floor.stdout.readline()
    phones, _ = start_phones(folder / "phones", seconds + WARM_S + 1, talk, 2, 0)
    assert phones.stdin is not None
    for i in range(legs):
        phones.stdin.write(f"127.0.0.1 {first + 2 * (i % PORTS)}\n")
    phones.stdin.close()
    result = json.loads(floor.stdout.readline())
    floor.wait()
    finish_phones(phones)
    assert result["legs"] == legs, result
    return result["cpu_s"]


async def run_worker(
    folder: Path,
    legs: int,
    seconds: int,
    talk: Path,
    *,
    talkers: int,
    rooms: int,
    codec: int,
    all_speak: bool,
) -> Result:
    """The real worker with `legs` legs spread over `rooms` rooms."""
    stats: list[p.WorkerStats] = []
    first = free_ports(PORTS)
    client = MixerClient(
        addresses=["127.0.0.1"],
        ports=range(first, first + 2 * PORTS),
        capacity=4096,
        on_event=lambda e: stats.append(e) if isinstance(e, p.WorkerStats) else None,
    )
    await client.start()
    empty = _memory(client.worker_pid)
    pt = {0: 0, 2: 9}[codec]
    phones, port = start_phones(folder / "phones", seconds + WARM_S + 2, talk, talkers, pt)
    assert phones.stdin is not None
    for i in range(legs):
        leg, _, rtp = client.reserve(family="v4")
        client.open(
            leg,
            codec=codec,
            pt=pt,
            dtmf_pt=101,
            remote_ip=phone_address(i),
            remote_port=port,
            remote_rtcp_port=port,
            nat=False,
            send=True,
            receive=True,
        )
        client.place(leg, room=1 + i % rooms, speak=all_speak or i < talkers, hear="room")
        phones.stdin.write(f"127.0.0.1 {rtp}\n")
    phones.stdin.close()
    await asyncio.sleep(WARM_S)
    begin = len(stats)
    await asyncio.sleep(seconds)
    window = stats[begin - 1 :]
    memory = _memory(client.worker_pid) - empty
    heard = await asyncio.to_thread(finish_phones, phones)
    await client.stop()
    ticks = window[-1].ticks - window[0].ticks
    return Result(
        cpu_s=window[-1].cpu_s - window[0].cpu_s,
        ticks=ticks,
        late=window[-1].late_ticks - window[0].late_ticks,
        tick_ms_mean=float(np.mean([s.tick_ms_mean for s in window[1:]])),
        tick_ms_max=max(s.tick_ms_max for s in window[1:]),
        memory_bytes=memory,
        phones=heard,
    )


def tick_ms(*, phones: int, browsers: int, ticks: int = 200) -> float:
    """Time of an undisturbed tick with a room of phones, two of which talk, and of browsers that all talk."""
    loop = Loop(capacity=phones + browsers)
    frames = {PCMU: speech(), FINE: np.repeat(speech(), 6)}
    people: list[tuple[Phone, bytes, np.ndarray]] = []
    for i in range(phones + browsers):
        codec = PCMU if i < phones else FINE
        phone = loop.add(
            Phone(i + 1, codec, dtmf_pt=101 if codec == PCMU else None), speak=i < 2 or i >= phones
        )
        sound = (
            np.roll(frames[codec], phone.rate * i // 7) if i < 2 or i >= phones else np.zeros(960, np.int16)
        )
        n = phone.rate // 50
        people.append((phone, pack_address(*phone.address), sound[: len(sound) // n * n].reshape(-1, n)))
    spent = []
    for number in range(ticks):
        now = loop.now_ns()
        batch = PacketList(
            [(phone.packet(phone.code(said[number % len(said)])), name, 0, now - 8_000_000)
             for phone, name, said in people]
        )  # fmt: skip
        begun = time.perf_counter()
        loop.mixer.receive(batch, tick=loop.tick, tick_ns=now)
        loop.mixer.mix(loop.tick)
        spent.append(time.perf_counter() - begun)
        loop.mixer.events.clear()
        loop.tick += 1
    return float(np.percentile(spent[ticks // 2 :], 10)) * 1000


def _memory(pid: int | None) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def _row(name: str, legs: int, result: Result, floor_us: float | None) -> str:
    per = result.cpu_s / result.ticks / legs * 1e6
    ratio = f"{per / floor_us:5.2f}" if floor_us else "    –"
    floor = f"{floor_us:6.2f}" if floor_us else "     –"
    return (
        f"{name:<28} {per:7.2f} {floor} {ratio} {result.tick_ms_mean:8.2f} {result.tick_ms_max:7.2f} "
        f"{result.late:5d} {result.phones['lost']:6d} {result.memory_bytes / legs / 1024:8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--legs", default="100,400,1000,2000")
    parser.add_argument("--tables", default="1234")
    options = parser.parse_args()
    if "4" in options.tables:
        print("time of a tick without sockets in ms, 100 phones of which 2 talk and browsers that all talk")
        for browsers in (0, 1, 2, 5, 10, 25, 50):
            print(f"{browsers:>4} browsers {tick_ms(phones=100, browsers=browsers):8.2f}", flush=True)
    if not set("123") & set(options.tables):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in ("floor", "phones"):
            build(folder, program)
        g711, g722 = talk_file(folder, "pcmu"), talk_file(folder, "g722")
        print("CPU in µs per leg and tick; tick times in ms; memory in KiB per leg")
        print(
            f"{'':<28} {'worker':>7} {'C loop':>6} {'ratio':>5} {'mean':>8} {'max':>7} {'late':>5} "
            f"{'lost':>6} {'memory':>8}"
        )

        def work(legs: int, talk: Path, **how: object) -> Result:
            return asyncio.run(run_worker(folder, legs, options.seconds, talk, **how))  # type: ignore[arg-type]

        if "1" in options.tables:
            for legs in map(int, options.legs.split(",")):
                floor = run_floor(folder, legs, options.seconds, g711) / (options.seconds * 50) / legs * 1e6
                result = work(legs, g711, talkers=2, rooms=1, codec=0, all_speak=False)
                print(_row(f"one room of {legs}, G.711", legs, result, floor), flush=True)
        if "2" in options.tables:
            result = work(1000, g711, talkers=1000, rooms=40, codec=0, all_speak=True)
            print(_row("40 rooms × 25 talking, G.711", 1000, result, None), flush=True)
        if "3" in options.tables:
            for legs in map(int, options.legs.split(",")):
                result = work(legs, g722, talkers=2, rooms=1, codec=2, all_speak=False)
                print(_row(f"one room of {legs}, G.722", legs, result, None), flush=True)


if __name__ == "__main__":
    sys.exit(main())
