"""The sample price list: made-up prices for the numbers that ship with Tollbridge.

It exists so that a fresh installation can show what a call costs.  Its file, its deck and its version say
SAMPLE wherever they are shown, and it is never put into force where any deck was before.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import deck_shelf
from billing.deck_import import read_rates
from billing.deck_models import RateDeck
from billing.decks import DeckTerms, Rate

PATH = Path(__file__).with_name("sample_deck.csv")
NAME = "SAMPLE prices"
CURRENCY = "EUR"


def sample_rates() -> tuple[Rate, ...]:
    """The rates of the file."""
    return read_rates(PATH.read_bytes(), currency=CURRENCY).rates


def install(session: Session, *, valid_from: datetime, by: str, now: datetime) -> RateDeck | None:
    """Put the sample into force from `valid_from`; None, and nothing done, when there is any deck already."""
    if session.scalar(select(RateDeck.id).limit(1)) is not None:
        return None
    terms = DeckTerms(name=NAME, currency=CURRENCY, cost_decimals=4, valid_from=valid_from)
    deck = deck_shelf.add_draft(session, terms, sample_rates(), source=PATH.name, by=by, now=now, sample=True)
    deck_shelf.activate(session, deck.id, by=by, now=now)
    return deck
