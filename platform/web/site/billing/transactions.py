"""Page: what changed the balance, filtered, sorted, paged; and the same rows and totals as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from billing.posting import TransactionType
from billing.statements import TransactionFilter, TransactionRow, transactions
from web.site.billing import reads
from web.site.billing.csv_file import Plain, csv_response, local, utc
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import KINDS
from web.site.billing.reads import Run, Total

router = APIRouter(prefix="/billing/transactions", include_in_schema=False)
PAGE_SIZE = 25
COLUMNS = (
    "id", "time_utc", "time_local", "time_zone", "kind", "event", "session_id", "balance_change",
    "owed_change", "amount", "currency", "reference", "reason", "corrects", "corrected_by",
)  # fmt: skip


class Sort(StrEnum):
    """What the rows are sorted by."""

    TIME = "time"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody chose: filter, order and page. Days are the account's; `last` is included."""

    kind: TransactionType | None
    first: date | None
    last: date | None
    sort: Sort
    descending: bool
    page: int

    def where(self, zone: ZoneInfo) -> TransactionFilter:
        """The filter in the ledger's words."""
        return TransactionFilter(
            types=() if self.kind is None else (self.kind,),
            since=None if self.first is None else reads.midnight(self.first, zone),
            until=None if self.last is None else reads.midnight(self.last + timedelta(days=1), zone),
        )

    @property
    def filtered(self) -> bool:
        return (self.kind, self.first, self.last) != (None, None, None)

    def link(self, **changes: object) -> str:
        """The query of an address with other choices; a new order begins at its first page."""
        values: dict[str, object] = {
            "kind": self.kind, "from": self.first, "to": self.last, "sort": self.sort,
            "order": "desc" if self.descending else "asc", "page": self.page,
        }  # fmt: skip
        if "page" not in changes:
            values["page"] = 1
        values |= changes
        plain = {"sort": "time", "order": "desc", "page": "1"}
        return urlencode(
            {name: value for name, value in values.items()
             if value is not None and str(value) != plain.get(name, "")}
        )  # fmt: skip

    def sorted_by(self, sort: str) -> str:
        """The query that a column's head leads to: by this column, or the other way round."""
        turned = self.sort == sort and self.descending
        return self.link(sort=sort, order="asc" if turned else "desc")

    def arrow(self, sort: str) -> str:
        """For aria-sort."""
        if self.sort != sort:
            return "none"
        return "descending" if self.descending else "ascending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rows of a page, or all of them; `totals` are always over all."""

    rows: Sequence[TransactionRow]
    total: int
    totals: Sequence[Total]
    runs: Mapping[int, Run]


def read_choice(
    kind: Annotated[str, Query(max_length=32)] = "",
    first: Annotated[str, Query(alias="from", max_length=32)] = "",
    last: Annotated[str, Query(alias="to", max_length=32)] = "",
    sort: Annotated[str, Query(max_length=32)] = "",
    order: Annotated[str, Query(max_length=32)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Choice:
    """What the address says; what makes no sense counts as not said."""
    return Choice(
        kind=TransactionType(kind) if kind in list(TransactionType) else None,
        first=day_of(first),
        last=day_of(last),
        sort=Sort(sort) if sort in list(Sort) else Sort.TIME,
        descending=order != "asc",
        page=page,
    )


Chosen = Annotated[Choice, Depends(read_choice)]


@router.get("")
def show(frame: Framed, choice: Chosen) -> Response:
    with frame.services.readers() as session:
        found = find(session, frame, choice, paged=True)
    context = {
        "choice": choice,
        "found": found,
        "kinds": KINDS,
        "page": choice.page,
        "pages": max(1, -(-found.total // PAGE_SIZE)),
    }
    return frame.page("billing/transactions.html", context, tab="/billing/transactions")


@router.get("/export.csv")
def export(frame: Framed, choice: Chosen) -> Response:
    with frame.services.readers() as session:
        found = find(session, frame, choice, paged=False)
    return csv_response("transactions", COLUMNS, _lines(found, frame))


def find(session: Session, frame: Frame, choice: Choice, *, paged: bool) -> Found:
    """The rows of the page, or of all pages in the same order."""
    where = choice.where(ZoneInfo(frame.show.zone))
    newest = choice.descending
    if paged and choice.sort is Sort.TIME:
        offset = (choice.page - 1) * PAGE_SIZE
        some = transactions(
            session, frame.account_id, where=where, limit=PAGE_SIZE, offset=offset, newest_first=newest
        )
        rows, total = list(some.rows), some.total
    else:
        rows = reads.all_rows(session, frame.account_id, where, newest_first=newest)
        total = len(rows)
        if choice.sort is Sort.AMOUNT:
            rows.sort(key=lambda row: (row.amount.currency, row.amount.minor), reverse=newest)
        if paged:
            rows = rows[(choice.page - 1) * PAGE_SIZE : choice.page * PAGE_SIZE]
    return Found(
        rows=rows,
        total=total,
        totals=reads.totals(session, frame.account_id, where),
        runs=reads.runs_of(session, frame.account_id, [row.session_id for row in rows]),
    )


def day_of(text: str) -> date | None:
    """A day as a date field sends it; None for anything else."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2199 else None


def _lines(found: Found, frame: Frame) -> Iterator[Sequence[object]]:
    zone = frame.show.zone
    for row in found.rows:
        run = found.runs.get(row.session_id or 0)
        yield (
            row.id, utc(row.posted_at), local(row.posted_at, zone), zone, row.type.value,
            "" if run is None else run.event_name, row.session_id, Plain(row.wallet.amount),
            Plain(row.owed.amount), Plain(row.amount.amount), row.amount.currency, row.reference, row.reason,
            row.reverses_id, row.reversed_by,
        )  # fmt: skip
    for total in found.totals:
        yield (
            "total", "", "", "", "", "", "", Plain(total.wallet.amount), Plain(total.owed.amount),
            Plain(total.amount.amount), total.amount.currency, "", "", "", "",
        )  # fmt: skip
