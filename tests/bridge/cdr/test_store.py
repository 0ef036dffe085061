"""Records reach the database once, whatever fails on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from bridge.cdr.delivery import Delivery
from bridge.cdr.errors import SpoolInUseError
from bridge.cdr.models import Cdr, CdrOpen
from bridge.cdr.progress import Checkpoint
from bridge.cdr.quality import LegStats
from bridge.cdr.record import new_id
from bridge.cdr.spool import Line, Spool
from bridge.cdr.store import CdrStore, CdrStoreSettings
from tests.bridge.cdr.support import T0, at, begun, ended

QUICK = CdrStoreSettings(batch_s=0.001, checkpoint_s=0.02, database_checkpoint_s=0.02, retry_min_s=0.01,
                         retry_max_s=0.02, disk_retry_s=0.01)
WAIT_S = 20.0
ROOT = Path(__file__).parents[3]

Sessions = sessionmaker[Session]


@pytest.fixture
def store(sessions: Sessions, tmp_path: Path) -> Iterator[CdrStore]:
    store = CdrStore(sessions, spool_dir=tmp_path / "spool", node_id="node-1", settings=QUICK)
    store.start()
    yield store
    store.stop(1)


def count(sessions: Sessions, table: type[Cdr] | type[CdrOpen] = Cdr) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def wait_until(condition: Any) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.01)


def test_a_call_is_open_while_it_is_up_and_one_record_afterwards(store: CdrStore, sessions: Sessions) -> None:
    facts = begun()
    store.open(facts)
    assert store.flush(WAIT_S)
    assert (count(sessions, CdrOpen), count(sessions)) == (1, 0)
    final = ended(id=facts.id)
    store.close(final)
    assert store.flush(WAIT_S)
    assert (count(sessions, CdrOpen), count(sessions)) == (0, 1)
    with sessions() as session:
        row = session.scalars(select(Cdr)).one()
    assert (row.id, row.conn_ms, row.conf_ms, row.setup_ms) == (facts.id, 61_000, 53_000, 1_000)
    assert (row.end_at, row.billable, row.mos_cq, row.rx_pkts) == (at(62), True, None, None)


def test_the_same_record_three_times_is_one_row(store: CdrStore, sessions: Sessions) -> None:
    final = ended()
    for _ in range(3):
        store.close(final)
        assert store.flush(WAIT_S)
    assert count(sessions) == 1
    assert store.stats().conflicts == 0


def test_a_second_record_under_a_taken_key_is_put_aside_and_counted(
    store: CdrStore, sessions: Sessions, tmp_path: Path
) -> None:
    first = ended()
    second = replace(first, id=new_id())
    store.close(first)
    store.close(second)
    assert store.flush(WAIT_S)
    assert count(sessions) == 1
    assert store.stats().conflicts == 1
    assert second.id in (tmp_path / "spool" / "rejected.jsonl").read_text()


@pytest.mark.parametrize("statement", ["UPDATE cdr SET conn_ms = 0", "DELETE FROM cdr"])
def test_the_database_itself_refuses_to_change_a_record(
    store: CdrStore, sessions: Sessions, statement: str
) -> None:
    store.close(ended())
    assert store.flush(WAIT_S)
    with pytest.raises(DBAPIError, match="only grows"), sessions.begin() as session:
        session.execute(text(statement))
    assert count(sessions) == 1


class Away:
    """A sessionmaker whose database is away until `back` is set."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.back = False
        self.tried = 0

    def _check(self) -> None:
        self.tried += 1
        if not self.back:
            raise OperationalError("BEGIN", {}, Exception("server closed the connection"))

    def begin(self) -> Any:
        self._check()
        return self.sessions.begin()

    def __call__(self) -> Any:
        self._check()
        return self.sessions()


def test_calls_go_on_while_the_database_is_away_and_records_arrive_later(
    sessions: Sessions, tmp_path: Path
) -> None:
    away = Away(sessions)
    store = CdrStore(away, spool_dir=tmp_path, node_id="node-1", settings=QUICK)  # type: ignore[arg-type]
    store.start()
    began_s = time.perf_counter()
    for _ in range(500):
        facts = begun()
        store.open(facts)
        store.close(ended(id=facts.id))
    assert time.perf_counter() - began_s < 2.0
    wait_until(lambda: away.tried > 3)
    assert not store.flush(0.05)
    assert not store.stats().database_ok
    away.back = True
    assert store.flush(WAIT_S)
    assert (count(sessions), count(sessions, CdrOpen)) == (500, 0)
    assert store.stats().database_ok
    store.stop(1)


@pytest.mark.skipif(
    os.environ.get("TOLLBRIDGE_TEST_DATABASE") != "postgresql", reason="needs a server that can be stopped")
def test_a_real_server_that_stops_and_comes_back(
    request: pytest.FixtureRequest, store: CdrStore, sessions: Sessions
) -> None:
    server = request.getfixturevalue("postgres_server")
    store.close(ended())
    assert store.flush(WAIT_S)
    server.stop()
    store.close(ended())
    assert not store.flush(0.2)
    wait_until(lambda: not store.stats().database_ok)
    server.start()
    assert store.flush(WAIT_S)
    assert count(sessions) == 2


def test_records_of_a_store_that_stopped_without_database_arrive_after_the_next_start(
    sessions: Sessions, tmp_path: Path
) -> None:
    away = Away(sessions)
    store = CdrStore(away, spool_dir=tmp_path, node_id="node-1", settings=QUICK)  # type: ignore[arg-type]
    store.start()
    store.close(ended())
    assert not store.stop(0.2)
    later = CdrStore(sessions, spool_dir=tmp_path, node_id="node-1", settings=QUICK)
    assert later.start() == 0
    assert later.flush(WAIT_S)
    later.stop(1)
    assert count(sessions) == 1


def test_while_the_disk_is_full_records_go_to_the_database_and_later_to_disk(
    store: CdrStore, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    really = Spool.append

    def append(self: Spool, lines: Any) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(self, lines)

    monkeypatch.setattr(Spool, "append", append)
    store.close(ended())
    wait_until(lambda: count(sessions) == 1)
    assert not store.stats().disk_ok
    full = False
    store.close(ended())
    assert store.flush(WAIT_S)
    wait_until(lambda: store.stats().disk_ok)
    assert count(sessions) == 2
    assert store.stats().dropped == 0


def test_with_disk_and_database_gone_memory_is_bounded_and_losses_are_counted(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append(_self: Spool, _lines: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Spool, "append", append)
    away = Away(sessions)
    settings = replace(QUICK, memory_max=10)
    store = CdrStore(away, spool_dir=tmp_path, node_id="node-1", settings=settings)  # type: ignore[arg-type]
    store.start()
    for _ in range(25):
        store.close(ended())
    assert store.stats().queued == 10
    assert store.stats().dropped == 15
    away.back = True
    wait_until(lambda: count(sessions) == 10)
    store.stop(0.1)


def test_a_half_written_line_is_cut_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.open()
    path = spool.begin_segment([b"head\n"])
    really = os.write

    def short(file: int, content: Any) -> int:
        if len(content) <= 4:
            raise OSError(errno.ENOSPC, "full")
        return really(file, bytes(content[:4]))

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError):
        spool.append([b"a line\n"])
    monkeypatch.undo()
    assert path.read_bytes() == b"head\n"
    spool.append([b"a line\n"])
    assert path.read_bytes() == b"head\na line\n"
    spool.close()


def test_a_torn_last_line_does_not_hinder_the_next_start(sessions: Sessions, tmp_path: Path) -> None:
    store = CdrStore(sessions, spool_dir=tmp_path, node_id="node-1", settings=QUICK)
    store.start()
    store.open(begun())
    assert store.flush(WAIT_S)
    store.stop(1)
    segment = sorted(tmp_path.glob("spool-*.jsonl"))[-1]
    with segment.open("ab") as file:
        file.write(b'{"v":1,"op":"close","facts":{"id":"0190')
    later = CdrStore(sessions, spool_dir=tmp_path, node_id="node-1", settings=QUICK)
    assert later.start() == 1
    assert later.flush(WAIT_S)
    later.stop(1)
    assert count(sessions) == 1
    assert later.stats().rejected == 0


@pytest.mark.usefixtures("store")
def test_two_processes_do_not_share_a_spool(sessions: Sessions, tmp_path: Path) -> None:
    with pytest.raises(SpoolInUseError):
        CdrStore(sessions, spool_dir=tmp_path / "spool", node_id="node-2", settings=QUICK).start()


def test_old_segments_go_and_calls_still_up_move_on(sessions: Sessions, tmp_path: Path) -> None:
    settings = replace(QUICK, segment_bytes=20_000)
    store = CdrStore(sessions, spool_dir=tmp_path, node_id="node-1", settings=settings)
    store.start()
    lasting = begun()
    store.open(lasting)
    for _ in range(10):
        for _ in range(30):
            store.close(ended())
        assert store.flush(WAIT_S)
    segments = sorted(tmp_path.glob("spool-*.jsonl"))
    assert len(segments) <= 2
    assert int(segments[-1].stem.removeprefix("spool-")) > 3
    assert lasting.id in segments[-1].read_text()
    store.stop(1)
    later = CdrStore(sessions, spool_dir=tmp_path, node_id="node-1", settings=settings)
    assert later.start() == 1
    assert later.flush(WAIT_S)
    later.stop(1)
    assert count(sessions) == 301


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(
    store: CdrStore, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ended(), ended()
    really = Delivery.deliver

    def deliver(self: Delivery, lines: list[Line], **more: Any) -> Any:
        if any(line.facts is not None and line.facts.id == bad.id for line in lines):
            from sqlalchemy.exc import DataError

            raise DataError("INSERT", {}, Exception("value too long"))
        return really(self, lines, **more)

    monkeypatch.setattr(Delivery, "deliver", deliver)
    store.close(bad)
    store.close(good)
    assert store.flush(WAIT_S)
    assert count(sessions) == 1
    assert store.stats().rejected == 1


def test_thousands_of_checkpoints_a_second_are_cheap_and_reach_the_open_rows(
    store: CdrStore, sessions: Sessions
) -> None:
    calls = [begun() for _ in range(2000)]
    for call in calls:
        store.open(call)
    assert store.flush(WAIT_S)
    stats = LegStats(codec="PCMA", ptime_ms=20, rx_pkts=1000, tx_pkts=1000, jitter_avg_ms=2.0)
    began_s = time.thread_time()
    store.checkpoint(
        Checkpoint(id=call.id, seen_at=at(20), last_rtp_at=at(20), stats=stats) for call in calls
    )
    assert time.thread_time() - began_s < 0.1

    def arrived() -> bool:
        with sessions() as session:
            later = select(func.count()).select_from(CdrOpen).where(CdrOpen.last_rtp_at == at(20))
            return session.scalar(later) == 2000

    wait_until(arrived)


_VICTIM = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    sys.path[:0] = [{root!r}, {root!r} + "/platform"]
    from database.engine import create_engine, make_sessions
    from bridge.cdr.progress import Checkpoint
    from bridge.cdr.quality import LegStats
    from bridge.cdr.store import CdrStore
    from tests.bridge.cdr.support import at, begun, ended
    store = CdrStore(make_sessions(create_engine({url!r})), spool_dir=Path({spool!r}), node_id="node-1")
    store.start()
    over = begun(); store.open(over); store.close(ended(id=over.id))
    up = begun(); store.open(up)
    silent = begun(answer_at=None, join_at=None, ring_at=None); store.open(silent)
    stats = LegStats(codec="PCMU", ptime_ms=20, rx_pkts=2000, tx_pkts=2000, lost_pkts=20, jitter_avg_ms=1.0)
    store.checkpoint([Checkpoint(id=up.id, seen_at=at(50.5), last_rtp_at=at(50), stats=stats)])
    if {flush}: store.flush(20)
    saved = Path({spool!r}) / "checkpoint.json"
    while not saved.exists() or up.id not in saved.read_text():
        time.sleep(0.01)
    print("READY", up.id, silent.id, flush=True)
    time.sleep(60)
""")


@pytest.mark.parametrize("database_up", [True, False])
def test_kill_9_loses_at_most_the_unfinished_seconds(
    sessions: Sessions, engine: Engine, tmp_path: Path, database_up: bool
) -> None:
    url = engine.url.render_as_string(hide_password=False)
    if not database_up:
        url = f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}"
    code = _VICTIM.format(root=str(ROOT), url=url, spool=str(tmp_path / "spool"), flush=database_up)
    victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    ready = next(line for line in victim.stdout if line.startswith("READY"))
    _, up, silent = ready.split()
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()

    store = CdrStore(sessions, spool_dir=tmp_path / "spool", node_id="node-1", settings=QUICK)
    assert store.start() == 2
    assert store.flush(WAIT_S)
    store.stop(1)
    with sessions() as session:
        rows = {row.id: row for row in session.scalars(select(Cdr))}
    assert len(rows) == 3
    assert count(sessions, CdrOpen) == 0
    crashed = rows[up]
    assert (crashed.end_basis, crashed.reason_slug, crashed.disposition) == (
        "node_crash", "node-crash", "server_error")
    assert (crashed.end_at, crashed.leave_at, crashed.conn_ms) == (at(50), at(50), 49_000)
    assert crashed.loss_pct == pytest.approx(0.99, abs=0.01)
    assert crashed.mos_cq is not None
    assert crashed.billable
    never_answered = rows[silent]
    assert (never_answered.end_at, never_answered.conn_ms, never_answered.billable) == (T0, None, False)


def test_a_lost_disk_is_made_good_from_the_database(sessions: Sessions, tmp_path: Path) -> None:
    first = CdrStore(sessions, spool_dir=tmp_path / "lost", node_id="node-1", settings=QUICK)
    first.start()
    mine, points = begun(), at(30)
    first.open(mine)
    assert first.flush(WAIT_S)
    first.checkpoint([Checkpoint(id=mine.id, seen_at=points, last_rtp_at=points)])

    def arrived() -> bool:
        with sessions() as session:
            return session.scalars(select(CdrOpen)).one().last_rtp_at == points

    wait_until(arrived)
    first.stop(1)
    other = CdrStore(sessions, spool_dir=tmp_path / "other", node_id="node-2", settings=QUICK)
    other.start()
    assert other.flush(WAIT_S)
    other.stop(1)
    assert count(sessions) == 0, "another node's calls are not ours to close"
    second = CdrStore(sessions, spool_dir=tmp_path / "fresh", node_id="node-1", settings=QUICK)
    second.start()
    assert second.flush(WAIT_S)
    second.stop(1)
    with sessions() as session:
        row = session.scalars(select(Cdr)).one()
    assert (row.id, row.end_at, row.reason_slug) == (mine.id, at(30), "node-crash")
    assert count(sessions, CdrOpen) == 0
