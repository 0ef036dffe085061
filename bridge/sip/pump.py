"""The thread that owns pjsua2: waits for the network or for a command, whichever comes first.

pjsip's epoll descriptor is waited for together with an eventfd that commands write to, so neither a packet
nor a command waits for the other's poll. pjsip's timers (retransmissions, session timers) are looked at
every 10 ms. Where the library does not hand out its descriptor (older wheels), it is polled in slices of 3
ms instead.
"""
# ruff: noqa: N802 - pjsua2's names

from __future__ import annotations

import contextlib
import ctypes
import heapq
import itertools
import os
import select
from collections import deque
from collections.abc import Callable
from typing import Protocol

_TICK_S = 0.010
_SLICE_MS = 3
_BATCH_MAX = 64


class EventSource(Protocol):
    """The part of pjsua2's Endpoint that a pump needs."""

    def libHandleEvents(self, msec_timeout: int) -> int:
        """Handle what is there, wait up to `msec_timeout` if nothing is; the number of events handled."""


class Pump:
    """Commands from other threads, timers of our own, and pjsip's events, all on one thread."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._commands: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll: select.epoll | None = None
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.busy_ms_max = 0.0

    def attach(self, endpoint: object) -> None:
        """Find the library's descriptor; call it once, after libStart."""
        handle = getattr(endpoint, "libGetSipIoqueueHandle", None)
        pointer = int(handle()) if handle is not None else 0
        if not pointer:
            return
        descriptor = ctypes.c_int.from_address(pointer).value
        poll = select.epoll()
        try:
            poll.register(descriptor, select.EPOLLIN)
            poll.register(self._wake, select.EPOLLIN)
        except OSError:
            poll.close()
            return
        self._poll = poll

    def post(self, command: Callable[[], None]) -> None:
        """Run a command on the pump's thread soon. From any thread."""
        self._commands.append(command)
        os.eventfd_write(self._wake, 1)

    def later(self, at_s: float, action: Callable[[], None]) -> None:
        """Run an action at a time of the clock. On the pump's thread only."""
        heapq.heappush(self._timers, (at_s, next(self._order), action))

    def turn(self, endpoint: EventSource) -> None:
        """Wait once and do everything that is due."""
        if self._poll is None:
            endpoint.libHandleEvents(0 if self._commands else _SLICE_MS)
        elif not self._commands:
            self._poll.poll(_TICK_S)
        started_s = self._clock()
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        for _ in range(_BATCH_MAX):
            if endpoint.libHandleEvents(0) <= 0:
                break
        for _ in range(len(self._commands)):
            self._commands.popleft()()
        while self._timers and self._timers[0][0] <= started_s:
            heapq.heappop(self._timers)[2]()
        self.busy_ms_max = max(self.busy_ms_max, (self._clock() - started_s) * 1000)

    def close(self) -> None:
        """Release the descriptors."""
        if self._poll is not None:
            self._poll.close()
            self._poll = None
        os.close(self._wake)
