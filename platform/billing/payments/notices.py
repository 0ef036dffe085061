"""Mails about charges: "please confirm" (3-D Secure) and "your card did not pay".

They enter the outbox in the transaction that records the outcome, under the key of the attempt: so an outcome
that is learnt twice is mailed once, and one that is rolled back is not mailed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from accounts.models import Account
from billing import profile
from billing.payments.charges import ConfirmNeeded, Notice
from mail.message import Mail
from mail.texts import MailTexts

HERE = Path(__file__).parent
Enqueue = Callable[[Session, Mail, str], object]
"""Puts a mail into the outbox under a key."""


class PaymentMails:
    """A `charges.Notify`. `billing_url` is where cards and balance are."""

    def __init__(self, enqueue: Enqueue, *, billing_url: str) -> None:
        self._enqueue = enqueue
        self._billing_url = billing_url
        self._texts = MailTexts(HERE / "mail_templates", HERE / "mail_locale")

    def __call__(self, session: Session, notice: Notice) -> None:
        """Write to the account's owner."""
        account = session.get_one(Account, notice.account_id)
        locale = profile.get(session, notice.account_id).locale
        confirm = isinstance(notice, ConfirmNeeded)
        mail = self._texts.write(
            "confirm_charge" if confirm else "card_failed",
            locale,
            {
                "amount": notice.amount.format(locale),
                "link": notice.url if isinstance(notice, ConfirmNeeded) else self._billing_url,
            },
            to=account.email,
        )
        self._enqueue(session, mail, f"{'confirm' if confirm else 'card-failed'}:{notice.key}")
