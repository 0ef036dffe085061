"""The live meter: what running toll-free calls cost now, how long the balance lasts, who may still enter.

An engine without I/O: it is told of answers, ends and funds, each with the time, and says what is to be done
as `MeterEvent`s.  It keeps no money; the ledger does.  Its facts can be rebuilt at any time from the calls
that are over and not charged yet (`recovered`) and those that are up (`answered` again, with the moment of
the answer).

Theory.
- A call costs its first block from the moment of its answer, and each further block when it begins, just as
  it will be rated.  So the meter never shows less than what will be charged.
- Burn is what all live calls cost in a minute.  The balance lasts until it is used up at that burn; the part
  of a block that is paid and not yet talked counts as time that is left: 3.00 with four callers at 0.05 a
  minute lasts 15 minutes from their answers.
- Taxes are part of what the wallet pays, hence of every amount here.
- Funds are the wallet and, with a card on file, a limit of exposure beyond it.  At 80 % and at 100 % of both
  the organiser is warned; past them new toll-free callers hear the city number instead.  Who is on the line
  stays on the line.  An account whose funds are not known yet may be entered: a database that is away keeps
  nobody out.
- A session's hold covers what it has cost and what the expected callers will cost until its planned end.
  When the hold would last less than 10 minutes more it is asked to grow by 30.

Cost: `tick` prices each live call of an account three times at most, about 5 µs each.  An answer prices its
own call only, or two thousand callers in a minute would cost a hundred times that; the blocks that others
began since the last tick are counted with the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from billing.decks import DeckTerms, Rate
from billing.errors import MixedCurrenciesError
from billing.money import MICRO, Money
from billing.rating import Limit, rate_call
from billing.rounding import Rounding

RUNWAY_MIN = timedelta(minutes=10)
EXTENSION = timedelta(minutes=30)
UNPLANNED = timedelta(minutes=60)
"""How long a session without a planned end is expected to run on."""

WARN_PERCENT = (80, 100)
HOLD_LIFE = timedelta(hours=6)
"""A hold nobody touches for so long expires."""

_REPEAT = timedelta(seconds=60)
_FOREVER = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRate:
    """The rate a call has been answered at."""

    rate: Rate
    terms: DeckTerms

    @property
    def currency(self) -> str:
        return self.terms.currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What an account can use up: `wallet` is all that is in it, held or not."""

    wallet: Money
    exposure_limit: Money
    """Beyond the wallet; 0 without a card."""
    tax: Fraction = Fraction(0)
    """Value-added tax on usage, 21/100 for 21 %."""

    @property
    def total(self) -> Money:
        return self.wallet + self.exposure_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call that is up."""

    call_key: str
    account_id: int
    session_id: int
    rate: LiveRate
    answered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWanted:
    """Keep back `total` for the session (`holds.ensure`), then say what came of it (`LiveMeter.held`)."""

    account_id: int
    session_id: int
    total: Money
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsLow:
    """So many per cent of wallet and limit are used up; said once until there are funds again."""

    account_id: int
    percent: int
    used: Money
    total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryClosed:
    """From now on new toll-free callers of this account hear the city number."""

    account_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOpened:
    """There are funds again: toll-free callers may enter."""

    account_id: int


MeterEvent = HoldWanted | FundsLow | EntryClosed | EntryOpened


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the meter shows of a session or of an account. Amounts include tax."""

    live_calls: int
    cost: Money
    """Of live calls and of those that are over but not charged yet; rounded up."""
    per_minute: Money
    """The burn; rounded up."""
    lasts_until: datetime | None
    """None when nothing burns, or the funds are not known, or they last for a year."""


@dataclass(slots=True)
class _Session:
    account_id: int
    over_u: int = 0
    calls: dict[str, LiveCall] = field(default_factory=dict)
    expected_callers: int = 0
    ends_at: datetime | None = None
    held: Money | None = None
    asked_at: datetime | None = None


@dataclass(slots=True)
class _Account:
    currency: str
    funds: Funds | None = None
    sessions: set[int] = field(default_factory=set)
    warned: int = 0
    closed: bool = False
    spent_u: int = 0
    """Of all its sessions, as of the last count and the answers since."""


@dataclass(frozen=True, slots=True)
class _Count:
    """Costs without tax in 10⁻⁶: spent so far, paid ahead within blocks, and a minute's burn."""

    spent_u: int
    ahead_u: Fraction
    burn_u: int

    def __add__(self, other: _Count) -> _Count:
        return _Count(
            self.spent_u + other.spent_u, self.ahead_u + other.ahead_u, self.burn_u + other.burn_u
        )


class LiveMeter:
    """See the module text. Not thread-safe: its owner calls it from one thread."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._sessions: dict[int, _Session] = {}
        self._session_of: dict[str, int] = {}

    def plan(
        self, session_id: int, account_id: int, *, expected_callers: int, ends_at: datetime | None
    ) -> None:
        """What is expected of a session; may be told at any time, also before its first call."""
        run = self._run(session_id, account_id)
        run.expected_callers, run.ends_at = expected_callers, ends_at

    def funds(self, account_id: int, funds: Funds, *, now: datetime) -> list[MeterEvent]:
        """The account's funds changed, or are known now. Raises MixedCurrenciesError."""
        account = self._account(account_id, funds.wallet.currency)
        account.funds = funds
        return self._limits(account_id, now=now)

    def answered(
        self, call_key: str, *, account_id: int, session_id: int, rate: LiveRate, now: datetime
    ) -> list[MeterEvent]:
        """A toll-free call was answered. Told twice, it counts once. Raises MixedCurrenciesError."""
        if call_key in self._session_of:
            return []
        account = self._account(account_id, rate.currency)
        run = self._run(session_id, account_id)
        account.sessions.add(session_id)
        run.calls[call_key] = LiveCall(
            call_key=call_key, account_id=account_id, session_id=session_id, rate=rate, answered_at=now
        )
        self._session_of[call_key] = session_id
        account.spent_u += _count(run.calls[call_key], now).spent_u
        holds = self._holds(session_id, now=now) if run.asked_at is None else []
        return [*holds, *self._judged(account_id)]

    def ended(self, call_key: str, *, now: datetime) -> list[MeterEvent]:
        """A call is over; its cost stays until its session is charged. Unknown calls are ignored."""
        session_id = self._session_of.pop(call_key, None)
        if session_id is None:
            return []
        run = self._sessions[session_id]
        run.over_u += _count(run.calls.pop(call_key), now).spent_u
        return self._judged(run.account_id)

    def recovered(self, session_id: int, account_id: int, *, currency: str, costs_u: Iterable[int]) -> None:
        """After a restart: calls of this session are over and not charged yet, and cost this (no tax)."""
        self._account(account_id, currency).sessions.add(session_id)
        self._run(session_id, account_id).over_u += sum(costs_u)

    def held(self, session_id: int, amount: Money) -> None:
        """So much is kept back for the session now."""
        run = self._sessions.get(session_id)
        if run is not None:
            run.held = amount

    def charged(self, session_id: int, funds: Funds, *, now: datetime) -> list[MeterEvent]:
        """The session's calls that are over are in the ledger; `funds` are those after it."""
        run = self._sessions.get(session_id)
        if run is None:
            return []
        run.over_u, run.held, run.asked_at = 0, None, None
        if not run.calls:
            del self._sessions[session_id]
            self._accounts[run.account_id].sessions.discard(session_id)
        return self.funds(run.account_id, funds, now=now)

    def tick(self, now: datetime) -> list[MeterEvent]:
        """Time passed; call it every few seconds."""
        events: list[MeterEvent] = []
        for session_id, run in self._sessions.items():
            if run.calls:
                events += self._holds(session_id, now=now)
        for account_id, account in self._accounts.items():
            if account.sessions:
                events += self._limits(account_id, now=now)
        return events

    def may_enter(self, account_id: int) -> bool:
        """Whether a new toll-free caller may enter; False: tell the city number. As of the last event."""
        account = self._accounts.get(account_id)
        return account is None or not account.closed

    def account_reading(self, account_id: int, *, now: datetime) -> Reading | None:
        """All sessions of an account together; None for an account the meter knows nothing of."""
        account = self._accounts.get(account_id)
        if account is None:
            return None
        return self._reading(account, [self._sessions[one] for one in account.sessions], now=now)

    def session_reading(self, session_id: int, *, now: datetime) -> Reading | None:
        """One session; it lasts as long as the account's funds at the burn of all its sessions."""
        run = self._sessions.get(session_id)
        if run is None or run.account_id not in self._accounts:
            return None
        account = self._accounts[run.account_id]
        whole = self.account_reading(run.account_id, now=now)
        own = self._reading(account, [run], now=now)
        assert whole is not None
        return Reading(
            live_calls=own.live_calls, cost=own.cost, per_minute=own.per_minute,
            lasts_until=whole.lasts_until,
        )  # fmt: skip

    def _account(self, account_id: int, currency: str) -> _Account:
        account = self._accounts.setdefault(account_id, _Account(currency))
        if account.currency != currency:
            if account.sessions:
                raise MixedCurrenciesError(
                    f"account {account_id} is metered in {account.currency}, not in {currency}"
                )
            account.currency, account.funds = currency, None
        return account

    def _run(self, session_id: int, account_id: int) -> _Session:
        return self._sessions.setdefault(session_id, _Session(account_id))

    def _sum(self, runs: Iterable[_Session], now: datetime) -> _Count:
        total = _Count(0, Fraction(0), 0)
        for run in runs:
            total += _Count(run.over_u, Fraction(0), 0)
            for call in run.calls.values():
                total += _count(call, now)
        return total

    def _reading(self, account: _Account, runs: list[_Session], *, now: datetime) -> Reading:
        count = self._sum(runs, now)
        lasts = None
        if account.funds is not None and count.burn_u:
            lasts = _lasts(account.funds.wallet, account.funds, count, now=now)
        return Reading(
            live_calls=sum(len(run.calls) for run in runs),
            cost=_gross(count.spent_u, account),
            per_minute=_gross(count.burn_u, account),
            lasts_until=lasts,
        )

    def _limits(self, account_id: int, *, now: datetime) -> list[MeterEvent]:
        account = self._accounts[account_id]
        account.spent_u = self._sum((self._sessions[one] for one in account.sessions), now).spent_u
        return self._judged(account_id)

    def _judged(self, account_id: int) -> list[MeterEvent]:
        account = self._accounts[account_id]
        if account.funds is None:
            return []
        used = _gross(account.spent_u, account)
        total = account.funds.total
        reached = max(
            (percent for percent in WARN_PERCENT if used.minor * 100 >= total.minor * percent), default=0
        )
        events: list[MeterEvent] = []
        if reached > account.warned and account.sessions:
            events.append(FundsLow(account_id=account_id, percent=reached, used=used, total=total))
            account.warned = reached
        elif reached < account.warned:
            account.warned = reached
        if (reached >= 100) != account.closed:
            account.closed = not account.closed
            events.append(
                EntryClosed(account_id=account_id) if account.closed else EntryOpened(account_id=account_id)
            )
        return events

    def _holds(self, session_id: int, *, now: datetime) -> list[MeterEvent]:
        run = self._sessions[session_id]
        account = self._accounts[run.account_id]
        if run.asked_at is not None and now - run.asked_at < _REPEAT:
            return []
        count = self._sum([run], now)
        if run.asked_at is None:
            wanted = self._first_hold(run, account, count, now=now)
        else:
            if run.held is None or not count.burn_u:
                return []
            until = _lasts(run.held, account.funds or _unknown(account), count, now=now)
            if until is None or until - now >= RUNWAY_MIN:
                return []
            wanted = _gross(count.spent_u + _for(count.burn_u, EXTENSION), account)
        if wanted.minor <= 0:
            return []
        run.asked_at = now
        return [
            HoldWanted(
                account_id=run.account_id, session_id=session_id, total=wanted, expires_at=now + HOLD_LIFE
            )
        ]

    def _first_hold(self, run: _Session, account: _Account, count: _Count, *, now: datetime) -> Money:
        remaining = max(run.ends_at - now, RUNWAY_MIN) if run.ends_at is not None else UNPLANNED
        callers = max(run.expected_callers, len(run.calls))
        each_u = -(-count.burn_u // max(1, len(run.calls)))
        return _gross(max(_for(each_u * callers, remaining), count.spent_u), account)


def live_cost_u(rate: LiveRate, *, answered_at: datetime, now: datetime) -> int:
    """What a call that is up costs so far, first block included, without tax; 10⁻⁶."""
    return rate_call(rate.rate, rate.terms, conn_ms=_elapsed_ms(answered_at, now)).cost_u


def _count(call: LiveCall, now: datetime) -> _Count:
    elapsed_ms = _elapsed_ms(call.answered_at, now)
    rated = rate_call(call.rate.rate, call.rate.terms, conn_ms=elapsed_ms)
    if rated.limit is Limit.MAX:
        return _Count(rated.cost_u, Fraction(0), 0)
    ahead_ms = max(0, rated.billed_sec * 1000 - elapsed_ms)
    return _Count(rated.cost_u, Fraction(rated.unit_price_u * ahead_ms, 60_000), rated.unit_price_u)


def _elapsed_ms(since: datetime, now: datetime) -> int:
    return max(0, (now - since) // timedelta(milliseconds=1))


def _for(burn_u: int, time: timedelta) -> int:
    return -(-burn_u * (time // timedelta(milliseconds=1)) // 60_000)


def _gross(cost_u: int, account: _Account) -> Money:
    tax = account.funds.tax if account.funds is not None else Fraction(0)
    return Money.of(Fraction(cost_u, MICRO) * (1 + tax), account.currency, Rounding.UP)


def _lasts(purse: Money, funds: Funds, count: _Count, *, now: datetime) -> datetime | None:
    left_u = Fraction(purse.micro) / (1 + funds.tax) - count.spent_u + count.ahead_u
    minutes = left_u / count.burn_u
    if minutes > _FOREVER / timedelta(minutes=1):
        return None
    return now + timedelta(milliseconds=max(0, int(minutes * 60_000)))


def _unknown(account: _Account) -> Funds:
    return Funds(wallet=Money.zero(account.currency), exposure_limit=Money.zero(account.currency))
