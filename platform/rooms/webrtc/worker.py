"""The WebRTC process: `python -m rooms.webrtc.worker DESCRIPTION`, started by `client`.

Its first message is `Configure`; when that cannot be carried out (no libopus, a server's address that is
none) it says why on the log and ends.  The end of the pipe is the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys

import structlog
import uvloop

from rooms.webrtc import protocol as p
from rooms.webrtc.core import Core
from wire.parent import Parent

log = structlog.get_logger(__name__)


async def run(fd: int) -> None:
    """Serve the owner at the other end of this socket until told to stop or left alone."""
    core: Core | None = None

    def take(command: p.Command) -> None:
        nonlocal core
        if isinstance(command, p.Configure):
            core = Core(command, parent.send)
            core.start()
            parent.send(p.Ready(os.getpid()))
        elif isinstance(command, p.Stop):
            parent.closed.set()
        else:
            assert core is not None
            core.apply(command)

    parent: Parent[p.Command, p.Event] = Parent(p.command_decoder, take)
    await parent.connect(fd)
    gc.collect()
    gc.freeze()  # what is here now stays: collections need not look at it
    await parent.closed.wait()
    if core is not None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(core.stop(), 1.0)


def main() -> None:
    """Entry point.  DESCRIPTION is JSON: {"pipe": descriptor}."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the owner decides when to stop, and its end is ours
    uvloop.run(run(json.loads(sys.argv[1])["pipe"]))


if __name__ == "__main__":
    main()
