"""Page: one session — people, legs and minutes counted apart, numbers used, and how its charge came about.

A person who calls again is one person with two legs; legs whose caller never got as far as a name in the room
are counted by themselves. Minutes are told three ways, because they differ: connected, in the room, billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from billing import unrated
from billing.deck_models import CdrRating
from billing.ledger_models import UsagePosting
from billing.rating import SessionCharge, session_charge
from billing.rating_book import session_ratings
from billing.statements import CallLine, NumberUse, TransactionDetail, numbers_used, transaction_detail
from bridge.cdr.models import Cdr
from bridge.cdr.search import CdrHit, CdrSearch, find
from events.models import Event, EventSession
from web.access import AllServices, parse_id
from web.billing_parts import Parts
from web.errors import not_found
from web.site.staff import sums
from web.site.staff.desk import BillingStaff, Run, emails, runs, show
from web.site.staff.sums import Sums

router = APIRouter(prefix="/staff/sessions", include_in_schema=False)
CALLS_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`people` have a name in the room; `unknown` legs never got one. Minutes are milliseconds here."""

    people: int
    unknown: int
    legs: int
    answered: int
    connected_ms: int
    room_ms: int
    billed_sec: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One posting of the session. `detail` is None when everything was free."""

    posting: UsagePosting
    detail: TransactionDetail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """What staff/session.html shows. `open` has sums of prices that no charge holds yet, by currency."""

    session_id: int
    session: EventSession | None
    event: Event | None
    account_id: int | None
    emails: Mapping[int, str]
    counts: Counts
    charges: Sequence[Charge]
    open: Mapping[str, SessionCharge]
    waiting: int
    numbers: Sequence[NumberUse]
    currency: str
    hits: Sequence[CdrHit]
    more: bool
    page_sums: Sums
    all_sums: Sums | None
    runs: Mapping[str, Run]


@router.get("/{session_id}")
def show_session(
    request: Request, visitor: BillingStaff, parts: Parts, services: AllServices, session_id: str
) -> Response:
    number = parse_id(session_id, digits_max=18, what="session")
    with services.readers() as session:
        run = session.get(EventSession, number)
        event = None if run is None else session.get(Event, run.event_id)
        which = CdrSearch(session_id=str(number))
        found = find(session, which, descending=False, limit=CALLS_SHOWN)
        if run is None and not found.hits:
            raise not_found("session")
        account_id = event.account_id if event is not None else found.hits[0].record.account_id
        postings = session.scalars(
            select(UsagePosting).where(UsagePosting.session_id == number).order_by(UsagePosting.version)
        ).all()
        charges = [
            Charge(
                posting=one,
                detail=None
                if one.transaction_id is None
                else transaction_detail(session, one.account_id, one.transaction_id, calls=parts.calls),
            )
            for one in postings
        ]
        ratings = session_ratings(session, number)
        shown = SessionPage(
            session_id=number,
            session=run,
            event=event,
            account_id=account_id,
            emails=emails(session, [account_id]),
            counts=_counts(session, number, ratings),
            charges=charges,
            open=_open(ratings) if not postings else {},
            waiting=len(unrated.of_session(session, number)),
            numbers=_numbers(session, ratings),
            currency=ratings[0].currency if ratings else "EUR",
            hits=found.hits,
            more=found.next is not None,
            page_sums=sums.of_page(found.hits),
            all_sums=sums.of_all(session, which),
            runs=runs(session, [number]),
        )
    return show(request, visitor, "session.html", shown)


def _counts(session: Session, number: int, ratings: Sequence[CdrRating]) -> Counts:
    row = session.execute(
        select(
            func.count(distinct(Cdr.participant_id)).label("people"),
            func.count().filter(Cdr.participant_id.is_(None)).label("unknown"),
            func.count().label("legs"),
            func.count(Cdr.answer_at).label("answered"),
            func.coalesce(func.sum(Cdr.conn_ms), 0).label("connected"),
            func.coalesce(func.sum(Cdr.conf_ms), 0).label("room"),
        ).where(Cdr.session_id == str(number))
    ).one()
    return Counts(
        people=row.people, unknown=row.unknown, legs=row.legs, answered=row.answered,
        connected_ms=int(row.connected), room_ms=int(row.room),
        billed_sec=sum(rating.billed_sec for rating in ratings),
    )  # fmt: skip


def _open(ratings: Sequence[CdrRating]) -> dict[str, SessionCharge]:
    costs: dict[str, list[int]] = {}
    for rating in ratings:
        costs.setdefault(rating.currency, []).append(rating.cost_u)
    return {currency: session_charge(costs[currency], currency) for currency in sorted(costs)}


def _numbers(session: Session, ratings: Sequence[CdrRating]) -> list[NumberUse]:
    """The numbers that were called, as they are priced now."""
    called = {
        row.id: row
        for begin in range(0, len(ratings), 500)
        for row in session.execute(
            select(Cdr.id, Cdr.called_e164, Cdr.number_class).where(
                Cdr.id.in_([rating.cdr_id for rating in ratings[begin : begin + 500]])
            )
        )
    }
    return numbers_used([
        CallLine(
            cdr_id=rating.cdr_id, called_e164=called[rating.cdr_id].called_e164,
            number_class=called[rating.cdr_id].number_class, answer_at=rating.answer_at,
            conn_ms=rating.conn_ms or 0, billed_sec=rating.billed_sec, cost_u=rating.cost_u,
            rating_version=rating.version,
        )
        for rating in ratings
        if rating.cdr_id in called
    ])  # fmt: skip
