"""Pages: rating calls again — see what would change, ask for it with a reason, and let another person decide.

Choosing and previewing write nothing and stand in the address; asking, approving and rejecting are forms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from accounts.errors import UnknownAccountError
from accounts.service import find_account
from accounts.sign_in import Visitor
from billing import rerating
from billing.deck_models import Rerating, ReratingLine
from billing.errors import (
    MissingReasonError,
    NoSuchReratingError,
    NothingToRerateError,
    ReratingError,
    ReratingStateError,
    SecondPersonError,
    StaleReratingError,
    TooManyCallsError,
)
from billing.ledger_errors import LedgerError
from billing.rerating import CALLS_MAX, Preview, Selection, actor
from web.access import AllServices, parse_id, transaction
from web.billing_parts import BillingParts, Parts
from web.errors import not_found
from web.services import Services
from web.site.forms import text_of
from web.site.i18n import N_
from web.site.render import notices
from web.site.security import PostedForm
from web.site.staff.desk import BillingStaff, books_of, people, sentence, show
from web.site.staff.figures import utc_of

router = APIRouter(prefix="/staff/reratings", include_in_schema=False)
LINES_SHOWN = 200
FIELDS = ("sessions", "calls", "account", "from", "until")
_log = structlog.get_logger(__name__)
notices(
    staff_requested=N_("Asked for. Now somebody else has to approve or reject it."),
    staff_approved=N_("Approved: the calls have their new prices, and what was charged was posted anew."),
    staff_rejected=N_("Rejected: nothing changes."),
)
_SAID: Mapping[type[Exception], str] = {
    MissingReasonError: N_("Say why; it is kept for good."),
    NothingToRerateError: N_("No call would cost anything else."),
    TooManyCallsError: N_("These are more than 20,000 calls; choose a shorter time."),
    SecondPersonError: N_("You asked for this yourself: somebody else has to decide."),
    StaleReratingError: N_("Calls or price lists have changed since. Reject this and ask anew."),
    ReratingStateError: N_("This was decided before."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReratingsPage:
    """What staff/reratings.html shows."""

    reratings: Sequence[Rerating]
    people: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What the changed calls cost before and after, in one currency; 10⁻⁶ units."""

    calls: int = 0
    old_u: int = 0
    new_u: int = 0

    @property
    def difference_u(self) -> int:
        return self.new_u - self.old_u


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """What staff/rerating_new.html shows; `preview` is None before anything was chosen."""

    values: Mapping[str, str]
    preview: Preview | None
    sums: Mapping[str, Sum] = field(default_factory=dict)
    error: str | None
    reason: str
    shown_max: int = LINES_SHOWN
    calls_max: int = CALLS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ReratingPage:
    """What staff/rerating.html shows. `own`: the reader asked for it and may not decide."""

    rerating: Rerating
    lines: Sequence[ReratingLine]
    total_lines: int
    sums: Mapping[str, Sum]
    people: Mapping[str, str]
    own: bool
    error: str | None
    note: str


class _NotChosenError(Exception):
    """What was chosen makes no sense; the text is for the reader."""


@router.get("")
def show_reratings(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    with services.readers() as session:
        found = rerating.find(session)
        known = people(session, [who for one in found for who in (one.requested_by, one.decided_by)])
        shown = ReratingsPage(reratings=found, people=known)
    return show(request, visitor, "reratings.html", shown)


@router.get("/new")
def show_new(request: Request, visitor: BillingStaff, parts: Parts, services: AllServices) -> Response:
    return _new_page(request, visitor, parts, services, dict(request.query_params))


@router.post("/new")
def ask(
    request: Request, visitor: BillingStaff, fields: PostedForm, parts: Parts, services: AllServices
) -> Response:
    given = {name: text_of(fields, name, maximum=20_000) for name in FIELDS}
    reason = text_of(fields, "reason", maximum=500)
    try:
        with transaction(services) as session:
            chosen = _selection(session, visitor, given)
            if chosen is None:
                raise _NotChosenError(N_("Choose calls first."))
            made = books_of(parts).reratings.request(
                session, chosen, reason=reason, by=visitor.user_id, now=services.now()
            )
            number = made.id
    except (ReratingError, _NotChosenError) as exc:
        return _new_page(request, visitor, parts, services, given, error=exc, reason=reason)
    _log.info("staff_rerating_requested", asked_by=actor(visitor.user_id), rerating=number)
    return RedirectResponse(f"/staff/reratings/{number}?done=staff_requested", status_code=303)


@router.get("/{rerating_id}")
def show_rerating(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices, rerating_id: str
) -> Response:
    return _page(request, visitor, services, rerating_id)


@router.post("/{rerating_id}/approve")
def approve(
    request: Request, visitor: BillingStaff, fields: PostedForm, parts: Parts, services: AllServices,
    rerating_id: str,
) -> Response:  # fmt: skip
    number, note = _id(rerating_id), text_of(fields, "note", maximum=500)
    try:
        with transaction(services) as session:
            books_of(parts).reratings.approve(
                session, number, by=visitor.user_id, now=services.now(), note=note
            )
    except NoSuchReratingError as exc:
        raise not_found("re-rating") from exc
    except (ReratingError, LedgerError) as exc:
        return _page(request, visitor, services, rerating_id, error=exc, note=note)
    _log.info("staff_rerating_approved", asked_by=actor(visitor.user_id), rerating=number)
    return RedirectResponse(f"/staff/reratings/{number}?done=staff_approved", status_code=303)


@router.post("/{rerating_id}/reject")
def reject(
    request: Request, visitor: BillingStaff, fields: PostedForm, parts: Parts, services: AllServices,
    rerating_id: str,
) -> Response:  # fmt: skip
    number, note = _id(rerating_id), text_of(fields, "note", maximum=500)
    try:
        with transaction(services) as session:
            books_of(parts).reratings.reject(
                session, number, by=visitor.user_id, now=services.now(), note=note
            )
    except NoSuchReratingError as exc:
        raise not_found("re-rating") from exc
    except ReratingError as exc:
        return _page(request, visitor, services, rerating_id, error=exc, note=note)
    return RedirectResponse(f"/staff/reratings/{number}?done=staff_rejected", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="re-rating")


def _said(request: Request, error: Exception | None) -> str | None:
    if error is None:
        return None
    return sentence(request, _SAID.get(type(error), str(error)))


def _selection(session: Session, visitor: Visitor, given: Mapping[str, str]) -> Selection | None:
    """What was chosen; None when nothing. Raises _NotChosenError."""
    texts = {name: given.get(name, "").strip() for name in FIELDS}
    sessions = texts["sessions"].replace(",", " ").split()
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in sessions):
        raise _NotChosenError(N_("A session is a number; separate several by spaces."))
    zone = ZoneInfo(visitor.timezone)
    try:
        start = utc_of(texts["from"], zone) if texts["from"] else None
        end = utc_of(texts["until"], zone) if texts["until"] else None
    except (ValueError, OverflowError):
        raise _NotChosenError(N_("Write a date, or a date and a time.")) from None
    if (start is None) != (end is None):
        raise _NotChosenError(N_("Say from when and until when."))
    try:
        account = find_account(session, texts["account"]).id if texts["account"] else None
    except UnknownAccountError:
        raise _NotChosenError(N_("There is no such account. Write its number or its mail address.")) from None
    calls = texts["calls"].replace(",", " ").split()
    if not (sessions or calls or start):
        return None
    return Selection(
        cdr_ids=calls, session_ids=[int(one) for one in sessions], start=start, end=end, account_id=account
    )


def _new_page(
    request: Request, visitor: Visitor, parts: BillingParts, services: Services, given: Mapping[str, str], *,
    error: Exception | None = None, reason: str = "",
) -> Response:  # fmt: skip
    preview = None
    try:
        with services.readers() as session:
            chosen = _selection(session, visitor, given)
            if chosen is not None:
                preview = books_of(parts).reratings.preview(session, chosen)
    except (ReratingError, _NotChosenError) as exc:
        error = error or exc
    sums: dict[str, Sum] = {}
    for change in preview.changes if preview is not None else ():
        _add(sums, change.price.terms.currency, change.old_cost_u, change.price.rated.cost_u)
    shown = NewPage(
        values={name: given.get(name, "") for name in FIELDS},
        preview=preview,
        sums=sums,
        error=_said(request, error),
        reason=reason,
    )
    return show(request, visitor, "rerating_new.html", shown, status=422 if error else 200)


def _page(
    request: Request, visitor: Visitor, services: Services, rerating_id: str, *,
    error: Exception | None = None, note: str = "",
) -> Response:  # fmt: skip
    number = _id(rerating_id)
    with services.readers() as session:
        try:
            one = rerating.get(session, number)
        except NoSuchReratingError as exc:
            raise not_found("re-rating") from exc
        lines = rerating.lines_of(session, number)
        sums: dict[str, Sum] = {}
        for line in lines:
            _add(sums, line.currency, line.old_cost_u, line.new_cost_u)
        shown = ReratingPage(
            rerating=one,
            lines=lines[:LINES_SHOWN],
            total_lines=len(lines),
            sums=sums,
            people=people(session, [one.requested_by, one.decided_by]),
            own=one.requested_by == visitor.user_id,
            error=_said(request, error),
            note=note,
        )
    return show(request, visitor, "rerating.html", shown, status=409 if error else 200)


def _add(sums: dict[str, Sum], currency: str, old_u: int | None, new_u: int) -> None:
    before = sums.get(currency, Sum())
    sums[currency] = Sum(
        calls=before.calls + 1, old_u=before.old_u + (old_u or 0), new_u=before.new_u + new_u
    )
