"""Explain this cost: every step from a call's seconds to its price, as data.

`explain` takes the stored price apart by the very rate and deck that made it and computes it anew; `agrees`
says that both are the same to the last digit.  The steps are keys with values, in the order in which one
reads them; pages translate keys and write numbers and times as their reader does.  `Step.text` is English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import deck_shelf
from billing.calls import BillableCall, CallSource
from billing.deck_models import CdrRating, RateDeck, RateRow, UnratedCall
from billing.decks import DeckTerms, Rate
from billing.errors import NoSuchCallError
from billing.money import MICRO, from_micro
from billing.rating import Free, Rated, rate_call
from billing.rounding import Rounding, rounded

Value = str | int | Decimal | datetime

#: What a step says, in English. The keys are for translations.
SENTENCES: Mapping[str, str] = {
    "not-answered": "The call was not answered, so it costs nothing.",
    "not-billable": "The call is not billed: it came over {channel}, and nobody pays for it.",
    "not-yet": "The call has not been rated yet.",
    "unrated-no-number": "It waits for a price: the number called is not known.",
    "unrated-no-class": "It waits for a price: the class of the number called is not known.",
    "unrated-no-deck": "It waits for a price: no deck was in force at {answer_at}.",
    "unrated-no-rate": "It waits for a price: the deck has no rate for {number_class} numbers like {called}.",
    "answered": "Answered at {answer_at}; this moment chooses deck and rate.",
    "end-basis": "No hang-up was received ({end_basis}); the call is billed up to the last sound heard.",
    "deck": "Deck {name}, version {version}.",
    "sample": "This deck is a sample with made-up prices.",
    "prefix": "{called} is a {number_class} number; its longest prefix in the deck is {prefix}.",
    "prefix-all": "{called} is a {number_class} number; the deck's rate for all numbers of that class fits.",
    "origin": "The caller's number begins with {origin}, which has a rate of its own.",
    "connected": "Connected for {connected_ms} ms.",
    "grace": "Calls shorter than {grace_ms} ms are free.",
    "first-block": "The first block of {first_s} s covers it: {billed_sec} s are billed.",
    "blocks": "First block {first_s} s + {blocks} × {next_s} s = {billed_sec} s billed.",
    "minutes": "{billed_sec} s at {per_minute} {currency} a minute = {amount} {currency}.",
    "connect-fee": "Connect fee {connect_fee} {currency}.",
    "sum": "Together {amount} {currency}.",
    "limit-min": "The smallest charge applies: {amount} {currency}.",
    "limit-max": "The largest charge applies: {amount} {currency}.",
    "rounding": "{before} rounded ({rounding}) to {decimals} digits: {after} {currency}.",
    "exact": "Nothing had to be rounded.",
    "cost": "Cost of the call: {amount} {currency}.",
    "session-rounding": "A session's calls are added up and rounded to the currency's smallest unit once.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a key of `SENTENCES`, and the values to fill in. Amounts are in main units."""

    key: str
    values: Mapping[str, Value]

    @property
    def text(self) -> str:
        """In English."""
        return SENTENCES[self.key].format_map({name: _plain(value) for name, value in self.values.items()})


class State(StrEnum):
    """What there is to explain."""

    RATED = "rated"
    UNRATED = "unrated"
    NOT_YET = "not-yet"
    NOT_BILLABLE = "not-billable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """One price that the call had, and who gave it why."""

    version: int
    cost: Decimal
    currency: str
    billed_sec: int
    deck_name: str
    deck_version: int
    matched_prefix: str
    reason: str
    rated_by: str
    rated_at: datetime
    rerating_id: int | None
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """The current price taken apart. Amounts in main units of `currency`."""

    deck_id: int
    deck_name: str
    deck_version: int
    sample: bool
    rate_id: int
    rate_description: str
    matched_prefix: str
    matched_origin: str
    billed_sec: int
    first_s: int
    next_s: int
    blocks: int
    grace_ms: int
    free: str | None
    connect_fee: Decimal
    per_minute: Decimal
    before_limits: Fraction
    limit: str | None
    before_rounding: Fraction
    rounding: str
    cost_decimals: int
    cost: Decimal
    currency: str
    agrees: bool
    """Computed anew from rate and deck, the cost is the stored one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a call costs what it costs. `price` is there when `state` is RATED."""

    cdr_id: str
    state: State
    number_class: str | None
    called_e164: str | None
    answer_at: datetime | None
    connected_ms: int | None
    end_basis: str
    price: Arithmetic | None
    steps: tuple[Step, ...]
    versions: tuple[PriceVersion, ...]
    """All prices it ever had, the newest first."""


def explain(session: Session, source: CallSource, cdr_id: str) -> Explanation:
    """Raises NoSuchCallError. Whether the reader may see the call is the caller's business."""
    call = source.get(session, cdr_id)
    if call is None:
        raise NoSuchCallError(f"there is no call {cdr_id}")
    rows = session.execute(
        select(CdrRating, RateDeck)
        .join(RateDeck, RateDeck.id == CdrRating.deck_id)
        .where(CdrRating.cdr_id == cdr_id)
        .order_by(CdrRating.version.desc())
    ).all()
    versions = tuple(_version(rating, deck) for rating, deck in rows)
    current = next(((rating, deck) for rating, deck in rows if rating.superseded_by is None), None)
    price: Arithmetic | None = None
    if current is not None:
        state = State.RATED
        price, steps = _taken_apart(session, call, *current)
    elif not call.billable:
        state = State.NOT_BILLABLE
        key = "not-answered" if call.answer_at is None else "not-billable"
        steps = [Step(key=key, values={"channel": call.channel})]
    else:
        waits = session.get(UnratedCall, cdr_id)
        state = State.NOT_YET if waits is None else State.UNRATED
        steps = [
            Step(
                key="not-yet" if waits is None else f"unrated-{waits.reason}",
                values={"answer_at": call.answer_at or call.setup_at, "called": call.called_e164 or "",
                        "number_class": call.number_class or ""},
            )
        ]
    return Explanation(
        cdr_id=cdr_id, state=state, number_class=call.number_class, called_e164=call.called_e164,
        answer_at=call.answer_at, connected_ms=call.conn_ms, end_basis=call.end_basis, price=price,
        steps=tuple(steps), versions=versions,
    )


def _version(rating: CdrRating, deck: RateDeck) -> PriceVersion:
    return PriceVersion(
        version=rating.version, cost=from_micro(rating.cost_u), currency=rating.currency,
        billed_sec=rating.billed_sec, deck_name=deck.name, deck_version=deck.version,
        matched_prefix=rating.matched_prefix, reason=rating.reason, rated_by=rating.rated_by,
        rated_at=rating.rated_at, rerating_id=rating.rerating_id, current=rating.superseded_by is None,
    )


def _taken_apart(
    session: Session, call: BillableCall, rating: CdrRating, deck: RateDeck
) -> tuple[Arithmetic, list[Step]]:
    row = session.get_one(RateRow, rating.rate_id)
    rate, terms = deck_shelf.rate_of(row), deck_shelf.terms_of(deck)
    anew = rate_call(rate, terms, conn_ms=call.conn_ms)
    price = Arithmetic(
        deck_id=deck.id, deck_name=deck.name, deck_version=deck.version, sample=deck.sample, rate_id=row.id,
        rate_description=row.description, matched_prefix=rating.matched_prefix,
        matched_origin=rating.matched_origin, billed_sec=rating.billed_sec, first_s=rate.first_s,
        next_s=rate.next_s, blocks=anew.blocks, grace_ms=rate.grace_ms,
        free=None if anew.free is None else anew.free.value, connect_fee=from_micro(anew.connect_fee_u),
        per_minute=from_micro(rate.per_minute_u), before_limits=anew.exact_u / MICRO,
        limit=None if anew.limit is None else anew.limit.value, before_rounding=anew.charged_u / MICRO,
        rounding=rating.rounding, cost_decimals=rating.cost_decimals, cost=from_micro(rating.cost_u),
        currency=rating.currency,
        agrees=(anew.cost_u, anew.billed_sec) == (rating.cost_u, rating.billed_sec),
    )
    return price, _steps(call, rate, terms, anew, price)


def _steps(
    call: BillableCall, rate: Rate, terms: DeckTerms, rated: Rated, price: Arithmetic
) -> list[Step]:
    steps: list[Step] = []

    def say(key: str, **values: Value) -> None:
        steps.append(Step(key=key, values=values))

    money = {"currency": price.currency}
    called = {"called": call.called_e164 or "", "number_class": call.number_class or ""}
    say("answered", answer_at=call.answer_at or call.setup_at)
    if call.end_basis != "bye":
        say("end-basis", end_basis=call.end_basis)
    say("deck", name=terms.name, version=terms.version)
    if price.sample:
        say("sample")
    if rate.called_prefix:
        say("prefix", prefix=f"+{rate.called_prefix}", **called)
    else:
        say("prefix-all", **called)
    if rate.origin_prefix:
        say("origin", origin=f"+{rate.origin_prefix}")
    say("connected", connected_ms=call.conn_ms or 0)
    if rated.free is Free.GRACE:
        say("grace", grace_ms=rate.grace_ms)
    elif rated.free is None:
        if rated.blocks:
            say("blocks", first_s=rate.first_s, blocks=rated.blocks, next_s=rate.next_s,
                billed_sec=rated.billed_sec)
        else:
            say("first-block", first_s=rate.first_s, billed_sec=rated.billed_sec)
        minutes = Fraction(rate.per_minute_u * rated.billed_sec, 60)
        say("minutes", billed_sec=rated.billed_sec, per_minute=price.per_minute, amount=_shown(minutes),
            **money)
        if rate.connect_fee_u:
            say("connect-fee", connect_fee=price.connect_fee, **money)
            say("sum", amount=_shown(rated.exact_u), **money)
        if rated.limit is not None:
            say(f"limit-{rated.limit.value}", amount=_shown(rated.charged_u), **money)
        if rated.charged_u == rated.cost_u:
            say("exact")
        else:
            say("rounding", before=_shown(rated.charged_u), rounding=terms.rounding.value,
                decimals=terms.cost_decimals, after=price.cost, **money)
    say("cost", amount=price.cost, **money)
    say("session-rounding")
    return steps


def _shown(amount_u: Fraction) -> Decimal:
    """In main units, with as many digits as tell it exactly, or nine where none do (thirds)."""
    return rounded(amount_u / MICRO, 9, Rounding.HALF_UP)


def _plain(value: Value) -> str:
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d} UTC"
    return str(value)
