"""A machine that does anything to an account, in any order, twice, and dies in the middle; the books hold.

Each run has an account of its own in one database, and one provider plays along. After every step the
invariants of the account are computed from the rows themselves, and after a run all of the books are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import holds, ledger, statements, trial_balance
from billing.chart import Kind
from billing.holds import HoldState
from billing.ledger_errors import HoldResolvedError, InsufficientFundsError
from billing.ledger_models import Hold, LedgerAccount, LedgerEntry, LedgerTransaction
from billing.money import Money
from billing.payments import cards, charges
from billing.payments.cashier import ask
from billing.payments.hooks import HookDesk
from billing.payments.models import Attempt, Charge
from billing.posting import Posted
from billing.statements import Statement
from tests.billing.provider_support import CARD, MOODS, MemoryProvider

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINOR = st.integers(1, 3000)
NUMBERS = itertools.count(1)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


class LedgerMachine(RuleBasedStateMachine):
    """One account."""

    posted = Bundle("posted")
    held = Bundle("held")
    sent = Bundle("sent")

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        super().__init__()
        self.sessions = sessions
        self.now = START
        self.number = next(NUMBERS)
        self.provider = MemoryProvider(psp=f"test{self.number}")
        self.desk = HookDesk(sessions, lambda _psp: self.provider, lambda _session, _notice: None)
        self.keys = itertools.count(1)
        self.given: list[Statement] = []
        with sessions.begin() as session:
            account = create_account(session, email=f"a{self.number}@example.org", now=START).account
            self.account_id = account.id
            card = replace(CARD, ref=f"card{self.number}")
            cards.save_card(session, account.id, self.provider.psp, card, now=START)

    def do(self, work: Callable[[Session], Posted], *, times: int = 1) -> Posted:
        """Do it in one transaction each time; all but the first only say that it was done."""
        results = []
        for _ in range(times):
            with self.sessions.begin() as session:
                results.append(work(session))
        assert [one.replayed for one in results[1:]] == [True] * (times - 1)
        assert {one.id for one in results} == {results[0].id}
        assert all(one.entries == results[0].entries for one in results)
        return results[0]

    @rule(target=posted, minor=MINOR, times=st.integers(1, 3))
    def top_up(self, minor: int, times: int) -> int:
        payment = f"pay{self.number}-{next(self.keys)}"
        self.provider.pays_in(self.account_id, payment, eur(minor), at=self.now)
        return self.do(
            lambda session: ledger.top_up(
                session, self.account_id, eur(minor), psp=self.provider.psp, payment_ref=payment, at=self.now
            ),
            times=times,
        ).id

    def use(self, session: Session, run: int, net: int, vat: int) -> Posted:
        charged = ledger.usage(
            session, self.account_id, run, rating_version=1, net=eur(net), vat=eur(vat), vat_country="NL",
            at=self.now,
        )  # fmt: skip
        rest = charged.change(Kind.RECEIVABLE, "EUR")
        assert rest - charged.change(Kind.WALLET, "EUR") == eur(net + vat)
        if rest:
            charges.request_charge(session, self.account_id, rest, usage_tx=charged.id, now=self.now)
        return charged

    def run_id(self) -> int:
        return self.number * 10_000 + next(self.keys)

    @rule(target=posted, net=MINOR, vat=st.integers(0, 500), times=st.integers(1, 2))
    def usage(self, net: int, vat: int, times: int) -> int:
        run = self.run_id()
        return self.do(lambda session: self.use(session, run, net, vat), times=times).id

    @rule(target=held, minor=MINOR, hours=st.integers(1, 30))
    def hold(self, minor: int, hours: int) -> int:
        run = self.run_id()
        with self.sessions.begin() as session:
            holds.ensure(
                session, self.account_id, eur(minor), session_id=run, at=self.now,
                expires_at=self.now + timedelta(hours=hours),
            )  # fmt: skip
        return run

    @rule(run=held, minor=MINOR)
    def extend(self, run: int, minor: int) -> None:
        with self.sessions.begin() as session:
            before = holds.find(session, holds.session_key(run))
            assert before is not None
            try:
                after = holds.extend(session, before.key, eur(minor), expires_at=self.now)
            except HoldResolvedError:
                assert before.state is not HoldState.OPEN
            else:
                assert before.amount <= after.amount <= max(before.amount, eur(minor))

    @rule(target=posted, run=held, net=MINOR, times=st.integers(1, 2))
    def capture(self, run: int, net: int, times: int) -> object:
        """The session is charged: its hold ends in the same transaction. It may have ended before."""
        key = holds.session_key(run)
        with self.sessions.begin() as session:
            state = holds.find(session, key)
            assert state is not None
        if state.state in (HoldState.RELEASED, HoldState.EXPIRED, HoldState.CAPTURED):
            return multiple()

        def work(session: Session) -> Posted:
            holds.capture(session, key, at=self.now)
            return self.use(session, run, net, 0)

        return self.do(work, times=times).id

    @rule(run=consumes(held))
    def release(self, run: int) -> None:
        with self.sessions.begin() as session:
            before = holds.find(session, holds.session_key(run))
            assert before is not None
            if before.state in (HoldState.OPEN, HoldState.RELEASED):
                holds.release(session, before.key, at=self.now)

    @rule()
    def expire(self) -> None:
        with self.sessions.begin() as session:
            holds.expire(session, now=self.now)

    @rule(number=posted)
    def reverse(self, number: int) -> None:
        """A reversal restores, or is refused because the money is gone."""
        with self.sessions.begin() as session:
            before = ledger.balance(session, self.account_id, "EUR")
            original = ledger.load(session, number)
            try:
                mirror = ledger.reverse(session, number, actor="m", reason="r", at=self.now)
            except InsufficientFundsError:
                assert before.available < original.change(Kind.WALLET, "EUR")
                return
            after = ledger.balance(session, self.account_id, "EUR")
            if not mirror.replayed:
                assert before.posted - after.posted == original.change(Kind.WALLET, "EUR")
                assert before.receivable - after.receivable == original.change(Kind.RECEIVABLE, "EUR")

    @rule(minutes=st.sampled_from([1, 30, 600, 1500, 11_000]), back=st.booleans())
    def time_passes(self, minutes: int, back: bool) -> None:
        self.now += timedelta(minutes=-1 if back else minutes)

    @rule(mood=st.sampled_from(MOODS), die=st.sampled_from(["", "", "before", "after"]))
    def cards_are_charged(self, mood: str, die: str) -> None:
        """What the payment runner does; it may die before or after the provider was called."""
        self.provider.mood = mood
        with self.sessions.begin() as session:
            mine = Charge.account_id == self.account_id
            debts = session.scalars(select(Charge.id).where(mine)).all()
            tries = session.scalars(select(Attempt.id).join(Charge).where(mine)).all()
        starts = [
            lambda session, each=each: charges.resume(session, each, return_url="", now=self.now)
            for each in tries
        ] + [
            lambda session, each=each: charges.begin(
                session, each, gateways=lambda _psp: self.provider, return_url="", now=self.now
            )
            for each in debts
        ]
        for start in starts:
            with self.sessions.begin() as session:
                work = start(session)
            if work is None:
                continue
            if die == "before":
                return
            outcome = ask(self.provider, work)
            if die == "after":
                return
            with self.sessions.begin() as session:
                charges.record(
                    session, work.attempt_id, outcome, notify=lambda _session, _notice: None, now=self.now
                )

    @rule(target=sent, which=st.floats(0, 0.999), times=st.integers(1, 2))
    def web_hook(self, which: float, times: int) -> object:
        """Any message of the provider comes, in any order, more than once."""
        if not self.provider.events:
            return multiple()
        number = int(which * len(self.provider.events))
        for _ in range(times):
            self.desk.receive(self.provider.psp, {}, str(number).encode(), now=self.now)
        return number

    @rule(number=sent)
    def web_hook_again(self, number: int) -> None:
        done = self.desk.receive(self.provider.psp, {}, str(number).encode(), now=self.now)
        assert done == ["duplicate"]

    @rule()
    def give_a_statement(self) -> None:
        with self.sessions.begin() as session:
            self.given.append(self.statement(session, self.now))

    def statement(self, session: Session, end: datetime) -> Statement:
        return statements.statement(
            session, self.account_id, "EUR", start=START - timedelta(days=1), end=end, now=end
        )

    def sums(self, session: Session) -> dict[str, int]:
        """Σ entries of this account's transactions by kind of account, debit above 0."""
        rows = session.execute(
            select(LedgerAccount.kind, func.sum(LedgerEntry.amount))
            .join(LedgerEntry, LedgerEntry.ledger_account_id == LedgerAccount.id)
            .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
            .where(LedgerTransaction.account_id == self.account_id)
            .group_by(LedgerAccount.kind)
        )
        return {kind: int(total) for kind, total in rows}

    @invariant()
    def the_account_is_in_order(self) -> None:
        with self.sessions.begin() as session:
            sums = self.sums(session)
            balance = ledger.balance(session, self.account_id, "EUR")
            open_holds = session.scalar(
                select(func.coalesce(func.sum(Hold.amount), 0))
                .join(LedgerAccount, LedgerAccount.id == Hold.ledger_account_id)
                .where(LedgerAccount.owner == str(self.account_id), Hold.state == HoldState.OPEN)
            )
        assert sum(sums.values()) == 0
        assert balance.posted.minor == -sums.get("wallet", 0) >= 0
        assert balance.receivable.minor == sums.get("receivable", 0)
        assert 0 <= balance.held.minor == open_holds <= balance.posted.minor
        used = -sums.get("usage", 0) - sums.get("vat", 0)
        assert balance.posted.minor - balance.receivable.minor == sums.get("psp", 0) - used
        assert set(self.provider.charges_per_debt().values()) <= {1}

    def teardown(self) -> None:
        """When everything came through, what the provider took is what the ledger knows, and nothing more
        was taken than was owed."""
        with self.sessions.begin() as session:
            reversed_top_ups = session.scalar(
                select(func.coalesce(func.sum(-LedgerEntry.amount), 0))
                .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
                .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
                .where(LedgerAccount.owner == self.provider.psp, LedgerTransaction.type == "reversal")
            )
        for _ in range(6):
            self.now += timedelta(days=8)
            self.cards_are_charged("charge", "")
        for number in range(len(self.provider.events)):
            self.desk.receive(self.provider.psp, {}, str(number).encode(), now=self.now)
        self.the_account_is_in_order()
        with self.sessions.begin() as session:
            known = self.sums(session).get("psp", 0) + int(reversed_top_ups or 0)
            assert known == self.provider.total(self.account_id)
            assert trial_balance.mismatches(session) == []
            assert [self.statement(session, one.end) for one in self.given] == self.given


def test_the_books_hold_whatever_happens(sessions: sessionmaker[Session]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: LedgerMachine(sessions),
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
