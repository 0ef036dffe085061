"""Searching call records: every filter, every order, pages that fit together, and charts that add up."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import deck_shelf
from billing.deck_models import CdrRating
from billing.decks import DeckTerms, Rate
from billing.rating_book import RatingBook
from bridge.cdr.billable import CdrCalls
from bridge.cdr.charts import MOS_EDGES, calls_at_once, mos_distribution, usage_per_day
from bridge.cdr.errors import BadSearchError
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import CallFacts, Channel, EndBasis, NumberClass
from bridge.cdr.search import CdrSearch, NumberMatch, Sort, count, find, page_query
from events.fields import parse_wishes
from events.models import EventSession
from events.service import create_event
from tests.bridge.cdr.support import T0, at, begun, ended


def cdr_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012d}"


def call(number: int, *, begins_s: float = 0, lasts_s: float = 60, **more: Any) -> CallFacts:
    """A call that is answered after one second and lasts so long."""
    answer = at(begins_s + 1)
    known: dict[str, Any] = {
        "id": cdr_id(number), "setup_at": at(begins_s), "ring_at": None, "answer_at": answer, "join_at": None,
        "leave_at": None, "end_at": answer + timedelta(seconds=lasts_s), "number_class": NumberClass.TOLLFREE,
        "session_id": "1", "mos_cq": 4.2,
    }
    return ended(**(known | more))


def store(sessions: sessionmaker[Session], *facts: CallFacts) -> None:
    with sessions.begin() as session:
        session.execute(insert(Cdr), [row_of(one) | {"ingest_at": T0} for one in facts])


def price(sessions: sessionmaker[Session], per_minute_u: int = 50_000, prefix: str = "33") -> None:
    """Rate what is there."""
    with sessions.begin() as session:
        terms = DeckTerms(name="x", currency="EUR", valid_from=T0 - timedelta(days=400))
        rate = Rate(number_class="tollfree", called_prefix=prefix, per_minute_u=per_minute_u, first_s=1,
                    next_s=1)
        deck = deck_shelf.add_draft(session, terms, [rate], source="", by="ann", now=T0)
        deck_shelf.activate(session, deck.id, by="bob", now=T0)
        book = RatingBook(CdrCalls(), currency_of=lambda _session, _account: "EUR")
        book.rate_new(session, since=T0 - timedelta(days=1), now=T0)


def found(sessions: sessionmaker[Session], **more: Any) -> list[int]:
    with sessions() as session:
        hits = find(session, CdrSearch(**more), descending=False, limit=1000).hits
        assert count(session, CdrSearch(**more)) == len(hits)
        return [int(hit.record.id[-6:]) for hit in hits]


@pytest.fixture
def some(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    store(
        sessions,
        call(1, caller_e164="+33123456789", called_e164="+33800111222"),
        call(2, begins_s=10, caller_e164="+33123450000", session_id="2", account_id=8),
        call(3, begins_s=20, caller_e164="+4412346789", mos_cq=2.5, channel=Channel.TWILIO),
        call(4, begins_s=30, caller_e164=None, end_basis=EndBasis.MEDIA_TIMEOUT, q850=102, mos_cq=None,
             disposition=Disposition.NETWORK_ERROR, reason_slug="media-timeout"),
        call(5, begins_s=40, lasts_s=5 * 3600, number_class=NumberClass.CITY, called_e164="+49301"),
        begun(id=cdr_id(6), setup_at=at(50), ring_at=None, answer_at=None, join_at=None, end_at=at(55),
              end_basis=EndBasis.BYE, disposition=Disposition.REFUSED, reason_slug="event-over", q850=22,
              session_id=None, account_id=None, number_class=NumberClass.TOLLFREE,
              caller_e164="+15550001111"),
    )
    price(sessions)
    return sessions


@pytest.mark.parametrize(("which", "expected"), [
    ({}, [1, 2, 3, 4, 5, 6]),
    ({"session_id": "2"}, [2]), ({"account_id": 8}, [2]), ({"account_id": 9}, []),
    ({"setup_from": at(10), "setup_before": at(30)}, [2, 3]),
    ({"reason_slug": "media-timeout"}, [4]), ({"q850": 22}, [6]), ({"disposition": "refused"}, [6]),
    ({"mos_below": 3.0}, [3]), ({"channel": "twilio"}, [3]), ({"number_class": "city"}, [5]),
    ({"end_basis": "media_timeout"}, [4]), ({"end_basis": "bye"}, [1, 2, 3, 5, 6]),
    ({"billable": False}, [6]), ({"billable": True, "account_id": 8}, [2]),
    ({"suspicious": True}, [3, 4, 5]),
    ({"unrated": True}, [5]),
    ({"caller": NumberMatch(prefix="+33")}, [1, 2, 5]),
    ({"caller": NumberMatch(prefix="+3312345")}, [1, 2, 5]),
    ({"caller": NumberMatch(prefix="+33123456789")}, [1, 5]), ({"caller": NumberMatch(prefix="+9")}, []),
    ({"caller": NumberMatch(end="6789")}, [1, 3, 5]), ({"caller": NumberMatch(end="456789")}, [1, 5]),
    ({"called": NumberMatch(prefix="+33800")}, [1]), ({"called": NumberMatch(end="1222")}, [1]),
    ({"number": NumberMatch(end="1222")}, [1]), ({"number": NumberMatch(prefix="+49")}, [5]),
    ({"cost_from_u": 1}, [1, 2, 3, 4]), ({"cost_from_u": 50_000, "cost_to_u": 50_000}, [1, 2, 3, 4]),
    ({"cost_to_u": 49_999}, []), ({"currency": "EUR"}, [1, 2, 3, 4]), ({"currency": "USD"}, []),
    ({"caller": NumberMatch(prefix="+33"), "account_id": 7, "cost_from_u": 1}, [1]),
])
def test_filters(some: sessionmaker[Session], which: dict[str, Any], expected: list[int]) -> None:
    assert found(some, **which) == expected


def test_the_calls_of_an_event(some: sessionmaker[Session]) -> None:
    with some.begin() as session:
        account = create_account(session, email="a@example.org", now=T0).account
        event = create_event(session, account_id=account.id, wishes=parse_wishes({"name": "Results"}), now=T0)
        for run in (1, 2, 3):
            session.add(EventSession(id=run, event_id=event.id, node_id="n", started_at=T0, last_seen_at=T0,
                                     total_visitors=0, max_visitors=0))
        number = event.id
    assert found(some, event_id=number) == [1, 2, 3, 4, 5]
    assert found(some, event_id=number + 1) == []
    with some() as session:
        (known,) = CdrCalls().of_session(session, 2)
        assert (known.event_id, known.session_id) == (number, 2)


def test_a_hit_shows_what_it_costs_and_why_not(some: sessionmaker[Session]) -> None:
    with some() as session:
        hits = find(session, CdrSearch(), descending=False).hits
        assert hits[0].caller == "+331******89"
        assert hits[0].rating is not None
        assert hits[0].rating.cost_u == 50_000
        assert (hits[4].rating, hits[4].unrated_reason) == (None, "no-rate")
        assert (hits[5].rating, hits[5].unrated_reason) == (None, None)


def test_only_the_current_price_counts(some: sessionmaker[Session]) -> None:
    with some.begin() as session:
        old = session.get_one(CdrRating, (cdr_id(1), 1))
        old.superseded_by = 2
        session.flush()
        values = {name: getattr(old, name) for name in (column.key for column in CdrRating.__table__.columns)}
        session.execute(insert(CdrRating), [values | {"version": 2, "cost_u": 9, "superseded_by": None}])
    assert found(some, cost_from_u=50_000) == [2, 3, 4]
    assert found(some, cost_to_u=10) == [1]


@pytest.mark.parametrize(("typed", "match"), [
    ("+33 1 23", NumberMatch(prefix="+33123")), ("0033123", NumberMatch(prefix="+33123")),
    ("…6789", NumberMatch(end="6789")), ("*56 789", NumberMatch(end="56789")),
    ("01 23 45 67 89", NumberMatch(end="123456789")), ("(0)1234", NumberMatch(end="1234")),
    ("0123", NumberMatch(end="0123")),
])
def test_numbers_as_people_type_them(typed: str, match: NumberMatch) -> None:
    assert NumberMatch.parse(typed) == match


@pytest.mark.parametrize("typed", [
    "", "+", "00", "89", "anna", "+33x", "12%4", "+3３", "1" * 16, "+" + "1" * 16,
])
def test_what_is_no_number(typed: str) -> None:
    with pytest.raises(BadSearchError):
        NumberMatch.parse(typed)


@pytest.mark.parametrize("wrong", [
    {"account_id": -1}, {"account_id": 2**31}, {"q850": 128}, {"cost_from_u": 2**63}, {"session_id": "\0"},
    {"reason_slug": "x" * 65}, {"channel": "é"}, {"setup_from": datetime(2026, 1, 1)},
])
def test_values_that_no_record_has(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSearchError):
        CdrSearch(**wrong)


# -- pages -------------------------------------------------------------------------------------------------


def pages(session: Session, which: CdrSearch, *, sort: Sort, descending: bool, limit: int) -> list[str]:
    ids: list[str] = []
    after = None
    while len(ids) < 100:  # more than there are: pages go round in circles
        page = find(session, which, sort=sort, descending=descending, after=after, limit=limit)
        ids += [hit.record.id for hit in page.hits]
        after = page.next
        if after is None:
            return ids
        assert len(page.hits) == limit
    return ids


@pytest.fixture
def many(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """Thirty calls with equal times, durations, prices and MOS among them, and some without each."""
    facts = []
    for number in range(30):
        more: dict[str, Any] = {"mos_cq": None if number % 5 == 0 else 1 + number % 4}
        if number % 6 == 0:
            more |= {"answer_at": None, "end_at": at(100)}
        if number % 7 == 0:
            more |= {"called_e164": "+49"}
        facts.append(call(number, begins_s=number // 4, lasts_s=10 * (number % 3), **more))
    store(sessions, *facts)
    price(sessions)
    return sessions


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("which", [
    CdrSearch(), CdrSearch(mos_below=4), CdrSearch(cost_from_u=1),
    CdrSearch(setup_from=T0 - timedelta(days=1)),
])
@pytest.mark.parametrize("limit", [1, 4, 30])
def test_pages_are_the_list(
    many: sessionmaker[Session], sort: Sort, descending: bool, which: CdrSearch, limit: int
) -> None:
    with many() as session:
        hits = find(session, which, limit=1000).hits

        def key(index: int) -> Any:
            hit = hits[index]
            return {
                Sort.TIME: hit.record.setup_at, Sort.DURATION: hit.record.conn_ms,
                Sort.MOS: hit.record.mos_cq,
                Sort.COST: None if hit.rating is None else hit.rating.cost_u,
            }[sort]

        having = [index for index in range(len(hits)) if key(index) is not None]
        lacking = [index for index in range(len(hits)) if key(index) is None]
        having.sort(key=lambda index: (key(index), hits[index].record.id), reverse=descending)
        lacking.sort(key=lambda index: hits[index].record.id, reverse=descending)
        expected = [hits[index].record.id for index in (*having, *lacking)]
        assert pages(session, which, sort=sort, descending=descending, limit=limit) == expected
        assert which != CdrSearch() or len(expected) == 30


def test_many_that_fit_are_paged_like_few(
    many: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    which = CdrSearch(setup_from=T0)
    with many() as session:
        for sort in Sort:
            few = pages(session, which, sort=sort, descending=True, limit=4)
            monkeypatch.setattr("bridge.cdr.search.FEW", 3)
            assert pages(session, which, sort=sort, descending=True, limit=4) == few
            monkeypatch.undo()


def test_a_record_that_arrives_meanwhile_shifts_nothing(many: sessionmaker[Session]) -> None:
    with many() as session:
        first = find(session, CdrSearch(), limit=10)
        rest = find(session, CdrSearch(), limit=20, after=first.next).hits
    store(many, call(99, begins_s=1000))
    with many() as session:
        again = find(session, CdrSearch(), limit=20, after=first.next).hits
        assert [hit.record.id for hit in again] == [hit.record.id for hit in rest]


def place(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("after", [
    "", "x", "é", "AAAA", place(), place("time", True, 1), place("time", False, 1, "a"),
    place("cost", True, 1, "a"), place("time", True, None, "a"), place("time", True, "1", "a"),
    place("time", True, 1.5, "a"), place("time", True, True, "a"), place("time", True, 10**18, "a"),
    place("time", True, 1, "a" * 37), place("time", True, 1, "a\0"), place("time", True, 1, 7),
    place("time", True, float("inf"), "a"), place({"a": 1}, True, 1, "a"), "[" * 3000,
])
def test_a_place_that_we_did_not_give_is_refused(sessions: sessionmaker[Session], after: str) -> None:
    with sessions() as session, pytest.raises(BadSearchError):
        find(session, CdrSearch(), after=after)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(after=st.text(max_size=60))
def test_garbage_for_a_place_is_refused(sessions: sessionmaker[Session], after: str) -> None:
    with sessions() as session, pytest.raises(BadSearchError):
        find(session, CdrSearch(), after=after)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_pages_have_a_size(sessions: sessionmaker[Session], limit: int) -> None:
    with sessions() as session, pytest.raises(BadSearchError):
        find(session, CdrSearch(), limit=limit)


def test_counting_stops(many: sessionmaker[Session]) -> None:
    with many() as session:
        assert count(session, CdrSearch(), at_most=10) == 11
        assert count(session, CdrSearch(cost_from_u=1), at_most=1000) < 30


# -- indexes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "index"), [
    (CdrSearch(caller=NumberMatch(prefix="+331")), "ix_cdr_caller_e164"),
    (CdrSearch(caller=NumberMatch(end="6789")), "ix_cdr_caller_end"),
    (CdrSearch(suspicious=True), "ix_cdr_suspicious"),
    (CdrSearch(reason_slug="media-timeout"), "ix_cdr_reason_slug_setup_at"),
])
def test_sqlite_uses_the_indexes(sessions: sessionmaker[Session], which: CdrSearch, index: str) -> None:
    with sessions() as session:
        if session.get_bind().dialect.name != "sqlite":
            pytest.skip("PostgreSQL chooses by statistics; bench/rating.py prints its plans")
        query = page_query(session, which, Sort.TIME, descending=True, limit=50)
        compiled = query.compile(session.connection(), compile_kwargs={"render_postcompile": True})
        values = tuple(compiled.params[name] for name in compiled.positiontup or ())
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all()
        assert index in str(plan)


# -- charts ------------------------------------------------------------------------------------------------


def test_days_are_those_of_a_place(sessions: sessionmaker[Session]) -> None:
    paris = ZoneInfo("Europe/Paris")
    long_day = datetime(2026, 10, 24, 22, tzinfo=UTC)  # Sunday 25 October there has 25 hours
    moments = [long_day - timedelta(milliseconds=1), long_day, long_day + timedelta(hours=24, minutes=59),
               long_day + timedelta(hours=25)]
    store(sessions, *(
        call(number, setup_at=moment, answer_at=moment, end_at=moment + timedelta(seconds=90))
        for number, moment in enumerate(moments)
    ))
    price(sessions)
    with sessions() as session:
        days = usage_per_day(session, CdrSearch(), first=date(2026, 10, 24), days=3, zone=paris)
    assert [(day.day.day, day.calls, day.connected_ms, day.billed_sec) for day in days] == [
        (24, 1, 90_000, 90), (25, 2, 180_000, 180), (26, 1, 90_000, 90)]
    assert [day.cost_u for day in days] == [{"EUR": 75_000}, {"EUR": 150_000}, {"EUR": 75_000}]


def test_days_count_calls_that_cost_nothing(some: sessionmaker[Session]) -> None:
    with some() as session:
        (day, empty) = usage_per_day(session, CdrSearch(), first=T0.date(), days=2, zone=ZoneInfo("UTC"))
        assert (day.calls, day.answered, day.cost_u) == (6, 5, {"EUR": 200_000})
        assert (empty.calls, empty.cost_u) == (0, {})
        (mine,) = usage_per_day(session, CdrSearch(account_id=8, currency="EUR"), first=T0.date(), days=1,
                                zone=ZoneInfo("UTC"))
        assert mine.calls == 1
        with pytest.raises(BadSearchError):
            usage_per_day(session, CdrSearch(), first=T0.date(), days=401, zone=ZoneInfo("UTC"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(calls=st.lists(st.tuples(st.integers(-20, 60), st.integers(0, 40)), max_size=12))
def test_calls_at_once_agree_with_counting(
    sessions: sessionmaker[Session], calls: list[tuple[int, int]]
) -> None:
    """Whole seconds, so counting at every half second sees every level."""
    with sessions() as session:  # rolled back: the table is empty again for the next example
        for number, (begins_s, lasts_s) in enumerate(calls):
            facts = call(number, begins_s=begins_s - 1, lasts_s=lasts_s)
            session.execute(insert(Cdr), row_of(facts) | {"ingest_at": T0})
        peaks = calls_at_once(session, CdrSearch(), start=T0, end=at(50), step=timedelta(seconds=10))
        for number, peak in enumerate(peaks):
            assert peak.at == at(10 * number)
            moments = [10 * number + half / 2 for half in range(20)]
            assert peak.calls == max(
                sum(begins <= moment < begins + lasts for begins, lasts in calls) for moment in moments
            )
        session.rollback()


def test_intervals_are_bounded(some: sessionmaker[Session]) -> None:
    with some() as session:
        for step in (timedelta(0), timedelta(milliseconds=1), timedelta(seconds=-1)):
            with pytest.raises(BadSearchError):
                calls_at_once(session, CdrSearch(), start=T0, end=at(50), step=step)
        minute = timedelta(minutes=1)
        (peak,) = calls_at_once(session, CdrSearch(cost_from_u=1), start=T0, end=at(60), step=minute)
        assert peak.calls == 4


def test_the_bars_of_mos_add_up(sessions: sessionmaker[Session]) -> None:
    store(sessions, *(call(number, mos_cq=mos) for number, mos in
                      enumerate([1.0, 1.24, 1.25, 3.1, 4.25, 4.5, None, None])))
    with sessions() as session:
        shares, without = mos_distribution(session, CdrSearch())
        assert without == 2
        assert {share.mos_from: share.calls for share in shares if share.calls} == {
            1.0: 2, 1.25: 1, 3.0: 1, 4.25: 2}
        assert len(shares) == len(MOS_EDGES)
        assert mos_distribution(session, CdrSearch(currency="EUR"))[1] == 0
