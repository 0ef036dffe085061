"""How often one may knock at the doors of events: a pure engine, time as argument.

Theory. Two things are bounded. *Knocks*, right or wrong, cost us a query and, at events with a password, an
Argon2 hash: each address and each event has a token bucket, wide enough for a school that joins through one
address. *Wrong proofs* (password, PIN, link) are guesses: each pair of address and event has a score that
halves every `HALF_LIFE_S`; the first `FREE` cost nothing, each further one doubles the wait up to
`WAIT_MAX_S`. Guessers with many addresses meet a second score, the event's own: beyond `EVENT_FREE` wrong
proofs everybody waits `EVENT_WAIT_S` once, which slows guessers down and locks nobody out.

A proof is charged as wrong before it is looked at and taken back when it was right, so that a hundred guesses
at once do not all slip through before the first is judged. Only a presenter's proof forgives earlier wrong
ones: whoever knows the password must not get fresh tries at the PIN with it. Addresses of IPv6 count by /64
(RFC 6177: the least that a household has). Memory is bounded: the pairs and addresses used last are kept,
`KEYS_MAX` of each kind.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import TypeVar

T = TypeVar("T")

FREE = 5.0
HALF_LIFE_S = 600.0
WAIT_MAX_S = 300.0
EVENT_FREE = 100.0
EVENT_WAIT_S = 2.0
KEYS_MAX = 10_000

ADDRESS_BURST, ADDRESS_PER_S = 300.0, 2.0
EVENT_BURST, EVENT_PER_S = 3_000.0, 50.0


def address_key(ip: str) -> str:
    """What of an address counts as one visitor's."""
    try:
        address = ipaddress.ip_address(ip.split("%")[0])
    except ValueError:
        return ip[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class JoinLimits:
    """One for the node. `now_s` is monotonic seconds."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._events: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._until: OrderedDict[str, float] = OrderedDict()

    def knock(self, *, ip: str, event: str, now_s: float) -> float:
        """Somebody asks to be let in: seconds to wait before it is looked at; 0 for at once."""
        address = address_key(ip)
        waits = [
            _take(self._addresses, address, burst=ADDRESS_BURST, per_s=ADDRESS_PER_S, now_s=now_s),
            _take(self._events, event, burst=EVENT_BURST, per_s=EVENT_PER_S, now_s=now_s),
            self._until.get(_pair(address, event), 0.0) - now_s,
            self._until.get(_pair("", event), 0.0) - now_s,
        ]
        return max(0.0, *waits)

    def guess(self, *, ip: str, event: str, now_s: float) -> None:
        """A proof is about to be looked at: charged as wrong."""
        pair, whole = _pair(address_key(ip), event), _pair("", event)
        excess = self._add(pair, now_s=now_s) - FREE
        if excess > 0:
            _keep(self._until, pair, now_s + min(WAIT_MAX_S, 2.0 ** min(excess, 20.0)))
        if self._add(whole, now_s=now_s) > EVENT_FREE:
            _keep(self._until, whole, now_s + EVENT_WAIT_S)

    def take_back(self, *, ip: str, event: str) -> None:
        """The proof that was charged last was right."""
        for key in (_pair(address_key(ip), event), _pair("", event)):
            score, at_s = self._wrong.get(key, (0.0, 0.0))
            if score > 0:
                _keep(self._wrong, key, (max(0.0, score - 1.0), at_s))
            self._until.pop(key, None)

    def forgive(self, *, ip: str, event: str) -> None:
        """A presenter came in from this address: nothing is held against it."""
        pair = _pair(address_key(ip), event)
        self._wrong.pop(pair, None)
        self._until.pop(pair, None)

    def _add(self, key: str, *, now_s: float) -> float:
        score, at_s = self._wrong.get(key, (0.0, now_s))
        score = score * math.exp2((at_s - now_s) / HALF_LIFE_S) + 1.0
        _keep(self._wrong, key, (score, now_s))
        return score


def _pair(address: str, event: str) -> str:
    return f"{address}\n{event}"


def _take(
    buckets: OrderedDict[str, tuple[float, float]], key: str, *, burst: float, per_s: float, now_s: float
) -> float:
    """Take one token: 0.0, or the seconds until there is one."""
    tokens, at_s = buckets.get(key, (burst, now_s))
    tokens = min(burst, tokens + (now_s - at_s) * per_s)
    wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) / per_s
    _keep(buckets, key, (tokens - 1.0 if wait_s == 0.0 else tokens, now_s))
    return wait_s


def _keep(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > KEYS_MAX:
        memory.popitem(last=False)
