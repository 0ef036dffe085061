"""Keeping call records: callers never wait, and nothing short of losing the disk loses a call.

    call thread(s) ──► memory queue ──► journal on disk ──► database
                       (bounded)        one thread          another thread

- `open`, `progress`, `close` and `checkpoint` put a value into a queue and return.  They never raise for
  disk or database trouble.
- The journal thread writes what is queued about ten times a second, with one sync for all of it, so a
  `kill -9` loses a tenth of a second of news.  Checkpoints of open calls it saves as soon.
- The delivery thread carries the journal into the database.  While the database is away it tries again with
  growing pauses; the journal grows meanwhile.
- While the disk is full, records stay in memory, go to the database directly if that is up, and are
  written when there is room.  Beyond `memory_max` records the oldest are dropped and counted: the one way
  to lose a record, and it takes both stores to be gone for long.
- `start` closes what an earlier life left open (see `bridge.cdr.progress`): at once from the journal, and
  from the database's `cdr_open` as soon as that answers, which covers a lost disk.
- Records that the database will never take (a broken value, or a key that another record has) are put
  aside in `rejected.jsonl` in the spool folder and counted; they do not hold up the others.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bridge.cdr import spool as journal
from bridge.cdr.delivery import BATCH_LINES, Delivery, Tell, is_row_at_fault
from bridge.cdr.progress import Checkpoint, closed_by_crash, load_checkpoints, save_checkpoints
from bridge.cdr.record import CallFacts, new_id
from bridge.cdr.spool import Line, Spool
from database.types import now_utc

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrStoreSettings:
    """Seconds, bytes and counts of the store; the defaults suit a node of some thousand calls.

    `batch_s`: how long news may gather before it is synced.  `checkpoint_s`: least time between local
    checkpoints.
    `database_checkpoint_s`: between checkpoints in the database.  `retry_min_s`, `retry_max_s`: pauses
    while the database is away.  `disk_retry_s`: pause while the disk is full.  `segment_bytes`: size at
    which a new journal file begins.  `memory_max`: records kept in memory while the disk refuses them.
    """

    batch_s: float = 0.1
    checkpoint_s: float = 0.5
    database_checkpoint_s: float = 10.0
    retry_min_s: float = 0.25
    retry_max_s: float = 5.0
    disk_retry_s: float = 1.0
    segment_bytes: int = 4 << 20
    memory_max: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrStoreStats:
    """For /metrics and doctor. `dropped`, `rejected` and `conflicts` should stay 0."""

    queued: int
    open_calls: int
    delivered: int
    recovered: int
    dropped: int
    rejected: int
    conflicts: int
    database_ok: bool
    disk_ok: bool


@dataclass(frozen=True, slots=True)
class _Item:
    op: Literal["open", "close"]
    facts: CallFacts

    def line(self) -> Line:
        return Line(v=journal.VERSION, op=self.op, facts=self.facts)


class CdrStore:
    """The record keeper of one node. Thread-safe. `start` before use, `stop` at the end. `tell` hears of each
    record once, in the transaction that stores it.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        spool_dir: Path,
        node_id: str,
        settings: CdrStoreSettings | None = None,
        clock: Callable[[], datetime] = now_utc,
        tell: Tell | None = None,
    ) -> None:
        self._settings = settings or CdrStoreSettings()
        self._clock = clock
        self._node_id = node_id
        self._boot_id = new_id()
        self._spool = Spool(spool_dir)
        self._delivery = Delivery(sessions, node_id=node_id, boot_id=self._boot_id, tell=tell)
        self._queue: deque[_Item] = deque()
        self._head = threading.Lock()  # held by the thread that takes items off the queue
        self._news = threading.Event()
        self._journaled = threading.Event()
        self._hurry = threading.Event()
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._open: dict[str, CallFacts] = {}  # what the journal holds as up
        self._points: dict[str, Checkpoint] = {}
        self._points_lock = threading.Lock()
        self._points_fresh = False
        self._segment_began_bytes = 0
        self._read_at: tuple[Path, int] | None = None
        self._orphans_seen = False
        self._delivered = self._recovered = self._dropped = self._rejected = self._conflicts = 0
        self._database_ok = self._disk_ok = True

    # What calls do

    def open(self, facts: CallFacts) -> None:
        """A call began."""
        self._put(_Item("open", facts))

    def progress(self, facts: CallFacts) -> None:
        """More is known of a call that is up (answered, joined): the facts so far."""
        self._put(_Item("open", facts))

    def close(self, facts: CallFacts) -> None:
        """A call is over (it need not have been opened): its last word. `facts.end_at` must be set."""
        assert facts.end_at is not None, "a call that ends has an end"
        self._put(_Item("close", facts))

    def checkpoint(self, points: Iterable[Checkpoint]) -> None:
        """Where open calls have got to; the latest per call counts. Meant for all calls, once a second."""
        with self._points_lock:
            self._points.update((point.id, point) for point in points)
            self._points_fresh = True
        self._news.set()

    def stats(self) -> CdrStoreStats:
        """Counters since the start."""
        return CdrStoreStats(
            queued=len(self._queue),
            open_calls=len(self._open),
            delivered=self._delivered,
            recovered=self._recovered,
            dropped=self._dropped,
            rejected=self._rejected,
            conflicts=self._conflicts,
            database_ok=self._database_ok,
            disk_ok=self._disk_ok,
        )

    # Life

    def start(self) -> int:
        """Close what an earlier life left open, then begin to work; how many calls that were.

        Needs the spool folder, not the database.  Raises SpoolInUseError, SpoolFolderError.
        """
        left = self._spool.open()
        self._recovered = self._recover(left)
        self._rotate()
        self._news.set()
        self._journaled.set()
        for work, name in ((self._journal_forever, "cdr-journal"), (self._deliver_forever, "cdr-delivery")):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self._recovered

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything told so far is in the database; False when `timeout_s` was not enough."""
        deadline_s = time.monotonic() + timeout_s
        self._hurry.set()
        self._news.set()
        self._journaled.set()
        with self._idle:
            while not self._all_delivered():
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._idle.wait(min(left_s, 0.2))
        return True

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Deliver what can be delivered in time, then end; what is left waits in the journal."""
        done = self.flush(timeout_s)
        self._stopping.set()
        for event in (self._hurry, self._news, self._journaled):
            event.set()
        for thread in self._threads:
            thread.join(timeout_s)
        if not any(thread.is_alive() for thread in self._threads):
            self._spool.close()
        self._threads.clear()
        return done

    # Queue

    def _put(self, item: _Item) -> None:
        if len(self._queue) >= self._settings.memory_max:
            try:
                self._queue.popleft()
                self._dropped += 1
            except IndexError:
                pass
        self._queue.append(item)
        self._news.set()

    def _all_delivered(self) -> bool:
        idle = not self._queue and not self._head.locked()
        return idle and self._orphans_seen and self._read_at == self._spool.tail

    def _note(self, item: _Item) -> None:
        """The item is on disk or in the database."""
        if item.op == "close":
            self._open.pop(item.facts.id, None)
            with self._points_lock:
                self._points.pop(item.facts.id, None)
        else:
            self._open[item.facts.id] = item.facts

    # Journal thread

    def _recover(self, segments: list[Path]) -> int:
        up: dict[str, CallFacts] = {}
        for path in segments:
            for raw, _ in journal.read_lines(path, offset=0):
                try:
                    line = journal.decode(raw)
                except ValueError:
                    continue  # the delivery thread will meet it again and put it aside
                if line.facts is None:
                    continue
                if line.op == "close":
                    up.pop(line.facts.id, None)
                else:
                    up[line.facts.id] = line.facts
        points = load_checkpoints(self._points_path)
        for facts in up.values():
            self._queue.append(_Item("close", closed_by_crash(facts, points.get(facts.id))))
        if segments:
            self._read_at = (segments[0], 0)
        if up:
            _log.warning("cdr_recovered_open_calls", calls=len(up), node_id=self._node_id)
        return len(up)

    def _journal_forever(self) -> None:
        settings = self._settings
        next_checkpoint_s = time.monotonic() + settings.checkpoint_s
        while True:
            self._news.wait(max(0.0, next_checkpoint_s - time.monotonic()))
            if self._news.is_set() and not self._stopping.is_set():
                self._hurry.wait(settings.batch_s)
            self._news.clear()
            self._hurry.clear()
            try:
                if not self._disk_ok:
                    self._probe_disk()
                self._journal_once()
                if time.monotonic() >= next_checkpoint_s:
                    next_checkpoint_s = time.monotonic() + settings.checkpoint_s
                    self._save_points()
                self._set_disk(ok=True)
            except OSError as exc:
                self._set_disk(ok=False, error=exc)
                self._journaled.set()
                if self._stopping.wait(settings.disk_retry_s):
                    return
                self._news.set()
            if self._stopping.is_set() and not self._queue:
                return

    def _journal_once(self) -> None:
        while self._queue:
            with self._head:
                if self._spool.tail is None or self._segment_is_full():
                    self._rotate_or_raise()
                batch = list(islice(self._queue, 1000))
                self._spool.append(map(self._encoded, batch))
                for item in batch:
                    self._drop_head(item)
                    self._note(item)
            self._journaled.set()

    def _probe_disk(self) -> None:
        """Write a line that says nothing: after trouble, only a write shows that the disk is back."""
        with self._head:
            if self._spool.tail is None:
                self._rotate_or_raise()
            else:
                self._spool.append([journal.encode(self._boot_line())])

    def _encoded(self, item: _Item) -> bytes:
        try:
            return journal.encode(item.line())
        except (TypeError, ValueError, OverflowError):
            # A value of a type that the record forbids: lose that record, not the thread.
            self._rejected += 1
            _log.exception("cdr_not_encodable", cdr_id=item.facts.id)
            return b""

    def _drop_head(self, item: _Item) -> None:
        """Take `item` off the queue unless an overflow has dropped it meanwhile."""
        if self._queue and self._queue[0] is item:
            self._queue.popleft()

    def _segment_is_full(self) -> bool:
        assert self._spool.tail is not None
        return self._spool.tail[1] - self._segment_began_bytes >= self._settings.segment_bytes

    def _rotate_or_raise(self) -> None:
        head = [journal.encode(self._boot_line())]
        head += [journal.encode(_Item("open", facts).line()) for facts in self._open.values()]
        path = self._spool.begin_segment(head)
        self._segment_began_bytes = sum(map(len, head))
        if self._read_at is None:
            self._read_at = (path, 0)

    def _rotate(self) -> None:
        try:
            self._rotate_or_raise()
        except OSError as exc:
            self._set_disk(ok=False, error=exc)

    def _boot_line(self) -> Line:
        return Line(v=journal.VERSION, op="boot", boot_id=self._boot_id, node_id=self._node_id)

    @property
    def _points_path(self) -> Path:
        return self._spool.folder / "checkpoint.json"

    def _save_points(self) -> None:
        with self._points_lock:
            if not self._points_fresh:
                return
            for call in self._points.keys() - self._open.keys():
                del self._points[call]  # told after its call was over
            points = list(self._points.values())
            self._points_fresh = False
        save_checkpoints(self._points_path, points)

    def _set_disk(self, *, ok: bool, error: OSError | None = None) -> None:
        if ok != self._disk_ok:
            self._disk_ok = ok
            _log.log(20 if ok else 40, "cdr_disk", ok=ok, error=str(error or ""))

    # Delivery thread

    def _deliver_forever(self) -> None:
        settings = self._settings
        pause_s = settings.retry_min_s
        next_checkpoint_s = time.monotonic() + settings.database_checkpoint_s
        while True:
            self._journaled.wait(max(0.0, next_checkpoint_s - time.monotonic()))
            self._journaled.clear()
            try:
                self._deliver_once()
                if time.monotonic() >= next_checkpoint_s:
                    next_checkpoint_s = time.monotonic() + settings.database_checkpoint_s
                    with self._points_lock:
                        points = list(self._points.values())
                    self._delivery.save_checkpoints(points)
                self._set_database(ok=True)
                pause_s = settings.retry_min_s
            except Exception as exc:
                if not isinstance(exc, SQLAlchemyError | OSError):
                    _log.exception("cdr_delivery_failed")
                self._set_database(ok=False, error=exc)
                if self._stopping.wait(pause_s):
                    return
                pause_s = min(settings.retry_max_s, pause_s * 2)
                self._journaled.set()
            with self._idle:
                self._idle.notify_all()
            if self._stopping.is_set():
                return

    def _deliver_once(self) -> None:
        while self._deliver_from_journal():
            pass
        if not self._disk_ok:
            self._deliver_from_memory()
        if not self._orphans_seen:
            for facts, point in self._delivery.orphans():
                self._recovered += 1
                self._put(_Item("close", closed_by_crash(facts, point)))
            self._orphans_seen = True

    def _deliver_from_journal(self) -> bool:
        """Deliver the next batch; False when there was nothing to deliver."""
        if self._read_at is None or self._spool.tail is None:
            return False
        path, offset = self._read_at
        newest, synced = self._spool.tail
        lines: list[Line] = []
        end = offset
        for raw, after in journal.read_lines(path, offset=offset, limit=synced if path == newest else None):
            end = after
            try:
                lines.append(journal.decode(raw))
            except ValueError:
                self._put_aside(raw)
            if len(lines) == BATCH_LINES:
                break
        if end == offset:
            if path == newest:
                return False
            following = [segment for segment in self._spool.segments() if segment > path]
            self._read_at = (following[0], 0)
            path.unlink()
            return True
        self._deliver(lines)
        self._read_at = (path, end)
        return True

    def _deliver_from_memory(self) -> None:
        while self._queue and not self._stopping.is_set():
            with self._head:
                batch = list(islice(self._queue, BATCH_LINES))
                self._deliver([item.line() for item in batch])
                for item in batch:
                    self._drop_head(item)
                    self._note(item)

    def _deliver(self, lines: list[Line]) -> None:
        try:
            conflicts = self._delivery.deliver(lines, now=self._clock())
        except SQLAlchemyError as exc:
            if not is_row_at_fault(exc):
                raise
            if len(lines) == 1:
                _log.error("cdr_row_rejected", error=type(exc).__name__)
                self._put_aside(journal.encode(lines[0]))
                return
            for line in lines:
                self._deliver([line])
            return
        self._delivered += sum(line.op == "close" for line in lines) - len(conflicts)
        for facts in conflicts:
            self._conflicts += 1
            _log.error("cdr_key_taken", cdr_id=facts.id)
            self._put_aside(journal.encode(_Item("close", facts).line()))

    def _put_aside(self, raw: bytes) -> None:
        self._rejected += 1
        try:
            self._spool.put_aside(raw)
        except OSError as exc:
            _log.error("cdr_rejected_lost", error=str(exc))

    def _set_database(self, *, ok: bool, error: Exception | None = None) -> None:
        if ok != self._database_ok:
            self._database_ok = ok
            _log.log(20 if ok else 40, "cdr_database", ok=ok, error=type(error).__name__ if error else "")
