"""Routes: balance, transactions, top-ups, estimates and call records with their costs.

All answers are about the account of the API key; what belongs to another account is not there (404). Amounts
are decimal texts with their currency beside them, because a JSON number is a float to most who read it. A
top-up is asked for with an `Idempotency-Key`, and the same key again is the same top-up.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from fractions import Fraction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field
from sqlalchemy.orm import Session

from billing import ledger, profile
from billing.estimate import estimate as make_estimate
from billing.explain import explain
from billing.invoices import vat
from billing.money import MICRO, Money
from billing.payments import amounts, checkouts, queries
from billing.payments.errors import BadAmountError
from billing.payments.models import Checkout
from billing.posting import TransactionType
from billing.statements import TransactionFilter, transaction_detail, transactions
from bridge.cdr.export import COLUMNS, as_json, iso_ms
from bridge.cdr.search import CdrHit, CdrSearch, NumberMatch, Sort, find
from web.access import AllServices, Caller, Page, Reader, id_text, parse_id
from web.billing_parts import Parts, told
from web.bodies import Fields
from web.errors import bad_fields, not_found
from web.openapi import body_of, errors_of

PAGE_SIZE = 50
CSV_ROWS_MAX = 100_000
ID_MAX = 2**31 - 1
_COST_COLUMNS = ("billed_sec", "cost", "currency", "unrated_reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

router = APIRouter(prefix="/v1/billing", tags=["billing"])


def _as_text(value: object) -> object:
    if not (isinstance(value, str) and "-" in value):
        raise ValueError("must be a moment such as 2026-12-01T10:00:00+01:00")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_as_text)]


class TopUpBody(BaseModel):
    """What is paid in."""

    amount: str = Field(pattern=r"^[0-9]{1,7}(\.[0-9]{1,2})?$", description="Decimal text.")
    currency: str | None = Field(None, description="The account's own, when left out.")
    save_card: bool | None = Field(None, description="Keep the card for what the balance will lack.")
    provider: str | None = Field(None, description="One of several payment providers.")


@router.get("/balance", summary="Balance", responses=errors_of(401, 404, 503))
def balance(caller: Caller, parts: Parts, session: Reader) -> dict[str, Any]:
    """`available` can be spent; `held` is kept back for sessions that run; `receivable` is owed."""
    currency = profile.get(session, caller.id, currency=parts.currency).currency
    found = ledger.balance(session, caller.id, currency)
    return {
        "currency": currency,
        "posted": str(found.posted.amount),
        "held": str(found.held.amount),
        "available": str(found.available.amount),
        "receivable": str(found.receivable.amount),
    }


@router.get("/transactions", summary="Transactions", responses=errors_of(401, 404, 422, 503))
def list_transactions(
    caller: Caller,
    session: Reader,
    kind: Annotated[
        list[TransactionType] | None,
        Query(alias="type", description="Only these; may be given several times."),
    ] = None,
    since: Annotated[
        Moment | None, Query(description="From this moment on, ISO 8601 with an offset.")
    ] = None,
    until: Annotated[Moment | None, Query(description="Before this moment, ISO 8601 with an offset.")] = None,
    page: Page = 1,
) -> dict[str, Any]:
    """What changed the balance or what is owed, newest first. `since` is included, `until` is not."""
    found = transactions(
        session,
        caller.id,
        where=TransactionFilter(types=tuple(kind or ()), since=since, until=until),
        limit=PAGE_SIZE,
        offset=(page - 1) * PAGE_SIZE,
    )
    return {"total": found.total, "transactions": [_transaction(row) for row in found.rows]}


@router.get("/transactions/{transaction_id}", summary="One transaction", responses=errors_of(401, 404, 503))
def read_transaction(
    caller: Caller,
    parts: Parts,
    session: Reader,
    transaction_id: Annotated[str, id_text("transaction_id", "The transaction's `id`.", digits_max=18)],
) -> dict[str, Any]:
    """Lines, the numbers that were used, and what wallet and card paid."""
    number = parse_id(transaction_id, digits_max=18, what="transaction")
    with told():
        found = transaction_detail(session, caller.id, number, calls=parts.calls)
    answer = _transaction(found.row) | {
        "entries": [
            {"account": str(line.account), "debit": _amount(line.debit), "credit": _amount(line.credit)}
            for line in found.entries
        ],
        "payments": [_transaction(row) for row in found.payments],
        "usage": None,
    }
    if found.usage is not None:
        usage = found.usage
        answer["usage"] = plain(usage) | {"total": _amount(usage.total)}
    return answer


@router.post(
    "/top_ups",
    summary="Top up",
    status_code=201,
    responses=errors_of(400, 401, 404, 409, 413, 415, 422, 502, 503),
    openapi_extra=body_of(TopUpBody, example={"amount": "25.00", "save_card": True}),
)
def top_up(
    caller: Caller,
    parts: Parts,
    services: AllServices,
    body: Fields,
    key: Annotated[
        str, Header(alias="Idempotency-Key", description="Yours; the same key again is the same top-up.")
    ],
) -> dict[str, Any]:
    """Open a page on which somebody pays `amount` (a decimal text): send them to `url`.

    `currency` may be left out; `save_card` keeps the card for what the balance will lack; `provider` chooses
    among several.
    """
    unknown = sorted(set(body) - {"amount", "currency", "save_card", "provider"})
    if unknown:
        raise bad_fields(*((name, "there is no such field") for name in unknown))
    with services.readers() as session:
        payer = profile.get(session, caller.id, currency=parts.currency)
    with told():
        amount = _money(body.get("amount"), str(body.get("currency") or payer.currency).upper())
        if amount.currency != payer.currency:
            raise BadAmountError(f"this account pays in {payer.currency}")
        found = parts.cashier.start(
            caller.id,
            amount=amount,
            email=caller.email,
            idem_key=key,
            save_card=str(body.get("save_card", "")).lower() in ("1", "true", "yes", "on"),
            psp=str(body.get("provider") or ""),
            now=services.now(),
        )
    return _top_up(found)


@router.get("/top_ups", summary="Top-ups", responses=errors_of(401, 404, 503))
def list_top_ups(caller: Caller, session: Reader, page: Page = 1) -> list[dict[str, Any]]:
    """Newest first."""
    rows = queries.top_ups(session, caller.id, limit=PAGE_SIZE, offset=(page - 1) * PAGE_SIZE)
    return [_top_up(row) for row in rows]


@router.get("/top_ups/{public_id}", summary="One top-up", responses=errors_of(401, 404, 503))
def read_top_up(
    caller: Caller, session: Reader, public_id: Annotated[str, Path(description="The top-up's `id`.")]
) -> dict[str, Any]:
    """How it stands: created, redirected, paid, failed or expired."""
    with told():
        return _top_up(checkouts.get(session, public_id, account_id=caller.id))


@router.get("/estimate", summary="Estimate", responses=errors_of(401, 404, 422, 503))
def estimate(
    caller: Caller,
    parts: Parts,
    services: AllServices,
    session: Reader,
    participants: Annotated[int, Query(description="People who are expected.", examples=[50])],
    minutes: Annotated[int, Query(description="How long it takes.", examples=[60])],
    location: Annotated[
        str,
        Query(max_length=8, description="Where they call from: a country, such as `FR`.", examples=["FR"]),
    ],
    phone_share: Annotated[str, Query(max_length=8, description="Who calls: 0 to 1.")] = "1",
) -> dict[str, Any]:
    """What toll-free calls of so many people will cost, with all that was assumed."""
    now = services.now()
    currency = profile.get(session, caller.id, currency=parts.currency).currency
    try:
        share = Fraction(Decimal(phone_share))
    except (InvalidOperation, ValueError, OverflowError) as exc:
        raise bad_fields(("phone_share", "a number from 0 to 1")) from exc
    with told():
        found = make_estimate(
            parts.decks.open(session),
            currency=currency,
            participants=participants,
            minutes=minutes,
            location=location,
            at=now,
            phone_share=share,
            tax=vat.taxes(parts.seller)(session, caller.id, now),
        )
    answer: dict[str, Any] = plain(found)
    return answer | {"total": _amount(found.total)}


def search_of(
    caller: Caller,
    session_id: Annotated[str | None, Query(max_length=32, description="Of one session.")] = None,
    event_id: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Of one room.")] = None,
    called: Annotated[
        str | None, Query(max_length=32, description="The number that was dialled; `*` for any digits.")
    ] = None,
    since: Annotated[Moment | None, Query(description="Set up from this moment on.")] = None,
    until: Annotated[Moment | None, Query(description="Set up before this moment.")] = None,
    reason_slug: Annotated[str | None, Query(max_length=64, description="How calls ended.")] = None,
    q850: Annotated[int | None, Query(ge=0, le=127, description="ITU-T Q.850 cause.")] = None,
    disposition: Annotated[str | None, Query(max_length=32, description="What became of calls.")] = None,
    mos_below: Annotated[float | None, Query(ge=0, le=5, description="Sound worse than this MOS.")] = None,
    number_class: Annotated[str | None, Query(max_length=32, description="Class of the number.")] = None,
    end_basis: Annotated[str | None, Query(max_length=32, description="How the end is known.")] = None,
    billable: Annotated[bool | None, Query(description="Whether calls are billed.")] = None,
    unrated: Annotated[bool, Query(description="Only those without a price.")] = False,
    suspicious: Annotated[bool, Query(description="Only those that somebody should look at.")] = False,
) -> CdrSearch:
    """Which records: of the caller's account, and by nothing that would tell a caller's digits."""
    with told():
        return CdrSearch(
            account_id=caller.id,
            session_id=session_id,
            event_id=event_id,
            called=NumberMatch.parse(called) if called else None,
            setup_from=since,
            setup_before=until,
            reason_slug=reason_slug,
            q850=q850,
            disposition=disposition,
            mos_below=mos_below,
            number_class=number_class,
            end_basis=end_basis,
            billable=billable,
            unrated=unrated,
            suspicious=suspicious,
        )


Search = Annotated[CdrSearch, Depends(search_of)]
Order = Annotated[Sort, Query(description="What to sort by.")]
Descending = Annotated[bool, Query(description="0: the smallest or oldest first.")]


@router.get("/cdr", summary="Call records with costs", responses=errors_of(401, 404, 422, 503))
def list_records(
    which: Search,
    session: Reader,
    sort: Order = Sort.TIME,
    descending: Descending = True,
    after: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Records on the page.")] = PAGE_SIZE,
) -> dict[str, Any]:
    """One page; give `next` as `after` for the following one. Callers' numbers are masked."""
    with told():
        found = find(session, which, sort=sort, descending=descending, after=after, limit=limit)
    return {"records": [_record(hit) for hit in found.hits], "next": found.next}


@router.get(
    "/cdr.csv",
    summary="Call records with costs as CSV",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {}}, "description": "RFC 4180."},
        **errors_of(401, 404, 422, 503),
    },
)
def export_records(
    which: Search, session: Reader, sort: Order = Sort.TIME, descending: Descending = True
) -> Response:
    """The same records in one file, in the same order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow((*COLUMNS, *_COST_COLUMNS))
    with told():
        for hit in _all(session, which, sort, descending):
            record = _record(hit)
            writer.writerow([_cell(name, record[name]) for name in (*COLUMNS, *_COST_COLUMNS)])
    return Response(
        out.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="calls.csv"'},
    )


@router.get("/cdr/{cdr_id}/explanation", summary="Explain this cost", responses=errors_of(401, 404, 503))
def read_explanation(
    caller: Caller,
    parts: Parts,
    session: Reader,
    cdr_id: Annotated[str, Path(description="The record's `id`.")],
) -> dict[str, Any]:
    """Which price list and rate, how many seconds were billed and how the cost was rounded."""
    call = parts.calls.get(session, cdr_id) if len(cdr_id) <= 36 and cdr_id.isascii() else None
    if call is None or call.account_id != caller.id:
        raise not_found("call record")
    with told():
        found = explain(session, parts.calls, cdr_id)
    answer: dict[str, Any] = plain(found)
    return answer


def plain(value: Any) -> Any:
    """`value` as JSON has it: amounts as decimal texts, moments in UTC, names of enumerations."""
    match value:
        case Money():
            return _amount(value)
        case Enum():
            return value.value
        case datetime():
            return iso_ms(value)
        case Decimal():
            return f"{value:f}"
        case Fraction():
            return str(value)
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case str() | None | bool() | int() | float():
            return value
        case Sequence():
            return [plain(each) for each in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return str(value)


def _amount(money: Money) -> dict[str, str]:
    return {"amount": str(money.amount), "currency": money.currency}


def _money(value: Any, currency: str) -> Money:
    if isinstance(value, bool | float) or value is None:
        raise BadAmountError('write the amount as a decimal text, such as "25.00"')
    try:
        return amounts.of(Decimal(str(value).strip()), currency)
    except InvalidOperation as exc:
        raise BadAmountError('write the amount as a decimal text, such as "25.00"') from exc


def _transaction(row: Any) -> dict[str, Any]:
    answer: dict[str, Any] = plain(row)
    return answer | {"amount": _amount(row.amount)}


def _top_up(row: Checkout) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "state": row.state,
        "provider": row.psp,
        "amount": str(Money(row.amount, row.currency).amount),
        "currency": row.currency,
        "url": row.url if row.state == "redirected" else None,
        "reason": row.reason or None,
        "created_at": iso_ms(row.created_at),
        "expires_at": iso_ms(row.expires_at),
    }


def _record(hit: CdrHit) -> dict[str, Any]:
    rating = hit.rating
    return as_json(hit.record) | {
        "billed_sec": None if rating is None else rating.billed_sec,
        "cost": None if rating is None else f"{Decimal(rating.cost_u) / MICRO:f}",
        "currency": None if rating is None else rating.currency,
        "unrated_reason": hit.unrated_reason,
    }


def _all(session: Session, which: CdrSearch, sort: Sort, descending: bool) -> Iterator[CdrHit]:
    after, left = None, CSV_ROWS_MAX
    while left > 0:
        page = find(session, which, sort=sort, descending=descending, after=after, limit=min(1000, left))
        yield from page.hits
        after, left = page.next, left - len(page.hits)
        if after is None:
            return


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    is_number = name in ("caller_e164", "called_e164", "cost")
    return f"'{text}" if isinstance(value, str) and not is_number and text.startswith(_FORMULA) else text
