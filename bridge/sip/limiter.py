"""Strangers are turned away, ever more slowly: an engine without I/O.

A source (an IPv4 address, an IPv6 /64) may be refused `free` times a minute at once; further refusals are
delayed, each twice as long as the one before, up to a limit, so that a scanner of thousands of numbers
learns a few an hour. Waiting refusals are bounded per source and in total; beyond that a refusal is
immediate and counted as suppressed, because a held refusal costs us a line and must never cost us all. The
table of sources is bounded: the one seen longest ago is forgotten. Records of refused strangers are bounded
too, to 20 a second with 200 at once, so that a flood fills counters and not the disk.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

_SOURCES_MAX = 4096
_WINDOW_S = 60.0
_WAITING_MAX = 64
_WAITING_PER_SOURCE_MAX = 4
_RECORDS_BURST = 200.0
_RECORDS_PER_S = 20.0


@dataclass(slots=True)
class _Source:
    since_s: float
    count: int = 0
    waiting: int = 0


class RefusalLimiter:
    """Says how long to wait before a refusal goes out."""

    def __init__(self, *, free: int, delay_s_max: float) -> None:
        self._free = free
        self._delay_s_max = delay_s_max
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._waiting = 0
        self._records = _RECORDS_BURST
        self._records_at_s: float | None = None
        self.refused = 0
        self.suppressed = 0

    def refuse(self, address: str, *, now_s: float) -> float:
        """Count a refusal; seconds to wait before sending it. Above 0, call `sent` when it went out."""
        self.refused += 1
        key = _key(address)
        source = self._sources.get(key)
        if source is None or now_s - source.since_s > _WINDOW_S:
            waiting = source.waiting if source else 0
            source = self._sources[key] = _Source(since_s=now_s, waiting=waiting)
        self._sources.move_to_end(key)
        while len(self._sources) > _SOURCES_MAX:
            self._sources.popitem(last=False)
        source.count += 1
        beyond = source.count - self._free
        if beyond <= 0:
            return 0.0
        source.since_s = now_s  # the minute starts again: who never stops is never free again
        if self._waiting >= _WAITING_MAX or source.waiting >= _WAITING_PER_SOURCE_MAX:
            self.suppressed += 1
            return 0.0
        source.waiting += 1
        self._waiting += 1
        return min(self._delay_s_max, 0.25 * 2.0 ** min(beyond - 1, 16))

    def held(self, address: str, *, now_s: float) -> bool:
        """Whether a source has used up its free refusals, so that it gets no more challenges either."""
        source = self._sources.get(_key(address))
        return source is not None and now_s - source.since_s <= _WINDOW_S and source.count > self._free

    def may_record(self, *, now_s: float) -> bool:
        """Whether one more refused stranger may have a record of its own."""
        passed_s = 0.0 if self._records_at_s is None else max(0.0, now_s - self._records_at_s)
        self._records_at_s = now_s
        self._records = min(_RECORDS_BURST, self._records + passed_s * _RECORDS_PER_S)
        if self._records < 1:
            return False
        self._records -= 1
        return True

    def sent(self, address: str) -> None:
        """A delayed refusal went out."""
        self._waiting = max(0, self._waiting - 1)
        source = self._sources.get(_key(address))
        if source is not None:
            source.waiting = max(0, source.waiting - 1)


def _key(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
