"""What one call costs: seconds connected → seconds billed → money. Pure; integers only.

    billed = first                                       when it was not longer than the first block
           = first + ⌈(ms − first·1000) / (next·1000)⌉ · next    otherwise
    cost   = connect fee + price a minute · billed / 60, exact; then the smallest and the largest charge;
             then rounded, once, to the deck's decimals

- A call that was not answered costs nothing, nor does one shorter than the free time: no connect fee either.
- The cause with which a call ended plays no part, and neither does the time it rang.
- A session is charged the sum of its calls, rounded half up, once, to the currency's minor unit.  The
  document shows the sum, a rounding line and the total, so that the lines add up.

Costs grow with duration, the billed time covers the duration and goes beyond it by less than one block, and
a call cut in two is never billed less time.  In money the last holds before rounding and without free time:
free time exists to forgive short calls, and a deck with few decimals rounds tiny ones away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from billing.decks import DeckTerms, Rate
from billing.money import Money
from billing.rounding import Rounding, divided


class Free(StrEnum):
    """Why a call costs nothing whatever the rate."""

    NOT_ANSWERED = "not-answered"
    GRACE = "grace"


class Limit(StrEnum):
    """Which limit of the rate set the cost."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What a call costs, and each step on the way. Amounts are integers of 10⁻⁶ (`_u`)."""

    conn_ms: int | None
    billed_sec: int
    blocks: int
    """Blocks after the first."""
    connect_fee_u: int
    unit_price_u: int
    exact_u: Fraction
    """Connect fee and minutes, before limits and rounding."""
    charged_u: Fraction
    """After the limits, before rounding."""
    cost_u: int
    cost_decimals: int
    rounding: Rounding
    free: Free | None = None
    limit: Limit | None = None


def rate_call(rate: Rate, terms: DeckTerms, *, conn_ms: int | None) -> Rated:
    """The cost of a call that was connected for `conn_ms`; None when it was not answered."""
    free = None
    if conn_ms is None:
        free = Free.NOT_ANSWERED
    elif conn_ms < rate.grace_ms:
        free = Free.GRACE
    if free is not None or conn_ms is None:
        return Rated(
            conn_ms=conn_ms, billed_sec=0, blocks=0, connect_fee_u=0, unit_price_u=rate.per_minute_u,
            exact_u=Fraction(0), charged_u=Fraction(0), cost_u=0, cost_decimals=terms.cost_decimals,
            rounding=terms.rounding, free=free,
        )
    beyond_ms = max(0, conn_ms - rate.first_s * 1000)
    blocks = -(-beyond_ms // (rate.next_s * 1000))
    billed = rate.first_s + blocks * rate.next_s
    # Sixtieths of 10⁻⁶, so that a price a minute times seconds stays an integer.
    exact = rate.connect_fee_u * 60 + rate.per_minute_u * billed
    charged, limit = exact, None
    if rate.min_charge_u is not None and charged < rate.min_charge_u * 60:
        charged, limit = rate.min_charge_u * 60, Limit.MIN
    if rate.max_charge_u is not None and charged > rate.max_charge_u * 60:
        charged, limit = rate.max_charge_u * 60, Limit.MAX
    step: int = 10 ** (6 - terms.cost_decimals)
    return Rated(
        conn_ms=conn_ms,
        billed_sec=billed,
        blocks=blocks,
        connect_fee_u=rate.connect_fee_u,
        unit_price_u=rate.per_minute_u,
        exact_u=Fraction(exact, 60),
        charged_u=Fraction(charged, 60),
        cost_u=divided(charged, 60 * step, terms.rounding) * step,
        cost_decimals=terms.cost_decimals,
        rounding=terms.rounding,
        limit=limit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCharge:
    """The sum of a session's calls as it is posted: lines + rounding = total, to the last digit."""

    lines_u: int
    rounding_u: int
    """What rounding the sum added; negative when it took away."""
    total: Money


def session_charge(costs_u: Iterable[int], currency: str) -> SessionCharge:
    """Σ lines, rounded half up once to the currency's minor unit."""
    lines_u = sum(costs_u)
    total = Money.of_micro(lines_u, currency, Rounding.HALF_UP)
    return SessionCharge(lines_u=lines_u, rounding_u=total.micro - lines_u, total=total)
