"""Pages: one transaction to the last cent — numbers used, sums, who paid — and the calls of a charge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.orm import Session

from billing.money import Money, from_micro
from billing.statements import CallLine, TransactionDetail, UsageDetail, transaction_detail
from bridge.cdr.masking import masked
from web.access import parse_id
from web.billing_parts import told
from web.errors import not_found
from web.site.billing import reads
from web.site.billing.csv_file import Plain, csv_response, local, utc
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import CLASSES, KINDS
from web.site.billing.reads import CallFacts, Run

router = APIRouter(prefix="/billing/transactions", include_in_schema=False)
CALLS_PER_PAGE = 100
CALL_COLUMNS = (
    "call_id", "answered_utc", "answered_local", "time_zone", "caller", "called", "number_class",
    "connected_seconds", "billed_seconds", "cost", "currency", "price_version",
)  # fmt: skip


class CallSort(StrEnum):
    """What calls are sorted by."""

    TIME = "time"
    CONNECTED = "connected"
    COST = "cost"


_KEYS: Mapping[CallSort, Callable[[CallLine], Any]] = {
    CallSort.TIME: lambda line: (line.answer_at is None, line.answer_at, line.cdr_id),
    CallSort.CONNECTED: lambda line: (line.conn_ms, line.cdr_id),
    CallSort.COST: lambda line: (line.cost_u, line.cdr_id),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargedCall:
    """One call of a charge. `caller` is masked; `facts` are gone when the record is."""

    line: CallLine
    facts: CallFacts | None

    @property
    def caller(self) -> str | None:
        return None if self.facts is None else masked(self.facts.caller_e164)


@router.get("/{transaction_id}")
def show(frame: Framed, transaction_id: str) -> Response:
    found = _detail(frame, transaction_id)
    with frame.services.readers() as session:
        run = _run(session, frame, found)
        callers = _callers(session, frame, found.usage)
    context = {
        "found": found,
        "row": found.row,
        "usage": found.usage,
        "run": run,
        "kinds": KINDS,
        "classes": CLASSES,
        "callers": callers,
        "connected_ms": sum(one.conn_ms for one in found.usage.numbers) if found.usage else 0,
        "billed_s": sum(one.billed_sec for one in found.usage.numbers) if found.usage else 0,
        "open_rest": None if found.usage is None else _open_rest(found),
    }
    return frame.page("billing/transaction.html", context, tab="/billing/transactions")


@router.get("/{transaction_id}/calls")
def show_calls(
    frame: Framed,
    transaction_id: str,
    sort: Annotated[str, Query(max_length=32)] = "",
    order: Annotated[str, Query(max_length=32)] = "",
    number: Annotated[str, Query(max_length=32)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    found, usage, lines = _charged(frame, transaction_id, sort, order, number)
    shown = lines[(page - 1) * CALLS_PER_PAGE : page * CALLS_PER_PAGE]
    with frame.services.readers() as session:
        calls = _with_facts(session, frame, shown)
        run = _run(session, frame, found)
    context = {
        "row": found.row,
        "run": run,
        "usage": usage,
        "calls": calls,
        "classes": CLASSES,
        "sort": _sort(sort),
        "descending": order == "desc",
        "number": number,
        "numbers": [one.called_e164 for one in usage.numbers if one.called_e164],
        "page": page,
        "pages": max(1, -(-len(lines) // CALLS_PER_PAGE)),
        "total": len(lines),
        "connected_ms": sum(line.conn_ms for line in lines),
        "billed_s": sum(line.billed_sec for line in lines),
        "cost_u": sum(line.cost_u for line in lines),
    }
    return frame.page("billing/calls.html", context, tab="/billing/transactions")


@router.get("/{transaction_id}/calls.csv")
def export_calls(
    frame: Framed,
    transaction_id: str,
    sort: Annotated[str, Query(max_length=32)] = "",
    order: Annotated[str, Query(max_length=32)] = "",
    number: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    found, usage, lines = _charged(frame, transaction_id, sort, order, number)
    with frame.services.readers() as session:
        calls = _with_facts(session, frame, lines)
    return csv_response(f"calls-{found.row.id}", CALL_COLUMNS, _csv_lines(calls, usage.net.currency, frame))


def _csv_lines(calls: Sequence[ChargedCall], currency: str, frame: Frame) -> Iterator[Sequence[object]]:
    zone = frame.show.zone
    for call in calls:
        line = call.line
        yield (
            line.cdr_id, utc(line.answer_at), local(line.answer_at, zone), zone, Plain(call.caller or ""),
            Plain(line.called_e164 or ""), line.number_class, Plain(f"{line.conn_ms / 1000:.3f}"),
            line.billed_sec, Plain(from_micro(line.cost_u)), currency, line.rating_version,
        )  # fmt: skip
    lines = [call.line for call in calls]
    yield (
        "total", "", "", "", "", "", "", Plain(f"{sum(line.conn_ms for line in lines) / 1000:.3f}"),
        sum(line.billed_sec for line in lines), Plain(from_micro(sum(line.cost_u for line in lines))),
        currency, "",
    )  # fmt: skip


def _detail(frame: Frame, transaction_id: str) -> TransactionDetail:
    number = parse_id(transaction_id, digits_max=18, what="transaction")
    with told(), frame.services.readers() as session:
        return transaction_detail(session, frame.account_id, number, calls=frame.parts.calls)


def _charged(
    frame: Frame, transaction_id: str, sort: str, order: str, number: str
) -> tuple[TransactionDetail, UsageDetail, list[CallLine]]:
    found = _detail(frame, transaction_id)
    if found.usage is None:
        raise not_found("list of calls: this transaction is no charge")
    lines = [line for line in found.usage.lines if number in ("", line.called_e164)]
    return found, found.usage, sorted(lines, key=_KEYS[_sort(sort)], reverse=order == "desc")


def _sort(text: str) -> CallSort:
    return CallSort(text) if text in list(CallSort) else CallSort.TIME


def _with_facts(session: Session, frame: Frame, lines: Sequence[CallLine]) -> list[ChargedCall]:
    facts = reads.calls_by_id(session, frame.account_id, [line.cdr_id for line in lines])
    return [ChargedCall(line=line, facts=facts.get(line.cdr_id)) for line in lines]


def _run(session: Session, frame: Frame, found: TransactionDetail) -> Run | None:
    session_id = found.row.session_id
    return reads.runs_of(session, frame.account_id, [session_id]).get(session_id or 0)


def _callers(session: Session, frame: Frame, usage: UsageDetail | None) -> int:
    """How many different telephones called; those that hide their number count as one each."""
    if usage is None:
        return 0
    facts = reads.calls_by_id(session, frame.account_id, [line.cdr_id for line in usage.lines])
    known = {one.caller_e164 for one in facts.values() if one.caller_e164}
    return len(known) + sum(1 for one in facts.values() if not one.caller_e164)


def _open_rest(found: TransactionDetail) -> Money:
    """Of what the balance lacked, what nobody has paid yet."""
    assert found.usage is not None
    return found.usage.rest - found.usage.card_part
