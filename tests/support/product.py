"""The whole product as a subprocess, the way `make run` starts it, on free ports of loopback."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import httpx

ROOT = Path(__file__).parents[2]
_START_S = 60.0


def free_port(*, kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A port that nobody uses at the moment, for UDP and TCP; none that the system gives to whoever asks for
    any, since a product that is killed wants its port again.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 22_000)
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_INET, kind) as probe,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            probe.bind((host, port))
            udp.bind((host, port))
            return port


def free_udp_range(pairs: int) -> tuple[int, int]:
    """First and last port of a free even-odd range."""
    offset = os.getpid() * 2 * pairs % 10_700 // 2 * 2
    for start in range(22000, 32_700 - 2 * pairs, 2 * pairs):
        first = 22000 + (start - 22000 + offset) % (10_700 - 2 * pairs) // 2 * 2
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + 2 * pairs):
                    sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first, first + 2 * pairs - 1
    raise AssertionError("no free UDP ports")


class Product:
    """`tollbridge serve` with a data folder of its own.

    with Product(tmp_path) as product:
        product.sip, product.presenter_pin, product.get("/v1/ping") …
    """

    new_database: ClassVar[Callable[[], str] | None] = None
    """Where products without a database of their own get one; None: SQLite in the data folder."""

    def __init__(self, folder: Path, *, prompt_cache: Path | None = None, **settings: str) -> None:
        """settings: names without the prefix, such as media_timeout_s="5"."""
        self.folder, self.prompt_cache = folder, prompt_cache
        self.http_port, self.sip_port = free_port(), free_port()
        first, last = free_udp_range(16)
        self._environment = dict(
            os.environ,
            PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "platform"))),
            TOLLBRIDGE_DATA_DIR=str(folder / "data"),
            TOLLBRIDGE_HTTP_PORT=str(self.http_port),
            TOLLBRIDGE_SIP_PORT=str(self.sip_port),
            TOLLBRIDGE_SANDBOX_PORT="0",
            TOLLBRIDGE_RTP_PORTS=f"{first}-{last}",
            TOLLBRIDGE_NODE_ID="test",
            **{f"TOLLBRIDGE_{name.upper()}": value for name, value in settings.items()},
        )
        if Product.new_database is not None:
            self._environment.setdefault("TOLLBRIDGE_DATABASE_URL", Product.new_database())
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self.api_key = self.room = self.presenter_pin = self.listener_pin = ""

    @property
    def sip(self) -> tuple[str, int]:
        return ("127.0.0.1", self.sip_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def database_url(self) -> str:
        """Its database, for a look from outside."""
        path = self.folder / "data" / "tollbridge.db"
        return self._environment.get("TOLLBRIDGE_DATABASE_URL", f"sqlite:///{path}")

    @property
    def text(self) -> str:
        """Everything it printed and logged so far."""
        return "".join(self.output)

    def start(self) -> None:
        """Start and wait until it says that it is up."""
        self._share_prompts()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tollbridge", "serve"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        begun = len(self.output)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.wait_for(
            lambda: "Tollbridge is up." in "".join(self.output[begun:]), "the start", within_s=_START_S
        )
        time.sleep(0.05)  # the rest of the banner is one write
        self._note_secrets("".join(self.output[begun:]))

    def _share_prompts(self) -> None:
        """Use prompts that another product of this test run has spoken before."""
        own = self.folder / "data" / "cache"
        if self.prompt_cache is not None and not own.exists():
            own.mkdir(parents=True)
            self.prompt_cache.mkdir(parents=True, exist_ok=True)
            (own / "prompts").symlink_to(self.prompt_cache, target_is_directory=True)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)

    def _note_secrets(self, banner: str) -> None:
        for name, label in (
            ("api_key", "API key"),
            ("room", "room"),
            ("presenter_pin", "presenter PIN"),
            ("listener_pin", "listener PIN"),
        ):
            found = re.search(rf"^\s+{label}\s+(\S+)", banner, re.MULTILINE)
            if found:
                setattr(self, name, found[1])

    def command(self, *words: str) -> str:
        """What another command prints, given with the same settings, such as ("cdr", "export")."""
        done = subprocess.run(
            [sys.executable, "-m", "tollbridge", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL to the main process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def worker_pids(self) -> list[int]:
        """Process ids of the media worker."""
        return self.children("bridge.mixer.worker")

    def children(self, module: str) -> list[int]:
        """Process ids of its processes that run a module of ours."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = []
        for pid in children.split():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if module.encode() in words:
                    found.append(int(pid))
        return found

    def __enter__(self) -> Product:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()

    def wait_for(self, condition: Any, what: str, *, within_s: float = 10.0) -> Any:
        """The first true value of `condition()`; fails with what was printed when there is none in time."""
        until = time.monotonic() + within_s
        while True:
            value = condition()
            if value:
                return value
            ended = self.process is not None and self.process.poll() is not None
            assert time.monotonic() < until, f"{what} did not come:\n{self.text[-4000:]}"
            assert not ended, f"the product ended before {what} came:\n{self.text[-4000:]}"
            time.sleep(0.02)

    # Its HTTP API, as the organiser of the demo room.

    def get(self, path: str, **options: Any) -> Any:
        """The JSON (or text) of an answer that must be 200."""
        answer = httpx.get(self.url + path, headers={"X-Api-Key": self.api_key}, **options)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        kind = answer.headers["content-type"]
        return answer.json() if kind.startswith("application/json") else answer.text

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return httpx.request(method, self.url + path, headers={"X-Api-Key": self.api_key}, json=body)

    @property
    def demo(self) -> Room:
        """The room that an empty database gets."""
        return Room(self, self.room, presenter_pin=self.presenter_pin, listener_pin=self.listener_pin)

    def new_room(self, name: str, **wishes: Any) -> Room:
        """An event of its own."""
        answer = self.send("POST", "/v1/conferences", {"name": name, "permanent_room": 1, **wishes})
        assert answer.status_code == 201, answer.text
        made = answer.json()["room"]
        return Room(
            self,
            str(made["id"]),
            presenter_pin=str(made["phone_presenter_pin"]),
            listener_pin=str(made["phone_listener_pin"]),
        )

    def live(self) -> Any:
        """State of the demo room."""
        return self.demo.live()

    def order(self, command: str, **values: str) -> httpx.Response:
        """A live command to the demo room."""
        return self.demo.order(command, **values)

    def people(self) -> list[Any]:
        return self.demo.people()

    def cdrs(self, session: int | str | None = None) -> list[Any]:
        """Call records of a session of the demo room, by default of the latest."""
        return self.demo.cdrs(session)


@dataclass(frozen=True, slots=True)
class Room:
    """One event of a product, as its organiser sees it over HTTP."""

    product: Product
    id: str
    presenter_pin: str = field(kw_only=True, repr=False)
    listener_pin: str = field(kw_only=True, repr=False)

    @property
    def path(self) -> str:
        return f"/v1/conferences/{self.id}"

    def facts(self) -> Any:
        """The event as its organiser reads it."""
        return self.product.get(self.path)["conference"]

    def live(self) -> Any:
        """The room now."""
        return self.product.get(f"{self.path}/live")

    def people(self) -> list[Any]:
        return list(self.live()["participants"])

    def order(self, command: str, **values: str) -> httpx.Response:
        """A live command; the answer must be 200."""
        answer = self.product.send("POST", f"{self.path}/live", {"command": command, **values})
        assert answer.status_code == 200, answer.text
        return answer

    def becomes(self, **values: Any) -> None:
        """Wait until the live room shows these values, such as `locked=True`."""
        self.product.wait_for(
            lambda: {name: self.live()[name] for name in values} == values, f"{values} in the room"
        )

    def sessions(self) -> list[Any]:
        """Runs of the event, newest first."""
        return list(self.product.get(f"{self.path}/sessions"))

    def cdrs(self, session: int | str | None = None) -> list[Any]:
        """Call records of a session, by default of the latest; none before there is one."""
        if session is None:
            runs = self.sessions()
            if not runs:
                return []
            session = runs[0]["id"]
        return list(self.product.get(f"{self.path}/sessions/{session}/cdr"))

    def finished_cdrs(self, count: int) -> list[Any]:
        """The records of the latest session, once there are so many."""
        return list(
            self.product.wait_for(lambda: len(r := self.cdrs()) >= count and r, f"{count} call records")
        )
