"""Money that goes back: refunds we make, refunds made in the provider's own pages, and chargebacks.

What a payment was for decides where its refund comes from (`purposes`): top-ups from the wallet, tickets from
what is owed to their organiser.

A refund is written down and committed, then the provider is asked under the refund's key, then the posting is
made; a crash in between leaves a row that the runner asks about again, under the same key. Only what is in
the wallet can be sent back, and it is checked before the provider is asked. When somebody used the money in
the meantime, or a refund was made in the provider's own pages, what the wallet cannot give is owed again. A
chargeback makes the customer owe the money again; one that we win is reversed. No function here commits or
calls a provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing import ledger, posting
from billing.chart import AccountName, Kind
from billing.ledger_errors import InsufficientFundsError
from billing.ledger_models import LedgerTransaction
from billing.money import Money
from billing.payments import purposes
from billing.payments.checkouts import check_key
from billing.payments.errors import KeyReusedError, NotPossibleError, UnknownPaymentError
from billing.payments.gateway import (
    Declined,
    DisputeOpened,
    DisputeWon,
    Refunded,
    RefundOutcome,
    RefundSeen,
    Unknown,
)
from billing.payments.models import Attempt, Charge, Checkout, Refund
from billing.payments.purposes import TOP_UPS, Purposes

LEASE = timedelta(minutes=2)
WAIT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money that came in through a provider."""

    account_id: int
    psp: str
    ref: str
    amount: Money
    at: datetime
    kind: str
    checkout: Checkout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWork:
    """A provider call to be made."""

    refund_id: int
    psp: str
    payment: str
    amount: Money
    key: str


def find_payment(session: Session, psp: str, ref: str) -> Payment | None:
    """Whose payment that was."""
    top_up = session.scalars(
        select(Checkout).where(Checkout.psp == psp, Checkout.payment_ref == ref, Checkout.state == "paid")
    ).first()
    if top_up is not None:
        money = Money(top_up.amount, top_up.currency)
        return Payment(account_id=top_up.account_id, psp=psp, ref=ref, amount=money, at=top_up.updated_at,
                       kind=top_up.kind, checkout=top_up)  # fmt: skip
    query = select(Attempt, Charge).join(Charge, Charge.id == Attempt.charge_id)
    found = session.execute(
        query.where(Attempt.psp == psp, Attempt.payment_ref == ref, Attempt.state == "charged")
    ).first()
    if found is None:
        return None
    attempt, charge = found
    money = Money(attempt.amount, attempt.currency)
    return Payment(account_id=charge.account_id, psp=psp, ref=ref, amount=money, kind="charge",
                   at=attempt.finished_at or attempt.started_at)  # fmt: skip


def request(
    session: Session, *, psp: str, payment: str, amount: Money, key: str, actor: str, reason: str,
    now: datetime, by_kind: Purposes = TOP_UPS, even_if_spent: bool = False,
) -> Refund:  # fmt: skip
    """Write down that so much of a payment shall go back. The same key is the same refund.

    Raises UnknownPaymentError, KeyReusedError, and NotPossibleError when what is left of the payment is less,
    or the account it comes from has less (unless `even_if_spent`).
    """
    check_key(key)
    before = session.scalars(select(Refund).where(Refund.key == key)).one_or_none()
    if before is not None:
        if (before.payment_ref, before.amount, before.currency) != (payment, amount.minor, amount.currency):
            raise KeyReusedError("this key was used for another refund")
        return before
    paid = find_payment(session, psp, payment)
    if paid is None:
        raise UnknownPaymentError("there is no such payment")
    source = purposes.of(by_kind, paid.kind).refunds_from
    name = AccountName(source, str(paid.account_id), amount.currency)
    account = posting.lock(session, [name])[name]
    of_payment = (Refund.psp == psp, Refund.payment_ref == payment, Refund.state != "declined")
    sent = int(session.scalar(select(func.sum(Refund.amount)).where(*of_payment)) or 0)
    if not 0 < amount.minor <= paid.amount.minor - sent or amount.currency != paid.amount.currency:
        left = Money(paid.amount.minor - sent, paid.amount.currency)
        raise NotPossibleError(f"of this payment {left} can go back")
    of_account = (
        Refund.account_id == paid.account_id,
        Refund.source == source,
        Refund.currency == amount.currency,
        Refund.state == "started",
    )
    pending = int(session.scalar(select(func.sum(Refund.amount)).where(*of_account)) or 0)
    if account.available - pending < amount.minor and not even_if_spent:
        left = Money(account.available - pending, amount.currency)
        raise NotPossibleError(f"{source} has {left} to give back")
    row = Refund(
        account_id=paid.account_id, key=key, psp=psp, payment_ref=payment, currency=amount.currency,
        source=source,
        amount=amount.minor, state="started", code="", provider_ref="", actor=actor, reason=reason, calls=0,
        next_call_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def due(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Refunds whose outcome is not known yet."""
    query = select(Refund.id).where(Refund.state == "started", Refund.next_call_at <= now)
    return session.scalars(query.order_by(Refund.id).limit(limit)).all()


def take(session: Session, refund_id: int, *, now: datetime) -> RefundWork | None:
    """The provider call to make; whoever gets it has it alone until the lease runs out."""
    row = _locked(session, refund_id)
    if row.state != "started" or row.next_call_at is None or row.next_call_at > now:
        return None
    row.calls, row.next_call_at = row.calls + 1, now + LEASE
    session.flush()
    return RefundWork(refund_id=row.id, psp=row.psp, payment=row.payment_ref, key=row.key,
                      amount=Money(row.amount, row.currency))  # fmt: skip


def record(
    session: Session, refund_id: int, outcome: RefundOutcome, *, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """Write down what became of a refund."""
    plain = session.get_one(Refund, refund_id)
    purpose = _purpose(session, plain, by_kind)
    names = purposes.accounts_of(purpose, plain.psp, plain.account_id, plain.currency)
    posting.lock(session, names)
    row = _locked(session, refund_id)
    if row.state != "started":
        return "stale"
    match outcome:
        case Refunded(ref=ref):
            row.provider_ref, row.next_call_at, row.updated_at = ref, None, now
            row.state = _post(
                session, row.account_id, Money(row.amount, row.currency), psp=row.psp, ref=ref,
                actor=row.actor, reason=row.reason, purpose=purpose, now=now,
            )  # fmt: skip
            purpose.refund_ended(session, row, now=now)
        case Declined(code=code):
            row.state, row.code, row.next_call_at, row.updated_at = "declined", code[:64], None, now
            purpose.refund_ended(session, row, now=now)
        case Unknown(reason=reason):
            row.code, row.next_call_at = reason[:64], now + WAIT
    session.flush()
    return row.state


def seen(
    session: Session, psp: str, event: RefundSeen, *, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """A web hook says that money went back."""
    if event.key:
        ours = session.scalars(select(Refund).where(Refund.key == event.key)).one_or_none()
        if ours is not None:
            return record(session, ours.id, Refunded(ref=event.ref), now=now, by_kind=by_kind)
    known = session.scalars(select(Refund).where(Refund.psp == psp, Refund.provider_ref == event.ref))
    if known.first() is not None:
        return "stale"
    paid = find_payment(session, psp, event.payment)
    if paid is None:
        return "unknown-payment"
    purpose = purposes.of(by_kind, paid.kind)
    posting.lock(session, purposes.accounts_of(purpose, psp, paid.account_id, event.amount.currency))
    row = Refund(
        account_id=paid.account_id, source=purpose.refunds_from, key=f"seen:{psp}:{event.ref}",
        psp=psp, payment_ref=event.payment,
        currency=event.amount.currency, amount=event.amount.minor, state="started", code="",
        provider_ref=event.ref, actor=psp, reason="made in the provider's pages", calls=0, next_call_at=None,
        created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    row.state = _post(
        session, paid.account_id, event.amount, psp=psp, ref=event.ref, actor=psp, reason=row.reason,
        purpose=purpose, now=now,
    )  # fmt: skip
    purpose.refund_ended(session, row, now=now)
    session.flush()
    return row.state


def disputed(
    session: Session, psp: str, event: DisputeOpened, *, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """A bank took a payment back."""
    paid = find_payment(session, psp, event.payment)
    if paid is None:
        return "unknown-payment"
    purpose = purposes.of(by_kind, paid.kind)
    posting.lock(session, purposes.accounts_of(purpose, psp, paid.account_id, event.amount.currency))
    posted = ledger.chargeback(
        session, paid.account_id, money=event.amount, fee=event.fee or Money.zero(event.amount.currency),
        psp=psp, dispute_ref=event.ref, at=now, source=purpose.disputes_from,
    )  # fmt: skip
    if posted.replayed:
        return "stale"
    if paid.checkout is not None:
        purpose.disputed(session, paid.checkout, won=False, now=now)
    return "charged-back"


def dispute_won(
    session: Session, psp: str, event: DisputeWon, *, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """The bank gave it back: the chargeback is reversed."""
    idem = f"chargeback:{psp}:{event.ref}"
    found = session.scalar(select(LedgerTransaction.id).where(LedgerTransaction.idem == idem))
    if found is None:
        return "unknown-dispute"
    posted = ledger.reverse(session, found, actor=psp, reason="dispute won", at=now)
    if posted.replayed:
        return "stale"
    assert posted.account_id is not None, "a chargeback is always somebody's"
    ledger.settle_credit(session, posted.account_id, event.amount.currency, idem=f"won:{idem}", at=now)
    paid = find_payment(session, psp, event.payment)
    if paid is not None and paid.checkout is not None:
        purposes.of(by_kind, paid.kind).disputed(session, paid.checkout, won=True, now=now)
    return "won"


def _post(
    session: Session, account_id: int, money: Money, *, psp: str, ref: str, actor: str, reason: str,
    purpose: purposes.Purpose, now: datetime,
) -> str:  # fmt: skip
    try:
        ledger.refund(
            session, account_id, money, psp=psp, refund_ref=ref, actor=actor, reason=reason, at=now,
            source=purpose.refunds_from,
        )  # fmt: skip
    except InsufficientFundsError:
        nothing = Money.zero(money.currency)
        ledger.chargeback(
            session, account_id, money=money, fee=nothing, psp=psp, dispute_ref=f"refund:{ref}", at=now
        )
        return "owed"
    return "refunded"


def _purpose(session: Session, row: Refund, by_kind: Purposes) -> purposes.Purpose:
    if row.source == Kind.WALLET:
        return purposes.of(by_kind, purposes.TOP_UP)
    paid = find_payment(session, row.psp, row.payment_ref)
    assert paid is not None, "a refund is of a payment"
    return purposes.of(by_kind, paid.kind)


def _locked(session: Session, refund_id: int) -> Refund:
    return session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)
