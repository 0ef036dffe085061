"""Reading records: pages, filters, CSV as an accountant wants it, numbers masked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker
from structlog.testing import capture_logs

from bridge.cdr import query
from bridge.cdr.export import COLUMNS, as_json, write_csv
from bridge.cdr.masking import masked
from bridge.cdr.query import CdrFilter, find_page, stream
from bridge.cdr.record import CallerPresentation, CallFacts
from bridge.cdr.store import CdrStore
from tests.bridge.cdr.support import at, ended


@pytest.fixture
def session(sessions: sessionmaker[Session], tmp_path: Path) -> Iterator[Session]:
    """Ten calls: even ones of session-1 and account 7, odd ones of session-2 and account 8."""
    store = CdrStore(sessions, spool_dir=tmp_path / "spool", node_id="node-1")
    store.start()
    for number in range(10):
        odd = number % 2
        store.close(ended(setup_at=at(-100 + number), session_id=f"session-{odd + 1}", account_id=7 + odd))
    assert store.flush(20)
    store.stop(1)
    with sessions() as session:
        yield session


def stored(sessions: sessionmaker[Session], tmp_path: Path, facts: CallFacts) -> Session:
    store = CdrStore(sessions, spool_dir=tmp_path / "spool", node_id="node-1")
    store.start()
    store.close(facts)
    assert store.flush(20)
    store.stop(1)
    return sessions()


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_filters_and_pages(session: Session) -> None:
    page = find_page(session, CdrFilter(session_id="session-1"), page=2, per_page=2)
    assert (page.total, page.pages, len(page.records)) == (5, 3, 2)
    assert [record.setup_at for record in page.records] == [at(-96), at(-94)]
    assert find_page(session, CdrFilter(account_id=8)).total == 5
    assert find_page(session, CdrFilter(account_id=8, session_id="session-1")).total == 0
    assert find_page(session, CdrFilter(setup_from=at(-98), setup_before=at(-95))).total == 3
    assert find_page(session, CdrFilter(), page=99).records == []
    with pytest.raises(ValueError, match="page"):
        find_page(session, CdrFilter(), page=0)


def test_a_stream_gives_every_record_once_in_order(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_CHUNK", 3)
    moments = [record.setup_at for record in stream(session, CdrFilter())]
    assert moments == [at(-100 + number) for number in range(10)]


def test_csv_has_a_header_utc_times_and_masked_numbers(session: Session) -> None:
    out = io.StringIO(newline="")
    with capture_logs() as logs:
        assert write_csv(stream(session, CdrFilter()), out, asked_by="account 7") == 10
    assert logs == []
    text = out.getvalue()
    assert text.split("\r\n")[0] == ",".join(COLUMNS)
    assert "+33123456789" not in text
    assert "Ann" not in text
    row = rows_of(text)[0]
    assert row["setup_at"] == "2026-11-23T11:58:20.000Z"
    assert row["caller_e164"] == "+331******89"
    assert row["called_e164"] == "+33184886300"
    assert (row["conn_ms"], row["billable"], row["mos_cq"]) == ("61000", "true", "")


def test_an_unmasked_export_is_logged(session: Session) -> None:
    out = io.StringIO(newline="")
    with capture_logs() as logs:
        write_csv(stream(session, CdrFilter()), out, unmask=True, asked_by="account 7")
    assert "+33123456789" in out.getvalue()
    assert [(log["event"], log["asked_by"], log["records"]) for log in logs] == [
        ("cdr_unmasked_export", "account 7", 10)]


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil")', "+1+1", "-2", "@SUM(A1)"])
def test_a_strangers_name_is_no_formula(
    sessions: sessionmaker[Session], tmp_path: Path, name: str
) -> None:
    facts = ended(caller_raw=name, caller_e164=None, caller_presentation=CallerPresentation.ANONYMOUS)
    with stored(sessions, tmp_path, facts) as session:
        out = io.StringIO(newline="")
        write_csv(stream(session, CdrFilter()), out, unmask=True, asked_by="test")
    row = rows_of(out.getvalue())[0]
    assert row["caller_raw"] == "'" + name
    assert row["caller_presentation"] == "anonymous"


def test_json_is_plain_and_has_the_same_columns(session: Session) -> None:
    values = as_json(find_page(session, CdrFilter()).records[0])
    assert tuple(values) == COLUMNS
    assert json.loads(json.dumps(values)) == values
    assert values["mos_cq"] is None
    assert values["caller_raw"] is None
    assert values["answer_at"] == "2026-11-23T12:00:01.000Z"


def test_masks() -> None:
    assert masked(None) is None
    assert masked("+33123456789") == "+331******89"
    assert masked("+12345") == "+12***"
