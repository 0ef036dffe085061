"""The command as an operator types it: each test starts a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import authenticate
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, Direction, EndBasis, new_id
from bridge.ivr.keypad import keypad_markdown
from database import migrate
from database.engine import create_engine, make_sessions
from database.types import now_utc
from tollbridge import __version__
from tollbridge.settings_page import settings_markdown

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path, database_url: str) -> Command:
    """Runs `tollbridge` in an empty folder on an empty database."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBRIDGE_")}
        env |= {
            "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
            "TOLLBRIDGE_DATABASE_URL": database_url,
            "COLUMNS": "200",
        }
        env |= {f"TOLLBRIDGE_{name.upper()}": value for name, value in environ.items()}
        return subprocess.run(
            [sys.executable, "-m", "tollbridge", *arguments],
            cwd=tmp_path,
            env=env,
            timeout=60,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def printed(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_account_and_an_event_before_the_first_start(command: Command, database_url: str) -> None:
    account = printed(command("account", "create", "--email", "Ann@Example.org", "--json"))
    assert account["email"] == "ann@example.org"
    event = printed(
        command(
            "event",
            "create",
            "--account",
            "ann@example.org",
            "--name",
            "Été",
            "--permanent",
            "--set",
            "settings[phonegateway_enabled]=0",
            "--json",
        )
    )
    assert event["name"] == "Été"
    assert event["permanent_room"] is True
    assert event["settings"]["phonegateway_enabled"] is False
    assert printed(command("event", "list", "--account", str(account["account_id"]), "--json")) == [event]
    shown = command("event", "list", "--account", "ann@example.org").stdout
    assert str(event["phone_presenter_pin"]) in shown
    rooms = ("account", "rooms", "--account", "ann@example.org", "--json")
    assert printed(command(*rooms))["rooms"] == 1
    assert printed(command(*rooms, "--set", "3"))["rooms"] == 3
    assert printed(command(*rooms))["rooms"] == 3
    assert command(*rooms, "--set", "0").returncode == 2
    second = printed(command("account", "add-key", "--account", "ann@example.org", "--json"))
    engine = create_engine(database_url)
    with make_sessions(engine)() as session:
        for key in (account["api_key"], second["api_key"]):
            assert authenticate(session, key).id == account["account_id"]
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("account", "create", "--email", "nobody"), "not a mail address"),
        (("event", "create", "--account", "nobody@example.org", "--name", "x"), "no account"),
        (("event", "list", "--account", "7"), "no account"),
        (("cdr", "export", "--csv", "--json"), "choose one"),
    ],
)
def test_mistakes_are_told_in_one_line(command: Command, arguments: tuple[str, ...], words: str) -> None:
    done = command(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_bad_settings_stop_every_command(command: Command) -> None:
    for arguments in (("doctor",), ("serve",), ("db", "upgrade")):
        done = command(*arguments, rtp_ports="40001-40002")
        assert done.returncode == 2
        assert "rtp_ports" in done.stderr


def test_a_database_that_is_away_is_told_without_its_password(command: Command) -> None:
    done = command(
        "account", "create", "--email", "a@b.c", database_url="postgresql://me:topsecret@127.0.0.1:1/x"
    )
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "topsecret" not in done.stderr


def test_upgrade(command: Command, database_url: str) -> None:
    done = command("db", "upgrade")
    assert migrate.head() in done.stdout
    assert migrate.current(database_url) == migrate.head()


def test_numbers_check(command: Command, tmp_path: Path) -> None:
    assert "29 numbers" in command("numbers", "check").stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("numbers:\n  - id: x\n")
    done = command("numbers", "check", str(bad))
    assert done.returncode == 1
    assert "bad.yaml:2" in done.stderr


def test_pages_are_printed(command: Command) -> None:
    assert command("keypad").stdout == keypad_markdown()
    assert command("settings", "--markdown").stdout == settings_markdown()
    assert command("--version").stdout == f"tollbridge {__version__}\n"


def test_settings_are_shown_without_secrets(command: Command) -> None:
    shown = command("settings", database_url="postgresql://me:topsecret@db/x", http_port="9000").stdout
    assert "9000" in shown
    assert "topsecret" not in shown


def test_records_are_exported_masked_unless_asked(
    command: Command, database_url: str, tmp_path: Path
) -> None:
    migrate.upgrade(database_url)
    engine = create_engine(database_url)
    add_record(make_sessions(engine))
    engine.dispose()
    done = command("cdr", "export", "--csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["conn_ms"] == "60000"
    assert "612345678" not in done.stdout
    unmasked = command("cdr", "export", "--unmask", "--output", "out.csv")
    assert "+33612345678" in (tmp_path / "out.csv").read_text()
    assert "cdr_unmasked_export" in unmasked.stderr
    assert unmasked.stdout == ""
    tomorrow = (now_utc() + timedelta(days=1)).strftime("%Y-%m-%d")
    assert command("cdr", "export", "--json", "--from", tomorrow).stdout == ""
    assert json.loads(command("cdr", "export", "--json", "--before", tomorrow).stdout)["conn_ms"] == 60_000


def add_record(sessions: sessionmaker[Session]) -> None:
    now = now_utc()
    facts = CallFacts(
        id=new_id(),
        source="sip",
        source_call_id="c",
        leg="a",
        setup_at=now,
        direction=Direction.IN,
        channel=Channel.SIP,
        node_id="n",
        sw_version="1",
        caller_e164="+33612345678",
        answer_at=now,
        end_at=now + timedelta(seconds=60),
        end_basis=EndBasis.BYE,
        disposition=next(iter(Disposition)),
        reason_slug="caller-hung-up",
    )
    with sessions.begin() as session:
        session.add(Cdr(**row_of(facts), ingest_at=now))
