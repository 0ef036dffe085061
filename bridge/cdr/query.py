"""Reading call records: by session, by account, by time; in pages for people, in a stream for files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from bridge.cdr.models import Cdr

PER_PAGE_MAX = 1000
_CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrFilter:
    """Which records: those that fit all that is given. Times are of `setup_at`, half-open [from, before)."""

    session_id: str | None = None
    account_id: int | None = None
    setup_from: datetime | None = None
    setup_before: datetime | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        """The conditions on `cdr`."""
        clauses: list[ColumnElement[bool]] = []
        if self.session_id is not None:
            clauses.append(Cdr.session_id == self.session_id)
        if self.account_id is not None:
            clauses.append(Cdr.account_id == self.account_id)
        if self.setup_from is not None:
            clauses.append(Cdr.setup_at >= self.setup_from)
        if self.setup_before is not None:
            clauses.append(Cdr.setup_at < self.setup_before)
        return clauses


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrPage:
    """One page, oldest call first; `page` counts from 1, `total` counts all records of the filter."""

    records: list[Cdr]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.per_page))


def find_page(session: Session, which: CdrFilter, *, page: int = 1, per_page: int = 100) -> CdrPage:
    """One page of records. A page beyond the last is empty. Raises ValueError for a page below 1."""
    if page < 1 or not 1 <= per_page <= PER_PAGE_MAX:
        raise ValueError(f"page counts from 1, per_page is 1 to {PER_PAGE_MAX}")
    clauses = which.clauses()
    total = session.scalar(select(func.count()).select_from(Cdr).where(*clauses)) or 0
    wanted = select(Cdr).where(*clauses).order_by(Cdr.setup_at, Cdr.id)
    records = list(session.scalars(wanted.limit(per_page).offset((page - 1) * per_page)))
    return CdrPage(records=records, page=page, per_page=per_page, total=total)


def stream(session: Session, which: CdrFilter) -> Iterator[Cdr]:
    """All records, oldest call first, a thousand in memory at a time."""
    clauses = which.clauses()
    wanted = select(Cdr).order_by(Cdr.setup_at, Cdr.id).limit(_CHUNK)
    after: list[ColumnElement[bool]] = []
    while True:
        chunk = list(session.scalars(wanted.where(*clauses, *after)))
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        # By key, not by OFFSET: records that arrive meanwhile shift no page.
        last_at, last_id = chunk[-1].setup_at, chunk[-1].id
        after = [or_(Cdr.setup_at > last_at, and_(Cdr.setup_at == last_at, Cdr.id > last_id))]
        for record in chunk:
            session.expunge(record)
