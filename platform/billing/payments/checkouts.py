"""Top-ups, cards left without paying, and what else is paid there: one visit to a provider's page each.

    created ─page opened→ redirected ─┬─→ paid
       │                              ├─→ failed      the provider said no
       └─────────(nobody came)────────┴─→ expired

`paid` is final. `failed` and `expired` are not quite: when the provider says later that money came, it came,
and the checkout becomes paid. Everything else that arrives late, twice or in the wrong order changes nothing.

The payer's `Idempotency-Key` is unique per account, so the back button, a double click and a program that
repeats itself get the same checkout and the same page; what a payment does to the ledger happens once because
its natural key is the provider's id of the payment. What the money is for is said by `purposes`. No function
here commits or calls a provider.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing import posting
from billing.money import Money
from billing.payments import cards, charges, purposes
from billing.payments.errors import BadKeyError, KeyReusedError, UnknownPaymentError
from billing.payments.gateway import CheckoutClosed, CheckoutOpen, CheckoutPaid, CheckoutState
from billing.payments.models import Checkout
from billing.payments.purposes import OWN, TOP_UPS, Purposes

LIFETIME = timedelta(hours=1)
LOOK_EVERY = timedelta(minutes=5)
_LOOK_LATE = timedelta(minutes=5)
"""After the page has expired we ask once more, this much later: a payment may have been on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest:
    """What somebody wants to pay. `amount` 0 leaves a card only; `kind` is for what is no top-up."""

    account_id: int
    psp: str
    amount: Money
    idem_key: str
    save_card: bool
    kind: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what makes two requests the same."""
        content = [self.psp, self.amount.minor, self.amount.currency, self.save_card]
        content += [self.kind] if self.kind else []
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def check_key(text: str) -> str:
    """An idempotency key as a payer's program may choose it. Raises BadKeyError."""
    if not (1 <= len(text) <= 200 and text.isascii() and text.isprintable()):
        raise BadKeyError("an Idempotency-Key has 1 to 200 printable ASCII characters")
    return text


def create(session: Session, request: CheckoutRequest, *, now: datetime) -> Checkout:
    """A new checkout, or the one that was made with the same key before.

    Raises BadKeyError, KeyReusedError when the first request with this key differed.
    """
    check_key(request.idem_key)
    found = _by_key(session, request)
    if found is None:
        row = Checkout(
            public_id=secrets.token_urlsafe(18),
            account_id=request.account_id,
            kind=request.kind or (purposes.TOP_UP if request.amount else purposes.CARD),
            psp=request.psp,
            currency=request.amount.currency,
            amount=request.amount.minor,
            save_card=request.save_card or not request.amount,
            idem_key=request.idem_key,
            fingerprint=request.fingerprint,
            state="created",
            url="",
            payment_ref="",
            reason="",
            created_at=now,
            updated_at=now,
            expires_at=now + LIFETIME,
            look_at=now + LIFETIME + _LOOK_LATE,
        )
        try:
            with session.begin_nested():
                session.add(row)
            return row
        except IntegrityError:
            found = _by_key(session, request)
            if found is None:
                raise
    if found.fingerprint != request.fingerprint:
        raise KeyReusedError("this Idempotency-Key was used for another top-up; choose a new one")
    return found


def get(
    session: Session, public_id: str, *, account_id: int | None = None, kinds: Collection[str] = OWN
) -> Checkout:
    """A checkout of these kinds by its public id, if it is the account's. Raises UnknownPaymentError."""
    row = session.scalars(select(Checkout).where(Checkout.public_id == public_id)).one_or_none()
    if row is None or account_id not in (None, row.account_id) or row.kind not in kinds:
        raise UnknownPaymentError("there is no such top-up")
    return row


def opened(session: Session, checkout_id: int, *, ref: str, url: str, now: datetime) -> Checkout:
    """The provider has a page for it now."""
    row = _locked(session, checkout_id)
    if row.provider_ref is None:
        row.provider_ref, row.url = ref, url
    if row.state == "created":
        row.state, row.updated_at = "redirected", now
    session.flush()
    return row


def refused(session: Session, checkout_id: int, *, reason: str, now: datetime) -> Checkout:
    """The provider will not open a page."""
    row = _locked(session, checkout_id)
    if row.state == "created":
        row.state, row.reason, row.updated_at = "failed", reason[:64], now
        session.flush()
    return row


def find(session: Session, psp: str, *, reference: str, ref: str) -> Checkout | None:
    """The checkout a provider talks about: by our reference, else by its own."""
    query = select(Checkout).where(Checkout.psp == psp)
    if reference:
        return session.scalars(query.where(Checkout.public_id == reference)).one_or_none()
    return session.scalars(query.where(Checkout.provider_ref == ref)).one_or_none()


def apply(
    session: Session, checkout_id: int, state: CheckoutState, *, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """Let the provider's word change a checkout. Returns one word: paid, failed, expired, open or stale."""
    plain = session.get_one(Checkout, checkout_id)
    purpose = purposes.of(by_kind, plain.kind)
    posting.lock(session, purposes.accounts_of(purpose, plain.psp, plain.account_id, plain.currency))
    row = _locked(session, checkout_id)
    match state:
        case CheckoutPaid():
            return _paid(session, row, state, purpose, now=now)
        case CheckoutClosed(reason=reason) if row.state in ("created", "redirected"):
            row.state = "expired" if reason == "expired" else "failed"
            row.reason, row.updated_at = reason[:64], now
            session.flush()
            return row.state
        case CheckoutOpen() if row.state in ("created", "redirected"):
            row.look_at = min(row.look_at, now)
            session.flush()
            return "open"
    return "stale"


def to_look_at(session: Session, *, now: datetime, limit: int = 100) -> list[Checkout]:
    """Checkouts about which the provider should be asked, or that nobody will come back to."""
    query = select(Checkout).where(Checkout.state.in_(("created", "redirected")), Checkout.look_at <= now)
    return list(session.scalars(query.order_by(Checkout.look_at, Checkout.id).limit(limit)))


def looked(
    session: Session, checkout_id: int, state: CheckoutState | None, *, now: datetime,
    by_kind: Purposes = TOP_UPS,
) -> str:  # fmt: skip
    """After asking (`state`), or without an answer (None): apply it, expire, or look again later."""
    row = session.get_one(Checkout, checkout_id)
    if state is not None and not isinstance(state, CheckoutOpen):
        return apply(session, checkout_id, state, now=now, by_kind=by_kind)
    row = _locked(session, checkout_id)
    if row.state not in ("created", "redirected"):
        return "stale"
    answered_or_never_opened = state is not None or row.provider_ref is None
    if answered_or_never_opened and now >= row.expires_at + _LOOK_LATE:
        row.state, row.reason, row.updated_at = "expired", "expired", now
    else:
        row.look_at = now + LOOK_EVERY
    session.flush()
    return row.state


def _paid(
    session: Session, row: Checkout, state: CheckoutPaid, purpose: purposes.Purpose, *, now: datetime
) -> str:
    first = row.state != "paid"
    if first:
        row.state, row.updated_at, row.payment_ref = "paid", now, state.payment
        different = state.amount is not None and state.amount != Money(row.amount, row.currency)
        row.reason = "amount-differs" if different else ""
        if row.provider_ref is None:
            row.provider_ref = state.ref
        session.flush()
    news = False
    if state.amount is not None and state.payment:
        news = purpose.paid(session, row, state, now=now)
    if first and row.kind in OWN:
        cards.remember_customer(session, row.account_id, row.psp, state.customer, now=now)
        if state.card is not None and row.save_card:
            cards.save_card(session, row.account_id, row.psp, state.card, now=now)
            charges.retry_now(session, row.account_id, now=now)
    session.flush()
    return "paid" if news or first else "stale"


def _by_key(session: Session, request: CheckoutRequest) -> Checkout | None:
    return session.scalars(
        select(Checkout).where(
            Checkout.account_id == request.account_id, Checkout.idem_key == request.idem_key
        )
    ).one_or_none()


def _locked(session: Session, checkout_id: int) -> Checkout:
    return session.get_one(Checkout, checkout_id, with_for_update=True, populate_existing=True)
