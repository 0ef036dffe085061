"""A payment provider in memory: it charges once per key, forgets nothing, and answers as it is told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from billing.money import Money
from billing.payments.gateway import (
    Charged,
    ChargeOutcome,
    ChargeSettled,
    ChargeWish,
    Declined,
    HookBody,
    HookEvent,
    ProviderTransaction,
    SavedCard,
    Unknown,
)

CARD = SavedCard(ref="card", customer="cus", brand="visa", last4="4242", exp_month=12, exp_year=2035)
MOODS = ("charge", "soft", "hard", "charge-silently", "drop")


@dataclass
class MemoryProvider:
    """What cards need of a `PaymentGateway`. `mood` decides what becomes of the next new charge.

    charge: charged · soft, hard: declined · charge-silently: charged, but the answer is lost · drop: the
    request is lost. A key that was decided stays decided.
    """

    mood: str = "charge"
    psp: str = "test"
    decided: dict[str, ChargeOutcome] = field(default_factory=dict)
    taken: list[tuple[int, str, str, Money, datetime]] = field(default_factory=list)
    """(account, key, payment, money, when): money that really moved."""
    events: list[HookEvent] = field(default_factory=list)

    def minimum(self, currency: str) -> Money:
        return Money(50, currency)

    def pays_in(self, account_id: int, payment: str, money: Money, *, at: datetime) -> None:
        """Somebody paid on a page of the provider."""
        self.taken.append((account_id, payment, payment, money, at))

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:
        if wish.key in self.decided:
            return self.decided[wish.key]
        if self.mood == "drop":
            return Unknown(reason="timeout")
        outcome: ChargeOutcome
        if self.mood in ("soft", "hard"):
            outcome = Declined(code="insufficient_funds", soft=self.mood == "soft")
        else:
            payment = f"ch_{len(self.taken)}"
            self.taken.append((wish.account_id, wish.key, payment, wish.amount, wish.started_at))
            outcome = Charged(payment=payment)
        self.decided[wish.key] = outcome
        self._event(ChargeSettled(key=wish.key, amount=wish.amount, outcome=outcome), wish.started_at)
        return Unknown(reason="timeout") if self.mood == "charge-silently" else outcome

    def find_charge(self, wish: ChargeWish) -> ChargeOutcome | None:
        return self.decided.get(wish.key)

    def total(self, account_id: int) -> int:
        """Minor units taken from an account."""
        return sum(money.minor for account, _, _, money, _ in self.taken if account == account_id)

    def charges_per_debt(self) -> Counter[str]:
        """How often a card really paid, per debt."""
        return Counter(key.rsplit(":", 1)[0] for _, key, _, _, _ in self.taken if key.startswith("short:"))

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Sequence[HookEvent]:
        assert not headers
        assert now.tzinfo is not None
        return [self.events[int(body)]]

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        for _, _, payment, money, at in self.taken:
            if since <= at < until:
                yield ProviderTransaction(
                    ref=f"txn_{payment}", kind="payment", payment=payment, amount=money,
                    fee=Money.zero(money.currency), at=at,
                )  # fmt: skip

    def _event(self, body: HookBody, at: datetime) -> None:
        number = len(self.events)
        self.events.append(HookEvent(event_id=f"evt_{number}", type="charge", happened_at=at, body=body))
