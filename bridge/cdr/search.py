"""Searching call records: what billing staff ask, answered from indexes, a page at a time.

Pages are found by key, not by number: a page begins after the last record of the one before (`next`), so the
thousandth is as fast as the first, and records that arrive meanwhile shift nothing.  Sorting goes by one
value and then by id; records without that value (no sound, no price) come last in either direction, and the
query for them is a second one, because `NULLS LAST` in one query would keep an index from being used.

Sorting by anything but time has two ways: along the index of that value until enough records fit, or all
that fit and then sorted.  Planners guess between them from statistics that know nothing of how filters belong
together, and a wrong guess is seconds.  So what fits is counted first, up to `FEW`: if it is few, the second
way is taken.

There is no total: counting two million rows takes longer than finding fifty of them.  `count` counts up to a
limit ("over 10,000").

Numbers are masked in what is shown; searching by a caller's digits tells something about them all the same,
so `by_caller` says that a filter does, for whoever decides who may.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.orm import Session

from billing.deck_models import CdrRating, UnratedCall
from bridge.cdr.errors import BadSearchError
from bridge.cdr.masking import masked
from bridge.cdr.models import SUSPICIOUS, Cdr
from database.types import EPOCH
from events.models import EventSession

PER_PAGE_MAX = 1000
COUNT_MAX = 10_000
#: So many records are read and sorted faster than an index of two million is walked for fifty that fit.
FEW = 10_000
#: An index holds the last four digits; fewer would be one record in a hundred.
END_DIGITS_MIN = 4
DIGITS_MAX = 15
_TEXT_MAX = 64
_TEXTS = ("session_id", "reason_slug", "disposition", "channel", "number_class", "end_basis", "currency")
_INTEGERS = {"event_id": 2**31 - 1, "account_id": 2**31 - 1, "q850": 127, "cost_from_u": 2**63 - 1,
             "cost_to_u": 2**63 - 1}
_SUSPICIOUS = text(re.sub(r"(end_basis|conn_ms|mos_cq)", r"cdr.\1", SUSPICIOUS))


class Sort(StrEnum):
    """What pages are sorted by."""

    TIME = "time"
    DURATION = "duration"
    COST = "cost"
    MOS = "mos"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberMatch:
    """Numbers that begin with `prefix` (a plus and digits) or end with `end`. One of them is given."""

    prefix: str = ""
    end: str = ""

    def __post_init__(self) -> None:
        digits = self.prefix.removeprefix("+") or self.end
        if bool(self.prefix) == bool(self.end) or not (digits.isascii() and digits.isdigit()):
            raise BadSearchError("number", "digits", "write a number with + in front, or its last digits")
        if len(digits) > DIGITS_MAX:
            raise BadSearchError("number", "long", f"a number has {DIGITS_MAX} digits at most")
        if self.end and len(self.end) < END_DIGITS_MIN:
            raise BadSearchError("number", "short", f"write {END_DIGITS_MIN} digits or more of the end")

    @classmethod
    def parse(cls, typed: str) -> NumberMatch:
        """What people type: `+33 1 23…` and `0033…` begin a number, other digits end one (a national 0 in
        front is dropped). Raises BadSearchError.
        """
        compact = typed.translate(str.maketrans("", "", " -.()/\u00a0…*"))
        if compact.startswith("00"):
            compact = f"+{compact[2:]}"
        if compact.startswith("+"):
            return cls(prefix=compact)
        return cls(end=compact[1:] if compact.startswith("0") and len(compact) > END_DIGITS_MIN else compact)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrSearch:
    """Which records: those that fit all that is given. Times are of `setup_at`, half-open [from, before).

    Costs are in 10⁻⁶ of `currency`'s main unit, both ends included; a cost filter leaves out records without
    a price. Raises BadSearchError for values that no record can have.
    """

    number: NumberMatch | None = None
    """Of the caller or the number called."""
    caller: NumberMatch | None = None
    called: NumberMatch | None = None
    session_id: str | None = None
    event_id: int | None = None
    account_id: int | None = None
    setup_from: datetime | None = None
    setup_before: datetime | None = None
    reason_slug: str | None = None
    q850: int | None = None
    disposition: str | None = None
    mos_below: float | None = None
    channel: str | None = None
    number_class: str | None = None
    end_basis: str | None = None
    billable: bool | None = None
    cost_from_u: int | None = None
    cost_to_u: int | None = None
    currency: str | None = None
    unrated: bool = False
    """Only calls in the queue of those that no rate fits."""
    suspicious: bool = False
    """Only calls to look at: no hang-up, over four hours, or low MOS."""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            word = getattr(self, name)
            if word is not None and not (word.isascii() and word.isprintable() and len(word) <= _TEXT_MAX):
                raise BadSearchError(name, "text", "no record has such a text")
        for name, most in _INTEGERS.items():
            number = getattr(self, name)
            if number is not None and not 0 <= number <= most:
                raise BadSearchError(name, "range", f"a number from 0 to {most}")
        for name in ("setup_from", "setup_before"):
            moment = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise BadSearchError(name, "naive", "say which time zone the time is in")

    @property
    def by_caller(self) -> bool:
        """Whether the answer tells something about callers' digits."""
        return self.number is not None or self.caller is not None

    @property
    def is_narrow(self) -> bool:
        """Whether a filter with an index of its own may leave few records."""
        return self.unrated or self.suspicious or any(
            part is not None
            for part in (self.number, self.caller, self.called, self.session_id, self.event_id,
                         self.account_id, self.setup_from, self.reason_slug, self.q850, self.disposition)
        )

    @property
    def by_cost(self) -> bool:
        """Whether prices decide what fits."""
        return (self.cost_from_u, self.cost_to_u, self.currency) != (None, None, None)

    def clauses(self, dialect: str) -> list[ColumnElement[bool]]:
        """The conditions on `cdr`, and on `cdr_rating` with `by_cost`."""
        equal: tuple[tuple[Any, Any], ...] = (
            (Cdr.session_id, self.session_id), (Cdr.account_id, self.account_id),
            (Cdr.reason_slug, self.reason_slug), (Cdr.q850, self.q850), (Cdr.disposition, self.disposition),
            (Cdr.channel, self.channel), (Cdr.number_class, self.number_class),
            (Cdr.end_basis, self.end_basis), (CdrRating.currency, self.currency),
        )
        clauses: list[Any] = [column == value for column, value in equal if value is not None]
        if self.number is not None:
            sides = (Cdr.caller_e164, Cdr.called_e164)
            clauses.append(or_(*(_fits(side, self.number, dialect) for side in sides)))
        if self.caller is not None:
            clauses.append(_fits(Cdr.caller_e164, self.caller, dialect))
        if self.called is not None:
            clauses.append(_fits(Cdr.called_e164, self.called, dialect))
        if self.event_id is not None:
            runs = select(cast(EventSession.id, String(255))).where(EventSession.event_id == self.event_id)
            clauses.append(Cdr.session_id.in_(runs))
        if self.setup_from is not None:
            clauses.append(Cdr.setup_at >= self.setup_from)
        if self.setup_before is not None:
            clauses.append(Cdr.setup_at < self.setup_before)
        if self.mos_below is not None:
            clauses.append(Cdr.mos_cq < self.mos_below)
        if self.billable is not None:
            clauses.append(Cdr.billable if self.billable else ~Cdr.billable)
        if self.cost_from_u is not None:
            clauses.append(CdrRating.cost_u >= self.cost_from_u)
        if self.cost_to_u is not None:
            clauses.append(CdrRating.cost_u <= self.cost_to_u)
        if self.unrated:
            clauses.append(Cdr.id.in_(select(UnratedCall.cdr_id)))
        # An end that was not signalled is suspicious, so the index of those finds it, too.
        if self.suspicious or self.end_basis not in (None, "bye"):
            clauses.append(_SUSPICIOUS)
        return clauses


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrHit:
    """A record, what it costs now, and why it has no price if it waits for one."""

    record: Cdr
    rating: CdrRating | None
    unrated_reason: str | None

    @property
    def caller(self) -> str | None:
        """The caller's number as people without the billing role see it."""
        return masked(self.record.caller_e164)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrHits:
    """One page; `next` is where the following one begins, None after the last."""

    hits: tuple[CdrHit, ...]
    next: str | None


def find(
    session: Session,
    which: CdrSearch,
    *,
    sort: Sort = Sort.TIME,
    descending: bool = True,
    after: str | None = None,
    limit: int = 50,
) -> CdrHits:
    """One page of records. Raises BadSearchError for a limit or an `after` that we did not give."""
    if not 1 <= limit <= PER_PAGE_MAX:
        raise BadSearchError("limit", "range", f"a page has 1 to {PER_PAGE_MAX} records")
    place = None if after is None else _Place.decode(after, sort=sort, descending=descending)
    records: list[Cdr] = []
    if place is None or place.value is not None:
        query = page_query(session, which, sort, descending=descending, place=place, limit=limit + 1)
        records = list(session.scalars(query))
    if len(records) <= limit and sort is not Sort.TIME and not (sort is Sort.COST and which.by_cost):
        behind = place if place is not None and place.value is None else None
        records += _without_value(session, which, sort, descending, behind, limit + 1 - len(records))
    page = records[:limit]
    hits = _hits(session, page)
    more = len(records) > limit
    return CdrHits(hits=hits, next=_Place.of(hits[-1], sort, descending).encode() if more else None)


def count(session: Session, which: CdrSearch, *, at_most: int = COUNT_MAX) -> int:
    """How many records fit; `at_most + 1` when there are more than that."""
    rows = _base(session, which, select(Cdr.id), rated=which.by_cost).limit(at_most + 1)
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def _fits(column: Any, match: NumberMatch, dialect: str) -> ColumnElement[bool]:
    if match.prefix:
        first, behind = match.prefix, match.prefix[:-1] + chr(ord(match.prefix[-1]) + 1)
        if dialect == "postgresql":
            # Byte by byte, as the index compares, whatever the database's collation.
            at_least, below = (column.op(sign, is_comparison=True) for sign in ("~>=~", "~<~"))
            return and_(at_least(first), below(behind))
        return and_(column >= first, column < behind)
    last_four = func.substr(column, func.length(column) - literal_column("3"))
    same: ColumnElement[bool] = last_four == match.end[-END_DIGITS_MIN:]
    return same if len(match.end) == END_DIGITS_MIN else and_(same, column.like(f"%{match.end}"))


def _base(session: Session, which: CdrSearch, wanted: Select[Any], *, rated: bool) -> Select[Any]:
    if rated:
        wanted = wanted.join(CdrRating, and_(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None)))
    return wanted.where(*which.clauses(session.get_bind().dialect.name))


def _keys(sort: Sort) -> tuple[Any, Any]:
    """(the value sorted by, the id that breaks ties), both of the table whose index has them."""
    if sort is Sort.COST:
        return CdrRating.cost_u, CdrRating.cdr_id
    return {Sort.TIME: Cdr.setup_at, Sort.DURATION: Cdr.conn_ms, Sort.MOS: Cdr.mos_cq}[sort], Cdr.id


def page_query(
    session: Session, which: CdrSearch, sort: Sort, *, descending: bool, limit: int,
    place: _Place | None = None,
) -> Select[tuple[Cdr]]:
    """The statement for records that have the value sorted by; benchmarks print its plan."""
    value, tie = _keys(sort)
    wanted = _base(session, which, select(Cdr), rated=which.by_cost or sort is Sort.COST)
    kind = value.type
    if sort is not Sort.TIME:
        wanted = wanted.where(value.is_not(None))
        if which.is_narrow and count(session, which, at_most=FEW) <= FEW:
            value = value + literal_column("0")  # no index has this: what fits is read, then sorted
    if place is not None:
        there = tuple_(literal(place.bound(sort), kind), literal(place.id, tie.type))
        here = tuple_(value, tie)
        wanted = wanted.where(here < there if descending else here > there)
    order = (value.desc(), tie.desc()) if descending else (value, tie)
    return wanted.order_by(*order).limit(limit)


def _without_value(
    session: Session, which: CdrSearch, sort: Sort, descending: bool, place: _Place | None, limit: int
) -> list[Cdr]:
    wanted = _base(session, which, select(Cdr), rated=which.by_cost)
    if sort is Sort.COST:
        wanted = wanted.where(
            ~exists().where(CdrRating.cdr_id == Cdr.id, CdrRating.superseded_by.is_(None))
        )
    else:
        wanted = wanted.where(_keys(sort)[0].is_(None))
    if place is not None:
        wanted = wanted.where(Cdr.id < place.id if descending else Cdr.id > place.id)
    return list(session.scalars(wanted.order_by(Cdr.id.desc() if descending else Cdr.id).limit(limit)))


def _hits(session: Session, records: Sequence[Cdr]) -> tuple[CdrHit, ...]:
    ids = [record.id for record in records]
    if not ids:
        return ()
    current = select(CdrRating).where(CdrRating.cdr_id.in_(ids), CdrRating.superseded_by.is_(None))
    ratings = {row.cdr_id: row for row in session.scalars(current)}
    waiting = select(UnratedCall.cdr_id, UnratedCall.reason).where(UnratedCall.cdr_id.in_(ids))
    reasons: dict[str, str] = {row.cdr_id: row.reason for row in session.execute(waiting)}
    return tuple(
        CdrHit(record=record, rating=ratings.get(record.id), unrated_reason=reasons.get(record.id))
        for record in records
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a page ended. `value` is what it is sorted by (time: ms since 1970), None among those without."""

    sort: Sort
    descending: bool
    value: int | float | None
    id: str

    @classmethod
    def of(cls, hit: CdrHit, sort: Sort, descending: bool) -> _Place:
        record = hit.record
        value: int | float | None
        if sort is Sort.TIME:
            value = (record.setup_at - EPOCH) // timedelta(milliseconds=1)
        elif sort is Sort.COST:
            value = None if hit.rating is None else hit.rating.cost_u
        else:
            value = record.conn_ms if sort is Sort.DURATION else record.mos_cq
        return cls(sort=sort, descending=descending, value=value, id=record.id)

    def bound(self, sort: Sort) -> Any:
        """The value as the database compares it."""
        assert self.value is not None
        return EPOCH + timedelta(milliseconds=self.value) if sort is Sort.TIME else self.value

    def encode(self) -> str:
        """As text that goes into an address."""
        plain = json.dumps([self.sort.value, self.descending, self.value, self.id])
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, encoded: str, *, sort: Sort, descending: bool) -> _Place:
        """What `encode` wrote. Raises BadSearchError for anything else, and for another order."""
        wrong = BadSearchError("after", "place", "this is no place in this list; begin at its first page")
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError):
            raise wrong from None
        match parts:
            case [str(name), bool(down), int() | float() | None as value, str(tie)] if (
                (name, down) == (sort.value, descending)
                and not isinstance(value, bool)
                and len(tie) <= 36
                and tie.isascii() and tie.isprintable()
                and (value is None or abs(value) < 2**53)
                and not (value is None and sort is Sort.TIME)
                and not (isinstance(value, float) and sort is not Sort.MOS)
            ):
                if sort is Sort.TIME and abs(value or 0) > 253_402_300_799_999:  # the year 9999
                    raise wrong
                return cls(sort=sort, descending=descending, value=value, id=tie)
        raise wrong
