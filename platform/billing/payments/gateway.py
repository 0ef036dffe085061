"""What we ask of a payment provider, and the words in which it answers.

Theory. A call that moves money has four outcomes, not two: it was charged, it was definitely not (and then it
matters whether waiting may help), somebody must do something first (3-D Secure, EMV 3DS 2.3), or nobody knows
— the connection broke after the request left. Only "definitely not" allows a new attempt under a new key;
"nobody knows" is asked again under the same one, or looked up.

The payer's card number is typed into the provider's own page and never comes here (PCI DSS SAQ A). What we
hold of a card is what `SavedCard` has fields for.

Every method may block for seconds: they are called from threads, never inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCard:
    """A card as the provider keeps it. `ref` is useless to anybody without our provider keys."""

    ref: str
    customer: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do for us."""

    saved_cards: bool
    refunds: bool
    test_money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutWish:
    """A page on which somebody pays `amount`, or with None only leaves a card.

    `reference` is our public id of the checkout; it comes back in web hooks. `expires_at` is when the page
    should stop working.
    """

    reference: str
    amount: Money | None
    account_id: int
    email: str
    description: str
    return_url: str
    cancel_url: str
    expires_at: datetime
    save_card: bool = False
    customer: str = ""
    locale: str = "en"
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPage:
    """Where to send the payer."""

    ref: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeWish:
    """A charge to a saved card while its owner is away. `key` makes it happen once."""

    card: SavedCard
    amount: Money
    key: str
    account_id: int
    description: str
    return_url: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """Money moved. `fee` is what the provider kept, if it said so."""

    payment: str
    fee: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """No money moved and under this key none will. `soft`: trying in some days may help."""

    code: str
    soft: bool
    payment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsAction:
    """The card's bank wants to see its owner: whoever opens `url` can confirm."""

    url: str
    payment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody knows whether money moved."""

    reason: str


ChargeOutcome = Charged | Declined | NeedsAction | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """Money went back."""

    ref: str


RefundOutcome = Refunded | Declined | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPaid:
    """Somebody paid on a checkout page, or left a card there (`amount` None, `payment` empty)."""

    reference: str
    ref: str
    payment: str
    amount: Money | None
    card: SavedCard | None = None
    customer: str = ""
    fee: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutOpen:
    """Nobody has paid yet, but may."""

    reference: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutClosed:
    """Nobody paid and nobody can any more. `reason`: expired, declined, cancelled, …"""

    reference: str
    ref: str
    reason: str


CheckoutState = CheckoutPaid | CheckoutOpen | CheckoutClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSettled:
    """A web hook about a charge of ours, found by its `key`."""

    key: str
    amount: Money | None
    outcome: ChargeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    """Money of a payment went back, by our wish or by a click in the provider's own pages."""

    payment: str
    ref: str
    amount: Money
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened:
    """The payer's bank took the money back (a chargeback). `fee` is what the provider took on top."""

    payment: str
    ref: str
    amount: Money
    fee: Money | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeWon:
    """The bank gave the money of a chargeback back."""

    payment: str
    ref: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CardGone:
    """The provider no longer has a card."""

    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoConcern:
    """An event that means nothing to us."""


HookBody = (
    CheckoutPaid
    | CheckoutOpen
    | CheckoutClosed
    | ChargeSettled
    | RefundSeen
    | DisputeOpened
    | DisputeWon
    | CardGone
    | NoConcern
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEvent:
    """One signed message of a provider. `event_id` is the same each time it is sent."""

    event_id: str
    type: str
    happened_at: datetime
    body: HookBody


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTransaction:
    """A line of the provider's own books, for reconciliation.

    `amount` is signed as seen from our balance there; `fee` is positive and not yet taken off. `kind`:
    payment, refund, dispute, dispute_won, payout, fee, other.
    """

    ref: str
    kind: str
    payment: str
    amount: Money
    fee: Money
    at: datetime


class PaymentGateway(Protocol):
    """A payment provider. Methods raise GatewayAwayError and GatewayRefusedError unless they say not."""

    @property
    def psp(self) -> str:
        """Its short name: the `psp:{…}` account of the ledger and the path of its web hooks."""

    @property
    def capabilities(self) -> Capabilities: ...

    def minimum(self, currency: str) -> Money:
        """The least that can be charged."""

    def takes(self, money: Money) -> bool:
        """Whether a page can be opened for this amount in this currency."""

    def checkout(self, wish: CheckoutWish, *, key: str) -> CheckoutPage:
        """Open a page for one payment. The same key gives the same page."""

    def finish_checkout(self, ref: str, *, reference: str, key: str) -> CheckoutState:
        """How a page stands; where payment takes a last step on our side, take it, once per key."""

    def charge_saved(self, wish: ChargeWish) -> ChargeOutcome:
        """Charge a card whose owner is away. Never raises for what the provider or the network does."""

    def find_charge(self, wish: ChargeWish) -> ChargeOutcome | None:
        """What became of an earlier `charge_saved` with this key; None when it never arrived."""

    def cancel_charge(self, payment: str, *, key: str) -> ChargeOutcome:
        """Give up a charge that waits for its payer: afterwards it can no longer be paid, or was."""

    def refund(self, payment: str, amount: Money, *, key: str) -> RefundOutcome:
        """Send money back. Never raises for what the provider or the network does."""

    def forget_card(self, card: SavedCard) -> None:
        """Have the provider delete a card; no error when it is gone already."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Sequence[HookEvent]:
        """The events in a signed message. Raises BadSignatureError, BadHookError, GatewayAwayError."""

    def list_transactions(self, since: datetime, until: datetime) -> Iterator[ProviderTransaction]:
        """Lines of the provider's books in [since, until), oldest first."""
