"""An organiser is warned once a day, in their language, while toll-free calls run."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import profile
from billing.metering import EntryClosed, EntryOpened, FundsLow, MeterEvent
from billing.money import Money
from billing.payments.fund_mails import FundMails
from mail.models import OutboxMail
from mail.outbox import enqueue

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LOW = FundsLow(account_id=1, percent=80, used=Money(240, "EUR"), total=Money(300, "EUR"))


@pytest.fixture
def mails(sessions: sessionmaker[Session]) -> FundMails:
    with sessions.begin() as session:
        create_account(session, email="ann@example.org", now=NOW)
    return FundMails(
        lambda session, mail, key: enqueue(session, mail, key=key, now=NOW),
        billing_url="https://events.example/billing",
        now=lambda: NOW,
    )


@pytest.mark.parametrize(("locale", "words"), [("en", "80 % of your balance"), ("fr", "80 % de votre solde")])
def test_a_warning_comes_once_and_in_ones_language(
    mails: FundMails, sessions: sessionmaker[Session], locale: str, words: str
) -> None:
    with sessions.begin() as session:
        profile.save(session, dataclasses.replace(profile.get(session, 1), locale=locale), now=NOW)
    for notice in (LOW, LOW):
        with sessions.begin() as session:
            mails(session, notice)
    with sessions() as session:
        (row,) = session.scalars(select(OutboxMail))
    assert words in row.subject
    assert "2" in row.body_text
    assert row.recipient == "ann@example.org"


@pytest.mark.parametrize(
    "notice",
    [
        FundsLow(account_id=1, percent=100, used=Money(300, "EUR"), total=Money(300, "EUR")),
        EntryClosed(account_id=1),
    ],
)
def test_used_up_is_one_mail_whoever_says_it(
    mails: FundMails, sessions: sessionmaker[Session], notice: MeterEvent
) -> None:
    with sessions.begin() as session:
        mails(session, notice)
        mails(session, EntryClosed(account_id=1))
    with sessions() as session:
        (row,) = session.scalars(select(OutboxMail))
    assert "used up" in row.subject
    assert not mails.wanted(EntryOpened(account_id=1))
