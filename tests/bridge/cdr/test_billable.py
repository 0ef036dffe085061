"""What billing is told about calls: the facts of the records, no more, and in order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from billing.calls import CallSource
from billing.deck_models import UnratedCall
from bridge.cdr import billable
from bridge.cdr.billable import CdrCalls, session_number
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import CallFacts, Channel, EndBasis, NumberClass
from tests.bridge.cdr.support import T0, at, ended
from tests.bridge.cdr.test_search import call, cdr_id, price, store

SOURCE: CallSource = CdrCalls()


def test_a_call_is_told_as_it_was(sessions: sessionmaker[Session]) -> None:
    facts = call(1, session_id="4711", number_id="fr-free", end_basis=EndBasis.MEDIA_TIMEOUT)
    store(sessions, facts)
    with sessions() as session:
        told = SOURCE.get(session, facts.id)
        assert told is not None
        assert SOURCE.get(session, "nothing") is None
    for name in ("source", "source_call_id", "leg", "account_id", "number_id", "number_class", "called_e164",
                 "caller_e164", "setup_at", "answer_at", "end_at", "conn_ms", "end_basis", "billable",
                 "channel"):
        assert getattr(told, name) == getattr(facts, name), name
    assert (told.cdr_id, told.session_id, told.event_id) == (facts.id, 4711, None)
    assert told.key == f"cdr:sip:{facts.source_call_id}:1"


@pytest.mark.parametrize(("text", "number"), [
    ("4711", 4711), (None, None), ("", None), ("session-1", None), ("-1", None), ("٤", None),
    ("1" * 20, None),
    (str(2**63 - 1), 2**63 - 1), (str(2**63), None),
])
def test_sessions_are_numbers_or_nothing(text: str | None, number: int | None) -> None:
    assert session_number(text) == number


def unbilled(number: int) -> CallFacts:
    return ended(id=cdr_id(number), channel=Channel.WEBRTC, session_id="1", setup_at=at(0.5))


def test_a_session_has_all_its_calls_in_order(sessions: sessionmaker[Session]) -> None:
    store(sessions, call(1, begins_s=5), unbilled(2), call(3, begins_s=2, session_id="2"), call(4))
    with sessions() as session:
        calls = SOURCE.of_session(session, 1)
        assert [int(one.cdr_id[-3:]) for one in calls] == [4, 2, 1]
        assert [one.billable for one in calls] == [True, False, True]
        assert SOURCE.of_session(session, 9) == []
        some = SOURCE.get_many(session, [cdr_id(3), cdr_id(1), "nothing"])
        assert [int(one.cdr_id[-3:]) for one in some] == [3, 1]


def test_a_period_is_half_open_and_read_in_pieces(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billable, "_CHUNK", 3)
    ends = [0, 1, 1, 1, 1, 2, 2, 9]
    store(sessions, unbilled(90), *(
        call(number, setup_at=at(-60), answer_at=at(-50), end_at=at(end)) for number, end in enumerate(ends)
    ))
    with sessions() as session:
        told = list(SOURCE.billable_between(session, at(1), at(9)))
        assert [int(one.cdr_id[-3:]) for one in told] == [1, 2, 3, 4, 5, 6]
        assert list(SOURCE.billable_between(session, at(3), at(9))) == []


def test_what_nobody_priced_yet(sessions: sessionmaker[Session]) -> None:
    """Priced calls, those that wait in the queue, and old ones are left out."""
    store(sessions, call(1), call(2, called_e164="+49301"), unbilled(3))
    price(sessions)
    with sessions() as session:
        assert SOURCE.unpriced(session, since=T0, limit=10) == []
        assert session.get(UnratedCall, cdr_id(2)) is not None
    later = [call(4), call(5, number_class=NumberClass.CITY), unbilled(6)]
    with sessions.begin() as session:
        hour = timedelta(hours=1)
        rows = [row_of(one) | {"ingest_at": T0 - number * hour} for number, one in enumerate(later)]
        session.execute(insert(Cdr), rows)
    with sessions() as session:
        def waiting(since_h: int, limit: int = 10) -> list[int]:
            since = T0 - timedelta(hours=since_h)
            return [int(one.cdr_id[-3:]) for one in SOURCE.unpriced(session, since=since, limit=limit)]

        assert waiting(0) == [4]
        assert waiting(2) == [5, 4]
        assert waiting(2, limit=1) == [5]
