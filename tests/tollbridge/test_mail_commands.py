"""`tollbridge mail bounce` as a mail server calls it: a report on standard input, a status as the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from events.invitation_book import Guest, entries, invite
from events.invitations import InvitationWriter
from mail.models import OutboxMail
from tests.events.planning import NOW, new_account, new_event, parts, with_event
from tests.mail.test_bounces import HOLIDAY, OURS, POSTFIX

ROOT = Path(__file__).parents[2]


def bounce(report: str, folder: Path, database_url: str) -> tuple[int, dict[str, Any]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBRIDGE_")}
    env |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "TOLLBRIDGE_DATABASE_URL": database_url}
    done = subprocess.run(
        [sys.executable, "-m", "tollbridge", "mail", "bounce", "--json"],
        cwd=folder,
        env=env,
        input=report.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}")


def test_the_organiser_sees_which_invitation_came_back(
    sessions: sessionmaker[Session], migrated_url: str, tmp_path: Path
) -> None:
    event_id = new_event(sessions, new_account(sessions), starts_at="2026-05-01T10:00")
    guests = [Guest(email="ann@example.org"), Guest(email="bob@example.org")]
    with_event(sessions, event_id, lambda s, e: invite(s, e, guests, now=NOW))
    InvitationWriter(sessions, parts()).run_once(NOW)
    with sessions.begin() as session:
        rows = session.scalars(select(OutboxMail)).all()
        for row in rows:
            row.state = "sent"
        (ann,) = (row.message_id for row in rows if row.recipient == "ann@example.org")
    assert bounce(HOLIDAY.replace(OURS, ann), tmp_path, migrated_url)[0] == 0
    assert states(sessions, event_id) == {"ann@example.org": "sent", "bob@example.org": "sent"}
    status, told = bounce(POSTFIX.replace(OURS, ann), tmp_path, migrated_url)
    assert (status, told["bounce"], told["message_id"]) == (0, True, ann)
    assert states(sessions, event_id) == {"ann@example.org": "failed", "bob@example.org": "sent"}
    found, _ = with_event(sessions, event_id, entries)
    assert found[0].error.startswith("550 5.1.1 <ann@example.org>: Recipient address rejected")
    status, told = bounce(POSTFIX, tmp_path, migrated_url)
    assert (status, told["bounce"]) == (0, False)


def states(sessions: sessionmaker[Session], event_id: int) -> dict[str, str]:
    found, _ = with_event(sessions, event_id, entries)
    return {one.email: one.state for one in found}


def test_without_the_database_the_mail_server_shall_come_again(tmp_path: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    assert bounce(POSTFIX, tmp_path, away)[0] == 75
    assert bounce("no report", tmp_path, away)[0] == 0
