"""Mails about charges: the right words, link and language; once per attempt."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import profile
from billing.money import Money
from billing.payments.charges import CardFailed, ConfirmNeeded, Notice
from billing.payments.notices import HERE, PaymentMails
from mail.models import OutboxMail
from mail.outbox import enqueue
from tests.billing.payments.scene import START

NOTICES = [
    ConfirmNeeded(account_id=1, amount=Money(119450, "EUR"), url="https://bank.example/x", key="short:1:1"),
    CardFailed(account_id=1, amount=Money(119450, "EUR"), key="short:1:4"),
]


@pytest.mark.parametrize("notice", NOTICES, ids=["confirm", "failed"])
@pytest.mark.parametrize(("locale", "amount"), [("en", "€1,194.50"), ("fr", "1\u202f194,50\u00a0€")])
def test_a_mail_in_the_readers_language_goes_out_once(
    sessions: sessionmaker[Session], notice: Notice, locale: str, amount: str
) -> None:
    mails = PaymentMails(
        lambda session, mail, key: enqueue(session, mail, key=key, now=START),
        billing_url="https://shop.example/billing",
    )
    with sessions.begin() as session:
        create_account(session, email="a@example.org", now=START)
        profile.save(session, replace(profile.get(session, 1), locale=locale), now=START)
        for _ in range(2):
            mails(session, notice)
        (mail,) = session.scalars(select(OutboxMail))
    assert mail.recipient == "a@example.org"
    link = notice.url if isinstance(notice, ConfirmNeeded) else "https://shop.example/billing"
    for part in (mail.body_text, mail.body_html):
        assert link in part
    assert amount in mail.subject or amount.replace("\u202f", " ").replace("\u00a0", " ") in mail.subject


def test_every_sentence_is_translated() -> None:
    catalogue = (HERE / "mail_locale/fr/LC_MESSAGES/payments.po").read_text()
    for path in (HERE / "mail_templates").iterdir():
        for sentence in re.findall(r'_\("([^"]+)"', path.read_text()):
            assert f'msgid "{sentence}"' in catalogue, sentence
