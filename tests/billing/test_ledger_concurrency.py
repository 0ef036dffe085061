"""Eighty threads at once: forty postings, each sent twice, and none is lost or made twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from billing import holds, ledger, trial_balance
from billing.money import Money

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def at_once(sessions: sessionmaker[Session], jobs: list[Callable[[Session], object]]) -> list[BaseException]:
    errors: list[BaseException] = []
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[Session], object]) -> None:
        gate.wait()
        try:
            with sessions.begin() as session:
                job(session)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_forty_keys_each_sent_twice(sessions: sessionmaker[Session]) -> None:
    def top_up(key: int) -> Callable[[Session], object]:
        return lambda session: ledger.top_up(
            session, 1 + key % 4, eur(100 + key), psp="stripe", payment_ref=f"pi_{key}", at=AT
        )

    errors = at_once(sessions, [top_up(key) for key in range(40) for _ in range(2)])
    assert errors == []
    with sessions() as session:
        total = sum(ledger.balance(session, account, "EUR").posted.minor for account in (1, 2, 3, 4))
        assert total == sum(100 + key for key in range(40))
        assert trial_balance.mismatches(session) == []


def test_a_wallet_is_never_spent_twice(sessions: sessionmaker[Session]) -> None:
    """Twenty sessions want 1.00 each, and ten holds 0.50, of a wallet of 10.00."""
    with sessions.begin() as session:
        ledger.top_up(session, 1, eur(1000), psp="stripe", payment_ref="pi", at=AT)

    def use(number: int) -> Callable[[Session], object]:
        return lambda session: ledger.usage(
            session, 1, number, rating_version=1, net=eur(100), vat=eur(0), vat_country=None, at=AT
        )

    def keep(number: int) -> Callable[[Session], object]:
        return lambda session: holds.hold(
            session, 1, eur(50), key=f"h{number}", session_id=None, at=AT, expires_at=AT + timedelta(hours=1)
        )

    errors = at_once(sessions, [*(use(number) for number in range(20)), *(keep(n) for n in range(10))])
    assert errors == []
    with sessions() as session:
        now = ledger.balance(session, 1, "EUR")
        assert now.posted.minor + 2000 - now.receivable.minor == 1000
        assert now.available.minor == 0
        assert trial_balance.mismatches(session) == []
