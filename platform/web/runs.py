"""Routes: the sessions of a room, and the call records of each."""

from __future__ import annotations

import io
from typing import Any

from fastapi import APIRouter, Response

from bridge.cdr.export import as_json, write_csv
from bridge.cdr.query import CdrFilter, find_page, stream
from events import service
from web import views
from web.access import Caller, EventRead, Page, Reader, Run
from web.openapi import errors_of
from web.schemas import SessionEntry

router = APIRouter(prefix="/v1/conferences/{room}/sessions", tags=["sessions"])


@router.get("", summary="Sessions", responses=errors_of(401, 404, 503))
def list_all(event: EventRead, session: Reader, page: Page = 1) -> list[SessionEntry]:
    """The runs of a room, newest first."""
    return [
        views.session_entry(run, zone=event.timezone)
        for run in service.list_sessions(session, event, page=page)
    ]


@router.get("/{session_id}/cdr", summary="Call records", responses=errors_of(401, 404, 503))
def list_records(event: EventRead, run: Run, session: Reader, page: Page = 1) -> list[dict[str, Any]]:
    """One record per call of the session that is over, oldest first. Callers' numbers are masked."""
    which = CdrFilter(session_id=str(run.id), account_id=event.account_id)
    found = find_page(session, which, page=page, per_page=service.PAGE_SIZE)
    return [as_json(record) for record in found.records]


@router.get(
    "/{session_id}/cdr.csv",
    summary="Call records as CSV",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {}}, "description": "All records, RFC 4180."},
        **errors_of(401, 404, 503),
    },
)
def export_records(caller: Caller, event: EventRead, run: Run, session: Reader) -> Response:
    """The same records in one file."""
    out = io.StringIO(newline="")
    which = CdrFilter(session_id=str(run.id), account_id=event.account_id)
    write_csv(stream(session, which), out, asked_by=f"account {caller.id}")
    name = f"session-{run.id}.csv"
    return Response(
        out.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
