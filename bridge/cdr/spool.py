"""The local journal: every change of every call record, on disk before anything else happens to it.

Theory.  An append-only file of lines survives what a database connection does not.  A line is one JSON
object; only a line that ends in a newline counts, so a torn last line is as if it had never been begun.
Files ("segments") are numbered; the newest is written, the older ones wait until the database has them.
When a segment has grown by `segment_bytes`, the next one begins with a copy of the calls that are still up,
so that a segment whose lines are all delivered can be deleted and the newest files alone tell what was up.

    {"v":1,"op":"boot","boot_id":…,"node_id":…}     first line of a segment
    {"v":1,"op":"open","facts":{…}}                 a call began, or its facts grew; the last one counts
    {"v":1,"op":"close","facts":{…}}                the call is over

Written by one thread (`Spool`), read by another (`read_lines`) up to the length that was synced.  A write
that fails half-way (disk full) is cut off again, which needs no space.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bridge.cdr.errors import SpoolFolderError, SpoolInUseError
from bridge.cdr.record import CallFacts

VERSION = 1


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the journal."""

    v: int
    op: Literal["boot", "open", "close"]
    facts: CallFacts | None = None
    boot_id: str | None = None
    node_id: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode(line: Line) -> bytes:
    """One line with its newline."""
    return _encoder.encode(line) + b"\n"


def decode(raw: bytes) -> Line:
    """The line, newline or not. Raises ValueError for anything we did not write."""
    try:
        line = _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError) as exc:
        raise ValueError(f"not a journal line: {exc}") from exc
    if line.v != VERSION or (line.op != "boot") != (line.facts is not None):
        raise ValueError(f"a journal line of version {line.v}, op {line.op}")
    return line


def read_lines(path: Path, *, offset: int, limit: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Complete lines from `offset` on, each with the offset after it; nothing at or beyond `limit`."""
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            offset += len(raw)
            if not raw.endswith(b"\n") or (limit is not None and offset > limit):
                return
            yield raw, offset


class Spool:
    """The folder of segments, locked against other processes from `open` to `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Newest segment and how much of it is on disk; replaced as one value, so other threads may read it.
        self.tail: tuple[Path, int] | None = None
        self._file: int | None = None
        self._lock: int | None = None

    def open(self) -> list[Path]:
        """Lock the folder; the segments left by earlier lives, oldest first.

        Raises SpoolInUseError, SpoolFolderError.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise SpoolFolderError(f"the spool folder {self.folder} cannot be used: {exc}") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            self._lock = None
            raise SpoolInUseError(f"another process uses the spool folder {self.folder}") from exc
        return self.segments()

    def segments(self) -> list[Path]:
        """All segments, oldest first."""
        return sorted(self.folder.glob("spool-*.jsonl"))

    def begin_segment(self, head: Iterable[bytes]) -> Path:
        """Start the next segment with these lines. Raises OSError, and then the old one stays current."""
        known = self.segments()
        number = int(known[-1].stem.removeprefix("spool-")) + 1 if known else 1
        path = self.folder / f"spool-{number:08d}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            size = _append(file, b"".join(head))
            os.fdatasync(file)
            self._sync_folder()
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self.tail = file, (path, size)
        return path

    def append(self, lines: Iterable[bytes]) -> None:
        """Append and sync. Raises OSError, and then nothing was appended."""
        assert self._file is not None
        assert self.tail is not None
        path, size = self.tail
        try:
            written = _append(self._file, b"".join(lines))
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise
        self.tail = (path, size + written)

    def put_aside(self, raw: bytes) -> None:
        """Keep a line that cannot be delivered, for a person to look at. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.open(self.folder / "rejected.jsonl", flags, 0o600)
        try:
            _append(file, raw)
        finally:
            os.close(file)

    def close(self) -> None:
        """Unlock the folder. The files stay."""
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    def _sync_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _append(file: int, content: bytes) -> int:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
    return len(content)
