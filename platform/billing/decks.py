"""Rates and decks as values, and how the one rate of a call is found.

Theory.  A deck is a price list in one currency; a rate is one line of it, for numbers of a class (city,
toll-free, mobile) that begin with `called_prefix`, called from numbers that begin with `origin_prefix`.
Among the rates that match, the longest called prefix wins, then the longest origin prefix.  A call is
priced by the rate that was in force when it was answered, even if another one came into force before it
ended.  All validity is half-open [from, to), so that midnight belongs to one rate only.

Finding the longest prefix of a number of at most 15 digits takes at most 16 look-ups per part in
`DeckIndex`, whatever the number of rates.

Amounts are integers of 10⁻⁶ of the currency's main unit (`_u`).  Why `first_s` must be a multiple of
`next_s`: otherwise hanging up and redialling costs less than staying.  With 7/5 seconds, 14 s are billed as
17, and twice 7 s as 14.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.errors import BadRateError
from billing.money import exponent
from billing.rounding import Rounding

NUMBER_CLASSES = ("city", "tollfree", "mobile")
PREFIX_DIGITS_MAX = 15
FIRST_S_MAX = 86_400
NEXT_S_MAX = 3_600
GRACE_MS_MAX = 600_000


class DeckState(StrEnum):
    """The life of a deck: only active ones price calls; a retired one never does again."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One line of a deck. Raises BadRateError when built wrong.

    Prefixes are digits without a plus; the empty one matches every number, and as `origin_prefix` callers
    without a number, too.
    """

    number_class: str
    called_prefix: str
    origin_prefix: str = ""
    valid_from: datetime | None = None
    """None: from the beginning of the deck."""
    valid_to: datetime | None = None
    """Not included; None: to the end of the deck."""
    connect_fee_u: int = 0
    per_minute_u: int
    first_s: int
    next_s: int
    min_charge_u: int | None = None
    max_charge_u: int | None = None
    grace_ms: int = 0
    """Calls shorter than this are free."""
    description: str = ""
    allow_uneven: bool = False
    """Accept a first block that is no multiple of the next ones."""
    id: int | None = None

    def __post_init__(self) -> None:
        if self.number_class not in NUMBER_CLASSES:
            raise BadRateError("number_class", "class", f"say one of {', '.join(NUMBER_CLASSES)}")
        for name in ("called_prefix", "origin_prefix"):
            prefix: str = getattr(self, name)
            if prefix and not (prefix.isascii() and prefix.isdigit() and len(prefix) <= PREFIX_DIGITS_MAX):
                raise BadRateError(name, "prefix", f"a prefix has 1 to {PREFIX_DIGITS_MAX} digits")
        for name in ("valid_from", "valid_to"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.utcoffset() is None:
                raise BadRateError(name, "naive", "say which time zone the time is in")
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise BadRateError("valid_to", "order", "the end lies after the beginning")
        for name in ("connect_fee", "per_minute", "min_charge", "max_charge"):
            amount_u: int | None = getattr(self, f"{name}_u")
            if amount_u is not None and amount_u < 0:
                raise BadRateError(name, "negative", "no amount is below 0")
        if self.min_charge_u is not None and self.max_charge_u is not None \
                and self.min_charge_u > self.max_charge_u:
            raise BadRateError("max_charge", "min-max", "the largest charge is below the smallest")
        if not 1 <= self.first_s <= FIRST_S_MAX:
            raise BadRateError("first_s", "range", f"the first block has 1 to {FIRST_S_MAX} seconds")
        if not 1 <= self.next_s <= NEXT_S_MAX:
            raise BadRateError("next_s", "range", f"the following blocks have 1 to {NEXT_S_MAX} seconds")
        if self.first_s % self.next_s and not self.allow_uneven:
            raise BadRateError(
                "first_s", "uneven",
                "the first block is no multiple of the next: redialling would be cheaper than staying",
            )
        if not 0 <= self.grace_ms <= GRACE_MS_MAX:
            raise BadRateError("grace_ms", "range", f"the free time is 0 to {GRACE_MS_MAX} ms")

    @property
    def key(self) -> tuple[str, str, str]:
        """What may not be there twice at the same time."""
        return self.number_class, self.called_prefix, self.origin_prefix

    def valid_at(self, moment: datetime) -> bool:
        """Whether it is in force at `moment`."""
        return (self.valid_from is None or self.valid_from <= moment) and (
            self.valid_to is None or moment < self.valid_to
        )

    def overlaps(self, other: Rate) -> bool:
        """Whether both are in force at some moment."""
        return (self.valid_to is None or other.valid_from is None or other.valid_from < self.valid_to) and (
            other.valid_to is None or self.valid_from is None or self.valid_from < other.valid_to
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckTerms:
    """What all rates of a deck share. Raises BadRateError when built wrong."""

    name: str
    currency: str
    cost_decimals: int = 4
    """Digits after the point that the cost of one call is rounded to."""
    rounding: Rounding = Rounding.HALF_UP
    valid_from: datetime
    valid_to: datetime | None = None
    version: int = 1
    id: int | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 80:
            raise BadRateError("name", "name", "a deck has a name of 1 to 80 characters")
        exponent(self.currency)
        if not 0 <= self.cost_decimals <= 6:
            raise BadRateError("cost_decimals", "range", "costs have 0 to 6 digits after the point")
        if self.valid_from.utcoffset() is None or (self.valid_to and self.valid_to.utcoffset() is None):
            raise BadRateError("valid_from", "naive", "say which time zone the time is in")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise BadRateError("valid_to", "order", "the end lies after the beginning")

    def valid_at(self, moment: datetime) -> bool:
        """Whether it is in force at `moment`."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


class DeckIndex:
    """All rates of one version of a deck, by prefix. Never changes: a changed deck is another version."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._by_key: dict[tuple[str, str], dict[str, list[Rate]]] = {}
        self._longest = 0
        for rate in rates:
            origins = self._by_key.setdefault((rate.number_class, rate.called_prefix), {})
            origins.setdefault(rate.origin_prefix, []).append(rate)
            self._longest = max(self._longest, len(rate.called_prefix))

    def find(
        self, *, number_class: str, called: str, caller: str | None, answer_at: datetime
    ) -> Rate | None:
        """The rate of a call; None when the deck has none for it.

        `called` and `caller` are E.164, with or without the plus; `caller` None when it was withheld.
        """
        digits = called.lstrip("+")
        origin = (caller or "").lstrip("+")
        for length in range(min(self._longest, len(digits)), -1, -1):
            origins = self._by_key.get((number_class, digits[:length]))
            if origins is None:
                continue
            for from_length in range(len(origin) if len(origins) > 1 or "" not in origins else 0, -1, -1):
                for rate in origins.get(origin[:from_length], ()):
                    if rate.valid_at(answer_at):
                        return rate
        return None
