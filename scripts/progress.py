"""Progress of long steps on a terminal or in a log file.

On a terminal one line is rewritten in place; elsewhere (CI) a line is printed at most every ten seconds, so
that a log shows life without thousands of lines.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_LOG_EVERY_S = 10.0


class SetUpError(Exception):
    """A step of the set-up failed; the message is meant for the person at the terminal."""


def say(text: str) -> None:
    """Print one line about what is being done."""
    print(f"• {text}", flush=True)


class Progress:
    """A counter with a known total, shown while it runs: `with Progress("compiling", total=700) as p:`."""

    def __init__(self, title: str, *, total: int) -> None:
        self._title = title
        self._total = max(total, 1)
        self._done = 0
        self._started_s = 0.0
        self._shown_s = 0.0

    def __enter__(self) -> Progress:
        self._started_s = self._shown_s = time.monotonic()
        self._show(force=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._done = self._total
            self._show(force=True)
        if sys.stdout.isatty():
            print(flush=True)

    def step(self, count: int = 1) -> None:
        """Count `count` more units; 0 only refreshes the clock."""
        self._done = min(self._done + count, self._total)
        self._show(force=False)

    def _show(self, *, force: bool) -> None:
        now_s = time.monotonic()
        terminal = sys.stdout.isatty()
        if not force and now_s - self._shown_s < (0.2 if terminal else _LOG_EVERY_S):
            return
        self._shown_s = now_s
        minutes, seconds = divmod(int(now_s - self._started_s), 60)
        percent = 100 * self._done // self._total
        text = f"  {self._title}: {percent:3d} %  {minutes}:{seconds:02d}"
        print(f"\r{text}\x1b[K" if terminal else text, end="" if terminal else "\n", flush=True)


def _tick(progress: Progress, done: threading.Event) -> None:
    """Keep the clock going while a command says nothing."""
    while not done.wait(1.0):
        progress.step(0)


def run(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    counts: str = "",
) -> None:
    """Run a command with its output appended to `log`; lines containing `counts` move the progress.

    Raises:
        SetUpError: the command ended with an error; the last lines of its output are in the message.
    """
    tail: list[str] = []
    with log.open("a", encoding="utf-8", errors="replace") as out:
        out.write(f"$ {' '.join(command)}\n")
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise SetUpError(f"{command[0]}: {error}") from error
        assert process.stdout is not None
        done = threading.Event()
        if progress is not None:
            threading.Thread(target=_tick, args=(progress, done), daemon=True).start()
        for line in process.stdout:
            out.write(line)
            tail = [*tail[-14:], line.rstrip()[:300]]
            if progress is not None and counts and counts in line:
                progress.step()
        done.set()
    if process.wait() != 0:
        raise SetUpError(
            f"{command[0]} ended with {process.returncode}; log: {log}\n    " + "\n    ".join(tail)
        )
