"""Many telephone calls at once against the whole product, through its front door.

    python -m bench.calls [--calls 1000] [--rate 50] [--seconds 20]

Every call is real: INVITE over UDP, 200, ACK; a PIN typed as telephone-events; a place in one started event
in listen-only mode with two talkers; 50 packets a second in both directions; BYE.  The times from INVITE to
200 are measured by the caller.  "Lost" are packets missing by sequence number from what the phones received,
from each one's first packet on.

The product (main process and media worker) and what plays the telephones share the machine, so the CPU that
the players used is printed too: with everything on two cores a crowded machine shows in the slowest answers.
`calls_phones.c` plays the sound; signalling is played here, by one thread with one socket and no parser.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import select
import socket
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.mixer import build, phone_address, talk_file
from tests.support.product import Product

NUMBER = "+33975129519"
TALKERS = 2
_PATIENCE_S = 60.0
_AGAIN_S = 0.5
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Call:
    index: int
    invite: bytes = b""
    sent_s: float = 0.0
    answered_s: float = 0.0
    again_s: float = 0.0
    tag: str = ""
    contact: str = ""
    over: bool = False


class Phones:
    """The callers' side: signalling here, sound in the C program."""

    def __init__(self, server: tuple[str, int], sound: subprocess.Popen[str], rtp_port: int) -> None:
        self.server, self.sound, self.rtp_port = server, sound, rtp_port
        self.calls: list[_Call] = []
        self.repeated = 0
        self.refused: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(self.server)
        self._socket.setblocking(False)
        self._here = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._keys = {True: "", False: ""}

    def pins(self, *, presenter: str, listener: str) -> None:
        self._keys = {True: f"{presenter}#", False: f"{listener}#"}

    def place(self, count: int, *, rate: float) -> None:
        """Call `count` times, `rate` a second; returns when all are answered or refused."""
        first, begun_s = len(self.calls), time.monotonic()
        waiting: deque[_Call] = deque()
        made = 0
        while made < count or waiting:
            now_s = time.monotonic()
            assert now_s < begun_s + count / rate + _PATIENCE_S, f"{len(waiting)} calls are not answered"
            while made < count and now_s >= begun_s + made / rate:
                call = _Call(first + made)
                self.calls.append(call)
                call.invite = self._invite(call.index)
                call.sent_s = time.monotonic()
                call.again_s = call.sent_s + _AGAIN_S
                self._socket.send(call.invite)
                waiting.append(call)
                made += 1
            self._receive(min(0.005, max(0.0, begun_s + made / rate - time.monotonic())))
            while waiting and (waiting[0].answered_s or waiting[0].over):
                waiting.popleft()
            for call in waiting:
                if not call.answered_s and now_s > call.again_s:  # RFC 3261 timer A
                    call.again_s = now_s + 2 * _AGAIN_S
                    self.repeated += 1
                    self._socket.send(call.invite)

    def hang_up(self, *, rate: float) -> None:
        """End all calls."""
        begun_s = time.monotonic()
        for n, call in enumerate(self.calls):
            if call.answered_s:
                self._socket.send(self._inside(call, "BYE", 2))
            while time.monotonic() < begun_s + n / rate:
                self._receive(0.002)
        until_s = time.monotonic() + 5.0
        while not all(call.over for call in self.calls) and time.monotonic() < until_s:
            self._receive(0.05)

    def listen(self, seconds: float) -> None:
        """Let time pass; requests of the bridge are answered."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._receive(left_s)

    def report(self) -> dict[str, int]:
        """Counters of the C program."""
        assert self.sound.stdin is not None
        assert self.sound.stdout is not None
        self.sound.stdin.write("report\n")
        self.sound.stdin.flush()
        return dict(json.loads(self.sound.stdout.readline()))

    def _receive(self, wait_s: float) -> None:
        if not select.select([self._socket], [], [], wait_s)[0]:
            return
        while True:
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                return
            self._message(data.decode("latin-1"), time.monotonic())

    def _message(self, text: str, now_s: float) -> None:
        if not text.startswith("SIP/2.0"):
            self._answer(text)
            return
        status = int(text[8:11])
        found = re.search(r"^Call-ID: bench-(\d+)@", text, re.MULTILINE | re.IGNORECASE)
        if status < 200 or found is None:
            return
        call = self.calls[int(found[1])]
        if re.search(r"^CSeq: \d+ BYE", text, re.MULTILINE | re.IGNORECASE):
            call.over = True
        elif status >= 300:
            self.refused.append(text.partition("\r\n")[0])
            call.over = True
        else:
            self._answered(call, text, now_s)

    def _answered(self, call: _Call, text: str, now_s: float) -> None:
        fresh = not call.answered_s
        if fresh:
            call.answered_s = now_s
            call.tag = _first(r"^To: .*;tag=([^\s;]+)", text)
            call.contact = _first(r"^Contact: <([^>]+)>", text)
        self._socket.send(self._inside(call, "ACK", 1))
        if fresh:
            ip, port = _first(r"^c=IN IP4 (\S+)", text), _first(r"^m=audio (\d+)", text)
            assert self.sound.stdin is not None
            self.sound.stdin.write(f"{call.index} {ip} {port} {self._keys[call.index < TALKERS]}\n")
            self.sound.stdin.flush()

    def _answer(self, request: str) -> None:
        kept = [
            line
            for line in request.split("\r\n")
            if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))
        ]
        reply = ["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]
        self._socket.send("\r\n".join(reply).encode("latin-1"))

    def _invite(self, index: int) -> bytes:
        host = phone_address(index)
        sdp = (
            f"v=0\r\no=- {index} 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
        )
        return self._head("INVITE", index, 1, f"sip:{NUMBER}@{self.server[0]}", "", "application/sdp", sdp)

    def _inside(self, call: _Call, method: str, cseq: int) -> bytes:
        return self._head(method, call.index, cseq, call.contact, f";tag={call.tag}", "", "")

    def _head(self, method: str, index: int, cseq: int, uri: str, tag: str, kind: str, body: str) -> bytes:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bKbench{index}x{cseq}{method};rport",
            "Max-Forwards: 70",
            f"From: <sip:+1202{5550000 + index}@{self._here}>;tag=b{index}",
            f"To: <sip:{NUMBER}@{self.server[0]}>{tag}",
            f"Call-ID: bench-{index}@127.0.0.1",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:bench@{self._here}>",
            *([f"Content-Type: {kind}"] if kind else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE | re.IGNORECASE)
    assert found is not None, (pattern, text)
    return found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What everybody has used so far."""

    at_s: float
    main_cpu_s: float
    worker_cpu_s: float
    players_cpu_s: float
    main_bytes: int
    worker_bytes: int
    metrics: dict[str, float]

    @classmethod
    def now(cls, product: Product, phones: Phones) -> Moment:
        assert product.process is not None
        main, (worker,) = product.process.pid, product.worker_pids()
        own = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            at_s=time.monotonic(),
            main_cpu_s=_cpu_s(main),
            worker_cpu_s=_cpu_s(worker),
            players_cpu_s=_cpu_s(phones.sound.pid) + own.ru_utime + own.ru_stime,
            main_bytes=_resident(main),
            worker_bytes=_resident(worker),
            metrics=_metrics(str(product.get("/metrics"))),
        )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _metrics(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _row(name: str, before: Moment, after: Moment, calls: int) -> str:
    span_s = after.at_s - before.at_s

    def share(kind: str) -> str:
        return f"{(getattr(after, kind) - getattr(before, kind)) / span_s * 100:7.1f}"

    ticks, late = (
        after.metrics[f"tollbridge_{what}_total"] - before.metrics[f"tollbridge_{what}_total"]
        for what in ("ticks", "late_ticks")
    )
    worker_us = (after.worker_cpu_s - before.worker_cpu_s) / max(ticks, 1) / calls * 1e6
    return (
        f"{name:<22} {span_s:7.1f} {share('main_cpu_s')} {share('worker_cpu_s')} {share('players_cpu_s')} "
        f"{worker_us:9.2f} {late:5.0f}/{ticks:.0f}"
    )


def run(folder: Path, *, calls: int, rate: float, seconds: float) -> bool:
    """One run; prints as it goes.  Whether every aim was met."""
    binary, talk = build(folder, "calls_phones"), talk_file(folder, "pcmu")
    load = os.getloadavg()[0]
    with Product(folder, max_calls=str(calls + 8)) as product:
        _settle(product)
        sound = subprocess.Popen(
            [binary, talk, str(TALKERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert sound.stdout is not None
            phones = Phones(product.sip, sound, int(sound.stdout.readline()))
            phones.pins(presenter=product.presenter_pin, listener=product.listener_pin)
            return _measure(product, phones, calls=calls, rate=rate, seconds=seconds, load=load)
        finally:
            sound.kill()
            sound.wait()


def _settle(product: Product) -> None:
    """Wait until the prompts of all languages are made."""
    assert product.process is not None
    used_s = -1.0
    for _ in range(60):
        before_s, used_s = used_s, _cpu_s(product.process.pid)
        if used_s - before_s < 0.1:
            return
        time.sleep(1.0)


def _measure(
    product: Product, phones: Phones, *, calls: int, rate: float, seconds: float, load: float
) -> bool:
    empty = Moment.now(product, phones)
    phones.place(TALKERS, rate=rate)
    _await_typed(phones, product, TALKERS)
    assert product.order("start").status_code == 200
    before = Moment.now(product, phones)
    phones.place(calls - TALKERS, rate=rate)
    placed = Moment.now(product, phones)
    _await_typed(phones, product, calls)
    phones.listen(2.0)
    joined = Moment.now(product, phones)
    heard_joined = phones.report()
    people = len(product.people())
    middle = Moment.now(product, phones)
    phones.listen(seconds)
    steady = Moment.now(product, phones)
    heard = phones.report()
    phones.hang_up(rate=4 * rate)
    product.wait_for(
        lambda: _metrics(str(product.get("/metrics")))["tollbridge_cdr_delivered_total"] >= calls,
        "all call records",
        within_s=30,
    )
    records = _metrics(str(product.get("/metrics")))

    answers_ms = np.array([(c.answered_s - c.sent_s) * 1000 for c in phones.calls if c.answered_s])
    p50, p95, p99 = np.percentile(answers_ms, [50, 95, 99])
    late_total = steady.metrics["tollbridge_late_ticks_total"] - before.metrics["tollbridge_late_ticks_total"]
    print(
        f"{calls} calls at {rate:g} a second, G.711, {TALKERS} talkers; load before the run {load:.1f} "
        f"on {os.cpu_count()} cores"
    )
    print(
        f"INVITE to 200, ms      p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  max {answers_ms.max():.1f}   "
        f"({len(answers_ms)} answered, {len(phones.refused)} refused, {phones.repeated} INVITEs repeated)"
    )
    print(f"in the room            {people} of {calls}")
    print(
        f"packets heard / lost   {heard['heard']} / {heard['lost']}   (lost while joining: "
        f"{heard_joined['lost']}; phones that missed some: {heard['hurt']}, all: {heard['deaf']}; "
        f"out of order: {heard['disordered']}; streams begun anew: {heard['anew']}; "
        f"players at most {max(heard['late_ms_max'], heard_joined['late_ms_max'])} ms late)"
    )
    print(
        f"{'CPU, % of one core':<22} {'seconds':>7} {'main':>7} {'worker':>7} {'players':>7} "
        f"{'worker µs':>9} late ticks"
    )
    print(_row("while calls come in", before, placed, calls))
    print(_row("while PINs are typed", placed, joined, calls))
    print(_row("all in the room", middle, steady, calls))
    main_ms = (joined.main_cpu_s - before.main_cpu_s) / calls * 1000
    print(f"main process, CPU      {main_ms:.2f} ms for each call from INVITE into the room")
    for name, kind in (("main process", "main_bytes"), ("media worker", "worker_bytes")):
        total, own = getattr(steady, kind), (getattr(steady, kind) - getattr(empty, kind)) / calls
        print(f"memory, {name:<14} {total / 2**20:.0f} MiB, {own / 1024:.1f} KiB a call")
    lost_records = sum(v for k, v in records.items() if k.startswith("tollbridge_cdr_lost_total"))
    print(
        f"records                {records['tollbridge_cdr_delivered_total']:.0f} written, "
        f"{lost_records:.0f} lost"
    )
    print(f"calls the bridge saw   {records['tollbridge_calls_total']:.0f}")
    restarts = records["tollbridge_mixer_restarts_total"]
    met = bool(p95 < 50 and heard["lost"] == 0 and people == calls and not phones.refused)
    print(
        f"aim (p95 < 50 ms, nothing lost): {'met' if met else 'NOT met'}; late ticks: {late_total:.0f}, "
        f"workers that died: {restarts:.0f}"
    )
    return met


def _await_typed(phones: Phones, product: Product, count: int) -> None:
    """Wait until so many PINs were accepted."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        phones.listen(0.5)
        values: dict[str, Any] = _metrics(str(product.get("/metrics")))
        if values["tollbridge_pin_attempts_total"] >= count:
            return
        assert time.monotonic() < until_s, f"{values['tollbridge_pin_attempts_total']} PINs of {count}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to listen once all are in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tollbridge-bench-") as name:
        run(Path(name), calls=options.calls, rate=options.rate, seconds=options.seconds)


if __name__ == "__main__":
    main()
