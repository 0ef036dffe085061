"""What Twilio charges for our calls: noted at their end, asked for until it is known.

The status callback tells that a call is over and how long Twilio counts it; its price comes into Twilio's
books some minutes later and is not told at all, so it is asked for over REST, at growing distances, seven
times over a day.  Nobody waits for any of this: what cannot be written while the database is away is kept in
memory, PENDING_MAX calls of it, the oldest given up first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from bridge.twilio import repository
from bridge.twilio.api import CallState, TwilioApi
from bridge.twilio.errors import ApiError
from bridge.twilio.models import TwilioCall

_log = structlog.get_logger(__name__)

FIRST_ASK_S = 15.0
GROWTH = 4
TRIES_MAX = 7
POLL_S = 15.0
BATCH = 20
PENDING_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    status: str
    sip_status: int | None
    duration_s: int | None
    at: datetime


class Bills:
    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        api: TwilioApi,
        now: Callable[[], datetime],
        first_ask_s: float = FIRST_ASK_S,
    ) -> None:
        self._sessions, self._api, self._now = sessions, api, now
        self._first_ask_s = first_ask_s
        self._pending: OrderedDict[str, _Ended] = OrderedDict()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write down what is known and end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._pending:
            await self._write_pending()

    def ended(
        self, call_sid: str, *, status: str, sip_status: int | None, duration_s: int | None, at: datetime
    ) -> None:
        """A call is over for Twilio. Told twice it is still one."""
        self._pending[call_sid] = _Ended(status=status, sip_status=sip_status, duration_s=duration_s, at=at)
        while len(self._pending) > PENDING_MAX:
            self._pending.popitem(last=False)
            self.dropped += 1
        self._wake.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), min(POLL_S, self._first_ask_s))
            self._wake.clear()
            if await self._write_pending():
                await self._ask_prices()

    async def _write_pending(self) -> bool:
        taken, self._pending = self._pending, OrderedDict()
        try:
            if taken:
                await asyncio.to_thread(self._write, taken)
        except SQLAlchemyError as exc:
            _log.warning("twilio_bills_wait", error=type(exc).__name__, calls=len(taken))
            self._pending = OrderedDict(list(taken.items()) + list(self._pending.items()))
            return False
        return True

    def _write(self, taken: OrderedDict[str, _Ended]) -> None:
        with self._sessions.begin() as session:
            for call_sid, ended in taken.items():
                if repository.find(session, call_sid) is None:
                    session.add(
                        TwilioCall(
                            call_sid=call_sid,
                            status=ended.status,
                            sip_status=ended.sip_status,
                            duration_s=ended.duration_s,
                            ended_at=ended.at,
                            tries=0,
                            next_try_at=ended.at + timedelta(seconds=self._first_ask_s),
                        )
                    )

    async def _ask_prices(self) -> None:
        try:
            for call_sid in await asyncio.to_thread(self._due):
                state: CallState | None = None
                try:
                    state = await self._api.call(call_sid)
                except ApiError as exc:
                    _log.info("twilio_price_unknown", call_sid=call_sid, error=str(exc))
                await asyncio.to_thread(self._note, call_sid, state)
        except SQLAlchemyError as exc:
            _log.warning("twilio_bills_wait", error=type(exc).__name__, calls=0)

    def _due(self) -> list[str]:
        with self._sessions() as session:
            return repository.due(session, now=self._now(), limit=BATCH)

    def _note(self, call_sid: str, state: CallState | None) -> None:
        with self._sessions.begin() as session:
            row = repository.find(session, call_sid)
            if row is None:
                return
            row.tries += 1
            if state is not None:
                row.status = state.status or row.status
                row.duration_s = row.duration_s if state.duration_s is None else state.duration_s
                row.price_u, row.currency = state.price_u, state.currency
            wait_s = self._first_ask_s * GROWTH**row.tries
            over = row.price_u is not None or row.tries >= TRIES_MAX
            row.next_try_at = None if over else self._now() + timedelta(seconds=wait_s)
