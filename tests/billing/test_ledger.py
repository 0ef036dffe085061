"""The ledger: each row of the posting table, what is refused, and what nothing can change afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from billing import chart, ledger, trial_balance
from billing.chart import AccountName, Kind
from billing.ledger_errors import (
    AbsurdAmountError,
    IdemConflictError,
    InsufficientFundsError,
    NoSuchTransactionError,
    NotPositiveError,
    NotReversibleError,
    UnbalancedError,
)
from billing.money import Money
from billing.posting import Entry, Posted, Posting, TransactionType, fingerprint_of, post

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
ANNA, BORIS = 7, 8


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        yield session
        session.commit()
        assert trial_balance.mismatches(session) == []


def topped_up(session: Session, minor: int, ref: str = "pi_1", account: int = ANNA) -> Posted:
    return ledger.top_up(session, account, eur(minor), psp="stripe", payment_ref=ref, at=AT)


def used(session: Session, net: int, vat: int = 0, version: int = 1) -> Posted:
    country = "NL" if vat else None
    return ledger.usage(session, ANNA, 51, rating_version=version, net=eur(net), vat=eur(vat),
                        vat_country=country, at=AT)  # fmt: skip


def amounts(posted: Posted) -> dict[AccountName, int]:
    return {entry.account: entry.account.natural(entry.amount) for entry in posted.entries}


WALLET, OWED = chart.wallet(ANNA, "EUR"), chart.receivable(ANNA, "EUR")
STRIPE, VAT_NL = chart.psp("stripe", "EUR"), chart.vat("NL", "EUR")
USAGE = chart.house(Kind.USAGE, "EUR")


def test_the_golden_session(session: Session) -> None:
    """Wallet 3.00, usage 12.35, VAT 21 % 2.59: the wallet pays 3.00 and the card 11.94."""
    topped_up(session, 300)
    charged = used(session, 1235, 259)
    assert amounts(charged) == {WALLET: -300, OWED: 1194, USAGE: 1235, VAT_NL: 259}
    paid = ledger.card_pays_shortfall(
        session, charged.id, money=eur(1194), psp="stripe", payment_ref="pi_2", at=AT
    )
    assert amounts(paid) == {STRIPE: 1194, OWED: -1194}
    now = ledger.balance(session, ANNA, "EUR")
    assert (now.posted, now.held, now.available, now.receivable) == (eur(0), eur(0), eur(0), eur(0))


def test_usage_that_the_wallet_can_bear_makes_no_receivable(session: Session) -> None:
    topped_up(session, 2000)
    assert amounts(used(session, 1235)) == {WALLET: -1235, USAGE: 1235}


def test_usage_without_a_wallet_is_posted_all_the_same(session: Session) -> None:
    assert amounts(used(session, 1235, 259)) == {OWED: 1494, USAGE: 1235, VAT_NL: 259}


def test_a_chargeback_makes_the_customer_owe_again_and_us_pay_the_fee(session: Session) -> None:
    topped_up(session, 5000)
    posted = ledger.chargeback(
        session, ANNA, money=eur(5000), fee=eur(1500), psp="stripe", dispute_ref="dp_1", at=AT
    )
    assert amounts(posted) == {OWED: 5000, chart.house(Kind.PSP_FEE, "EUR"): 1500, STRIPE: -6500}


def test_an_invoice_may_defer_and_credit(session: Session) -> None:
    posted = ledger.invoice(
        session, ANNA, idem="inv:9:2026-11-01", vat=eur(853), vat_country="NL", at=AT,
        lines=[(Kind.PLAN, eur(-2710)), (Kind.PLAN, eur(6774)), (Kind.DEFERRED, eur(5000))],
    )  # fmt: skip
    plan, deferred = chart.house(Kind.PLAN, "EUR"), chart.house(Kind.DEFERRED, "EUR")
    assert amounts(posted) == {OWED: 9917, plan: 4064, deferred: 5000, VAT_NL: 853}
    paid = ledger.card_pays_invoice(
        session, posted.id, money=eur(9917), psp="paypal", payment_ref="cap_1", at=AT
    )
    assert amounts(paid) == {chart.psp("paypal", "EUR"): 9917, OWED: -9917}
    recognised = ledger.recognise(session, ANNA, eur(5000), kind=Kind.PLAN, idem="9:2026-11", at=AT)
    assert amounts(recognised) == {deferred: -5000, plan: 5000}


def test_a_correction_mirrors_and_posts_anew(session: Session) -> None:
    topped_up(session, 300)
    wrong = used(session, 1235, 259)
    mirror = ledger.reverse(session, wrong.id, actor="billing@example.org", reason="deck", at=AT)
    assert amounts(mirror) == {WALLET: 300, OWED: -1194, USAGE: -1235, VAT_NL: -259}
    assert ledger.balance(session, ANNA, "EUR").posted == eur(300)
    right = used(session, 200, 42, version=2)
    assert amounts(right) == {WALLET: -242, USAGE: 200, VAT_NL: 42}


def test_what_the_card_paid_too_much_becomes_balance(session: Session) -> None:
    charged = used(session, 1000)
    ledger.card_pays_shortfall(session, charged.id, money=eur(1000), psp="test", payment_ref="p", at=AT)
    mirror = ledger.reverse(session, charged.id, actor="b", reason="free", at=AT)
    assert ledger.balance(session, ANNA, "EUR").receivable == eur(-1000)
    settled = ledger.settle_credit(session, ANNA, "EUR", idem=mirror.idem, at=AT)
    assert settled is not None
    again = ledger.settle_credit(session, ANNA, "EUR", idem=mirror.idem, at=AT)
    assert again is not None
    assert again.replayed
    now = ledger.balance(session, ANNA, "EUR")
    assert (now.posted, now.receivable) == (eur(1000), eur(0))


def test_somebody_without_a_card_pays_from_a_later_top_up(session: Session) -> None:
    used(session, 1000)
    assert ledger.pay_from_wallet(session, ANNA, "EUR", idem="t1", actor="anna", at=AT) is None
    topped_up(session, 600)
    assert ledger.pay_from_wallet(session, ANNA, "EUR", idem="t1", actor="anna", at=AT) is not None
    now = ledger.balance(session, ANNA, "EUR")
    assert (now.posted, now.receivable) == (eur(0), eur(400))
    ledger.write_off(session, ANNA, eur(400), idem="w1", actor="b", reason="gone", at=AT)
    ledger.goodwill(session, ANNA, eur(500), idem="g1", actor="b", reason="sorry", at=AT)
    ledger.refund(session, ANNA, eur(500), psp="stripe", refund_ref="re_1", actor="b", reason="asked", at=AT)
    ledger.payout(session, eur(100), psp="stripe", payout_ref="po_1", at=AT)
    now = ledger.balance(session, ANNA, "EUR")
    assert (now.posted, now.receivable) == (eur(0), eur(0))


def test_the_same_key_with_the_same_content_posts_once(session: Session) -> None:
    first = topped_up(session, 300)
    again = ledger.top_up(
        session, ANNA, eur(300), psp="stripe", payment_ref="pi_1", at=AT + timedelta(days=2)
    )
    assert not first.replayed
    assert again.replayed
    assert (again.id, again.entries, again.posted_at) == (first.id, first.entries, first.posted_at)
    assert ledger.balance(session, ANNA, "EUR").posted == eur(300)


def test_usage_posted_again_is_what_the_wallet_bore_then(session: Session) -> None:
    topped_up(session, 300)
    first = used(session, 1000)
    topped_up(session, 5000, "pi_2")
    assert used(session, 1000).entries == first.entries


@pytest.mark.parametrize(
    ("account", "money"), [(BORIS, eur(300)), (ANNA, eur(301)), (ANNA, Money(300, "USD"))]
)
def test_the_same_key_with_other_content_is_an_error_that_says_so(
    session: Session, account: int, money: Money
) -> None:
    first = topped_up(session, 300)
    with pytest.raises(IdemConflictError, match=r"topup:stripe:pi_1.*something else") as caught:
        ledger.top_up(session, account, money, psp="stripe", payment_ref="pi_1", at=AT)
    assert caught.value.transaction_id == first.id


def test_a_reversal_happens_once_and_is_final(session: Session) -> None:
    first = topped_up(session, 300)
    mirror = ledger.reverse(session, first.id, actor="b", reason="wrong account", at=AT)
    assert ledger.reverse(session, first.id, actor="c", reason="me too", at=AT).id == mirror.id
    with pytest.raises(NotReversibleError):
        ledger.reverse(session, mirror.id, actor="b", reason="no", at=AT)
    assert ledger.balance(session, ANNA, "EUR").posted == eur(0)


def test_a_wallet_cannot_give_back_what_was_spent(session: Session) -> None:
    first = topped_up(session, 300)
    used(session, 200)
    with pytest.raises(InsufficientFundsError):
        ledger.reverse(session, first.id, actor="b", reason="fraud", at=AT)


@pytest.mark.parametrize("minor", [0, -1, -(10**20)])
def test_amounts_are_more_than_nothing(session: Session, minor: int) -> None:
    with pytest.raises(NotPositiveError):
        topped_up(session, minor)


def test_absurd_amounts_are_refused_before_the_database_sees_them(session: Session) -> None:
    with pytest.raises(AbsurdAmountError):
        topped_up(session, 10**30)


def test_currencies_never_mix(session: Session) -> None:
    posting = Posting(
        type=TransactionType.TOP_UP, idem="x", fingerprint=fingerprint_of("x"), occurred_at=AT,
        entries=(Entry(STRIPE, 100), Entry(chart.wallet(ANNA, "USD"), -100)),
    )  # fmt: skip
    with pytest.raises(UnbalancedError):
        post(session, posting, at=AT)


@pytest.mark.parametrize(
    "entries", [(), (Entry(STRIPE, 5), Entry(WALLET, -4)), (Entry(STRIPE, 0), Entry(WALLET, 0))]
)
def test_unbalanced_postings_are_refused(session: Session, entries: tuple[Entry, ...]) -> None:
    posting = Posting(
        type=TransactionType.TOP_UP, idem="x", fingerprint="f", occurred_at=AT, entries=entries
    )
    with pytest.raises(UnbalancedError):
        post(session, posting, at=AT)


def test_a_transaction_that_does_not_exist(session: Session) -> None:
    with pytest.raises(NoSuchTransactionError):
        ledger.load(session, 1)


def test_vat_without_a_country_is_a_bug(session: Session) -> None:
    with pytest.raises(ValueError, match="country"):
        ledger.usage(
            session, ANNA, 51, rating_version=1, net=eur(5), vat=eur(1), vat_country=None, at=AT
        )


def test_posting_times_never_run_backwards(session: Session) -> None:
    first = topped_up(session, 300)
    ledger.top_up(session, ANNA, eur(1), psp="stripe", payment_ref="b", at=AT + timedelta(hours=2))
    set_back = ledger.top_up(
        session, ANNA, eur(1), psp="stripe", payment_ref="c", at=AT - timedelta(hours=1)
    )
    assert first.posted_at == AT
    assert set_back.posted_at == AT + timedelta(hours=2)
    assert set_back.occurred_at == AT - timedelta(hours=1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transaction SET reason = 'x'",
        "DELETE FROM ledger_transaction",
        "UPDATE ledger_entry SET amount = 1 WHERE amount > 0",
        "DELETE FROM ledger_entry",
        "DELETE FROM ledger_account",
        "UPDATE ledger_account SET owner = '9' WHERE kind = 'wallet'",
        "UPDATE ledger_account SET posted = -1 WHERE kind = 'wallet'",
        "UPDATE ledger_account SET held = posted + 1 WHERE kind = 'wallet'",
        "UPDATE ledger_account SET held = -1 WHERE kind = 'wallet'",
        "UPDATE ledger_account SET held = 1 WHERE kind = 'psp'",
    ],
)
def test_the_database_itself_refuses(sessions: sessionmaker[Session], statement: str) -> None:
    with sessions.begin() as session:
        topped_up(session, 300)
    with pytest.raises(DatabaseError), sessions.begin() as session:
        session.execute(text(statement))


@pytest.mark.parametrize("table", ["ledger_transaction", "ledger_entry", "ledger_account"])
def test_postgresql_refuses_to_truncate(sessions: sessionmaker[Session], table: str) -> None:
    with sessions() as session:
        if session.get_bind().dialect.name != "postgresql":
            pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DatabaseError), sessions.begin() as session:
        session.execute(text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.parametrize(
    "entries",
    [[], [("psp", 5)], [("psp", 5), ("wallet", -4)]],
    ids=["no entries", "one side", "unequal"],
)
def test_what_goes_past_the_service_is_caught(
    sessions: sessionmaker[Session], entries: list[tuple[str, int]]
) -> None:
    """PostgreSQL refuses at commit; on SQLite the trial balance shows it."""
    with sessions.begin() as session:
        topped_up(session, 300)
    session = sessions()
    session.execute(
        text(
            "INSERT INTO ledger_transaction (type, idem, fingerprint, occurred_at, posted_at, actor)"
            " SELECT type, 'raw', 'f', occurred_at, posted_at, actor FROM ledger_transaction"
        )
    )
    for kind, amount in entries:
        session.execute(
            text(
                "INSERT INTO ledger_entry (transaction_id, ledger_account_id, amount) SELECT t.id, a.id,"
                " :amount FROM ledger_transaction t, ledger_account a WHERE t.idem = 'raw' AND a.kind = :kind"
            ),
            {"amount": amount, "kind": kind},
        )
    if session.get_bind().dialect.name == "postgresql":
        with pytest.raises(IntegrityError, match="not balanced"):
            session.commit()
    else:
        session.commit()
        assert any(one.check == "transaction-unbalanced" for one in trial_balance.mismatches(session))
    session.close()
