"""Web hooks: what happens is told to other programs by HTTP. No function commits.

Theory. What is to be told is written into `web_hook_delivery` in the transaction in which it becomes true
(the outbox pattern, as for mail), one row for each address that wants this kind; `WebHookRunner` brings the
rows to their addresses. The key says what is told and is UNIQUE for an address: told twice, it goes once. A
receiver may still get a message twice (nobody can make its answer and our note of it one step); the header
`Tollbridge-Delivery` is the same both times. Order is not promised; `at` says when it happened.

A message is signed: `Tollbridge-Signature: t=<unix seconds>,v1=<hex>`, where the hex is HMAC-SHA256 of
`<t>.<body>` under the address's secret. Whoever checks `t`, too, cannot be fooled by a replay.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from events.errors import BadEventError, FieldProblem, UnknownEventError
from events.web_hook_models import WebHook, WebHookDelivery

HOOKS_MAX = 10
URL_CHARS_MAX = 1_000
PAGE_SIZE = 50
KEEP = timedelta(days=30)
"""How long deliveries that are over stay in the log."""


class Kind(StrEnum):
    """What can be told."""

    EVENT_STARTED = "event.started"
    EVENT_ENDED = "event.ended"
    PARTICIPANT_JOINED = "participant.joined"
    PARTICIPANT_LEFT = "participant.left"
    REGISTRATION = "registration.created"
    REGISTRATION_APPROVED = "registration.approved"
    REGISTRATION_DECLINED = "registration.declined"
    PAYMENT = "payment.succeeded"
    PAYMENT_REFUNDED = "payment.refunded"
    CDR = "cdr.created"
    TEST = "test"


OFFERED = tuple(kind for kind in Kind if kind is not Kind.TEST)


def add_hook(
    session: Session,
    *,
    account_id: int,
    url: str,
    kinds: Iterable[str],
    now: datetime,
    allow_private: bool = False,
) -> WebHook:
    """A new address with a secret of its own. Raises BadEventError."""
    full = len(hooks_of(session, account_id=account_id)) >= HOOKS_MAX
    more = (
        [FieldProblem(field="url", message=f"an account has at most {HOOKS_MAX} web hooks")] if full else []
    )
    address, wanted = _checked(url, kinds, allow_private=allow_private, problems=more)
    hook = WebHook(account_id=account_id, url=address, secret=_new_secret(), kinds=wanted, created_at=now)
    session.add(hook)
    session.flush()
    return hook


def change_hook(
    session: Session,
    hook: WebHook,
    *,
    url: str | None = None,
    kinds: Iterable[str] | None = None,
    allow_private: bool = False,
) -> None:
    """Another address, or other things to tell; None leaves them. Raises BadEventError."""
    given = hook.url if url is None else url
    wanted = hook.kinds if kinds is None else kinds
    hook.url, hook.kinds = _checked(given, wanted, allow_private=allow_private, problems=[])
    session.flush()


def rotate_secret(session: Session, hook: WebHook) -> str:
    """A new secret, which signs from now on, also what waits already."""
    hook.secret = _new_secret()
    session.flush()
    return hook.secret


def _checked(
    url: str, kinds: Iterable[str], *, allow_private: bool, problems: list[FieldProblem]
) -> tuple[str, list[str]]:
    try:
        address = checked_url(url, allow_private=allow_private)
    except ValueError as exc:
        problems.append(FieldProblem(field="url", message=str(exc)))
        address = ""
    given = set(kinds) - {Kind.TEST}
    if not given or not given <= set(OFFERED):
        problems.append(FieldProblem(field="kinds", message="must be one or more of: " + ", ".join(OFFERED)))
    if problems:
        raise BadEventError(problems)
    return address, [kind.value for kind in OFFERED if kind in given]


def _new_secret() -> str:
    return "whsec_" + secrets.token_urlsafe(32)


def checked_url(text: str, *, allow_private: bool = False) -> str:
    """An address that may be called: https, no name or password in it. Where it leads is looked at each time
    it is called, because a name can be pointed elsewhere at any time. Raises ValueError.
    """
    url = text.strip()
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:
        good = False
    if not good or len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be a web address that starts with https://")
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise ValueError("must be a web address that starts with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not have a name or password in it")
    return url


def hooks_of(session: Session, *, account_id: int) -> Sequence[WebHook]:
    """The account's addresses, oldest first."""
    query = select(WebHook).where(WebHook.account_id == account_id, WebHook.deleted_at.is_(None))
    return session.scalars(query.order_by(WebHook.id)).all()


def listeners(session: Session, account_ids: Iterable[int | None], *, kind: Kind) -> set[int]:
    """Which of these accounts have an address that wants this kind."""
    wanted = [account_id for account_id in account_ids if account_id is not None]
    query = select(WebHook).where(WebHook.account_id.in_(wanted), WebHook.deleted_at.is_(None))
    return {hook.account_id for hook in session.scalars(query) if kind in hook.kinds}


def hook_of(session: Session, *, account_id: int, hook_id: int) -> WebHook:
    """One of them. Raises UnknownEventError."""
    hook = session.get(WebHook, hook_id)
    if hook is None or hook.account_id != account_id or hook.deleted_at is not None:
        raise UnknownEventError(f"there is no web hook {hook_id}")
    return hook


def delete_hook(session: Session, hook: WebHook, *, now: datetime) -> None:
    """Nothing more goes there; what waits is dropped, the log stays."""
    hook.deleted_at = now
    session.execute(
        update(WebHookDelivery)
        .where(WebHookDelivery.hook_id == hook.id, WebHookDelivery.next_try_at.is_not(None))
        .values(state="dropped", next_try_at=None)
    )
    session.flush()


def publish(
    session: Session, *, account_id: int, kind: Kind, key: str, data: Mapping[str, Any], now: datetime
) -> int:
    """Tell every address of the account that wants this kind; how many. `key` names what happened, such as
    `session-17-ended`; `data` is what JSON can say and must hold no PIN and no whole telephone number.
    """
    hooks = [hook for hook in hooks_of(session, account_id=account_id) if kind in hook.kinds]
    return _put(session, hooks, kind=kind, key=key, data=data, now=now)


def publish_test(session: Session, hook: WebHook, *, now: datetime) -> None:
    """A message by which an organiser sees whether an address works."""
    key = f"test-{secrets.token_hex(8)}"
    _put(session, [hook], kind=Kind.TEST, key=key, data={"hello": "world"}, now=now)


def redeliver(session: Session, hook: WebHook, *, delivery_id: int, now: datetime) -> None:
    """Bring one message again, at once. Raises UnknownEventError."""
    row = session.get(WebHookDelivery, delivery_id)
    if row is None or row.hook_id != hook.id:
        raise UnknownEventError(f"there is no delivery {delivery_id}")
    if row.state != "sending":  # whose answer is awaited is not brought a second time
        row.state, row.tries, row.next_try_at = "queued", 0, now
        session.flush()


def deliveries(session: Session, hook: WebHook, *, page: int = 1) -> tuple[Sequence[WebHookDelivery], int]:
    """One page (from 1) of the log of an address, newest first, and how many there are."""
    mine = WebHookDelivery.hook_id == hook.id
    total = session.scalar(select(func.count()).select_from(WebHookDelivery).where(mine)) or 0
    query = select(WebHookDelivery).where(mine).order_by(WebHookDelivery.id.desc())
    return session.scalars(query.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all(), total


def signature(secret: str, body: bytes, *, unix_s: int) -> str:
    """The value of the header `Tollbridge-Signature`."""
    mac = hmac.new(secret.encode(), f"{unix_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix_s},v1={mac}"


def _put(
    session: Session,
    hooks: Sequence[WebHook],
    *,
    kind: Kind,
    key: str,
    data: Mapping[str, Any],
    now: datetime,
) -> int:
    if not hooks:
        return 0
    at = now.isoformat(timespec="milliseconds")
    told = {"id": key, "type": kind.value, "at": at, "account_id": hooks[0].account_id, "data": dict(data)}
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    rows = [
        {
            "hook_id": hook.id,
            "key": key,
            "kind": kind.value,
            "body": body,
            "state": "queued",
            "tries": 0,
            "next_try_at": now,
            "created_at": now,
        }
        for hook in hooks
    ]
    insert: Any = postgresql_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    statement: Any = insert(WebHookDelivery.__table__).on_conflict_do_nothing(
        index_elements=["hook_id", "key"]
    )
    session.connection().execute(statement, rows)
    return len(rows)
