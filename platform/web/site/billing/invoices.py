"""Pages: invoices and credit notes with their files, and the account's statement of a period."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import Response

from billing import statements
from billing.invoices.document import stored_pdf
from billing.invoices.errors import UnknownInvoiceError
from billing.invoices.queries import invoices_of
from billing.money import Money
from web.errors import not_found
from web.site.billing import reads
from web.site.billing.csv_file import Plain, csv_response, local, utc
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import KINDS
from web.site.billing.transactions import day_of
from web.site.forms import Form
from web.site.i18n import N_

router = APIRouter(prefix="/billing", include_in_schema=False)
PAGE_SIZE = 50
STATEMENT_COLUMNS = (
    "id", "time_utc", "time_local", "time_zone", "kind", "event", "balance_change", "owed_change", "currency",
    "balance", "owed",
)  # fmt: skip


@router.get("/invoices")
def show(frame: Framed, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
    with frame.services.readers() as session:
        offset = (page - 1) * PAGE_SIZE
        found = invoices_of(session, frame.account_id, limit=PAGE_SIZE + 1, offset=offset)
    rows = [(one, Money(one.total, one.currency), Money(one.vat, one.currency)) for one in found[:PAGE_SIZE]]
    context = {
        "rows": rows,
        "page": page,
        "more": len(found) > PAGE_SIZE,
        "complete": frame.payer.can_be_invoiced,
        "last_moment": lambda end: end - timedelta(milliseconds=1),
    }
    return frame.page("billing/invoices.html", context, tab="/billing/invoices")


@router.get("/invoices/{number}.pdf")
def download(frame: Framed, number: str) -> Response:
    try:
        with frame.services.sessions.begin() as session:
            pdf, digest = stored_pdf(
                session, number[:60], now=frame.services.now(), account_id=frame.account_id
            )
    except UnknownInvoiceError:
        raise not_found("invoice") from None
    headers = {
        "Content-Disposition": f'attachment; filename="{number}.pdf"',
        "Cache-Control": "private, no-cache",
        "ETag": f'"{digest}"',
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.get("/statement")
def show_statement(
    frame: Framed,
    first: Annotated[str, Query(alias="from", max_length=32)] = "",
    last: Annotated[str, Query(alias="to", max_length=32)] = "",
) -> Response:
    begin, end, errors = _period(frame, first, last)
    found = None if errors else _statement(frame, begin, end)
    with frame.services.readers() as session:
        lines = [] if found is None else found.lines
        runs = reads.runs_of(session, frame.account_id, [line.session_id for line in lines])
    context = {
        "form": Form(values={"from": begin.isoformat(), "to": end.isoformat()}, errors=errors),
        "found": found,
        "runs": runs,
        "kinds": KINDS,
        "first": begin,
        "last": end,
    }
    status = 422 if errors else 200
    return frame.page("billing/statement.html", context, tab="/billing/invoices", status=status)


@router.get("/statement.csv")
def export_statement(
    frame: Framed,
    first: Annotated[str, Query(alias="from", max_length=32)] = "",
    last: Annotated[str, Query(alias="to", max_length=32)] = "",
) -> Response:
    begin, end, errors = _period(frame, first, last)
    if errors:
        raise not_found("statement: the period cannot be")
    found = _statement(frame, begin, end)
    with frame.services.readers() as session:
        runs = reads.runs_of(session, frame.account_id, [line.session_id for line in found.lines])
    zone = frame.show.zone

    def mark(name: str, position: statements.Position) -> list[object]:
        return [name, "", "", "", "", "", "", "", found.currency, Plain(position.wallet.amount),
                Plain(position.owed.amount)]  # fmt: skip

    rows = [mark("opening", found.opening)]
    wallet, owed = found.opening.wallet, found.opening.owed
    for line in found.lines:
        wallet, owed = wallet + line.wallet, owed + line.owed
        run = runs.get(line.session_id or 0)
        rows.append([
            line.id, utc(line.posted_at), local(line.posted_at, zone), zone, line.type.value,
            "" if run is None else run.event_name, Plain(line.wallet.amount), Plain(line.owed.amount),
            found.currency, Plain(wallet.amount), Plain(owed.amount),
        ])  # fmt: skip
    rows.append(mark("closing", found.closing))
    return csv_response(f"statement-{begin}-{end}", STATEMENT_COLUMNS, rows)


def _period(frame: Frame, first: str, last: str) -> tuple[date, date, dict[str, str]]:
    """The days of the statement: this month up to today when nothing else is said; and what is wrong."""
    today = frame.services.now().astimezone(ZoneInfo(frame.show.zone)).date()
    end = day_of(last) or today
    begin = day_of(first) or min(end, today).replace(day=1)
    errors: dict[str, str] = {}
    if end > today:
        errors["to"] = frame.say(N_("A statement can be given up to today."))
    elif begin > end:
        errors["from"] = frame.say(N_("The first day lies after the last."))
    return begin, end, errors


def _statement(frame: Frame, begin: date, end: date) -> statements.Statement:
    """Both days included; today up to this moment."""
    zone, now = ZoneInfo(frame.show.zone), frame.services.now()
    start, until = reads.midnight(begin, zone), min(now, reads.midnight(end + timedelta(days=1), zone))
    with frame.services.sessions.begin() as session:
        return statements.statement(
            session, frame.account_id, frame.currency, start=start, end=until, now=now
        )
