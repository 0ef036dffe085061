"""A PostgreSQL server of the tests' own: made by initdb in a temporary folder, reached over a Unix socket
only.

PostgreSQL refuses to run as root; in a container where we are root it runs as the `postgres` user of the
package. The kernel stops the server when the test process dies, however it dies (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

_PR_SET_PDEATHSIG = 1
_TEMPLATE = "tollbridge_template"


def _binary(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if not candidates:
            raise RuntimeError(f"{name} not found: install postgresql, or run the tests on SQLite")
        found = str(candidates[-1])
    return found


def _server_user() -> str | None:
    """The account to run the server under; None when the current one will do."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("running as root, and there is no user `postgres` to run the server as")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class PostgresServer:
    """One server. `start` and `stop` may be repeated, so that a test can take the database away for a
    while.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tollbridge-pg-"))
        self._user = _server_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._has_template = False

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of the database `name`."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def initialise(self) -> None:
        if self._user is not None:
            shutil.chown(self._folder, user=self._user)
        data = self._folder / "data"
        subprocess.run(
            [
                _binary("initdb"),
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            group=self._group(),
            cwd=self._folder,
        )

    def start(self) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": "100",
            "logging_collector": "off",
        }
        command = [_binary("postgres"), "-D", str(self._folder / "data")]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._group(),
                cwd=self._folder,
                preexec_fn=_die_with_parent,
            )
        deadline_s = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError((self._folder / "server.log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop at once, breaking every connection, as a crash of the machine would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _group(self) -> int | None:
        return None if self._user is None else pwd.getpwnam(self._user).pw_gid

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def database(self, *, migrated: bool) -> Iterator[str]:
        """A fresh database for one test; yields its URL and drops it afterwards."""
        if migrated and not self._has_template:
            from database import migrate

            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            migrate.upgrade(self.url(_TEMPLATE))
            self._has_template = True
        name = self._create(f" TEMPLATE {_TEMPLATE}" if migrated else "")
        try:
            yield self.url(name)
        finally:
            if self._process is None:
                self.start()
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def new_database(self) -> str:
        """The URL of an empty database that lives as long as the server."""
        return self.url(self._create(""))

    def _create(self, how: str) -> str:
        self._made += 1
        name = f"test_{self._made}"
        self._execute(f"CREATE DATABASE {name}{how}")
        return name
