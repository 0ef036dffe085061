"""The owner's end of a process that is kept alive.

The process is `python -m MODULE DESCRIPTION`, where DESCRIPTION is JSON that holds the number of an inherited
socket ("pipe") and whatever else its owner wants everybody who may list processes to see: secrets go through
the pipe.  A process that ends although nobody asked is replaced: at once, or after a pause when it had not
lived long.  The owner is asked for a greeting, the messages a new process must know first; what was sent
while none was there is not queued, because the greeting says it.

A process that no longer reads is as good as dead: when more than `backlog_bytes_max` wait for it, it is
killed and replaced.  So nothing here grows without bound, and nothing is dropped silently.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from wire.frames import FrameReader, WireError, frame

log = structlog.get_logger(__name__)

_STEADY_S = 5.0
_RESTART_PAUSE_S = 1.0
_STOP_S = 2.0
_SOCKET_BYTES = 1 << 20
_BACKLOG_BYTES_MAX = 64 << 20

C = TypeVar("C", bound=msgspec.Struct)
E = TypeVar("E")


class Decoder(Protocol[E]):
    """What `msgspec.msgpack.Decoder(list[Event])` is."""

    def decode(self, data: bytes, /) -> list[E]: ...


class Child(Generic[C, E]):
    """A process kept alive.  C: messages to it; E: messages from it."""

    def __init__(
        self,
        *,
        name: str,
        module: str,
        decoder: Decoder[E],
        greeting: Callable[[], Sequence[C]],
        on_messages: Callable[[list[E]], None],
        on_lost: Callable[[], None],
        description: Mapping[str, Any] | None = None,
        inherited: Sequence[int] = (),
        nice: int = 0,
        backlog_bytes_max: int = _BACKLOG_BYTES_MAX,
    ) -> None:
        """Callbacks come on the event loop.  on_lost: the process ended though it was not told to.

        inherited: more descriptors to hand down.  nice: wished priority; without the privilege, none.
        """
        self.name = name
        self._module = module
        self._decoder = decoder
        self._greeting = greeting
        self._on_messages, self._on_lost = on_messages, on_lost
        self._description = dict(description or {})
        self._inherited = tuple(inherited)
        self._nice = nice
        self._backlog_bytes_max = backlog_bytes_max
        self._queue: list[C] = []
        self._flushing = False
        self._transport: asyncio.WriteTransport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._stopping = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def status(self) -> int | None:
        """Exit status of the last process, None while it runs; negative: the signal that ended it."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        """Bring the process up and keep it up.  Returns once it has been launched and greeted."""
        self._gone.clear()
        await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self, last: Sequence[C] = ()) -> None:
        """Send the last messages, close the pipe, wait for the end; after two seconds, insist."""
        self._stopping = True
        for message in last:
            self.send(message)
        self._flush()
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._kill()
                await self._process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    def send(self, message: C) -> None:
        """Send with whatever else is said in this turn of the loop.  Without a process: nothing."""
        if self._transport is None:
            return
        self._queue.append(message)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        queue, self._queue = self._queue, []
        if not queue or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(frame(queue))
        backlog = self._transport.get_write_buffer_size()
        if backlog > self._backlog_bytes_max:
            log.error("process does not read", name=self.name, backlog=backlog)
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await self._gone.wait()
            assert self._process is not None
            if not self._stopping:
                self._kill()  # a pipe that closed first: nobody could reach it any more
            status = await self._process.wait()
            self._transport = None
            if self._stopping:
                return
            self.restarts += 1
            log.error("process ended", name=self.name, status=status, restarts=self.restarts)
            self._on_lost()
            if loop.time() - begun < _STEADY_S and self.restarts > 1:
                await asyncio.sleep(_RESTART_PAUSE_S)
            self._gone.clear()
            await self._launch()

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        environment["OPENBLAS_NUM_THREADS"] = "1"  # threads for small arrays would only contend
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                json.dumps({**self._description, "pipe": theirs.fileno()}),
                pass_fds=[theirs.fileno(), *self._inherited],
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        if self._nice:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._nice)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(lambda: _Pipe(self._take, self._gone), ours)
        self._transport = transport
        self._queue.clear()
        transport.write(frame(list(self._greeting())))

    def _take(self, body: bytes) -> None:
        self._on_messages(self._decoder.decode(body))


class _Pipe(asyncio.Protocol):
    def __init__(self, take: Callable[[bytes], None], gone: asyncio.Event) -> None:
        self._take, self._gone = take, gone
        self._reader = FrameReader()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._reader.feed(data):
                self._take(body)
        except (WireError, msgspec.MsgspecError):
            log.exception("process talks nonsense")
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._gone.set()
