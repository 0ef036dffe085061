"""What the wallet lacked is taken from the card: debts, attempts, and what each outcome does to them.

Theory. A debt (`Charge`) is collected by attempts numbered 1, 2, 3, …; attempt n calls the provider under the
key `{debt}:{n}`, and the row of the attempt is committed before the call. So at every moment the database
knows a superset of what the provider may have done:

    begin (commit) → provider call → record (commit)

Dying between the first two leaves an attempt that never reached the provider, dying between the last two one
that did; nobody can tell which, and nobody has to: the same key is sent again and means the same charge. The
number rises only after a definite decline.

    queued ─begin→ charging ─charged→ paid          small   too little for the provider: stays receivable
      ↑              │ ├─soft→ waiting ─1, 3, 7 d→ charging; after the third: failed
      │              │ ├─hard→ failed
      │              │ └─3-D Secure→ action ─(paid, or given up after 3 days = soft)
      └─ a card is saved, a default chosen, staff retries ── no_card, failed, small
                                                    settled  the wallet paid, or the debt is gone

Never more is charged than the ledger says is owed, minus what other attempts are collecting at this moment.
A provider's word that money moved is always believed, whatever we thought before: if the debt is paid already
the money goes into the wallet. No function here commits or calls a provider.

Locks are taken in one order, the ledger's accounts first, then debts and attempts: so two runners, a web hook
and a top-up may meet at one account without a deadlock, and without collecting the same debt twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing import chart, ledger, posting, profile
from billing.ledger_errors import IdemConflictError
from billing.money import Money
from billing.payments import cards
from billing.payments.errors import KeyReusedError, NotPossibleError, UnknownPaymentError
from billing.payments.gateway import (
    Charged,
    ChargeOutcome,
    ChargeWish,
    Declined,
    NeedsAction,
    PaymentGateway,
    Unknown,
)
from billing.payments.models import Attempt, Card, Charge

RETRY_DAYS = (1, 3, 7)
"""Days after which a soft decline is tried again; counted from the decline."""
LEASE = timedelta(minutes=2)
"""How long one call may take before another runner may ask again."""
UNKNOWN_WAITS = tuple(timedelta(minutes=m) for m in (1, 2, 5, 15, 60))
ACTION_POLL = timedelta(hours=1)
ACTION_DAYS = 3
OPEN = ("queued", "waiting", "no_card", "small", "failed")
"""States of a debt that nobody is collecting at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A provider call to be made: `wish` through the gateway `psp`.

    `again`: it may have been made before. `payment` is set when the payer has to confirm, `give_up` when
    that has taken too long.
    """

    attempt_id: int
    psp: str
    wish: ChargeWish
    again: bool = False
    payment: str = ""
    give_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmNeeded:
    """The payer must confirm at `url`: to be mailed. `key` is unique per attempt."""

    account_id: int
    amount: Money
    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFailed:
    """The card did not pay, and we stop trying: to be mailed. `key` is unique per attempt."""

    account_id: int
    amount: Money
    key: str


Notice = ConfirmNeeded | CardFailed
Notify = Callable[[Session, Notice], None]
"""Puts a mail into the outbox, in the same transaction."""


def request_charge(
    session: Session, account_id: int, money: Money, *, usage_tx: int, now: datetime
) -> Charge:
    """Have the card pay what the wallet lacked for the usage transaction. Asking again changes nothing.

    Raises KeyReusedError when the same debt was asked for with another amount.
    """
    key = f"short:{usage_tx}"
    before = session.scalars(select(Charge).where(Charge.key == key)).one_or_none()
    if before is not None:
        if (before.account_id, before.amount, before.currency) != (account_id, money.minor, money.currency):
            raise KeyReusedError(f"{key} is a debt of {before.amount} {before.currency} already")
        return before
    charge = Charge(
        account_id=account_id, key=key, usage_tx=usage_tx, currency=money.currency, amount=money.minor,
        covered=0, state="queued", reason="", soft_declines=0, next_try_at=now, created_at=now,
        updated_at=now,
    )  # fmt: skip
    session.add(charge)
    session.flush()
    return charge


def due(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Debts whose time has come."""
    query = select(Charge.id).where(Charge.state.in_(("queued", "waiting")), Charge.next_try_at <= now)
    return session.scalars(query.order_by(Charge.next_try_at, Charge.id).limit(limit)).all()


def begin(
    session: Session,
    charge_id: int,
    *,
    gateways: Callable[[str], PaymentGateway | None],
    return_url: str,
    now: datetime,
) -> Work | None:
    """Write the next attempt of a debt and say which call to make after the commit; None when there is
    nothing to do now.
    """
    lock_account(session, session.get_one(Charge, charge_id))
    charge = _locked(session, charge_id)
    if charge.state not in ("queued", "waiting") or charge.next_try_at is None or charge.next_try_at > now:
        return None
    card = cards.default_card(session, charge.account_id)
    gateway = gateways(card.psp) if card is not None else None
    if card is None or gateway is None:
        _move(charge, "no_card", now, reason="" if card is None else "provider-not-configured")
        return None
    owed = owed_now(session, charge.account_id, charge.currency)
    together = _small_ones(session, charge, owed=owed)
    amount = min(charge.amount - charge.covered + sum(o.amount - o.covered for o in together), owed)
    if amount <= 0:
        _move(charge, "settled", now)
        return None
    if Money(amount, charge.currency) < gateway.minimum(charge.currency):
        _move(charge, "small", now)
        return None
    n = 1 + (session.scalar(select(func.max(Attempt.n)).where(Attempt.charge_id == charge.id)) or 0)
    attempt = Attempt(
        charge_id=charge.id, n=n, key=f"{charge.key}:{n}", psp=card.psp, card_id=card.id,
        currency=charge.currency, amount=amount, state="started", code="", payment_ref="", action_url="",
        calls=1, next_call_at=now + LEASE, started_at=now,
    )  # fmt: skip
    session.add(attempt)
    _move(charge, "charging", now)
    session.flush()
    return _work(attempt, charge, card, return_url=return_url)


def open_attempts(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Attempts whose outcome is to be asked for again."""
    query = select(Attempt.id).where(Attempt.state.in_(("started", "action")), Attempt.next_call_at <= now)
    return session.scalars(query.order_by(Attempt.next_call_at, Attempt.id).limit(limit)).all()


def resume(session: Session, attempt_id: int, *, return_url: str, now: datetime) -> Work | None:
    """Take an open attempt up again: whoever gets the work has it alone until the lease runs out."""
    attempt = session.get(Attempt, attempt_id, with_for_update=True, populate_existing=True)
    if attempt is None or attempt.next_call_at is None or attempt.next_call_at > now:
        return None
    if attempt.state not in ("started", "action"):
        return None
    attempt.calls += 1
    attempt.next_call_at = now + LEASE
    charge, card = session.get_one(Charge, attempt.charge_id), session.get_one(Card, attempt.card_id)
    session.flush()
    give_up = attempt.state == "action" and now >= attempt.started_at + timedelta(days=ACTION_DAYS)
    payment = attempt.payment_ref if attempt.state == "action" else ""
    return _work(attempt, charge, card, return_url=return_url, again=True, payment=payment, give_up=give_up)


def record(
    session: Session, attempt_id: int, outcome: ChargeOutcome, *, notify: Notify, now: datetime
) -> str:
    """Write down what became of an attempt; any number of times, from the call and from web hooks alike.

    Returns one word: charged, declined, action, unknown, or stale when it changed nothing.
    """
    attempt = session.get_one(Attempt, attempt_id)
    lock_account(session, session.get_one(Charge, attempt.charge_id), psp=attempt.psp)
    charge = _locked(session, attempt.charge_id)
    attempt = session.get_one(Attempt, attempt_id, with_for_update=True, populate_existing=True)
    if attempt.state == "charged":
        return "stale"
    match outcome:
        case Charged(payment=payment):
            return _charged(session, attempt, charge, payment, now=now)
        case Declined() if attempt.state == "declined":
            return "stale"
        case Declined():
            return _declined(session, attempt, charge, outcome, notify=notify, now=now)
        case NeedsAction() if attempt.state in ("started", "action"):
            first = attempt.state == "started"
            attempt.state, attempt.action_url, attempt.payment_ref = "action", outcome.url, outcome.payment
            attempt.next_call_at = now + ACTION_POLL
            if first:
                _move(charge, "action", now)
                money = Money(attempt.amount, attempt.currency)
                notify(session, ConfirmNeeded(
                    account_id=charge.account_id, amount=money, url=outcome.url, key=attempt.key
                ))  # fmt: skip
            session.flush()
            return "action" if first else "stale"
        case Unknown() if attempt.state in ("started", "action"):
            waits = UNKNOWN_WAITS[min(attempt.calls, len(UNKNOWN_WAITS)) - 1]
            attempt.code, attempt.next_call_at = outcome.reason[:64], now + waits
            session.flush()
            return "unknown"
    return "stale"


def find_attempt(session: Session, key: str) -> Attempt | None:
    """The attempt with this provider key."""
    return session.scalars(select(Attempt).where(Attempt.key == key)).one_or_none()


def retry_now(session: Session, account_id: int, *, now: datetime) -> int:
    """Queue again what found no card or failed: a card was saved, another became the default, or staff asks.

    Returns how many debts.
    """
    query = select(Charge).where(
        Charge.account_id == account_id, Charge.state.in_(("no_card", "failed", "waiting"))
    )
    found = session.scalars(query.with_for_update()).all()
    for charge in found:
        charge.soft_declines = 0
        _move(charge, "queued", now, next_try_at=now)
    session.flush()
    return len(found)


def retry_charge(session: Session, charge_id: int, *, now: datetime) -> None:
    """Queue one failed debt again. Raises UnknownPaymentError, NotPossibleError."""
    charge = session.get(Charge, charge_id, with_for_update=True)
    if charge is None:
        raise UnknownPaymentError("there is no such charge")
    if charge.state not in OPEN:
        raise NotPossibleError(f"this charge is {charge.state}")
    charge.soft_declines = 0
    _move(charge, "queued", now, next_try_at=now)
    session.flush()


def pay_from_wallet(session: Session, account_id: int, currency: str, *, idem: str, now: datetime) -> Money:
    """After a top-up: the wallet pays debts that no card is paying at this moment. Returns how much.

    Whoever tops up in the same transaction has locked the provider's account of the ledger before.
    """
    nothing = Money.zero(currency)
    posting.lock(session, [chart.wallet(account_id, currency), chart.receivable(account_id, currency)])
    if in_flight(session, account_id, currency):
        return nothing
    posted = ledger.pay_from_wallet(session, account_id, currency, idem=idem, actor="top-up", at=now)
    if posted is None or posted.replayed:
        return nothing
    left = sum(max(entry.amount, 0) for entry in posted.entries)
    paid = Money(left, currency)
    query = select(Charge).where(
        Charge.account_id == account_id, Charge.currency == currency, Charge.state.in_(OPEN)
    )
    for charge in session.scalars(query.order_by(Charge.id).with_for_update()):
        part = min(charge.amount - charge.covered, left)
        charge.covered, left = charge.covered + part, left - part
        if charge.covered == charge.amount:
            _move(charge, "settled", now)
    session.flush()
    return paid


def lock_account(session: Session, charge: Charge, *, psp: str = "") -> None:
    """Have the accounts of a debt alone, until the transaction ends; with the provider's, to post."""
    names = [
        chart.wallet(charge.account_id, charge.currency),
        chart.receivable(charge.account_id, charge.currency),
    ]
    posting.lock(session, [*names, chart.psp(psp, charge.currency)] if psp else names)


def in_flight(session: Session, account_id: int, currency: str) -> int:
    """Minor units that open attempts are collecting."""
    query = select(func.sum(Attempt.amount)).join(Charge, Charge.id == Attempt.charge_id)
    mine = query.where(
        Charge.account_id == account_id,
        Attempt.currency == currency,
        Attempt.state.in_(("started", "action")),
    )
    return int(session.scalar(mine) or 0)  # PostgreSQL adds up bigints to a numeric


def owed_now(session: Session, account_id: int, currency: str) -> int:
    """Minor units that are owed and that nobody is collecting."""
    owed = ledger.balance(session, account_id, currency).receivable.minor
    return max(owed - in_flight(session, account_id, currency), 0)


def _small_ones(session: Session, charge: Charge, *, owed: int) -> list[Charge]:
    """Debts too small to be charged alone, as far as they fit into what is owed besides this one."""
    room = owed - (charge.amount - charge.covered)
    query = select(Charge).where(
        Charge.account_id == charge.account_id,
        Charge.currency == charge.currency,
        Charge.state == "small",
        Charge.id != charge.id,
    )
    found = []
    for other in session.scalars(query.order_by(Charge.id).with_for_update()):
        if other.amount - other.covered <= room:
            room -= other.amount - other.covered
            found.append(other)
    return found


def _charged(session: Session, attempt: Attempt, charge: Charge, payment: str, *, now: datetime) -> str:
    money = Money(attempt.amount, attempt.currency)
    attempt.state, attempt.payment_ref, attempt.code = "charged", payment, ""
    attempt.next_call_at, attempt.finished_at = None, now
    profile.fix_currency(session, charge.account_id, now=now, currency=charge.currency)
    try:
        ledger.card_pays_shortfall(
            session, charge.usage_tx, money=money, psp=attempt.psp, payment_ref=payment, at=now
        )
    except IdemConflictError:  # paid before, by another attempt: the money is the customer's
        ledger.top_up(session, charge.account_id, money, psp=attempt.psp, payment_ref=payment, at=now)
        session.flush()
        return "charged"
    rest = attempt.amount - (charge.amount - charge.covered)
    charge.covered = charge.amount if rest >= 0 else charge.covered + attempt.amount
    _move(charge, "paid", now)
    if rest > 0:
        _cover_small(session, charge, rest, now=now)
    session.flush()
    return "charged"


def _cover_small(session: Session, charge: Charge, rest: int, *, now: datetime) -> None:
    query = select(Charge).where(
        Charge.account_id == charge.account_id, Charge.currency == charge.currency, Charge.state == "small"
    )
    for other in session.scalars(query.order_by(Charge.id).with_for_update()):
        part = min(other.amount - other.covered, rest)
        other.covered, rest = other.covered + part, rest - part
        if other.covered == other.amount:
            _move(other, "settled", now, reason=f"with {charge.key}")


def _declined(
    session: Session, attempt: Attempt, charge: Charge, outcome: Declined, *, notify: Notify, now: datetime
) -> str:
    attempt.state, attempt.code, attempt.finished_at = "declined", outcome.code[:64], now
    attempt.payment_ref = outcome.payment or attempt.payment_ref
    attempt.next_call_at = None
    if outcome.soft and charge.soft_declines < len(RETRY_DAYS):
        later = now + timedelta(days=RETRY_DAYS[charge.soft_declines])
        charge.soft_declines += 1
        _move(charge, "waiting", now, reason=outcome.code, next_try_at=later)
    else:
        _move(charge, "failed", now, reason=outcome.code)
        money = Money(attempt.amount, attempt.currency)
        notify(session, CardFailed(account_id=charge.account_id, amount=money, key=attempt.key))
    session.flush()
    return "declined"


def _work(
    attempt: Attempt, charge: Charge, card: Card, *, return_url: str, again: bool = False,
    payment: str = "", give_up: bool = False,
) -> Work:  # fmt: skip
    wish = ChargeWish(
        card=cards.as_saved(card),
        amount=Money(attempt.amount, attempt.currency),
        key=attempt.key,
        account_id=charge.account_id,
        description="Toll-free minutes",
        return_url=return_url,
        started_at=attempt.started_at,
    )
    return Work(
        attempt_id=attempt.id, psp=attempt.psp, wish=wish, again=again, payment=payment, give_up=give_up
    )


def _locked(session: Session, charge_id: int) -> Charge:
    return session.get_one(Charge, charge_id, with_for_update=True, populate_existing=True)


def _move(
    charge: Charge, state: str, now: datetime, *, reason: str = "", next_try_at: datetime | None = None
) -> None:
    charge.state, charge.reason, charge.next_try_at, charge.updated_at = state, reason[:64], next_try_at, now
