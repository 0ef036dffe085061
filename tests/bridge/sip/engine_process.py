"""A SIP engine in a process of its own: pjsua2 allows one endpoint per process, tests want many.

with EngineProcess(SipConfig(port=0)) as engine:
    invited = engine.expect(Invited)
    engine.order("answer", invited.call, LocalMedia(ip="127.0.0.1", port=40000))
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, TypeVar

from bridge.sip.config import SipConfig
from bridge.sip.errors import SipConfigError
from bridge.sip.messages import Invited, LocalMedia, SipEvent

_WAIT_S = 5.0
_Event = TypeVar("_Event")


def _serve(config: SipConfig, pipe: Connection, answer_at_once: bool, faulty: bool) -> None:
    from bridge.sip.engine import SipEngine

    sending = threading.Lock()

    def on_event(event: SipEvent) -> None:
        if faulty and isinstance(event, Invited):
            raise RuntimeError("a listener that fails")
        if answer_at_once and isinstance(event, Invited):
            engine.answer(event.call, _media(event))
        with sending:
            pipe.send(event)

    engine = SipEngine(config, on_event)
    try:
        engine.start()
    except SipConfigError as error:
        pipe.send(error)
        return
    pipe.send((engine.addresses, engine.lines, engine.version))
    while True:
        name, arguments = pipe.recv()
        if name == "stop":
            break
        result = getattr(engine, name)(*arguments)
        if name == "stats":
            with sending:
                pipe.send(result)
    engine.stop()
    with sending:
        pipe.send("stopped")


def _media(invited: Invited) -> LocalMedia:
    return LocalMedia(ip="::1" if invited.media_ip_version == 6 else "127.0.0.1", port=40000)


class EngineProcess:
    """Parent's end: events come out in order, commands go in."""

    def __init__(self, config: SipConfig, *, answer_at_once: bool = False, faulty: bool = False) -> None:
        self._config = config
        self._answer_at_once = answer_at_once
        self._faulty = faulty
        self.events: list[SipEvent] = []
        self.addresses: list[str] = []
        self.lines = 0
        self.version = ""
        self._changed = threading.Condition()
        self._stats: list[dict[str, float]] = []
        self._stopped = threading.Event()

    def __enter__(self) -> EngineProcess:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._config, theirs, self._answer_at_once, self._faulty), daemon=True
        )
        self._process.start()
        theirs.close()
        while not isinstance(first := self._pipe.recv(), tuple | Exception):
            self.events.append(first)
        if isinstance(first, Exception):
            self._process.join(5)
            raise first
        self.addresses, self.lines, self.version = first
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the engine as `serve` would."""
        if self._process.is_alive():
            self._pipe.send(("stop", ()))
            self._stopped.wait(10)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process.pid is not None
        return self._process.pid

    def server(self, transport: str = "udp", *, v6: bool = False) -> tuple[str, int]:
        """Host and port that a transport listens on."""
        for address in self.addresses:
            name, _, kind = address.removeprefix("sip:").partition(";transport=")
            host, _, port = name.rpartition(":")
            if kind == transport and host.startswith("[") == v6:
                return host.strip("[]"), int(port)
        raise AssertionError(f"no {transport} in {self.addresses}")

    def order(self, name: str, *arguments: Any) -> None:
        """Give the engine a command."""
        self._pipe.send((name, arguments))

    def stats(self) -> dict[str, float]:
        """The engine's counters now."""
        with self._changed:
            before = len(self._stats)
            self.order("stats")
            assert self._changed.wait_for(lambda: len(self._stats) > before, _WAIT_S)
            return self._stats[-1]

    def until(self, true: Callable[[dict[str, float]], bool]) -> None:
        """Ask for the counters until they are as wanted; commands are run by another thread."""
        deadline_s = time.monotonic() + _WAIT_S
        while not true(stats := self.stats()):
            assert time.monotonic() < deadline_s, stats

    def expect(self, kind: type[_Event], *, timeout_s: float = _WAIT_S, **fields: Any) -> _Event:
        """The first event of a kind (with these field values) not yet taken; removes it."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for index, event in enumerate(self.events):
                    if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                        del self.events[index]
                        return event
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    raise AssertionError(f"no {kind.__name__} {fields}; got {self.events}")

    def _read(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                return
            with self._changed:
                if message == "stopped":
                    self._stopped.set()
                elif isinstance(message, dict):
                    self._stats.append(message)
                else:
                    self.events.append(message)
                self._changed.notify_all()
