"""Web hooks: what a provider tells us unasked, in any order, as often as it likes.

A message with a wrong signature changes one counter and nothing else. A signed one is applied in one
transaction together with the row that remembers it, `hook:{psp}:{event_id}` being unique: either both are
there or neither, so a crash makes the provider send again and a repetition finds the row. What a message
means depends on our own state, never on the order of arrival; see the state tables of `checkouts` and
`charges`.

Nothing here calls a provider inside a transaction. Reading a message may call it before (PayPal verifies
signatures only that way).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from billing.payments import cards, charges, checkouts, refunds
from billing.payments.charges import Notify
from billing.payments.errors import BadHookError, BadSignatureError, UnknownPaymentError
from billing.payments.gateway import (
    CardGone,
    ChargeSettled,
    CheckoutClosed,
    CheckoutOpen,
    CheckoutPaid,
    DisputeOpened,
    DisputeWon,
    HookBody,
    HookEvent,
    PaymentGateway,
    RefundSeen,
)
from billing.payments.models import Hook
from billing.payments.purposes import TOP_UPS, Purposes

BODY_MAX = 256 * 1024
_log = structlog.get_logger(__name__)


class HookDesk:
    """Receives web hooks. `counts` says how many messages came to what end: for the metrics."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        gateways: Callable[[str], PaymentGateway | None],
        notify: Notify,
        by_kind: Purposes = TOP_UPS,
    ) -> None:
        self._by_kind = by_kind
        self._sessions = sessions
        self._gateways = gateways
        self._notify = notify
        self.counts: Counter[tuple[str, str]] = Counter()

    def receive(self, psp: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> list[str]:
        """Apply a message; returns one word per event in it.

        Raises UnknownPaymentError for a provider that is not configured, BadSignatureError, BadHookError, and
        GatewayAwayError when the provider must be asked and does not answer: it will send again.
        """
        gateway = self._gateways(psp)
        if gateway is None:
            raise UnknownPaymentError("there is no such payment provider")
        try:
            if len(body) > BODY_MAX:
                raise BadHookError("the message is too long")
            events = gateway.parse_webhook(headers, body, now=now)
        except BadSignatureError:
            self.counts[psp, "bad-signature"] += 1
            _log.warning("payment_hook_refused", psp=psp, reason="signature")
            raise
        except BadHookError:
            self.counts[psp, "bad-body"] += 1
            _log.warning("payment_hook_refused", psp=psp, reason="body")
            raise
        return [self._one(psp, event, now=now) for event in events]

    def _one(self, psp: str, event: HookEvent, *, now: datetime) -> str:
        with self._sessions.begin() as session:
            row = Hook(
                psp=psp, event_id=event.event_id, type=event.type[:64], outcome="",
                happened_at=event.happened_at, received_at=now,
            )  # fmt: skip
            try:
                with session.begin_nested():
                    session.add(row)
            except IntegrityError:
                self.counts[psp, "duplicate"] += 1
                return "duplicate"
            outcome = apply(
                session, psp, event.body, notify=self._notify, now=now, by_kind=self._by_kind
            )
            row.outcome = outcome = outcome[:32]
        self.counts[psp, outcome] += 1
        _log.info("payment_hook", psp=psp, event_id=event.event_id, type=event.type, outcome=outcome)
        return outcome


def apply(
    session: Session, psp: str, body: HookBody, *, notify: Notify, now: datetime, by_kind: Purposes = TOP_UPS
) -> str:
    """Let a provider's word change what we know. Returns one word for what came of it."""
    match body:
        case CheckoutPaid() | CheckoutOpen() | CheckoutClosed():
            checkout = checkouts.find(session, psp, reference=body.reference, ref=body.ref)
            if checkout is None:
                return "unknown-checkout"
            return checkouts.apply(session, checkout.id, body, now=now, by_kind=by_kind)
        case ChargeSettled():
            attempt = charges.find_attempt(session, body.key)
            if attempt is None or attempt.psp != psp:
                return "unknown-charge"
            if body.amount is not None and (body.amount.minor, body.amount.currency) != (
                attempt.amount,
                attempt.currency,
            ):
                return "amount-differs"
            return charges.record(session, attempt.id, body.outcome, notify=notify, now=now)
        case RefundSeen():
            return refunds.seen(session, psp, body, now=now, by_kind=by_kind)
        case DisputeOpened():
            return refunds.disputed(session, psp, body, now=now, by_kind=by_kind)
        case DisputeWon():
            return refunds.dispute_won(session, psp, body, now=now, by_kind=by_kind)
        case CardGone():
            return "card-gone" if cards.gone(session, psp, body.ref, now=now) else "stale"
    return "no-concern"
