"""An HTTP server on a socket that is bound before anything is served, so that its port is known early."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import uvicorn


class _Quiet(uvicorn.Server):
    """Leaves signals to us: it would close its sockets at once, under calls that are about to be ended."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


class WebServer:
    """One server. Made by `bound`, which closes the socket on the way out."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.port: int = sock.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self.task: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def bound(cls, host: str, port: int) -> AsyncIterator[WebServer]:
        """Bind; `port` 0 takes a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            yield cls(sock)
        finally:
            sock.close()

    async def serve(self, config: uvicorn.Config) -> asyncio.Task[None]:
        """Begin to serve; the task ends when the server does."""
        server = self._server = _Quiet(config)
        self.task = asyncio.create_task(server.serve(sockets=[self._sock]))
        while not server.started:
            if self.task.done():
                await self.task
            await asyncio.sleep(0.01)
        return self.task

    async def stop(self) -> None:
        """Finish what is being answered."""
        if self._server is not None and self.task is not None:
            self._server.should_exit = True
            await self.task
