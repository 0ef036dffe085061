"""The shell around payments: short transactions, and between them the calls to providers.

    transaction: write down what we are about to do → commit → call the provider → transaction: write down
    what came of it

`Cashier` is what pages and routes use; `PaymentRunner` carries on with whatever is due, from one thread of
its own (`run_once` returns; somebody else owns the thread and the clock). Dying at any point leaves work
that `run_once` finds again. `checkpoint` is called with a name between any two steps: tests die there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.orm import Session, sessionmaker

from billing import profile
from billing.money import Money
from billing.payments import amounts, cards, charges, checkouts, refunds
from billing.payments.charges import Notify, Work
from billing.payments.checkouts import CheckoutRequest
from billing.payments.errors import GatewayAwayError, GatewayError, GatewayRefusedError, NotPossibleError
from billing.payments.gateway import ChargeOutcome, CheckoutWish, PaymentGateway, Unknown
from billing.payments.models import Checkout, Refund
from billing.payments.purposes import OWN, TOP_UPS, Purposes
from billing.payments.sale import Sale

_log = structlog.get_logger(__name__)
Checkpoint = Callable[[str], None]


def _pass_on(_name: str) -> None:
    """Nothing happens at a checkpoint, except in tests."""


class Cashier:
    """Takes payments. `gateways` in the order in which payers are offered them; the first that can save
    cards takes cards.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        gateways: Iterable[PaymentGateway],
        *,
        public_url: str,
        default_currency: str = profile.DEFAULT_CURRENCY,
        by_kind: Purposes = TOP_UPS,
        checkpoint: Checkpoint = _pass_on,
    ) -> None:
        self._by_kind = by_kind
        self._sessions = sessions
        self._gateways = {gateway.psp: gateway for gateway in gateways}
        self._public_url = public_url.rstrip("/")
        self._default_currency = default_currency
        self._at = checkpoint

    def gateway(self, psp: str) -> PaymentGateway | None:
        """The configured gateway of that name."""
        return self._gateways.get(psp)

    @property
    def gateways(self) -> tuple[PaymentGateway, ...]:
        """All that are configured."""
        return tuple(self._gateways.values())

    @property
    def charge_return_url(self) -> str:
        """Where somebody comes back to who confirmed a charge."""
        return f"{self._public_url}/billing"

    def start(
        self, account_id: int, *, amount: Money | None, email: str, idem_key: str, save_card: bool = False,
        psp: str = "", now: datetime,
    ) -> Checkout:  # fmt: skip
        """Open a page to pay `amount`, or with None to leave a card. The same key gives the same checkout.

        Send the payer to `.url` while `.state` is redirected. Raises BadAmountError, BadKeyError,
        KeyReusedError, NotPossibleError, GatewayAwayError (ask again with the same key) and
        GatewayRefusedError.
        """
        gateway = self._choose(psp, saved_cards=save_card or amount is None)
        with self._sessions.begin() as session:
            payer = profile.get(session, account_id, currency=self._default_currency)
            if amount is not None:
                least = gateway.minimum(payer.currency)
                amounts.check(amount, currency=payer.currency, provider_minimum=least)
            customer = cards.customer_ref(session, account_id, gateway.psp)
        sale = Sale(
            account_id=account_id,
            amount=amount or Money.zero(payer.currency),
            email=email,
            idem_key=idem_key,
            description="Top-up" if amount else "Card for later payments",
            path="/billing/top-ups/{}",
            locale=payer.locale,
            save_card=save_card,
            customer=customer,
        )
        return self.sell(sale, psp=gateway.psp, now=now)

    def sell(self, sale: Sale, *, psp: str, now: datetime) -> Checkout:
        """Open a page for something to be paid. The same key gives the same checkout.

        Send the payer to `.url` while `.state` is redirected. Raises BadKeyError, KeyReusedError,
        NotPossibleError, GatewayAwayError (ask again with the same key), GatewayRefusedError, and what
        `sale.beside` raises.
        """
        gateway = self._choose(psp, saved_cards=False)
        with self._sessions.begin() as session:
            request = CheckoutRequest(
                account_id=sale.account_id,
                psp=gateway.psp,
                amount=sale.amount,
                idem_key=sale.idem_key,
                save_card=sale.save_card,
                kind=sale.kind,
            )
            checkout = checkouts.create(session, request, now=now)
            if sale.beside is not None:
                sale.beside(session, checkout)
        self._at("checkout-written")
        if checkout.state != "created":
            return checkout
        page_url = self._public_url + sale.path.format(checkout.public_id)
        wish = CheckoutWish(
            reference=checkout.public_id,
            amount=sale.amount if sale.amount else None,
            account_id=sale.account_id,
            email=sale.email,
            description=sale.description,
            return_url=page_url,
            cancel_url=page_url + sale.cancel_query,
            expires_at=checkout.expires_at,
            save_card=checkout.save_card,
            customer=sale.customer,
            locale=sale.locale,
            currency=sale.amount.currency,
        )
        try:
            page = gateway.checkout(wish, key=f"checkout:{checkout.public_id}")
        except GatewayRefusedError as exc:
            with self._sessions.begin() as session:
                checkouts.refused(session, checkout.id, reason=exc.slug, now=now)
            raise
        self._at("checkout-called")
        with self._sessions.begin() as session:
            return checkouts.opened(session, checkout.id, ref=page.ref, url=page.url, now=now)

    def finish(
        self, account_id: int, public_id: str, *, now: datetime, kinds: Collection[str] = OWN
    ) -> Checkout:
        """The payer came back: ask the provider how it stands, without waiting for its web hook.

        Raises UnknownPaymentError. An absent provider changes nothing: the web hook or the runner will.
        """
        with self._sessions.begin() as session:
            checkout = checkouts.get(session, public_id, account_id=account_id, kinds=kinds)
        if checkout.state == "redirected" or (checkout.state == "expired" and checkout.provider_ref):
            self.look(checkout, now=now)
        with self._sessions.begin() as session:
            return checkouts.get(session, public_id, account_id=account_id, kinds=kinds)

    def look(self, checkout: Checkout, *, now: datetime) -> str:
        """Ask the provider about a checkout and write down the answer."""
        gateway = self.gateway(checkout.psp)
        state = None
        if gateway is not None and checkout.provider_ref is not None:
            try:
                state = gateway.finish_checkout(
                    checkout.provider_ref,
                    reference=checkout.public_id,
                    key=f"checkout:{checkout.public_id}:finish",
                )
            except GatewayError as exc:
                _log.warning("checkout_unanswered", psp=checkout.psp, error=type(exc).__name__)
        self._at("checkout-asked")
        with self._sessions.begin() as session:
            return checkouts.looked(session, checkout.id, state, now=now, by_kind=self._by_kind)

    def remove_card(self, account_id: int, card_id: int, *, now: datetime) -> None:
        """Take a card away, here at once and at the provider if it answers. Raises UnknownPaymentError."""
        with self._sessions.begin() as session:
            psp = cards.get_card(session, account_id, card_id).psp
            saved = cards.remove_card(session, account_id, card_id, now=now)
        gateway = self.gateway(psp)
        if gateway is not None:
            try:
                gateway.forget_card(saved)
            except GatewayError as exc:
                _log.warning("card_not_forgotten", psp=psp, error=type(exc).__name__)

    def set_default_card(self, account_id: int, card_id: int, *, now: datetime) -> None:
        """Let this card pay, also for what waits for a card. Raises UnknownPaymentError."""
        with self._sessions.begin() as session:
            cards.set_default(session, account_id, card_id)
            charges.retry_now(session, account_id, now=now)

    def refund(
        self, *, psp: str, payment: str, amount: Money, key: str, actor: str, reason: str, now: datetime
    ) -> Refund:
        """Send part of a payment back. Raises as `refunds.request`, NotPossibleError."""
        gateway = self.gateway(psp)
        if gateway is None or not gateway.capabilities.refunds:
            raise NotPossibleError("this provider cannot send money back")
        with self._sessions.begin() as session:
            row = refunds.request(
                session, psp=psp, payment=payment, amount=amount, key=key, actor=actor, reason=reason,
                now=now, by_kind=self._by_kind,
            )  # fmt: skip
        self._at("refund-written")
        self.carry_on_refund(row.id, now=now)
        with self._sessions.begin() as session:
            return session.get_one(Refund, row.id)

    def carry_on_refund(self, refund_id: int, *, now: datetime) -> str:
        """Make the provider call that a refund waits for."""
        with self._sessions.begin() as session:
            work = refunds.take(session, refund_id, now=now)
        gateway = self.gateway(work.psp) if work else None
        if work is None or gateway is None:
            return "idle"
        outcome = gateway.refund(work.payment, work.amount, key=f"refund:{work.key}")
        self._at("refund-called")
        with self._sessions.begin() as session:
            return refunds.record(session, refund_id, outcome, now=now, by_kind=self._by_kind)

    def _choose(self, psp: str, *, saved_cards: bool) -> PaymentGateway:
        for gateway in self._gateways.values():
            if psp in ("", gateway.psp) and (gateway.capabilities.saved_cards or not saved_cards):
                return gateway
        raise NotPossibleError(
            "no payment provider can save a card" if saved_cards else "there is no such payment provider"
        )


class PaymentRunner:
    """Carries on with what is due. One may run per process; several processes do not disturb each other."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        cashier: Cashier,
        *,
        notify: Notify,
        checkpoint: Checkpoint = _pass_on,
    ) -> None:
        self._sessions = sessions
        self._cashier = cashier
        self._notify = notify
        self._at = checkpoint

    def run_once(self, now: datetime) -> Counter[str]:
        """Do everything that is due once; returns how often what happened, for logs and metrics.

        A fault in one thing is logged, counted as "fault", and does not keep the others waiting.
        """
        done: Counter[str] = Counter()
        with self._sessions.begin() as session:
            pages = checkouts.to_look_at(session, now=now)
            attempts = charges.open_attempts(session, now=now)
            debts = charges.due(session, now=now)
            going_back = refunds.due(session, now=now)
        for page in pages:
            self._guard(done, "checkout", partial(self._cashier.look, page, now=now))
        for attempt_id in attempts:
            self._guard(done, "charge", partial(self._resume, attempt_id, now=now))
        for charge_id in debts:
            self._guard(done, "charge", partial(self._begin, charge_id, now=now))
        for refund_id in going_back:
            self._guard(done, "refund", partial(self._cashier.carry_on_refund, refund_id, now=now))
        return done

    def _guard(self, done: Counter[str], what: str, step: Callable[[], str]) -> None:
        try:
            done[f"{what}-{step()}"] += 1
        except Exception:
            done["fault"] += 1
            _log.exception("payment_step_failed", what=what)

    def _begin(self, charge_id: int, *, now: datetime) -> str:
        with self._sessions.begin() as session:
            work = charges.begin(
                session,
                charge_id,
                gateways=self._cashier.gateway,
                return_url=self._cashier.charge_return_url,
                now=now,
            )
        return self._call(work, now=now)

    def _resume(self, attempt_id: int, *, now: datetime) -> str:
        with self._sessions.begin() as session:
            work = charges.resume(session, attempt_id, return_url=self._cashier.charge_return_url, now=now)
        return self._call(work, now=now)

    def _call(self, work: Work | None, *, now: datetime) -> str:
        if work is None:
            return "idle"
        self._at("attempt-written")
        gateway = self._cashier.gateway(work.psp)
        outcome: ChargeOutcome
        if gateway is None:
            outcome = Unknown(reason="provider-not-configured")
        else:
            outcome = ask(gateway, work)
        self._at("provider-called")
        with self._sessions.begin() as session:
            return charges.record(session, work.attempt_id, outcome, notify=self._notify, now=now)


def ask(gateway: PaymentGateway, work: Work) -> ChargeOutcome:
    """Make the call of an attempt, or find out what an earlier one did."""
    if work.give_up:
        return gateway.cancel_charge(work.payment, key=f"{work.wish.key}:cancel")
    if work.again:
        try:
            found = gateway.find_charge(work.wish)
        except (GatewayAwayError, GatewayRefusedError) as exc:
            return Unknown(reason=str(exc)[:64])
        if found is not None or work.payment:
            return found or Unknown(reason="not-found")
    return gateway.charge_saved(work.wish)
