"""The process's end of the pipe to its owner, for processes that run an event loop.

The end of the pipe is the end of the owner, and so of the process: `closed` is set, and whoever runs the
process returns.  What it says in one turn of the loop goes out as one frame.  An owner that does not read
64 MB is not there any more either.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from wire.child import Decoder
from wire.frames import FrameReader, frame

_BACKLOG_BYTES_MAX = 64 << 20

C = TypeVar("C")
E = TypeVar("E", bound=msgspec.Struct)


class Parent(asyncio.Protocol, Generic[C, E]):
    """The owner, as its process sees it.  C: messages from it; E: messages to it."""

    def __init__(self, decoder: Decoder[C], on_message: Callable[[C], None]) -> None:
        self._decoder, self._on_message = decoder, on_message
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None
        self._queue: list[E] = []
        self._loop = asyncio.get_running_loop()
        self.closed = asyncio.Event()

    async def connect(self, fd: int) -> None:
        """Take over the inherited socket."""
        await self._loop.connect_accepted_socket(lambda: self, socket.socket(fileno=fd))

    def send(self, message: E) -> None:
        """Tell the owner."""
        self._queue.append(message)
        if len(self._queue) == 1:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits now, not at the end of this turn of the loop."""
        queue, self._queue = self._queue, []
        if not queue or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(frame(queue))
        if self._transport.get_write_buffer_size() > _BACKLOG_BYTES_MAX:
            self.closed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's are of no such class

    def data_received(self, data: bytes) -> None:
        for body in self._reader.feed(data):
            for message in self._decoder.decode(body):
                self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.closed.set()
