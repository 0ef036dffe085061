"""The owner's end of the WebRTC process: what the rest of the house uses.

The process is replaced when it dies.  Its sources are opened again, on the same ports if they are free
(`SourcePort` tells otherwise), but DTLS keys die with it: every peer is reported as closed, browsers come
back with a new offer, and what each hears and feeds is kept for them until `close`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rooms.webrtc import protocol as p
from rooms.webrtc.errors import BadOffer, Unavailable
from rooms.webrtc.ice import server_arguments
from wire.child import Child

OFFER_S = 10.0
_READY_S = 20.0

Told = p.PeerState | p.PeerStats | p.SourcePort
"""Events for the owner: SourcePort only when a replaced process had to take another port."""


@dataclass(slots=True)
class _Source:
    mixer_ip: str
    mixer_port: int
    ip: str
    port: int = 0
    opening: asyncio.Future[tuple[str, int]] | None = None


@dataclass(slots=True)
class _Peer:
    listen: int | None = None
    speak: int | None = None
    alive: bool = False


class WebRtcClient:
    def __init__(
        self,
        *,
        on_event: Callable[[Told], None],
        hosts: Sequence[p.Host | str],
        ports: tuple[int, int] | None = None,
        servers: Sequence[p.IceServer] = (),
        capacity: int = 2000,
    ) -> None:
        """hosts: addresses to bind for browsers, each with the address to announce if it is another.

        ports: first and last UDP port for browsers (one per browser and host address), None for any.
        servers: STUN and TURN for this server's own candidates.  on_event comes on the event loop.
        Raises ValueError for settings that cannot be.
        """
        if not hosts:
            raise ValueError("browsers need an address to come to: hosts is empty")
        if ports is not None and not 0 < ports[0] <= ports[1] < 65536:
            raise ValueError(f"{ports[0]}-{ports[1]} is no range of UDP ports")
        server_arguments(servers)
        self._settings = p.Configure(
            hosts=[p.Host(host) if isinstance(host, str) else host for host in hosts],
            ports=ports,
            servers=list(servers),
            capacity=capacity,
        )
        self.on_event = on_event
        self._sources: dict[int, _Source] = {}
        self._peers: dict[int, _Peer] = {}
        self._requests: dict[int, asyncio.Future[str]] = {}
        self._next_request = 1
        self._ready = asyncio.Event()
        self._stats: p.Stats | None = None
        self._child: Child[p.Command, p.Event] = Child(
            name="webrtc",
            module="rooms.webrtc.worker",
            decoder=p.event_decoder,
            greeting=self._greeting,
            on_messages=self._take,
            on_lost=self._lost,
            nice=-5,
        )

    # Life.

    async def start(self) -> None:
        """Bring the process up.  Raises Unavailable when it does not come up."""
        await self._child.start()
        try:
            await asyncio.wait_for(self._ready.wait(), _READY_S)
        except TimeoutError:
            await self._child.stop()
            raise Unavailable("the WebRTC process does not start; the log says why") from None

    async def stop(self) -> None:
        """Close all peers and end the process."""
        await self._child.stop([p.Stop()])
        self._fail_waiting("the WebRTC process is stopped")

    @property
    def ready(self) -> bool:
        """Whether the process is there."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def restarts(self) -> int:
        return self._child.restarts

    def stats(self) -> p.Stats | None:
        """Counters of the process, a second old at most; None before the first."""
        return self._stats

    # Peers.

    async def offer(self, peer: int, sdp: str) -> str:
        """Answer a browser's offer: its first, a renegotiation, an ICE restart, or that of a reloaded page.

        Raises BadOffer (a sentence for the browser's log), Unavailable.
        """
        if not self.ready:
            raise Unavailable("the WebRTC process is starting")
        state = self._peers.setdefault(peer, _Peer())
        fresh, state.alive = not state.alive, True
        request, self._next_request = self._next_request, self._next_request + 1
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._requests[request] = answer
        self._child.send(
            p.Offer(request=request, peer=peer, sdp=sdp, listen=state.listen, speak=state.speak)
        )
        try:
            return await asyncio.wait_for(answer, OFFER_S)
        except TimeoutError:
            self._child.send(p.ClosePeer(peer))
            state.alive = False
            raise Unavailable("the WebRTC process did not answer in time") from None
        except (BadOffer, Unavailable):
            if fresh:
                state.alive = False
            raise
        finally:
            self._requests.pop(request, None)

    def listen(self, peer: int, source: int | None) -> None:
        """Let a peer hear a source (together with whoever else hears it), or nothing."""
        state = self._peers.setdefault(peer, _Peer())
        if state.listen != source:
            state.listen = source
            if state.alive:
                self._child.send(p.Listen(peer, source))

    def speak(self, peer: int, source: int | None) -> None:
        """Send a peer's microphone to a source's mixer leg, or nowhere."""
        state = self._peers.setdefault(peer, _Peer())
        if state.speak != source:
            state.speak = source
            if state.alive:
                self._child.send(p.Speak(peer, source))

    def close(self, peer: int) -> None:
        """Forget a peer; nothing more is told of it."""
        state = self._peers.pop(peer, None)
        if state is not None and state.alive:
            self._child.send(p.ClosePeer(peer))

    # Sources.

    async def open_source(
        self, source: int, mixer_ip: str, mixer_port: int, ip: str = "127.0.0.1"
    ) -> tuple[str, int]:
        """Open the endpoint opposite a mixer leg that sends from mixer_ip:mixer_port; (ip, port) for the leg.

        Raises Unavailable.
        """
        if not self.ready:
            raise Unavailable("the WebRTC process is starting")
        assert source not in self._sources, source
        opening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
        self._sources[source] = _Source(mixer_ip, mixer_port, ip, opening=opening)
        self._child.send(p.OpenSource(source, mixer_ip, mixer_port, ip, 0))
        try:
            return await opening
        except BaseException:
            self.close_source(source)
            raise

    def close_source(self, source: int) -> None:
        """Close an endpoint; who heard or fed it hears silence and feeds nothing."""
        if self._sources.pop(source, None) is None:
            return
        for state in self._peers.values():
            if state.listen == source:
                state.listen = None
            if state.speak == source:
                state.speak = None
        self._child.send(p.CloseSource(source))

    # The pipe.

    def _greeting(self) -> list[p.Command]:
        messages: list[p.Command] = [self._settings]
        for number, source in self._sources.items():
            messages.append(p.OpenSource(number, source.mixer_ip, source.mixer_port, source.ip, source.port))
        return messages

    def _lost(self) -> None:
        self._ready.clear()
        self._stats = None
        self._fail_waiting("the WebRTC process ended")
        for number, state in list(self._peers.items()):
            if state.alive:
                state.alive = False
                self.on_event(p.PeerState(number, "closed"))

    def _fail_waiting(self, reason: str) -> None:
        opening = [source.opening for source in self._sources.values()]
        waiting: list[asyncio.Future[Any] | None] = [*self._requests.values(), *opening]
        for future in waiting:
            if future is not None and not future.done():
                future.set_exception(Unavailable(reason))

    def _take(self, events: list[p.Event]) -> None:
        for event in events:
            match event:
                case p.Ready():
                    self._ready.set()
                case p.Stats():
                    self._stats = event
                case p.Answer():
                    answer = self._requests.get(event.request)
                    if answer is not None and not answer.done():
                        answer.set_result(event.sdp)
                case p.OfferRefused():
                    answer = self._requests.get(event.request)
                    if answer is not None and not answer.done():
                        answer.set_exception((BadOffer if event.theirs else Unavailable)(event.reason))
                case p.SourcePort():
                    self._opened(event)
                case p.SourceFailed():
                    source = self._sources.get(event.source)
                    if source is not None and source.opening is not None and not source.opening.done():
                        source.opening.set_exception(Unavailable(event.reason))
                case p.PeerState():
                    state = self._peers.get(event.peer)
                    if state is not None:
                        state.alive = event.state != "closed"
                        self.on_event(event)
                case p.PeerStats():
                    if event.peer in self._peers:
                        self.on_event(event)

    def _opened(self, event: p.SourcePort) -> None:
        source = self._sources.get(event.source)
        if source is None:
            return
        before, source.port = source.port, event.port
        if source.opening is not None:
            opening, source.opening = source.opening, None
            if not opening.done():
                opening.set_result((event.ip, event.port))
        elif before != event.port:
            self.on_event(event)
