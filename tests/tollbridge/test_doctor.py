"""The doctor finds what is wrong before a caller does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import migrate
from database.engine import create_engine
from tests.conftest import BACKEND
from tests.support.product import free_port, free_udp_range
from tollbridge import doctor
from tollbridge.doctor import Finding, State
from tollbridge.settings import Settings, load


@pytest.fixture
def settings(tmp_path: Path, migrated_url: str) -> Settings:
    """Settings of an ordinary machine, on ports that were free a moment ago."""
    first, last = free_udp_range(2)
    environ = {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": migrated_url,
        "HTTP_PORT": free_port(),
        "SIP_PORT": free_port(),
        "RTP_PORTS": f"{first}-{last}",
    }
    return load({f"TOLLBRIDGE_{name}": str(value) for name, value in environ.items()})


def with_name(findings: list[Finding], name: str) -> list[Finding]:
    return [finding for finding in findings if finding.name == name]


def states(findings: Iterator[Finding]) -> set[State]:
    return {finding.state for finding in findings}


def test_an_ordinary_machine_has_no_failure(settings: Settings) -> None:
    findings = doctor.examine(settings)
    assert {finding.name for finding in findings} >= {
        "settings",
        "pjsua2",
        "ports",
        "numbers",
        "prompts",
        "database",
        "disk",
        "clock",
    }
    failures = [finding.line() for finding in findings if finding.is_failure and finding.name != "ports"]
    assert failures == []
    assert "lines" in with_name(findings, "pjsua2")[0].text


def test_a_port_in_use_is_named(settings: Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", settings.rtp_ports[0] + 2))
        findings = [finding for finding in doctor._ports(settings) if finding.text.startswith("sound")]
    assert [finding.state for finding in findings] == [State.FAIL]
    assert str(settings.rtp_ports[0] + 2) in findings[0].text
    assert "TOLLBRIDGE_RTP_PORTS" in findings[0].advice


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    away = load({"TOLLBRIDGE_DATABASE_URL": "postgresql://me:topsecret@127.0.0.1:1/x"})
    (finding,) = doctor._database(away)
    assert finding.state is State.FAIL
    assert "topsecret" not in finding.line()
    assert finding.advice


def test_an_old_database_is_told(settings: Settings, database_url: str) -> None:
    migrate.upgrade(database_url, "0001")
    (finding,) = doctor._database(
        settings.model_copy(update={"database_url": None, "data_dir": Path("/nowhere")})
    )
    assert finding.state is State.OK
    old = load({"TOLLBRIDGE_DATABASE_URL": database_url})
    (finding,) = doctor._database(old)
    assert (finding.state, "db upgrade" in finding.advice) == (State.WARN, True)


@pytest.mark.skipif(BACKEND == "postgresql", reason="a lock on the whole database is SQLite's")
def test_a_database_that_cannot_be_written_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.engine.BUSY_TIMEOUT_S", 0.05)
    engine = create_engine(settings.database)
    with engine.begin():
        assert migrate.current(settings.database) == migrate.head()
        (finding,) = doctor._database(settings)
    engine.dispose()
    assert finding.state is State.FAIL
    assert "cannot be written" in finding.text


def test_bad_numbers_and_full_disks_are_told(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "numbers.yaml"
    bad.write_text("numbers: 5\n")
    (finding,) = doctor._numbers(settings.model_copy(update={"numbers_file": bad}))
    assert finding.state is State.FAIL
    monkeypatch.setattr(doctor, "DISK_FREE_MIN_BYTES", 2**80)
    monkeypatch.setattr(doctor, "DISK_FREE_GOOD_BYTES", 2**81)
    assert states(doctor._disk(settings)) == {State.FAIL}


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_settings: Settings) -> Iterator[Finding]:
        raise RuntimeError("boom")

    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor._disk))
    findings = doctor.examine(settings)
    assert [finding.is_failure for finding in findings] == [True, False]
    assert "boom" in findings[0].text


def test_pjsua2_that_cannot_be_loaded_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PJSUA2", "import os; os.abort()")
    assert states(doctor._pjsua2(settings)) == {State.FAIL}
    monkeypatch.setattr(doctor, "_PJSUA2", "print('[\"2.17\", 4]')")
    assert states(doctor._pjsua2(settings)) == {State.WARN}
