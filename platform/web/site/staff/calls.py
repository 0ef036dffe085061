"""Pages: search over call records, and the same rows as CSV — masked, or whole with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from accounts.errors import UnknownAccountError
from accounts.service import find_account
from accounts.sign_in import Visitor
from bridge.cdr.errors import BadSearchError
from bridge.cdr.export import log_unmasked
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import Channel, EndBasis, NumberClass
from bridge.cdr.search import COUNT_MAX, CdrHit, CdrHits, find
from web.access import AllServices
from web.billing_parts import Parts
from web.errors import bad_fields
from web.services import Services
from web.site.forms import text_of
from web.site.headers import page_headers
from web.site.i18n import N_
from web.site.security import PostedForm
from web.site.staff import search_form, sums
from web.site.staff.desk import BillingStaff, Run, actor, emails, runs, sentence, show
from web.site.staff.figures import Figures
from web.site.staff.search_form import SIZES, SearchForm
from web.site.staff.sheet import Sheet
from web.site.staff.sums import Sums

router = APIRouter(prefix="/staff", include_in_schema=False)
REASON_CHARS_MIN = 5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsPage:
    """What staff/calls.html shows. `all_sums` is None when there are too many to add up."""

    form: SearchForm
    errors: Mapping[str, str]
    hits: tuple[CdrHit, ...]
    next: str | None
    page_sums: Sums
    all_sums: Sums | None
    count_max: int
    emails: Mapping[int, str]
    runs: Mapping[str, Run]
    reason_error: str | None
    reason: str
    sizes: tuple[int, ...] = SIZES
    dispositions: tuple[str, ...] = tuple(Disposition)
    channels: tuple[str, ...] = tuple(Channel)
    classes: tuple[str, ...] = tuple(NumberClass)
    ends: tuple[str, ...] = tuple(EndBasis)


@router.get("/calls")
def show_calls(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    return _page(request, visitor, services, dict(request.query_params))


@router.get("/calls.csv")
def export_masked(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    given = dict(request.query_params)
    sheet = Sheet(totals=given.get("totals") == "1")
    return _export(request, visitor, services, given, sheet, reason=None)


@router.post("/calls/unmasked")
def export_unmasked(
    request: Request, visitor: BillingStaff, fields: PostedForm, _parts: Parts, services: AllServices
) -> Response:
    given = {name: value for name, value in fields.items() if isinstance(value, str)}
    reason = text_of(fields, "why", maximum=300)
    if len(reason) < REASON_CHARS_MIN:
        error = sentence(request, N_("Say why whole numbers are needed; it is kept with your name."))
        return _page(request, visitor, services, given, reason_error=error, reason=reason, status=422)
    sheet = Sheet(unmask=True, totals=given.get("totals") == "1")
    return _export(request, visitor, services, given, sheet, reason=reason)


def _read(visitor: Visitor, session: Session, given: Mapping[str, str]) -> SearchForm:
    def account_of(text: str) -> int | None:
        try:
            return find_account(session, text).id
        except UnknownAccountError:
            return None

    return search_form.parse(given, zone=Figures("en", visitor.timezone).zone, account_of=account_of)


def _page(
    request: Request, visitor: Visitor, services: Services, given: Mapping[str, str], *,
    reason_error: str | None = None, reason: str = "", status: int = 200,
) -> Response:  # fmt: skip
    with services.readers() as session:
        form = _read(visitor, session, given)
        errors = dict(form.errors)
        found = CdrHits(hits=(), next=None)
        if form.which is not None:
            try:
                found = find(
                    session, form.which, sort=form.sort, descending=form.descending, after=form.after,
                    limit=form.size,
                )  # fmt: skip
            except BadSearchError as exc:
                errors[exc.field] = search_form.said(exc.slug)
        everything = form.which is not None and not errors and form.filtered
        shown = CallsPage(
            form=form,
            errors={name: sentence(request, text) for name, text in errors.items()},
            hits=found.hits,
            next=found.next,
            page_sums=sums.of_page(found.hits),
            all_sums=sums.of_all(session, form.which) if everything and form.which is not None else None,
            count_max=COUNT_MAX,
            emails=emails(session, (hit.record.account_id for hit in found.hits)),
            runs=runs(session, {hit.record.session_id for hit in found.hits}),
            reason_error=reason_error,
            reason=reason,
        )
    return show(request, visitor, "calls.html", shown, status=422 if errors else status)


def _export(
    request: Request, visitor: Visitor, services: Services, given: Mapping[str, str], sheet: Sheet, *,
    reason: str | None,
) -> Response:  # fmt: skip
    with services.readers() as session:
        form = _read(visitor, session, given)
    if form.which is None:
        raise bad_fields(*((name, sentence(request, text)) for name, text in form.errors.items()))
    if reason is not None:
        # Before the first byte leaves, so that no broken connection makes it vanish.
        _log.warning("staff_unmasked_export", asked_by=actor(visitor), reason=reason, filters=form.filters)
    which = form.which

    def lines() -> Iterator[bytes]:
        with closing(services.readers()) as session:
            try:
                for piece in sheet.lines(session, which, sort=form.sort, descending=form.descending):
                    yield piece.encode()
            finally:
                if reason is not None:
                    log_unmasked(asked_by=actor(visitor), records=sheet.records)

    name = f"calls-{services.now():%Y-%m-%d}{'-unmasked' if reason is not None else ''}.csv"
    headers: dict[str, Any] = dict(page_headers(services.public_url))
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(lines(), media_type="text/csv", headers=headers)
