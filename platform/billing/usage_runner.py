"""The runner that charges sessions when they are over: called again and again, it may die at any step.

    new call records ──rate──▶ prices ──▶ work of their session ──due──▶ charge ──▶ done

- Rating a call and noting its session as work happen in one transaction; charging a session and clearing its
  work in another.  Whatever is cut off is found again as it was before.  Two runners at once take turns at
  the work's row.
- A session is charged `LATE` (15 minutes) after its end, so that records of other nodes arrive; one that
  still runs is looked at again.  A session that nobody knows, its row being lost or late, counts as ended
  with the last of its calls, and one that nobody has touched for an hour with that touch.
- A record that comes later makes its session work again, at once: the further posting of `billing.usage`.
- A charge that fails is tried again, later each time, and its fault is kept for the reconciliation.
- Whoever gives prices notes the work: `UsageRunner.priced` is the rating book's `on_priced`.  As a second
  net, each runner's first run looks for recent calls with a price and without a charge (`sweep`).
- Holds whose time is over expire here.

The clock may jump: work is due or not, and nothing is computed from the time that passed between two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from billing import holds
from billing.calls import BillableCall
from billing.deck_models import CdrRating
from billing.holds import Held
from billing.ledger_models import UsageLine, UsageWork
from billing.rating_book import RatingBook
from billing.usage import Charged, UsageBook
from billing.usage_work import call_of, note_work, scope_of
from database.errors import is_outage
from events.models import EventSession

LATE = timedelta(minutes=15)
RUNNING_AGAIN = timedelta(minutes=1)
"""How soon a session that still runs is looked at again."""

UNTOUCHED = timedelta(hours=1)
SWEEP_BACK = timedelta(days=2)
UNPRICED_BACK = timedelta(days=40)
RETRY_MAX = timedelta(hours=6)
BATCH = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What one run did."""

    rated: int
    unrated: int
    charged: list[Charged] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Scopes whose charge raised an error."""
    expired: list[Held] = field(default_factory=list)


class UsageRunner:
    """See the module text. `run` may be called by several threads and processes."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        book: RatingBook,
        usage: UsageBook,
        *,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """`step` is called between any two steps; tests use it to die there."""
        self._sessions = sessions
        self._book = book
        self._usage = usage
        self._step = step
        self._swept = False

    def run(self, now: datetime, *, limit: int = BATCH) -> RunReport:
        """Rate what is new, charge what is due, end old holds. Raises what says that the database is away."""
        rated, unrated = self._rate(now, limit)
        if not self._swept:
            self.sweep(now)
            self._swept = True
        charged: list[Charged] = []
        failed: list[str] = []
        for scope in self._due(now, limit):
            self._step("charge")
            try:
                with self._sessions.begin() as session:
                    charged += self._charge(session, scope, now)
                    self._step("commit")
            except Exception as exc:
                if is_outage(exc):
                    raise
                _log.error("usage_not_charged", scope=scope, error=repr(exc))
                self._note_fault(scope, exc, now)
                failed.append(scope)
        self._step("expire")
        with self._sessions.begin() as session:
            expired = holds.expire(session, now=now)
        return RunReport(rated=rated, unrated=unrated, charged=charged, failed=failed, expired=expired)

    def sweep(self, now: datetime, *, back: timedelta = SWEEP_BACK) -> int:
        """Note as work what has a price and no charge, of sessions and calls since `back`; how many."""
        bare = CdrRating.superseded_by.is_(None) & ~(
            select(UsageLine.id).where(UsageLine.cdr_id == CdrRating.cdr_id, UsageLine.current).exists()
        )
        since = now - back
        with self._sessions.begin() as session:
            runs = session.scalars(
                select(EventSession.id).where(
                    EventSession.last_seen_at >= since,
                    select(CdrRating.cdr_id).where(CdrRating.session_id == EventSession.id, bare).exists(),
                )
            )
            work = [str(run) for run in runs]
            loose = session.scalars(
                select(CdrRating.cdr_id).where(
                    CdrRating.session_id.is_(None), CdrRating.answer_at >= since, bare
                )
            )
            work += [scope_of(None, cdr_id) for cdr_id in loose]
            note_work(session, work, due_at=now)
        return len(work)

    @staticmethod
    def priced(session: Session, calls: Sequence[BillableCall], now: datetime) -> None:
        """Calls got a price in this transaction: their sessions are to be charged."""
        note_work(session, (scope_of(call.session_id, call.cdr_id) for call in calls), due_at=now)

    def _rate(self, now: datetime, limit: int) -> tuple[int, int]:
        rated = unrated = 0
        while True:
            self._step("rate")
            with self._sessions.begin() as session:
                calls = self._book.source.unpriced(session, since=now - UNPRICED_BACK, limit=limit)
                result = self._book.rate_calls(session, calls, now=now)
                self._step("rated")
            rated, unrated = rated + result.rated, unrated + result.unrated
            if len(calls) < limit:
                return rated, unrated

    def _due(self, now: datetime, limit: int) -> list[str]:
        with self._sessions.begin() as session:
            return list(
                session.scalars(
                    select(UsageWork.scope)
                    .where(UsageWork.due_at <= now)
                    .order_by(UsageWork.due_at, UsageWork.scope)
                    .limit(limit)
                )
            )

    def _charge(self, session: Session, scope: str, now: datetime) -> list[Charged]:
        work = session.scalars(select(UsageWork).where(UsageWork.scope == scope).with_for_update()).one()
        if work.due_at is None or work.due_at > now:
            return []
        ended_at = self._ended_at(session, work, now)
        if ended_at is None or now < ended_at + LATE:
            work.due_at = now + RUNNING_AGAIN if ended_at is None else ended_at + LATE
            return []
        charged = self._usage.charge(session, scope, at=now, occurred_at=ended_at)
        work.due_at, work.tries, work.fault = None, 0, None
        return charged

    def _ended_at(self, session: Session, work: UsageWork, now: datetime) -> datetime | None:
        """When the calls of the scope were over; None while the session runs."""
        if work.session_id is not None:
            run = session.get(EventSession, work.session_id)
            if run is not None:
                lost = run.ended_at is None and run.last_seen_at <= now - UNTOUCHED
                return run.last_seen_at if lost else run.ended_at
            calls = self._book.source.of_session(session, work.session_id)
        else:
            calls = self._book.source.get_many(session, [call_of(work.scope) or ""])
        return max((call.end_at for call in calls), default=now - LATE)

    def _note_fault(self, scope: str, exc: Exception, now: datetime) -> None:
        with self._sessions.begin() as session:
            work = session.scalars(select(UsageWork).where(UsageWork.scope == scope).with_for_update()).one()
            work.tries += 1
            work.fault = f"{type(exc).__name__}: {exc}"[:255]
            work.due_at = now + min(RETRY_MAX, RUNNING_AGAIN * 2 ** min(work.tries, 10))
