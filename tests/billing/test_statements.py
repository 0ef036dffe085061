"""Statements that never change, the list of transactions, and the detail of one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from billing import ledger, statements
from billing.chart import Kind
from billing.ledger_errors import FutureStatementError, NoSuchTransactionError
from billing.money import Money
from billing.posting import TransactionType
from billing.statements import TransactionFilter
from tests.billing.calls_support import ACCOUNT, SESSION, CallsInMemory
from tests.billing.usage_support import DUE, World

DAY = timedelta(days=1)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions.begin() as session:
        yield session


def top_up(session: Session, day: int, minor: int, account: int = ACCOUNT) -> ledger.Posted:
    at = FIRST + day * DAY
    return ledger.top_up(
        session, account, eur(minor), psp="test", payment_ref=f"p{account}-{day}-{minor}", at=at
    )


def use(session: Session, day: int, minor: int) -> ledger.Posted:
    return ledger.usage(session, ACCOUNT, 100 + day, rating_version=1, net=eur(minor), vat=eur(0),
                        vat_country=None, at=FIRST + day * DAY)  # fmt: skip


def test_opening_and_lines_make_closing(session: Session) -> None:
    top_up(session, 0, 1000)
    use(session, 3, 400)
    use(session, 10, 900)
    top_up(session, 20, 50)
    given_ = statements.statement(
        session, ACCOUNT, "EUR", start=FIRST + 2 * DAY, end=FIRST + 20 * DAY, now=FIRST + 30 * DAY
    )
    assert (given_.opening.wallet, given_.opening.owed) == (eur(1000), eur(0))
    assert [(line.wallet, line.owed) for line in given_.lines] == [(eur(-400), eur(0)), (eur(-600), eur(300))]
    assert (given_.closing.wallet, given_.closing.owed) == (eur(0), eur(300))


def test_a_statement_stays_when_the_clock_is_set_back(session: Session) -> None:
    top_up(session, 0, 1000)
    end = FIRST + 10 * DAY
    first = statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end)
    late = use(session, 5, 400)
    assert late.posted_at == end
    assert late.occurred_at == FIRST + 5 * DAY
    assert statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end) == first


def test_a_later_reversal_does_not_change_what_a_statement_said(session: Session) -> None:
    posted = top_up(session, 0, 1000)
    end = FIRST + timedelta(hours=1)
    first = statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end)
    mirror = ledger.reverse(session, posted.id, actor="staff", reason="wrong account", at=end)
    assert statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end) == first
    later = statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end + DAY, now=end + DAY)
    assert [(line.reverses_id, line.reversed_by) for line in later.lines] == [
        (None, mirror.id), (posted.id, None)
    ]  # fmt: skip


def test_a_statement_of_nothing_stays_a_statement_of_nothing(session: Session) -> None:
    end = FIRST + 10 * DAY
    empty = statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end)
    top_up(session, 5, 1000)
    assert statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=end, now=end) == empty


def test_what_is_no_statement(session: Session) -> None:
    with pytest.raises(FutureStatementError):
        statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=FIRST + DAY, now=FIRST)
    with pytest.raises(ValueError, match="before"):
        statements.statement(session, ACCOUNT, "EUR", start=FIRST, end=FIRST - DAY, now=FIRST)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-500, 500)), max_size=12), st.integers(0, 40))
def test_opening_plus_lines_is_closing_whatever_happens_afterwards(
    sessions: sessionmaker[Session], moves: list[tuple[int, int]], cut: int
) -> None:
    with sessions() as session:
        for number, (day, minor) in enumerate(moves):
            when = FIRST + day * DAY
            if minor > 0:
                ledger.top_up(session, 1, eur(minor), psp="t", payment_ref=str(number), at=when)
            elif minor < 0:
                ledger.usage(session, 1, number, rating_version=1, net=eur(-minor), vat=eur(0),
                             vat_country=None, at=when)  # fmt: skip
            if number == len(moves) // 2:
                end = FIRST + cut * DAY
                early = statements.statement(session, 1, "EUR", start=FIRST, end=end, now=end)
                assert early.opening.wallet == eur(0)
        if moves:
            again = statements.statement(session, 1, "EUR", start=FIRST, end=end, now=end)
            assert again == early
            assert sum((line.wallet for line in again.lines), eur(0)) == again.closing.wallet
            assert sum((line.owed for line in again.lines), eur(0)) == again.closing.owed
        session.rollback()


def test_transactions_are_listed_filtered_and_paged(session: Session) -> None:
    first = top_up(session, 0, 1000)
    charged = use(session, 3, 400)
    top_up(session, 4, 70, account=8)
    mirror = ledger.reverse(session, charged.id, actor="bea", reason="wrong", at=FIRST + 5 * DAY)
    page = statements.transactions(session, ACCOUNT)
    assert [(row.id, row.amount) for row in page.rows] == [
        (mirror.id, eur(400)), (charged.id, eur(-400)), (first.id, eur(1000))
    ]  # fmt: skip
    assert page.total == 3
    assert [row.reversed_by for row in page.rows] == [None, mirror.id, None]
    assert (page.rows[0].actor, page.rows[0].reason, page.rows[0].reverses_id) == ("bea", "wrong", charged.id)
    second = statements.transactions(session, ACCOUNT, limit=1, offset=1)
    assert ([row.id for row in second.rows], second.total) == ([charged.id], 3)
    for where, wanted in (
        (TransactionFilter(types=[TransactionType.TOP_UP]), [first.id]),
        (TransactionFilter(since=FIRST + DAY, until=FIRST + 5 * DAY), [charged.id]),
        (TransactionFilter(session_id=103), [charged.id, mirror.id]),
        (TransactionFilter(currency="USD"), []),
    ):
        rows = statements.transactions(session, ACCOUNT, where=where, newest_first=False).rows
        assert [row.id for row in rows] == wanted


def test_the_detail_of_a_charge_shows_numbers_and_who_paid(sessions: sessionmaker[Session]) -> None:
    world = World(sessions, tax=Fraction(21, 100))
    world.event_session()
    world.call(1, 60)
    world.call(2, 61)
    world.call(3, 20, called_e164="+33800000")
    with sessions.begin() as session:
        ledger.top_up(session, ACCOUNT, eur(10), psp="test", payment_ref="a", at=DUE)
    [charged] = world.runner.run(DUE).charged
    assert charged.transaction_id is not None
    with sessions.begin() as session:
        paid = ledger.card_pays_shortfall(
            session, charged.transaction_id, money=charged.card_part, psp="test", payment_ref="b", at=DUE
        )
        detail = statements.transaction_detail(session, ACCOUNT, charged.transaction_id, calls=world.calls)
    usage = detail.usage
    assert usage is not None
    used = [(one.called_e164, one.calls, one.conn_ms, one.billed_sec, one.cost_u) for one in usage.numbers]
    assert used == [("+4980012345", 2, 121_000, 180, 150_000), ("+33800000", 1, 20_000, 60, 0)]
    assert (usage.net, usage.vat, usage.total) == (eur(15), eur(3), eur(18))
    assert (usage.wallet_part, usage.rest, usage.card_part) == (eur(10), eur(8), eur(8))
    assert sum(line.cost_u for line in usage.lines) + usage.rounding_u == usage.net.micro
    assert [row.id for row in detail.payments] == [paid.id]
    assert detail.row.session_id == SESSION
    assert sum((line.debit for line in detail.entries), eur(0)) == sum(
        (line.credit for line in detail.entries), eur(0)
    )
    assert {line.account.kind for line in detail.entries} == {
        Kind.WALLET, Kind.RECEIVABLE, Kind.USAGE, Kind.VAT
    }  # fmt: skip


def test_a_top_up_has_no_calls_and_is_nobody_elses(session: Session) -> None:
    first = top_up(session, 0, 1000)
    detail = statements.transaction_detail(session, ACCOUNT, first.id, calls=CallsInMemory())
    assert (detail.usage, detail.payments) == (None, [])
    for account, number in ((8, first.id), (ACCOUNT, first.id + 1)):
        with pytest.raises(NoSuchTransactionError):
            statements.transaction_detail(session, account, number, calls=CallsInMemory())
