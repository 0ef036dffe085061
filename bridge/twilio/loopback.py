"""The end of a leg that is not a telephone: a UDP socket on this machine, tied to the mixer's port.

Being connected, it hears nobody but the mixer, whatever the address it is bound to.  RTCP comes from
another port of the mixer, so it never arrives here; how a Twilio call fares is known from its marks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

_HEADER_BYTES = 12
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Loopback(asyncio.DatagramProtocol):
    def __init__(self, on_frame: Callable[[bytes], None]) -> None:
        self._on_frame = on_frame
        self._transport: asyncio.DatagramTransport | None = None
        self.ip, self.port = "", 0

    @classmethod
    async def to(cls, ip: str, port: int, on_frame: Callable[[bytes], None]) -> Loopback:
        """Connect to the mixer's RTP port; `on_frame` gets the payload of every packet. Raises OSError."""
        ip = _LOOPBACK.get(ip, ip)
        sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((ip, 0))
            sock.connect((ip, port))
            self = cls(on_frame)
            self.ip, self.port = sock.getsockname()[:2]
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        except BaseException:
            sock.close()
            raise
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        self._on_frame(data[_HEADER_BYTES:])

    def error_received(self, exc: Exception) -> None:
        """The mixer's port is briefly nobody's when its worker is replaced; sound goes on after it."""

    def send(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(packet)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
