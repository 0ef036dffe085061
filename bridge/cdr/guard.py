"""Slowing down people who guess PINs, across calls: a pure engine, time as argument.

Theory.  A PIN of nine digits with n joinable events is hit with probability n·10⁻⁹ a guess, so what matters
is guesses per second.  Three wrong ones end a call; this engine remembers between calls.  Each of three keys
has a score of wrong attempts that halves every `half_life_s`:

- *caller*: the number on the trunk it came from.  The first `free` wrong attempts cost nothing, each
  further one doubles the pause before the next answer, and at `block_at` the caller is turned away until
  the score has decayed: about 40 guesses an hour for a number that never stops.  The same number through
  another trunk is another key, so nobody is blocked by someone who forges their number elsewhere.
- *trunk*: the source address.  Behind one carrier stand thousands of honest people, so here wrong attempts
  count only in excess of right ones, and the answer is a pause of at most `delay_max_s`, never a block: an
  attacker who forges a new number for every call slows strangers on that trunk down by seconds, and locks
  nobody out.  Callers who lately had a right PIN on this trunk are not even slowed.
- *account*: the same rule for the account that a dialled number or a PIN points to, when one is known.

An attempt is charged as wrong before the PIN is looked at and refunded when it was right.  So a hundred
parallel calls of one number do not all slip through before the first is judged, and since the pause comes
before the verdict, hanging up early tells nothing.  A right PIN takes away at most `forgiven` wrong ones of
its caller and helps the trunk once per caller and half-life: a guesser with one valid PIN gains little.

Memory is bounded: each kind of key keeps the most recently used ones.  Flooding it with forged numbers makes
it forget forged numbers; callers with a right PIN are kept apart.  No PIN ever reaches this module.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """Rules of one kind of key.

    `free`: score without any pause.  `delay_first_s`: pause at `free`, in seconds, doubling every
    `doubling` points up to `delay_max_s`.  `block_at`: score from which attempts are turned away, None for
    never.  `credit`: wrong attempts that one right one outweighs.  `keys_max`: keys remembered.
    """

    free: float
    delay_first_s: float
    doubling: float
    delay_max_s: float
    block_at: float | None
    credit: float
    half_life_s: float
    keys_max: int

    def __post_init__(self) -> None:
        if min(self.delay_first_s, self.doubling, self.half_life_s, self.keys_max) <= 0:
            raise ValueError("delays, doubling, half-life and memory must be positive")
        if self.block_at is not None and self.block_at <= self.free:
            raise ValueError("block_at must lie above free")

    def delay_s(self, score: float) -> float:
        """Pause before the next answer, in seconds."""
        if score < self.free:
            return 0.0
        doublings = min(30.0, (score - self.free) // self.doubling)
        return float(min(self.delay_max_s, self.delay_first_s * 2**doublings))


#: Two wrong tries and a right one are never slowed; the fourth wrong attempt in a row waits, the sixteenth is
#: turned away.  The half is for what decays between fifteen attempts, so that it is always the sixteenth.
CALLER_POLICY = GuardPolicy(
    free=3,
    delay_first_s=1.0,
    doubling=1,
    delay_max_s=16.0,
    block_at=14.5,
    credit=0,
    half_life_s=900.0,
    keys_max=50_000,
)
TRUNK_POLICY = GuardPolicy(
    free=50,
    delay_first_s=1.0,
    doubling=50,
    delay_max_s=8.0,
    block_at=None,
    credit=1,
    half_life_s=900.0,
    keys_max=1_000,
)
ACCOUNT_POLICY = GuardPolicy(
    free=20,
    delay_first_s=1.0,
    doubling=20,
    delay_max_s=8.0,
    block_at=None,
    credit=1,
    half_life_s=900.0,
    keys_max=10_000,
)
FORGIVEN = 3.0
PROVEN_MAX = 50_000
PROVEN_S = 30 * 86_400.0


class Ruling(StrEnum):
    """What to do with an attempt."""

    ALLOWED = "allowed"
    DELAYED = "delayed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`delay_s`: wait that long before looking at the PIN; when blocked, until it is worth trying again."""

    ruling: Ruling
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an attempt comes from.

    `trunk`: trunk or source address.  `caller`: number or user part, None when withheld: such callers are
    told apart by nothing, so only the trunk's rule holds them.  `account`: see the module text.
    """

    trunk: str
    caller: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardStats:
    """Counters for /metrics, since the start; `keys` is what is remembered now."""

    attempts: int
    right: int
    delayed: int
    blocked: int
    keys: int


@dataclass(slots=True)
class _Score:
    wrong: float = 0.0
    right: float = 0.0
    at_s: float = 0.0

    def decay(self, *, half_life_s: float, now_s: float) -> None:
        factor = 0.5 ** (max(0.0, now_s - self.at_s) / half_life_s)
        self.wrong *= factor
        self.right *= factor
        self.at_s = max(self.at_s, now_s)


@dataclass(slots=True)
class _Ledger:
    """Scores of one kind of key, least recently used first."""

    policy: GuardPolicy
    scores: OrderedDict[str, _Score] = field(default_factory=OrderedDict)

    def excess(self, key: str, *, now_s: float) -> float:
        """Wrong attempts not outweighed by right ones. Reading an unknown key stores nothing."""
        score = self.scores.get(key)
        if score is None:
            return 0.0
        score.decay(half_life_s=self.policy.half_life_s, now_s=now_s)
        return max(0.0, score.wrong - self.policy.credit * score.right)

    def add(self, key: str, *, wrong: float, right: float, now_s: float) -> None:
        score = self.scores.get(key)
        if score is None:
            score = self.scores[key] = _Score(at_s=now_s)
            if len(self.scores) > self.policy.keys_max:
                self.scores.popitem(last=False)
        score.decay(half_life_s=self.policy.half_life_s, now_s=now_s)
        score.wrong = max(0.0, score.wrong + wrong)
        score.right = max(0.0, score.right + right)
        self.scores.move_to_end(key)


_ALLOWED = Verdict(ruling=Ruling.ALLOWED, delay_s=0.0)


class PinGuard:
    """The memory of attempts. One owner; `now_s` is monotonic seconds."""

    def __init__(
        self,
        *,
        caller: GuardPolicy = CALLER_POLICY,
        trunk: GuardPolicy = TRUNK_POLICY,
        account: GuardPolicy = ACCOUNT_POLICY,
        proven_max: int = PROVEN_MAX,
        proven_s: float = PROVEN_S,
    ) -> None:
        self._callers = _Ledger(caller)
        self._trunks = _Ledger(trunk)
        self._accounts = _Ledger(account)
        self._proven: OrderedDict[str, float] = OrderedDict()
        self._proven_max = proven_max
        self._proven_s = proven_s
        self._attempts = self._right = self._delayed = self._blocked = 0

    def look(self, source: Source, *, now_s: float) -> Verdict:
        """The verdict that an attempt would get, without making one: for the beginning of a call."""
        keys = self._keys(source)
        verdict = _ALLOWED
        for ledger, key in keys:
            excess = ledger.excess(key, now_s=now_s)
            block_at = ledger.policy.block_at
            if block_at is not None and excess >= block_at:
                # The score falls as 0.5^(t/half-life): the time until it is below the limit.
                wait_s = ledger.policy.half_life_s * math.log2(excess / block_at)
                return Verdict(ruling=Ruling.BLOCKED, delay_s=max(1.0, wait_s))
            if ledger is not self._callers and self._is_proven(source, now_s=now_s):
                continue
            delay_s = ledger.policy.delay_s(excess)
            if delay_s > verdict.delay_s:
                verdict = Verdict(ruling=Ruling.DELAYED, delay_s=delay_s)
        return verdict

    def attempt(self, source: Source, *, now_s: float) -> Verdict:
        """Someone typed a PIN: how long to wait before looking at it, if at all.

        Charged as wrong unless blocked; call `right` when it turns out to be right.
        """
        verdict = self.look(source, now_s=now_s)
        self._attempts += 1
        if verdict.ruling is Ruling.BLOCKED:
            self._blocked += 1
            return verdict
        self._delayed += verdict.ruling is Ruling.DELAYED
        for ledger, key in self._keys(source):
            ledger.add(key, wrong=1, right=0, now_s=now_s)
        return verdict

    def right(self, source: Source, *, now_s: float) -> None:
        """The attempt just made from `source` was right: take its charge back, and remember the caller."""
        self._right += 1
        first = not self._lately_right(source, now_s=now_s)
        for ledger, key in self._keys(source):
            refund = 1.0 + (FORGIVEN if first and ledger is self._callers else 0.0)
            ledger.add(key, wrong=-refund, right=1.0 if first else 0.0, now_s=now_s)
        caller = _caller_key(source)
        if caller is not None:
            self._proven[caller] = now_s
            self._proven.move_to_end(caller)
            if len(self._proven) > self._proven_max:
                self._proven.popitem(last=False)

    def wrong_for_account(self, account: str, *, now_s: float) -> None:
        """A PIN pointed to this account and still did not open the door (over, locked, switched off)."""
        self._accounts.add(account, wrong=1, right=0, now_s=now_s)

    def stats(self) -> GuardStats:
        """Counters since the start."""
        keys = sum(len(ledger.scores) for ledger in (self._callers, self._trunks, self._accounts))
        return GuardStats(
            attempts=self._attempts,
            right=self._right,
            delayed=self._delayed,
            blocked=self._blocked,
            keys=keys + len(self._proven),
        )

    def _keys(self, source: Source) -> list[tuple[_Ledger, str]]:
        keys = [(self._trunks, source.trunk)]
        caller = _caller_key(source)
        if caller is not None:
            keys.append((self._callers, caller))
        if source.account is not None:
            keys.append((self._accounts, source.account))
        return keys

    def _right_s_ago(self, source: Source, *, now_s: float) -> float | None:
        caller = _caller_key(source)
        at_s = None if caller is None else self._proven.get(caller)
        return None if at_s is None else now_s - at_s

    def _is_proven(self, source: Source, *, now_s: float) -> bool:
        ago_s = self._right_s_ago(source, now_s=now_s)
        return ago_s is not None and ago_s <= self._proven_s

    def _lately_right(self, source: Source, *, now_s: float) -> bool:
        ago_s = self._right_s_ago(source, now_s=now_s)
        return ago_s is not None and ago_s <= self._callers.policy.half_life_s


def _caller_key(source: Source) -> str | None:
    return None if source.caller is None else f"{source.trunk}\n{source.caller}"
