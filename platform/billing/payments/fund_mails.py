"""Mails that warn an organiser while toll-free calls run: 80 % used, and used up.

The meter says each once until there are funds again; after a restart it says it again, so the mail's key
holds the day: one of each kind a day and account, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from accounts.models import Account
from billing import profile
from billing.metering import EntryClosed, FundsLow, MeterEvent
from billing.payments.notices import HERE, Enqueue
from mail.texts import MailTexts

FULL = 100


class FundMails:
    """Writes to the account's owner. `billing_url` is where balance is topped up."""

    def __init__(self, enqueue: Enqueue, *, billing_url: str, now: Callable[[], datetime]) -> None:
        self._enqueue = enqueue
        self._billing_url = billing_url
        self._now = now
        self._texts = MailTexts(HERE / "mail_templates", HERE / "mail_locale")

    def wanted(self, notice: MeterEvent) -> bool:
        """Whether anybody is to be told of this."""
        return isinstance(notice, FundsLow | EntryClosed)

    def __call__(self, session: Session, notice: MeterEvent) -> None:
        """Write, in the caller's transaction."""
        assert isinstance(notice, FundsLow | EntryClosed)
        account = session.get_one(Account, notice.account_id)
        payer = profile.get(session, notice.account_id)
        day = self._now().astimezone(payer.zone).date()
        values: dict[str, str] = {"link": self._billing_url}
        low = isinstance(notice, FundsLow) and notice.percent < FULL
        if isinstance(notice, FundsLow) and low:
            values |= {
                "percent": str(notice.percent),
                "used": notice.used.format(payer.locale),
                "total": notice.total.format(payer.locale),
            }
        mail = self._texts.write(
            "funds_low" if low else "funds_spent", payer.locale, values, to=account.email
        )
        self._enqueue(session, mail, f"funds-{'low' if low else 'spent'}:{notice.account_id}:{day}")
