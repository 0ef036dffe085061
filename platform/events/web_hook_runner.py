"""Brings messages of web hooks to their addresses, and tries again.

    queued ──claim──► sending ──2xx──► delivered
      ▲                  │
      └──anything else───┴──after the last try──► failed

A claim is a conditional UPDATE that is committed before anybody is called, so two workers never bring the
same message at once; no transaction is open while we wait for a stranger's server. After a crash the claim's
lease runs out and the message is brought again with the same `Tollbridge-Delivery`. Waits grow from half a
minute to six hours; after `TRIES_MAX` tries, some two days, a message has failed and stays in the log, from
where it can be sent again. An address that does not answer holds up others by one timeout a run at most.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from database.polling import PollingThread
from database.types import now_utc
from events.news import ParticipantNews
from events.web_hook_models import WebHook, WebHookDelivery
from events.web_hook_sender import DeliveryError, HookSender
from events.web_hooks import KEEP, signature

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=6)
TRIES_MAX = 17
LEASE = timedelta(minutes=2)
BATCH = 50
POLL_S = 2.0
_log = structlog.get_logger(__name__)


def wait_after(tries: int) -> timedelta:
    """How long to wait after the `tries`-th failure, from 1."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(tries - 1, 20)
    return min(doubled, LONGEST_WAIT)


class WebHookRunner:
    """See the module text. `version` goes into User-Agent; `news` is written down with each run."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        *,
        sender: HookSender | None = None,
        version: str = "0",
        news: ParticipantNews | None = None,
        now: Callable[[], datetime] = now_utc,
        poll_s: float = POLL_S,
    ) -> None:
        self._sessions = sessions
        self._news = news
        self._sender = sender or HookSender()
        self._agent = f"Tollbridge/{version}"
        self._now = now
        self._thread = PollingThread("web-hooks", self._look, poll_s=poll_s)
        self._swept_at: datetime | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self, *, timeout_s: float = 15.0) -> None:
        """Finish the message at hand, and no other."""
        self._thread.stop(timeout_s=timeout_s)

    def wake(self) -> None:
        """There is something to deliver now."""
        self._thread.wake()

    def run_once(self, now: datetime) -> int:
        """Bring what is due; how many messages were tried."""
        if self._news is not None:
            self._news.run_once()
        tried = 0
        silent: set[int] = set()
        for delivery_id, hook_id in self._due(now):
            if self._thread.stopping:
                break
            if hook_id in silent:
                continue
            claimed = self._claim(delivery_id, now)
            if claimed is not None:
                tried += 1
                if not self._deliver(*claimed, now=now):
                    silent.add(hook_id)
        self._sweep(now)
        return tried

    def _due(self, now: datetime) -> list[tuple[int, int]]:
        query = select(WebHookDelivery.id, WebHookDelivery.hook_id).where(WebHookDelivery.next_try_at <= now)
        query = query.order_by(WebHookDelivery.next_try_at, WebHookDelivery.id).limit(BATCH)
        with self._sessions() as session:
            return [(row[0], row[1]) for row in session.execute(query)]

    def _claim(self, delivery_id: int, now: datetime) -> tuple[WebHookDelivery, WebHook] | None:
        statement = (
            update(WebHookDelivery)
            .where(WebHookDelivery.id == delivery_id, WebHookDelivery.next_try_at <= now)
            .values(state="sending", tries=WebHookDelivery.tries + 1, next_try_at=now + LEASE)
            .returning(WebHookDelivery.id)
        )
        with self._sessions.begin() as session:
            if session.execute(statement).scalar_one_or_none() is None:
                return None
            row = session.get_one(WebHookDelivery, delivery_id)
            hook = session.get_one(WebHook, row.hook_id)
            if hook.deleted_at is not None:  # it was on its way when the address was deleted
                row.state, row.next_try_at = "dropped", None
                return None
            return row, hook

    def _deliver(self, row: WebHookDelivery, hook: WebHook, *, now: datetime) -> bool:
        """Whether somebody answered, whatever they said."""
        body = row.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            "Tollbridge-Event": row.kind,
            "Tollbridge-Delivery": str(row.id),
            "Tollbridge-Signature": signature(hook.secret, body, unix_s=int(now.timestamp())),
        }
        status, error = None, None
        try:
            status = self._sender.post(hook.url, body, headers)
        except DeliveryError as exc:
            error = str(exc)
        taken = status is not None and 200 <= status < 300
        over = taken or row.tries >= TRIES_MAX
        with self._sessions.begin() as session:
            session.execute(
                update(WebHookDelivery)
                .where(WebHookDelivery.id == row.id)
                .values(
                    state="delivered" if taken else "failed" if over else "queued",
                    next_try_at=None if over else now + wait_after(row.tries),
                    tried_at=now,
                    status=status,
                    error=error if error or taken else f"the answer was {status}",
                )
            )
        _log.info("web_hook_tried", delivery=row.id, status=status, tries=row.tries)
        return status is not None

    def _sweep(self, now: datetime) -> None:
        """Once an hour, forget what was over long ago."""
        if self._swept_at is not None and now - self._swept_at < timedelta(hours=1):
            return
        self._swept_at = now
        old = (WebHookDelivery.created_at < now - KEEP) & WebHookDelivery.next_try_at.is_(None)
        with self._sessions.begin() as session:
            session.execute(delete(WebHookDelivery).where(old))

    def _look(self) -> bool:
        return self.run_once(self._now()) > 0
