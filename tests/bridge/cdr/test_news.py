"""Web hooks hear of each call once, with the caller's number masked, whatever is replayed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from bridge.cdr import news
from bridge.cdr.delivery import Delivery
from bridge.cdr.models import Cdr
from bridge.cdr.news import tell_calls
from bridge.cdr.record import CallFacts
from bridge.cdr.spool import VERSION, Line
from bridge.cdr.store import CdrStore, CdrStoreSettings
from events.web_hook_models import WebHook, WebHookDelivery
from events.web_hooks import Kind, add_hook, delete_hook
from tests.bridge.cdr.support import T0, at, begun, ended
from tests.events.planning import new_account

Sessions = sessionmaker[Session]
QUICK = CdrStoreSettings(batch_s=0.001, retry_min_s=0.01, retry_max_s=0.02)
CALLER = "+33123456789"


def listen(sessions: Sessions, account_id: int, *kinds: Kind) -> int:
    with sessions.begin() as session:
        url = "https://hooks.example.org/calls"
        return add_hook(session, account_id=account_id, url=url, kinds=kinds, now=T0).id


def told(sessions: Sessions) -> list[dict[str, Any]]:
    with sessions() as session:
        return [json.loads(body) for body in session.scalars(select(WebHookDelivery.body))]


def deliver(sessions: Sessions, *calls: CallFacts) -> None:
    lines = [Line(v=VERSION, op="close", facts=facts) for facts in calls]
    Delivery(sessions, node_id="node-1", boot_id="b", tell=tell_calls).deliver(lines, now=at(70))


def test_a_call_is_told_once_and_masked(sessions: Sessions) -> None:
    ann, bob = new_account(sessions), new_account(sessions, "bob@example.org")
    listen(sessions, ann, Kind.CDR)
    listen(sessions, bob, Kind.EVENT_ENDED)
    call = ended(account_id=ann)
    deliver(sessions, call, ended(account_id=bob), ended(account_id=None))
    deliver(sessions, call, call)
    (message,) = told(sessions)
    assert (message["type"], message["id"], message["account_id"]) == ("cdr.created", f"cdr-{call.id}", ann)
    data = message["data"]
    assert (data["id"], data["disposition"], data["caller_e164"]) == (call.id, "success", "+331******89")
    assert data["caller_raw"] is None
    assert CALLER not in json.dumps(message)
    assert "Ann" not in json.dumps(message)


def test_who_comes_later_is_not_told_of_what_a_replay_brings(sessions: Sessions) -> None:
    """After a crash the journal is read again from an earlier point."""
    ann = new_account(sessions)
    first = listen(sessions, ann, Kind.CDR)
    call = ended(account_id=ann)
    deliver(sessions, call)
    with sessions.begin() as session:
        hook = session.get_one(WebHook, first)
        delete_hook(session, hook, now=at(80))
    listen(sessions, ann, Kind.CDR)
    deliver(sessions, call)
    assert len(told(sessions)) == 1


def test_a_call_that_a_crash_cut_off_is_told_once(sessions: Sessions, tmp_path: Path) -> None:
    ann = new_account(sessions)
    listen(sessions, ann, Kind.CDR)
    up = replace(begun(), account_id=ann)

    def life(*calls: CallFacts) -> None:
        store = CdrStore(
            sessions, spool_dir=tmp_path / "spool", node_id="node-1", settings=QUICK, tell=tell_calls
        )
        store.start()
        for call in calls:
            store.open(call)
        assert store.stop(30)

    life(up)
    life()
    life()
    (message,) = told(sessions)
    assert (message["data"]["id"], message["data"]["end_basis"]) == (up.id, "node_crash")


def test_a_fault_of_hooks_costs_no_record(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = new_account(sessions)
    listen(sessions, ann, Kind.CDR)
    monkeypatch.setattr(news, "publish", lambda *_args, **_more: 1 / 0)
    deliver(sessions, ended(account_id=ann))
    assert told(sessions) == []
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Cdr)) == 1
