"""ICE (RFC 8445) by aioice, with ports, addresses and a packet path of our own.

Three things differ from `aioice.Connection`:

- Host candidates are on the addresses and in the range of ports that the operator opened, loopback included
  where it is asked for, instead of any port of every interface.  Behind a 1:1 NAT the candidate names the
  announced address (as it would be learned from a STUN server, without one).
- Packets that are not STUN go to a function at once.  The queue and the task that waits at it would cost a
  wake-up per packet; worse, at hundreds of packets a second they would be the larger part of the work.
- End-of-candidates is never told: a browser that hides its addresses behind mDNS names sends none that we
  use, and is found by its own checks, so "no candidates left" is not yet a failure.  A deadline is.

STUN and TURN servers are asked for at most GATHER_S, for a page waits for the answer meanwhile.
"""

from __future__ import annotations

import asyncio
import copy
import random
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

import aioice
import aioice.ice
from aioice.candidate import Candidate, candidate_foundation, candidate_priority

from rooms.webrtc.errors import Unavailable
from rooms.webrtc.protocol import Host, IceServer

GATHER_S = 1.5
_SERVER = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>\[[0-9A-Fa-f:]+\]|[^?:]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
_RECEIVE_BYTES = 1 << 18


class Protocol(aioice.ice.StunProtocol):
    """A socket of ours that aioice reads and we write to."""

    sock: socket.socket


def server_arguments(servers: Sequence[IceServer]) -> dict[str, Any]:
    """aioice's arguments for the first STUN and the first TURN server.  Raises ValueError."""
    arguments: dict[str, Any] = {}
    for server in servers:
        match = _SERVER.fullmatch(server.url)
        if match is None:
            raise ValueError(f"{server.url!r} is not a STUN or TURN address like stun:stun.example.org:3478")
        secure = match["scheme"] == "turns"
        address = (match["host"].strip("[]"), int(match["port"] or (5349 if secure else 3478)))
        if match["scheme"] == "stun":
            arguments.setdefault("stun_server", address)
        elif "turn_server" not in arguments:
            arguments |= {
                "turn_server": address,
                "turn_username": server.username,
                "turn_password": server.credential,
                "turn_ssl": secure,
                "turn_transport": match["transport"] or ("tcp" if secure else "udp"),
            }
    return arguments


class Connection(aioice.Connection):
    """One ICE session; a restart is another one."""

    def __init__(
        self,
        *,
        hosts: Sequence[Host],
        ports: tuple[int, int] | None,
        servers: dict[str, Any],
        on_packet: Callable[[bytes], None],
        on_closed: Callable[[Connection], None],
        controlling: bool = False,
    ) -> None:
        super().__init__(ice_controlling=controlling, **servers)
        self._hosts, self._ports = hosts, ports
        self._on_packet, self._on_closed = on_packet, on_closed
        self.checks = 0
        """STUN requests of the other side: its checks and its consent."""
        self._pair: Any = None
        self._way: tuple[Callable[[bytes, tuple[str, int]], Any], tuple[str, int]] | None = None

    @property
    def announced(self) -> list[Candidate]:
        """Local candidates as the browser shall see them, best first."""
        public = {host.ip: host.announced for host in self._hosts if host.announced is not None}
        told: list[Candidate] = []
        for candidate in self.local_candidates:
            if candidate.type == "host" and candidate.host in public:
                candidate = copy.copy(candidate)
                candidate.host = public[candidate.host]
            told.append(candidate)
        return sorted(told, key=lambda candidate: -candidate.priority)

    @property
    def remote(self) -> tuple[str, int] | None:
        """Where packets are sent now."""
        pair = self._nominated.get(1)
        return None if pair is None else pair.remote_addr

    def send_now(self, data: bytes) -> bool:
        """Send a datagram; False when there is no way, or no room in the socket: then it is dropped."""
        pair = self._nominated.get(1)
        if pair is not self._pair:
            self._pair, self._way = pair, None
            if pair is not None:
                protocol = pair.protocol
                send = protocol.sock.sendto if isinstance(protocol, Protocol) else protocol.transport.sendto
                self._way = (send, pair.remote_addr)
        if self._way is None:
            return False
        try:
            self._way[0](data, self._way[1])
        except OSError:
            return False
        return True

    def data_received(self, data: bytes, component: int) -> None:  # noqa: ARG002
        self._on_packet(data)

    def request_received(self, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        self.checks += 1
        super().request_received(message, addr, protocol)

    async def close(self) -> None:
        """Also called by aioice when consent has expired (RFC 7675)."""
        await super().close()
        self._on_closed(self)

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],  # noqa: ARG002
        timeout: int = 5,  # noqa: ARG002
    ) -> list[Candidate]:
        protocols = [await self._open(component, host.ip) for host in self._hosts]
        self._protocols += protocols
        candidates = [protocol.local_candidate for protocol in protocols]
        tasks: list[asyncio.Task[Any]] = []
        if self.stun_server:
            tasks += [
                asyncio.create_task(aioice.ice.server_reflexive_candidate(protocol, self.stun_server))
                for protocol in protocols
                if ":" not in protocol.local_candidate.host
                and not protocol.local_candidate.host.startswith("127.")
            ]
        if self.turn_server:
            tasks.append(asyncio.create_task(self._relayed(component)))
        if tasks:
            done, pending = await asyncio.wait(tasks, timeout=GATHER_S)
            for task in pending:
                task.cancel()
            for task in done:
                if task.exception() is None:
                    candidate, relay = task.result()
                    candidates.append(candidate)
                    if relay is not None:
                        self._protocols.append(relay)
        return candidates

    async def _relayed(self, component: int) -> Any:
        assert self.turn_server is not None
        return await aioice.ice.relayed_candidate(
            component=component,
            hide_related_address=False,
            protocol_factory=lambda: aioice.ice.StunProtocol(self),
            turn_server=self.turn_server,
            turn_username=self.turn_username,
            turn_password=self.turn_password,
            turn_ssl=self.turn_ssl,
            turn_transport=self.turn_transport,
        )

    async def _open(self, component: int, ip: str) -> Protocol:
        sock = open_socket(ip, self._ports)
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: Protocol(self), sock=sock)
        protocol.sock = sock
        # Equal preference for all of them would make the order of IPv4 and IPv6 a matter of luck.
        preference = 65535 - next(i for i, host in enumerate(self._hosts) if host.ip == ip)
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", ip),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host", preference),
            host=ip,
            port=sock.getsockname()[1],
            type="host",
        )
        return protocol


def open_socket(ip: str, ports: tuple[int, int] | None) -> socket.socket:
    """A non-blocking UDP socket on a free port of the range.  Raises Unavailable."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    tried = [0]
    if ports is not None:
        first, last = ports
        start = random.randrange(first, last + 1)
        tried = [*range(start, last + 1), *range(first, start)]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    problem: OSError | None = None
    for port in tried:
        try:
            sock.bind((ip, port))
        except OSError as exc:
            problem = exc
        else:
            return sock
    sock.close()
    where = "" if ports is None else f" between {ports[0]} and {ports[1]}"
    raise Unavailable(f"no free UDP port on {ip}{where}: {problem}")
