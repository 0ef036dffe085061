"""Peers and sources of the process, and one clock for what nobody's packet sets off.

Sound is driven by packets: a mixer frame goes to its listeners, a microphone packet to its source, each in
the turn of the loop in which it comes.  The tick of 20 ms does the rest: rest frames for peers without a
source, held packets whose time is up, and RTCP, for which the peers are spread over two seconds so that no
tick has them all.  Nothing runs per peer but the ICE and DTLS tasks of aioice and aiortc.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from aiortc.rtcdtlstransport import RTCCertificate

from rooms.webrtc import protocol as p
from rooms.webrtc.counters import Counters
from rooms.webrtc.errors import BadOffer, Unavailable
from rooms.webrtc.ice import server_arguments
from rooms.webrtc.opus import require, silence
from rooms.webrtc.peer import FORGET_S, Network, Peer
from rooms.webrtc.source import Source

log = structlog.get_logger(__name__)

TICK_S = 0.020
LATE_S = 0.005
_REPORT_TICKS = 100
_STATS_TICKS = 50
_STALL_TICKS = 5


class Core:
    def __init__(self, settings: p.Configure, tell: Callable[[p.Event], None]) -> None:
        """tell: takes events for the owner.  Raises Unavailable (no libopus), ValueError (a server's URL)."""
        require()
        silence()
        self._tell = tell
        self._capacity = settings.capacity
        self._network = Network(
            hosts=settings.hosts,
            ports=settings.ports,
            servers=server_arguments(settings.servers),
            certificate=RTCCertificate.generateCertificate(),
        )
        self._counters = Counters()
        self._peers: dict[int, Peer] = {}
        self._sources: dict[int, Source] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._ticks = self._late = 0

    def start(self) -> None:
        """Begin to tick."""
        self._due_s = self._loop.time() + TICK_S
        self._timer = self._loop.call_at(self._due_s, self._tick)

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(peer.close() for peer in self._peers.values()), return_exceptions=True)
        for source in self._sources.values():
            source.close()

    def apply(self, command: p.Command) -> None:
        """Carry out a command; offers and sources are answered by events."""
        match command:
            case p.Offer():
                self._offer(command)
            case p.OpenSource():
                source = Source(
                    command.source,
                    mixer=(command.mixer_ip, command.mixer_port),
                    counters=self._counters,
                )
                self._sources[command.source] = source
                self._run(self._open(source, command))
            case p.CloseSource():
                self._forget(command.source)
            case p.Listen():
                if (peer := self._peers.get(command.peer)) is not None:
                    peer.listen(self._source(command.source))
            case p.Speak():
                if (peer := self._peers.get(command.peer)) is not None:
                    peer.speak(self._source(command.source))
            case p.ClosePeer():
                closed = self._peers.pop(command.peer, None)
                if closed is not None:
                    self._run(closed.close())
            case p.Configure() | p.Stop():
                raise AssertionError(command)

    def _forget(self, number: int) -> None:
        source = self._sources.pop(number, None)
        if source is not None:
            for peer in self._peers.values():
                peer.forget_source(source)
            source.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("command failed", exc_info=task.exception())

    def _source(self, number: int | None) -> Source | None:
        return None if number is None else self._sources.get(number)

    def _offer(self, command: p.Offer) -> None:
        peer = self._peers.get(command.peer)
        fresh = peer is None or peer.state == "closed"
        if peer is None:
            if len(self._peers) >= self._capacity:
                reason = f"all {self._capacity} places for browsers are taken"
                self._tell(p.OfferRefused(command.request, reason, False))
                return
            peer = self._peers[command.peer] = Peer(
                command.peer, network=self._network, counters=self._counters, tell=self._tell
            )
        if fresh:
            peer.listen(self._source(command.listen))
            peer.speak(self._source(command.speak))
        self._run(self._answer(peer, command))

    async def _answer(self, peer: Peer, command: p.Offer) -> None:
        try:
            answer = await peer.offer(command.sdp)
        except (BadOffer, Unavailable, OSError) as exc:
            self._tell(p.OfferRefused(command.request, str(exc), isinstance(exc, BadOffer)))
        except Exception:
            log.exception("offer failed")
            self._tell(p.OfferRefused(command.request, "The offer could not be answered.", True))
        else:
            self._tell(p.Answer(command.request, answer))
            return
        if peer.state == "new" and self._peers.get(command.peer) is peer:
            del self._peers[command.peer]
            await peer.close()

    async def _open(self, source: Source, command: p.OpenSource) -> None:
        try:
            ip, port = await source.open(command.ip, command.port)
        except (Unavailable, OSError) as exc:
            if self._sources.get(command.source) is source:
                self._forget(command.source)
            self._tell(p.SourceFailed(command.source, str(exc)))
            return
        if self._sources.get(command.source) is not source:  # closed meanwhile
            source.close()
            return
        self._tell(p.SourcePort(command.source, ip, port))

    # The tick.

    def _tick(self) -> None:
        now_s = self._loop.time()
        late_s = now_s - self._due_s
        self._late += late_s > LATE_S
        if late_s > _STALL_TICKS * TICK_S:
            self._due_s = now_s
        self._due_s += TICK_S
        self._timer = self._loop.call_at(self._due_s, self._tick)
        self._ticks += 1
        slot = self._ticks % _REPORT_TICKS
        unix_s = time.time()
        for number, peer in list(self._peers.items()):
            if peer.source is None and peer.hearing:
                peer.rest(now_s=now_s)
            if peer.waits:
                peer.expire(now_s=now_s)
            if number % _REPORT_TICKS == slot:
                peer.report(now_s=now_s, unix_s=unix_s)
                self._sweep(number, peer, now_s)
        if self._ticks % _STATS_TICKS == 0:
            self._tell_stats()

    def _sweep(self, number: int, peer: Peer, now_s: float) -> None:
        """A peer that has said goodbye, or failed and was not brought back, is given up."""
        gone = peer.state == "closed" or (peer.state == "failed" and now_s - peer.since_s > FORGET_S)
        if gone and not peer.closed:
            if peer.state != "closed":
                self._tell(p.PeerState(number, "closed"))
            del self._peers[number]
            self._run(peer.close())

    def _tell_stats(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        heard = self._counters.microphones
        self._tell(
            p.Stats(
                peers=len(self._peers),
                connected=sum(peer.state == "connected" for peer in self._peers.values()),
                sources=len(self._sources),
                rx_pkts=self._counters.rx_pkts,
                tx_pkts=self._counters.tx_pkts,
                encodes=self._counters.encodes,
                decodes=heard.decodes,
                concealed=heard.concealed,
                dropped=self._counters.all_dropped(),
                ticks=self._ticks,
                late_ticks=self._late,
                cpu_s=usage.ru_utime + usage.ru_stime,
            )
        )
