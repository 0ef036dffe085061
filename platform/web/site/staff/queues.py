"""Pages: what waits for somebody — calls without a price, suspicious calls, cards, VAT numbers, the books.

Queues are read anew each time; nothing is ticked off here, work disappears when its cause does. The
reconciliation is run on demand: it takes seconds and asks the payment providers, so it is a form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select

from billing import unrated
from billing.deck_models import Rerating
from billing.invoices.queries import UnknownNumber, unknown_numbers
from billing.payments.errors import GatewayError
from billing.payments.gateway import PaymentGateway
from billing.payments.models import Checkout, Hook
from billing.payments.queries import (
    QUEUE_STATES,
    QueuedCharge,
    count_failed,
    failed_charges,
    odd_hooks,
    odd_top_ups,
)
from billing.reconciliation import provider_mismatches, reconcile
from billing.rerating import ReratingState
from billing.trial_balance import Mismatch
from billing.unrated import UnratedGroup
from bridge.cdr.open_legs import OpenCalls
from bridge.cdr.search import COUNT_MAX, CdrHit, CdrSearch, count, find
from web.access import AllServices, transaction
from web.billing_parts import Parts
from web.site.i18n import N_
from web.site.render import notices
from web.site.security import PostedForm
from web.site.staff.desk import BillingStaff, Run, books_of, emails, runs, show

router = APIRouter(prefix="/staff/queues", include_in_schema=False)
SHOWN_MAX = 100
RECONCILED = timedelta(days=35)
_log = structlog.get_logger(__name__)
notices(
    staff_rated_again=N_("The waiting calls were tried again. Those that still wait are listed below."),
    staff_rated_none=N_("The waiting calls were tried again: no rate fits any of them yet."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesPage:
    """What staff/queues.html shows: how much waits where."""

    unrated: int
    suspicious: int
    failed: int
    vat: int
    reratings: int
    odd: int
    count_max: int = COUNT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class UnratedPage:
    """What staff/queue_unrated.html shows."""

    groups: Sequence[UnratedGroup]
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspiciousPage:
    """What staff/queue_suspicious.html shows."""

    hits: Sequence[CdrHit]
    more: bool
    emails: Mapping[int, str]
    runs: Mapping[str, Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsPage:
    """What staff/queue_cards.html shows: debts, top-ups of another amount, messages that fit nothing."""

    charges: Sequence[QueuedCharge]
    top_ups: Sequence[Checkout]
    hooks: Sequence[Hook]
    emails: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VatPage:
    """What staff/queue_vat.html shows."""

    numbers: Sequence[UnknownNumber]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationPage:
    """What staff/reconciliation.html shows; `mismatches` is None before it was run."""

    mismatches: Sequence[Mismatch] | None
    providers: Sequence[str]


@router.get("")
def show_queues(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        waiting = select(func.count()).where(Rerating.state == ReratingState.REQUESTED.value)
        shown = QueuesPage(
            unrated=unrated.count(session),
            suspicious=count(session, CdrSearch(suspicious=True)),
            failed=count_failed(session),
            vat=len(unknown_numbers(session, limit=SHOWN_MAX)),
            reratings=session.scalar(waiting.select_from(Rerating)) or 0,
            odd=len(odd_hooks(session)) + len(odd_top_ups(session)),
        )
    return show(request, visitor, "queues.html", shown)


@router.get("/unrated")
def show_unrated(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        shown = UnratedPage(groups=unrated.by_cause(session), calls=unrated.count(session))
    return show(request, visitor, "queue_unrated.html", shown)


@router.post("/unrated/rate")
def rate_again(_visitor: BillingStaff, _fields: PostedForm, parts: Parts, services: AllServices) -> Response:
    with transaction(services) as session:
        done = books_of(parts).rating.rate_waiting(session, now=services.now())
    what = "staff_rated_again" if done.rated else "staff_rated_none"
    return RedirectResponse(f"/staff/queues/unrated?done={what}", status_code=303)


@router.get("/suspicious")
def show_suspicious(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices
) -> Response:
    with services.readers() as session:
        found = find(session, CdrSearch(suspicious=True), limit=SHOWN_MAX)
        shown = SuspiciousPage(
            hits=found.hits,
            more=found.next is not None,
            emails=emails(session, (hit.record.account_id for hit in found.hits)),
            runs=runs(session, {hit.record.session_id for hit in found.hits}),
        )
    return show(request, visitor, "queue_suspicious.html", shown)


@router.get("/cards")
def show_cards(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        top_ups = odd_top_ups(session)
        shown = CardsPage(
            charges=failed_charges(session, states=QUEUE_STATES, limit=SHOWN_MAX),
            top_ups=top_ups,
            hooks=odd_hooks(session),
            emails=emails(session, (one.account_id for one in top_ups)),
        )
    return show(request, visitor, "queue_cards.html", shown)


@router.get("/vat")
def show_vat(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        shown = VatPage(numbers=unknown_numbers(session, limit=SHOWN_MAX))
    return show(request, visitor, "queue_vat.html", shown)


@router.get("/reconciliation")
def show_reconciliation(request: Request, visitor: BillingStaff, parts: Parts) -> Response:
    shown = ReconciliationPage(
        mismatches=None, providers=[gateway.psp for gateway in parts.cashier.gateways]
    )
    return show(request, visitor, "reconciliation.html", shown)


@router.post("/reconciliation")
def run_reconciliation(
    request: Request, visitor: BillingStaff, _fields: PostedForm, parts: Parts, services: AllServices
) -> Response:
    now = services.now()
    with services.readers() as session:
        found = reconcile(session, calls=parts.calls, now=now, legs=OpenCalls())
    for gateway in parts.cashier.gateways:
        found += _of_provider(services, gateway)
    _log.info("staff_reconciliation", asked_by=visitor.user_id, mismatches=len(found))
    shown = ReconciliationPage(
        mismatches=found, providers=[gateway.psp for gateway in parts.cashier.gateways]
    )
    return show(request, visitor, "reconciliation.html", shown)


def _of_provider(services: AllServices, gateway: PaymentGateway) -> list[Mismatch]:
    """A provider that does not answer is a line of the result, and the rest of it is shown all the same."""
    now = services.now()
    try:
        with services.readers() as session:
            return provider_mismatches(session, gateway, start=now - RECONCILED, now=now)
    except GatewayError as exc:
        return [Mismatch(check="provider-away", subject=gateway.psp, detail=str(exc))]
