"""People who sign in, rate decks and the books, as an operator types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker
from typer.testing import CliRunner

from accounts.service import create_account
from accounts.users import check_password
from billing import ledger
from billing.money import Money
from database.types import now_utc
from tollbridge.cli import app

Command = Callable[..., Result]


@pytest.fixture
def command(
    tmp_path: Path, migrated_url: str, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command on a database with one account."""
    monkeypatch.chdir(tmp_path)
    with sessions.begin() as session:
        create_account(session, email="ann@example.org", now=now_utc())
    environ = {"TOLLBRIDGE_DATABASE_URL": migrated_url, "TOLLBRIDGE_DATA_DIR": str(tmp_path / "data")}
    return lambda *words, typed=None: CliRunner().invoke(app, list(words), env=environ, input=typed)


def test_a_person_gets_a_password_and_roles(command: Command, sessions: sessionmaker[Session]) -> None:
    create = ("user", "create", "Bo@Example.org", "--account", "ann@example.org", "--password-stdin")
    made = command(*create, "--role", "billing", "--role", "organiser", typed="correct horse\n")
    assert made.exit_code == 0, made.output
    with sessions() as session:
        check_password(session, email="bo@example.org", password="correct horse")
    again = command(*create, typed="correct horse\n")
    assert again.exit_code == 1
    assert "already" in again.output
    weak = command("user", "password", "bo@example.org", "--password-stdin", typed="short\n")
    assert weak.exit_code == 1
    assert "at least" in weak.output
    assert command("user", "roles", "bo@example.org", "--role", "admin").exit_code == 0
    listed = command("user", "list", "--account", "ann@example.org").output
    assert listed == "bo@example.org  admin\n"


def test_rates_are_checked_imported_and_exported(command: Command, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    header = "number_class,called_prefix,per_minute,first_s,next_s\n"
    good.write_text(f"{header}tollfree,33800,0.05,60,60\n")
    bad.write_text(f"{header}tollfree,33800,minus,60,60\ntollfree,33801,0.05,60,7\n")
    faults = command("rates", "check", str(bad))
    assert faults.exit_code == 1
    assert "line 2" in faults.output
    assert "line 3" in faults.output
    told = command("rates", "import", str(good), "--name", "Ours", "--from", "2026-01-01", "--activate")
    assert told.exit_code == 0, told.output
    assert "Ours version 1  active  EUR" in command("rates", "list").output
    assert "33800" in command("rates", "export", "1").output


def test_what_tickets_brought_is_paid_out_once(command: Command, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        ledger.ticket_sold(session, 1, Money(500, "EUR"), psp="test", payment_ref="p1", at=now_utc())
    words = ("billing", "tickets-paid-out", "--account", "1", "--currency", "eur", "--by", "eve")
    for amount, reference, status in (
        ("3.00", "SEPA-1", 0), ("3.00", "SEPA-1", 0), ("2.01", "SEPA-2", 1), ("1.00", "SEPA-1", 1),
        ("-1", "SEPA-3", 1), ("many", "SEPA-3", 1), ("NaN", "SEPA-3", 1), ("2.00", "SEPA-3", 0),
    ):  # fmt: skip
        told = command(*words, "--amount", amount, "--reference", reference)
        assert (told.exit_code, isinstance(told.exception, SystemExit | None)) == (status, True), told.output
    assert "bank" in command("billing", "trial-balance").output


def test_the_books_agree_until_they_do_not(
    command: Command, sessions: sessionmaker[Session], engine: Engine
) -> None:
    with sessions.begin() as session:
        ledger.top_up(session, 1, Money(500, "EUR"), psp="test", payment_ref="p1", at=now_utc())
    right = command("billing", "trial-balance")
    assert right.exit_code == 0, right.output
    assert "wallet" in right.output
    assert "5.00" in right.output
    assert command("billing", "reconcile").exit_code == 0
    with engine.begin() as connection:  # somebody's hand in the cached balance
        connection.execute(text("UPDATE ledger_account SET posted = posted + 1 WHERE kind = 'wallet'"))
    for words in (("billing", "trial-balance"), ("billing", "reconcile")):
        wrong = command(*words)
        assert wrong.exit_code == 1
        assert "1 mismatches" in wrong.output
