"""The owner of the media worker: opens its ports, keeps it alive, speaks with it.

**Ports.**  Sockets are opened here and inherited by the worker.  A leg is given a port on which as few legs
as possible (normally none) still wait for their first packet: that first packet is what ties a caller
behind NAT to his leg, so two must not wait at one place.  For the same reason a port whose leg has just gone,
or where packets of nobody's come, is left alone for a while: some phone may still be sending.  Among the
ports that are left, legs gather on as few as will hold them (LEGS_PER_PORT), because each port in use costs
two system calls a tick.

**A worker that dies** is replaced at once.  What each leg should be (media, place, latched address) is kept
here as the last command of each kind, and told to the successor, so calls go on after a gap of about half a
second.  Prompts that were playing count as played; statistics of a leg are those of its last report plus
what the successor counts.
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import msgspec
import structlog

from bridge.mixer import protocol as p
from bridge.mixer.clips import EncodedClip
from bridge.mixer.legs import L16
from bridge.mixer.sockets import open_port
from wire.frames import FrameReader, frame

log = structlog.get_logger(__name__)

MAX_CLIPS = 2048
LEGS_PER_PORT = 100
_COOLING_S = 3.0
_STEADY_S = 5.0
_RESTART_PAUSE_S = 1.0


class MixerError(Exception):
    """The media plane cannot do what was asked."""


class NoPortsError(MixerError):
    """No RTP port of the range could be opened, or all legs are taken."""


@dataclass(slots=True)
class _Leg:
    ip: str
    port: int
    ssrc: int
    waiting: bool = True
    media: p.Media | None = None
    announced: tuple[str, int] | None = None
    """Address in the phone's own words."""
    place: p.Place | None = None
    play: int | None = None
    talking: bool = False
    closing: bool = False
    report: p.LegReport | None = None
    before: p.LegReport | None = None
    """Totals of workers that died."""


@dataclass(slots=True)
class _Port:
    legs: int = 0
    waiting: int = 0
    left_s: float = -1e9
    """When a leg last left."""

    def preference(self, now_s: float) -> tuple[int, bool, bool, int]:
        """The least is the best port for another leg."""
        full = self.legs >= LEGS_PER_PORT
        return self.waiting, now_s - self.left_s < _COOLING_S, full, self.legs if full else -self.legs


class MixerClient:
    def __init__(
        self, *, addresses: list[str], ports: range, capacity: int, on_event: Callable[[p.Event], None]
    ) -> None:
        """addresses: where to listen (one per family is usual); ports: even ones carry RTP, odd ones RTCP.

        `on_event` is called on the event loop, also with `Played` for prompts that a dead worker left.
        """
        self._addresses, self._range, self.capacity = addresses, ports, capacity
        self.on_event = on_event
        self._sockets: dict[tuple[str, int], tuple[socket.socket, socket.socket]] = {}
        self._ports: dict[tuple[str, int], _Port] = {}
        self._legs: dict[int, _Leg] = {}
        self._next_leg = 1
        self._clips: OrderedDict[Hashable, tuple[int, p.LoadClip]] = OrderedDict()
        self._kept: set[Hashable] = set()
        self._next_clip = 1
        self._music: int | None = None
        self._queue: list[p.Command] = []
        self._flushing = False
        self._transport: asyncio.WriteTransport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._stopping = False
        self.restarts = 0
        self.stats: p.WorkerStats | None = None

    # Life.

    async def start(self) -> None:
        """Open the ports and bring up the worker.  Raises NoPortsError."""
        for ip in self._addresses:
            for port in self._range:
                if port % 2 or port + 1 not in self._range:
                    continue
                self._open_pair(ip, port)
            if not any(key[0] == ip for key in self._sockets):
                raise NoPortsError(
                    f"no free pair of UDP ports on {ip} in {self._range.start}-{self._range.stop - 1}; "
                    "set TOLLBRIDGE_RTP_PORTS to a free range"
                )
        self._keeper = asyncio.create_task(self._keep())
        await self._ready.wait()

    def _open_pair(self, ip: str, port: int) -> None:
        opened: list[socket.socket] = []
        try:
            opened = [open_port(ip, port), open_port(ip, port + 1)]
        except OSError as exc:
            for sock in opened:
                sock.close()
            log.info("rtp port taken", ip=ip, port=port, error=str(exc))
            return
        self._sockets[ip, port] = (opened[0], opened[1])
        self._ports[ip, port] = _Port()

    async def stop(self) -> None:
        self._stopping = True
        self._send(p.Stop())
        self._flush()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), 2.0)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        for pair in self._sockets.values():
            for sock in pair:
                sock.close()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            self._lost.clear()
            begun = loop.time()
            await self._launch()
            await self._lost.wait()
            assert self._process is not None
            status = await self._process.wait()
            if self._stopping:
                return
            self.restarts += 1
            log.error("media worker ended", status=status, restarts=self.restarts, legs=len(self._legs))
            self._forget_worker()
            if loop.time() - begun < _STEADY_S and self.restarts > 1:
                await asyncio.sleep(_RESTART_PAUSE_S)

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        description = {
            "pipe": theirs.fileno(),
            "capacity": self.capacity,
            "ports": [[ip, port, a.fileno(), b.fileno()] for (ip, port), (a, b) in self._sockets.items()],
        }
        inherited = [theirs.fileno(), *(s.fileno() for pair in self._sockets.values() for s in pair)]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        environment["OPENBLAS_NUM_THREADS"] = "1"  # the matrices are small; threads would only contend
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bridge.mixer.worker",
            json.dumps(description),
            pass_fds=inherited,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
        )
        theirs.close()
        with contextlib.suppress(OSError):  # needs privilege; without it ticks merely compete
            os.setpriority(os.PRIO_PROCESS, self._process.pid, -10)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(lambda: _Pipe(self), ours)
        self._transport = transport
        transport.write(frame(self._restoration()))

    @property
    def ready(self) -> bool:
        """Whether a worker is ticking."""
        return self._ready.is_set()

    @property
    def worker_pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def _forget_worker(self) -> None:
        self._transport = None
        self._ready.clear()
        for number, leg in list(self._legs.items()):
            if leg.report is not None:
                leg.before, leg.report = _with(leg.before, leg.report), None
            if leg.talking:  # a successor only tells when somebody begins
                leg.talking = False
                self.on_event(p.Talking(number, on=False))
            if leg.closing:
                self._final(number, None)
            elif leg.play is not None:
                play, leg.play = leg.play, None
                self.on_event(p.Played(number, play))

    def _restoration(self) -> list[p.Command]:
        """What a new worker must know."""
        self._queue.clear()
        commands: list[p.Command] = [message for _, message in self._clips.values()]
        if self._music is not None:
            commands.append(p.SetMusic(self._music))
        for number, leg in self._legs.items():
            if leg.media is not None:
                commands.append(p.AddLeg(number, leg.ssrc, leg.media))
                if leg.place is not None:
                    commands.append(leg.place)
        return commands

    # Legs.

    @property
    def legs(self) -> int:
        return len(self._legs)

    def reserve(self, *, family: str) -> tuple[int, str, int]:
        """Take a leg and a port for a call that is about to be answered: (leg, address, RTP port).

        family: "v4" or "v6".  Raises NoPortsError when all legs are taken or the family is not served.
        """
        keys = [key for key in self._sockets if (":" in key[0]) == (family == "v6")]
        if not keys or len(self._legs) >= self.capacity:
            raise NoPortsError("all legs are taken" if keys else f"no RTP ports on IP{family}")
        now_s = asyncio.get_running_loop().time()
        ip, port = min(keys, key=lambda key: self._ports[key].preference(now_s))
        number, self._next_leg = self._next_leg, self._next_leg + 1
        self._legs[number] = _Leg(ip, port, secrets.randbits(32))
        place = self._ports[ip, port]
        place.legs += 1
        place.waiting += 1
        return number, ip, port

    def _no_longer_waits(self, leg: _Leg) -> None:
        if leg.waiting:
            leg.waiting = False
            self._ports[leg.ip, leg.port].waiting -= 1

    def _forget(self, number: int) -> _Leg:
        leg = self._legs.pop(number)
        self._no_longer_waits(leg)
        place = self._ports[leg.ip, leg.port]
        place.legs -= 1
        if leg.media is not None:
            place.left_s = asyncio.get_running_loop().time()
        return leg

    def open(
        self,
        leg: int,
        *,
        codec: int,
        pt: int,
        dtmf_pt: int | None,
        remote_ip: str,
        remote_port: int,
        remote_rtcp_port: int,
        nat: bool,
        send: bool,
        receive: bool,
    ) -> None:
        """Begin (or change) the media of a leg as negotiated.

        The far end of an L16 leg is one of ours: it is heard from exactly where it is said to be and waits
        for nothing.  remote_rtcp_port 0: it is sent no RTCP.
        """
        state = self._legs[leg]
        fresh = state.media is None
        if state.media is not None and state.announced == (remote_ip, remote_port):
            # The phone names the same address as before; where it was found since then is the better truth.
            remote_ip, remote_port = state.media.remote_ip, state.media.remote_port
        else:
            state.announced = (remote_ip, remote_port)
        state.media = p.Media(
            ip=state.ip,
            port=state.port,
            codec=codec,
            pt=pt,
            dtmf_pt=dtmf_pt,
            remote_ip=remote_ip,
            remote_port=remote_port,
            remote_rtcp_port=remote_rtcp_port,
            nat=nat,
            send=send,
            receive=receive,
        )
        if codec == L16:
            self._no_longer_waits(state)
        self._send(p.AddLeg(leg, state.ssrc, state.media) if fresh else p.UpdateLeg(leg, state.media))

    def place(self, leg: int, *, room: int | None, speak: bool, hear: str) -> None:
        place = p.Place(leg, room, speak, hear)
        state = self._legs[leg]
        if state.place != place:
            state.place = place
            self._send(place)

    def close(self, leg: int) -> None:
        """Give a leg back; its final report follows as an event, unless the worker is gone."""
        state = self._legs[leg]
        if state.media is None:
            self._forget(leg)
        elif self._transport is None:
            self._final(leg, None)
        else:
            self._no_longer_waits(state)
            state.closing = True
            self._send(p.RemoveLeg(leg))

    # Sound.

    def has_clip(self, key: Hashable) -> bool:
        return key in self._clips

    def load_clip(self, key: Hashable, clip: EncodedClip, *, keep: bool = False) -> None:
        """Give the worker a clip.  Beyond MAX_CLIPS those not played for longest go, except those to keep."""
        if key in self._clips:
            return
        number, self._next_clip = self._next_clip, self._next_clip + 1
        message = p.LoadClip(number, clip.frames, clip.pcmu, clip.pcma, clip.g722)
        self._clips[key] = (number, message)
        if keep:
            self._kept.add(key)
        self._send(message)
        while len(self._clips) > MAX_CLIPS:
            oldest = next(name for name in self._clips if name not in self._kept)
            self._send(p.DropClip(self._clips.pop(oldest)[0]))

    def set_music(self, key: Hashable) -> None:
        self._kept.add(key)
        self._music = self._clips[key][0]
        self._send(p.SetMusic(self._music))

    def play(self, leg: int, play: int, keys: list[Hashable]) -> None:
        """Play loaded clips to one leg in place of what it hears; `Played` follows unless stopped."""
        for key in keys:
            self._clips.move_to_end(key)
        self._legs[leg].play = play
        self._send(p.Play(leg, play, [self._clips[key][0] for key in keys]))

    def stop_play(self, leg: int) -> None:
        self._legs[leg].play = None
        self._send(p.StopPlay(leg))

    def room_sound(self, room: int, key: Hashable) -> None:
        self._send(p.RoomSound(room, self._clips[key][0]))

    # The pipe.

    def _send(self, command: p.Command) -> None:
        if self._transport is None:
            return  # the next worker is told the state itself
        self._queue.append(command)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._queue and self._transport is not None:
            self._transport.write(frame(self._queue))
            self._queue.clear()

    def take(self, events: list[p.Event]) -> None:
        """Events from the worker."""
        for event in events:
            match event:
                case p.Ready():
                    self._ready.set()
                case p.WorkerStats():
                    self.stats = event
                case p.StrayPorts():
                    now_s = asyncio.get_running_loop().time()
                    for ip, port in event.ports:
                        self._ports[ip, port].left_s = now_s
                    continue
                case p.LegReport():
                    state = self._legs.get(event.leg)
                    if state is None:
                        continue
                    if event.final:
                        self._final(event.leg, event)
                        continue
                    state.report = event
                    self.on_event(_with(state.before, event))
                    continue
                case p.Latched():
                    state = self._legs.get(event.leg)
                    if state is not None and state.media is not None:
                        self._no_longer_waits(state)
                        state.media = msgspec.structs.replace(
                            state.media, remote_ip=event.ip, remote_port=event.port
                        )
                case p.Talking():
                    state = self._legs.get(event.leg)
                    if state is not None:
                        state.talking = event.on
                case p.Played():
                    state = self._legs.get(event.leg)
                    if state is None or state.play != event.play:
                        continue
                    state.play = None
            self.on_event(event)

    def _final(self, leg: int, report: p.LegReport | None) -> None:
        state = self._forget(leg)
        last = report or state.report
        total = state.before if last is None else _with(state.before, last)
        if total is not None:
            self.on_event(msgspec.structs.replace(total, final=True))

    def lost(self) -> None:
        """The pipe is closed."""
        self._lost.set()


class _Pipe(asyncio.Protocol):
    def __init__(self, client: MixerClient) -> None:
        self._client = client
        self._reader = FrameReader(bytes_max=p.FRAME_BYTES_MAX)

    def data_received(self, data: bytes) -> None:
        for body in self._reader.feed(data):
            self._client.take(p.event_decoder.decode(body))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._client.lost()


def _with(before: p.LegReport | None, now: p.LegReport) -> p.LegReport:
    """Reports of one leg from successive workers as one."""
    if before is None:
        return now
    counts = ("rx_pkts", "tx_pkts", "lost_pkts", "discarded_pkts", "loss_bursts", "concealed_ms")
    largest = [j for j in (before.jitter_max_ms, now.jitter_max_ms) if j is not None]
    return msgspec.structs.replace(
        now,
        **{name: getattr(before, name) + getattr(now, name) for name in counts},
        jitter_avg_ms=before.jitter_avg_ms if now.jitter_avg_ms is None else now.jitter_avg_ms,
        jitter_max_ms=max(largest) if largest else None,
        rtt_ms=before.rtt_ms if now.rtt_ms is None else now.rtt_ms,
        ptime_ms=now.ptime_ms or before.ptime_ms,
        last_rx_ns=now.last_rx_ns or before.last_rx_ns,
    )
