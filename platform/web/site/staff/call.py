"""Page: one call — every field of its record, what happened when, how it sounded, and why it costs what it
costs. Showing the caller's whole number is a form, and logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from accounts.sign_in import Visitor
from billing.explain import Explanation, Step, explain
from bridge.cdr.export import log_unmasked
from bridge.cdr.masking import masked
from bridge.cdr.models import Cdr
from web.access import AllServices
from web.billing_parts import BillingParts, Parts
from web.errors import not_found
from web.services import Services
from web.site.i18n import language_of, texts
from web.site.security import PostedForm
from web.site.staff.desk import BillingStaff, Run, actor, emails, people, runs, show
from web.site.staff.figures import Figures
from web.site.staff.words import STEPS, teller

router = APIRouter(prefix="/staff/calls", include_in_schema=False)
MOMENTS = ("setup_at", "ring_at", "answer_at", "join_at", "leave_at", "end_at")
_SUMS = frozenset({"cost", "sum"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment of a call; `after_ms` counts from its beginning. Both are None when it never came."""

    name: str
    at: datetime | None
    after_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step of the explanation, in the reader's language."""

    text: str
    strong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """What staff/call.html shows. `caller` is masked unless `unmasked`."""

    record: Cdr
    caller: str | None
    unmasked: bool
    raw: str
    moments: Sequence[Moment]
    explained: Explanation
    steps: Sequence[Line]
    emails: Mapping[int, str]
    runs: Mapping[str, Run]
    people: Mapping[str, str]


@router.get("/{cdr_id}")
def show_call(
    request: Request, visitor: BillingStaff, parts: Parts, services: AllServices, cdr_id: str
) -> Response:
    return _page(request, visitor, parts, services, cdr_id, unmask=False)


@router.post("/{cdr_id}/number")
def show_number(
    request: Request, visitor: BillingStaff, _fields: PostedForm, parts: Parts, services: AllServices,
    cdr_id: str,
) -> Response:  # fmt: skip
    return _page(request, visitor, parts, services, cdr_id, unmask=True)


def _page(
    request: Request, visitor: Visitor, parts: BillingParts, services: Services, cdr_id: str, *, unmask: bool
) -> Response:
    with services.readers() as session:
        record = session.get(Cdr, cdr_id) if len(cdr_id) <= 36 and cdr_id.isascii() else None
        if record is None:
            raise not_found("call record")
        if unmask:
            _log.warning("staff_number_shown", asked_by=actor(visitor), cdr_id=record.id)
            log_unmasked(asked_by=actor(visitor), records=1)
        explained = explain(session, parts.calls, record.id)
        shown = CallPage(
            record=record,
            caller=record.caller_e164 if unmask else masked(record.caller_e164),
            unmasked=unmask,
            raw=record.caller_raw if unmask else "",
            moments=[_moment(record, name) for name in MOMENTS],
            explained=explained,
            steps=told(explained.steps, language_of(request), visitor.timezone),
            emails=emails(session, [record.account_id]),
            runs=runs(session, [record.session_id]),
            people=people(session, (version.rated_by for version in explained.versions)),
        )
    return show(request, visitor, "call.html", shown)


def _moment(record: Cdr, name: str) -> Moment:
    at: datetime | None = getattr(record, name)
    after = None if at is None else round((at - record.setup_at).total_seconds() * 1000)
    return Moment(name=name, at=at, after_ms=after)


def told(steps: Sequence[Step], language: str, zone: str) -> list[Line]:
    """The steps of an explanation in a language, with its numbers and times."""
    fmt, say, translate = Figures(language, zone), teller(language), texts(language).gettext
    lines = []
    for step in steps:
        values: dict[str, str] = {}
        for name, value in step.values.items():
            if isinstance(value, datetime):
                values[name] = f"{fmt.precise(value)} ({fmt.zone_name})"
            elif isinstance(value, Decimal | int):
                values[name] = fmt.plain(value)
            elif name == "number_class":
                values[name] = say("class", value)
            elif name == "end_basis":
                values[name] = say("end", value)
            else:
                values[name] = value
        lines.append(Line(text=translate(STEPS[step.key]).format_map(values), strong=step.key in _SUMS))
    return lines
