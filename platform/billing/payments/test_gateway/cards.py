"""Test cards: what is typed in where a number would be, and how such a card behaves later on.

The behaviour is part of a saved card's name, so that the same card does the same thing each time: a card that
declines softly does so until it is removed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """A card that can be chosen. `behaviour`: good, soft, hard, confirm, timeout (charged, but the connection
    breaks before the answer).
    """

    __test__ = False

    behaviour: str
    brand: str
    last4: str
    text: str


CARDS = (
    TestCard(behaviour="good", brand="visa", last4="4242", text="Visa •••• 4242, pays whenever it is asked"),
    TestCard(
        behaviour="soft", brand="mastercard", last4="9995",
        text="MasterCard •••• 9995, later charges find too little money",
    ),
    TestCard(
        behaviour="hard", brand="visa", last4="0002",
        text="Visa •••• 0002, later charges are refused for good",
    ),
    TestCard(
        behaviour="confirm", brand="amex", last4="3220",
        text="American Express •••• 3220, later charges must be confirmed (3-D Secure)",
    ),
    TestCard(
        behaviour="timeout", brand="mastercard", last4="5126",
        text="MasterCard •••• 5126, later charges succeed but the answer gets lost",
    ),
)  # fmt: skip

BY_BEHAVIOUR = {card.behaviour: card for card in CARDS}


def new_ref(card: TestCard) -> str:
    """The provider's name for a saved card."""
    return f"test_card_{card.behaviour}_{secrets.token_hex(8)}"


def of_ref(ref: str) -> TestCard | None:
    """The card behind a name; None when it is none of ours."""
    parts = ref.split("_")
    return BY_BEHAVIOUR.get(parts[2]) if len(parts) == 4 and ref.startswith("test_card_") else None
