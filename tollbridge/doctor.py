"""`tollbridge doctor`: what on this machine would keep calls from working, and what to do about it.

Each check is a function from the settings to findings; none changes anything that stays. What another
process must be asked (pjsua2, which can crash) runs in a process of its own. A check that fails in a way
nobody thought of becomes a finding itself, so that the others are still told.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.exc import SQLAlchemyError

from bridge.ivr.prompts.library import PromptLibrary
from bridge.numbers import NumberBook, NumberBookError
from database import migrate
from database.engine import create_engine, make_sessions
from events.models import EventRevision
from tollbridge import clocks
from tollbridge.settings import Settings, unknown_environment

DISK_FREE_MIN_BYTES = 100 * 1024**2
DISK_FREE_GOOD_BYTES = 1024**3
SOCKET_BUFFER_GOOD_BYTES = 4 * 1024**2
FEW_LINES = 16
_PJSUA2 = """
import json, os, pjsua2
endpoint = pjsua2.Endpoint(); endpoint.libCreate()
print(json.dumps([endpoint.libVersion().full, int(pjsua2.EpConfig().uaConfig.maxCalls)]), flush=True)
os._exit(0)
"""


class State(StrEnum):
    """`fail`: calls will not work; `warn`: they will, but look at it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `advice` says what to do when it is not ok."""

    name: str
    state: State
    text: str
    advice: str = ""

    @property
    def is_failure(self) -> bool:
        return self.state is State.FAIL

    def line(self) -> str:
        """For a terminal."""
        advice = f"\n         → {self.advice}" if self.advice else ""
        return f"{self.state:<4} {self.name}: {self.text}{advice}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which things are needed."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(settings)
        except Exception as exc:
            name = check.__name__.strip("_")
            findings.append(Finding(name=name, state=State.FAIL, text=f"could not be checked: {exc!r}"))
    return findings


def _settings(_settings: Settings) -> Iterator[Finding]:
    slips = unknown_environment(os.environ)
    for slip in slips:
        yield Finding(name="settings", state=State.WARN, text=slip, advice="correct or remove the variable")
    if not slips:
        yield Finding(name="settings", state=State.OK, text="can be used")


def _pjsua2(settings: Settings) -> Iterator[Finding]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PJSUA2], capture_output=True, text=True, timeout=30, check=False
        )
        version, lines = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        yield Finding(
            name="pjsua2",
            state=State.FAIL,
            text="cannot be loaded, so no call can be answered",
            advice="run `make pjsua2`, and read what it says",
        )
        return
    if lines <= FEW_LINES:
        yield Finding(
            name="pjsua2",
            state=State.WARN,
            text=f"{version}, {lines} lines",
            advice="this one is compiled for a handful of calls; run `make pjsua2` to build it for thousands",
        )
    elif lines < settings.max_calls:
        yield Finding(
            name="pjsua2",
            state=State.WARN,
            text=f"{version}, {lines} lines, fewer than max_calls {settings.max_calls}",
            advice=f"set TOLLBRIDGE_MAX_CALLS to {lines} or less, or build pjsua2 with more",
        )
    else:
        yield Finding(name="pjsua2", state=State.OK, text=f"{version}, {lines} lines")


def _ports(settings: Settings) -> Iterator[Finding]:
    running = _is_running(settings)
    stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
    wanted = [("web server", "TOLLBRIDGE_HTTP_PORT", settings.http_host, [settings.http_port], stream)]
    for host in settings.sip_host:
        wanted.append(("SIP over UDP", "TOLLBRIDGE_SIP_PORT", host, [settings.sip_port], datagram))
        wanted.append(("SIP over TCP", "TOLLBRIDGE_SIP_PORT", host, [settings.sip_port], stream))
        if settings.tls_certificate is not None:
            wanted.append(("SIP over TLS", "TOLLBRIDGE_SIP_TLS_PORT", host, [settings.sip_tls_port], stream))
    first, last = settings.rtp_ports
    for host in settings.media_binds:
        wanted.append(("sound", "TOLLBRIDGE_RTP_PORTS", host, list(range(first, last + 1)), datagram))
    for what, name, host, ports, kind in wanted:
        taken = [(port, reason) for port in ports if (reason := _why_not(host, port, kind)) is not None]
        shown = f"{host} port {ports[0]}" + (f"-{ports[-1]}" if len(ports) > 1 else "")
        if not taken:
            yield Finding(name="ports", state=State.OK, text=f"{what}: {shown} can be had")
        elif running:
            yield Finding(
                name="ports", state=State.OK, text=f"{what}: {shown} is in use; Tollbridge is running"
            )
        else:
            port, reason = taken[0]
            yield Finding(
                name="ports",
                state=State.FAIL,
                text=f"{what}: {host} port {port}: {reason}",
                advice=f"end what uses it, or set {name} to a free one",
            )


def _is_running(settings: Settings) -> bool:
    """Whether a Tollbridge answers at our web address already."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    try:
        with opener.open(f"http://{host}:{settings.http_port}/healthz", timeout=2) as answer:
            return "checks" in json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code == 503
    except (OSError, ValueError):
        return False


def _why_not(host: str, port: int, kind: socket.SocketKind) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def _numbers(settings: Settings) -> Iterator[Finding]:
    path = settings.numbers_file or NumberBook.default_path()
    try:
        book = NumberBook.load(path)
    except NumberBookError as exc:
        yield Finding(name="numbers", state=State.FAIL, text=str(exc), advice=f"correct {path}")
        return
    yield Finding(name="numbers", state=State.OK, text=f"{len(book.numbers)} dial-in numbers")


def _prompts(settings: Settings) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as cache:
        library = PromptLibrary(cache_dir=Path(cache), recordings_dir=settings.recordings_of_prompts)
        problems = library.check()
    for problem in problems:
        yield Finding(
            name="prompts",
            state=State.FAIL,
            text=problem,
            advice="install the packages of this version again, or correct the recording",
        )
    if not problems:
        yield Finding(
            name="prompts", state=State.OK, text=f"can be spoken in {len(library.languages())} languages"
        )


def _database(settings: Settings) -> Iterator[Finding]:
    url = settings.database
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield Finding(name="database", state=State.OK, text=f"{shown} will be made at the first start")
        return
    try:
        revision = migrate.current(url)
        if revision is None or revision == migrate.head():
            yield from _writable(settings, shown, revision)
            return
    except SQLAlchemyError as exc:
        yield Finding(
            name="database",
            state=State.FAIL,
            text=f"{shown} cannot be reached: {_cause(exc)}",
            advice="start the database server, or correct TOLLBRIDGE_DATABASE_URL",
        )
        return
    yield Finding(
        name="database",
        state=State.WARN,
        text=f"{shown} has revision {revision}, not {migrate.head()}",
        advice="make a copy of it, then run `tollbridge db upgrade`; `serve` does it, too",
    )


def _writable(settings: Settings, shown: str, revision: str | None) -> Iterator[Finding]:
    engine = create_engine(settings.database)
    try:
        with make_sessions(engine)() as session:
            if revision is None:
                session.execute(text("CREATE TABLE tollbridge_doctor (id INTEGER)"))
            else:
                session.execute(update(EventRevision).values(value=EventRevision.value))
            session.rollback()
    except SQLAlchemyError as exc:
        yield Finding(
            name="database",
            state=State.FAIL,
            text=f"{shown} cannot be written: {_cause(exc)}",
            advice="give this user the right to write, or make room on its disk",
        )
        return
    finally:
        engine.dispose()
    yield Finding(
        name="database", state=State.OK, text=f"{shown}, revision {revision or 'none yet'}, can be written"
    )


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as exc:
        yield Finding(
            name="disk",
            state=State.FAIL,
            text=f"nothing can be written in {folder}: {exc.strerror}",
            advice="correct the rights of the folder, or set TOLLBRIDGE_DATA_DIR to another one",
        )
        return
    free = shutil.disk_usage(folder).free
    state = (
        State.OK
        if free >= DISK_FREE_GOOD_BYTES
        else State.WARN
        if free >= DISK_FREE_MIN_BYTES
        else State.FAIL
    )
    yield Finding(
        name="disk",
        state=state,
        text=f"{free / 1024**3:.1f} GiB free in {folder}",
        advice="" if state is State.OK else "make room: call records are kept here when the database is away",
    )


def _clock(_settings: Settings) -> Iterator[Finding]:
    problem = clocks.wall_clock_problem()
    if problem is not None:
        yield Finding(
            name="clock",
            state=State.WARN,
            text=problem,
            advice="let NTP set the clock (`timedatectl set-ntp true`): bills depend on it",
        )
    late_ms = clocks.worst_wakeup_ms()
    if late_ms > clocks.WAKEUP_GOOD_MS:
        yield Finding(
            name="clock",
            state=State.WARN,
            text=f"a sleep of 20 ms ended up to {late_ms:.0f} ms late",
            advice="this machine is busy or throttled; sound will have gaps",
        )
    elif problem is None:
        yield Finding(
            name="clock", state=State.OK, text=f"sane; a sleep of 20 ms ends at most {late_ms:.1f} ms late"
        )


def _limits(settings: Settings) -> Iterator[Finding]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.rtp_ports[1] - settings.rtp_ports[0] + settings.max_calls + 256
    if files != resource.RLIM_INFINITY and files < needed:
        yield Finding(
            name="limits",
            state=State.WARN,
            text=f"{files} open files allowed, {needed} may be needed",
            advice=f"raise it (`ulimit -n {needed}`, or LimitNOFILE in the unit file)",
        )
    buffer = _kernel_number("/proc/sys/net/core/rmem_max")
    if buffer is not None and buffer < SOCKET_BUFFER_GOOD_BYTES and settings.max_calls > 100:
        yield Finding(
            name="limits",
            state=State.WARN,
            text=f"sockets may buffer {buffer} bytes only",
            advice=f"for hundreds of calls: sysctl net.core.rmem_max={SOCKET_BUFFER_GOOD_BYTES}",
        )


def _kernel_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _settings, _pjsua2, _ports, _numbers, _prompts, _database, _disk, _clock, _limits,
)  # fmt: skip
