"""Decks in the database: drafts, activation, withdrawal, and the active ones in memory.

At any moment at most one active deck of a currency is in force; `activate` sees to it.  A new version takes
over from its `valid_from` on: what was in force before ends there, and what lay wholly inside its time is
retired.  With a `valid_from` in the past it corrects prices: calls rated meanwhile keep theirs until they are
rated again on purpose.

Services take a `Session` and never commit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from billing.deck_models import RateDeck, RateRow
from billing.decks import DeckIndex, DeckState, DeckTerms, Rate
from billing.errors import DeckStateError, NoSuchDeckError
from billing.rounding import Rounding

#: Deck versions kept in memory. A version of 50,000 rates takes about 40 MB.
KEPT_MAX = 16
_RATE_COLUMNS = ("number_class", "called_prefix", "origin_prefix", "valid_from", "valid_to", "connect_fee_u",
                 "per_minute_u", "first_s", "next_s", "min_charge_u", "max_charge_u", "grace_ms",
                 "description")


def add_draft(
    session: Session, terms: DeckTerms, rates: Iterable[Rate], *, source: str, by: str, now: datetime,
    sample: bool = False,
) -> RateDeck:
    """Save a new version of the deck of that name; it prices nothing yet. `terms.version` is ignored."""
    newest = session.scalar(select(func.max(RateDeck.version)).where(RateDeck.name == terms.name.strip()))
    deck = RateDeck(
        name=terms.name.strip(), version=(newest or 0) + 1, currency=terms.currency,
        cost_decimals=terms.cost_decimals, rounding=terms.rounding.value, valid_from=terms.valid_from,
        valid_to=terms.valid_to, state=DeckState.DRAFT.value, sample=sample, source=source[:255],
        created_at=now, created_by=by, activated_at=None, activated_by=None, retired_at=None, retired_by=None,
    )
    session.add(deck)
    session.flush()
    rows = [{name: getattr(rate, name) for name in _RATE_COLUMNS} | {"deck_id": deck.id} for rate in rates]
    if rows:
        session.execute(insert(RateRow), rows)
    return deck


def get(session: Session, deck_id: int) -> RateDeck:
    """Raises NoSuchDeckError."""
    deck = session.get(RateDeck, deck_id)
    if deck is None:
        raise NoSuchDeckError(f"there is no deck {deck_id}")
    return deck


def all_decks(session: Session) -> list[RateDeck]:
    """All versions of all decks, by name, the newest version first."""
    return list(session.scalars(select(RateDeck).order_by(RateDeck.name, RateDeck.version.desc())))


def rates_of(session: Session, deck_id: int) -> list[Rate]:
    """The rates of one version, in the order of its file."""
    rows = session.scalars(select(RateRow).where(RateRow.deck_id == deck_id).order_by(RateRow.id))
    return [rate_of(row) for row in rows]


def delete_draft(session: Session, deck_id: int) -> None:
    """Forget a draft. Raises NoSuchDeckError, and DeckStateError once it has been active."""
    deck = get(session, deck_id)
    if deck.state != DeckState.DRAFT.value:
        raise DeckStateError("only a draft can be deleted; an active deck can be retired")
    session.execute(delete(RateRow).where(RateRow.deck_id == deck_id))
    session.delete(deck)


def activate(session: Session, deck_id: int, *, by: str, now: datetime) -> list[RateDeck]:
    """Let a draft price calls answered in its time; the decks that gave way to it, changed.

    Raises NoSuchDeckError, and DeckStateError when it is no draft, has no rates, or would cut an active deck
    into two pieces.
    """
    currency = get(session, deck_id).currency
    # All of the currency are locked, drafts too: two activations at once take turns.
    decks = list(session.scalars(
        select(RateDeck).where(RateDeck.currency == currency).order_by(RateDeck.id).with_for_update(),
        execution_options={"populate_existing": True},
    ))
    deck = get(session, deck_id)
    if deck.state != DeckState.DRAFT.value:
        raise DeckStateError(f"the deck is {deck.state}; only a draft can be activated")
    if session.scalar(select(func.count()).select_from(RateRow).where(RateRow.deck_id == deck_id)) == 0:
        raise DeckStateError("the deck has no rates")
    gave_way = []
    for other in decks:
        if other.state != DeckState.ACTIVE.value:
            continue
        begins_later = deck.valid_to is not None and other.valid_from >= deck.valid_to
        ended_before = other.valid_to is not None and other.valid_to <= deck.valid_from
        if begins_later or ended_before:
            continue
        if deck.valid_to is not None and (other.valid_to is None or other.valid_to > deck.valid_to):
            raise DeckStateError(
                f"{other.name} version {other.version} is in force beyond the end of this deck; "
                "leave the end open, or activate what comes after it first"
            )
        if other.valid_from < deck.valid_from:
            other.valid_to = deck.valid_from
        else:
            _retire(other, by=by, now=now)
        gave_way.append(other)
    deck.state = DeckState.ACTIVE.value
    deck.activated_at = now
    deck.activated_by = by
    session.flush()
    return gave_way


def retire(session: Session, deck_id: int, *, by: str, now: datetime) -> RateDeck:
    """Withdraw an active deck: it prices nothing any more. Calls that it priced keep their price.

    Raises NoSuchDeckError, DeckStateError.
    """
    deck = get(session, deck_id)
    if deck.state != DeckState.ACTIVE.value:
        raise DeckStateError(f"the deck is {deck.state}; only an active one can be retired")
    _retire(deck, by=by, now=now)
    session.flush()
    return deck


def _retire(deck: RateDeck, *, by: str, now: datetime) -> None:
    deck.state = DeckState.RETIRED.value
    deck.retired_at = now
    deck.retired_by = by


class DeckShelf:
    """The decks in force, ready for look-ups. Any thread may use it.

    Which decks are active is read anew for every `open`; rates are read once per version, for they never
    change. So a deck activated by another process counts from the next transaction on.
    """

    def __init__(self, *, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._kept: OrderedDict[int, DeckIndex] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, session: Session) -> OpenDecks:
        """The active decks as this transaction sees them."""
        rows = session.scalars(select(RateDeck).where(RateDeck.state == DeckState.ACTIVE.value))
        return OpenDecks(self, session, [terms_of(row) for row in rows])

    def index(self, session: Session, terms: DeckTerms) -> DeckIndex:
        """Look-ups for one version."""
        assert terms.id is not None
        with self._lock:
            index = self._kept.get(terms.id)
            if index is not None:
                self._kept.move_to_end(terms.id)
                return index
        # Two threads may both read a new version; the second one's work is lost, and nothing else.
        index = DeckIndex(rates_of(session, terms.id))
        with self._lock:
            self._kept[terms.id] = index
            while len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
        return index


class OpenDecks:
    """The active decks of one transaction."""

    def __init__(self, shelf: DeckShelf, session: Session, decks: list[DeckTerms]) -> None:
        self._shelf = shelf
        self._session = session
        self._decks = decks

    def at(self, *, currency: str, moment: datetime) -> tuple[DeckTerms, DeckIndex] | None:
        """The deck of a currency in force at `moment`."""
        for terms in self._decks:
            if terms.currency == currency and terms.valid_at(moment):
                return terms, self._shelf.index(self._session, terms)
        return None


def terms_of(row: RateDeck) -> DeckTerms:
    """A deck's terms as a value."""
    return DeckTerms(
        id=row.id, name=row.name, version=row.version, currency=row.currency,
        cost_decimals=row.cost_decimals, rounding=Rounding(row.rounding), valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def rate_of(row: RateRow) -> Rate:
    """A stored rate as a value."""
    # Whether uneven blocks are meant was asked when the deck was imported.
    return Rate(**{name: getattr(row, name) for name in _RATE_COLUMNS}, id=row.id, allow_uneven=True)
