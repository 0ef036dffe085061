"""CSV files of what pages show: RFC 4180, plain decimals, ISO codes, times in UTC and in the account's zone.

A spreadsheet runs a cell that begins with = + - @ as a formula, and some cells hold what somebody typed. Such
text gets an apostrophe in front (OWASP, "CSV injection"); amounts and telephone numbers of our own do not.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi.responses import Response

from bridge.cdr.export import iso_ms, no_formula


class Plain(str):
    """A text that we made: amounts, numbers, times. It goes into its cell as it is."""


def utc(moment: datetime | None) -> Plain:
    """`2026-11-23T12:00:00.000Z`, empty for None."""
    return Plain("" if moment is None else iso_ms(moment))


def local(moment: datetime | None, zone: str) -> Plain:
    """`2026-11-23T13:00:00.000+01:00` in a time zone, empty for None."""
    if moment is None:
        return Plain("")
    return Plain(moment.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds"))


def cell(value: object) -> str:
    """What stands in a cell."""
    match value:
        case None:
            return ""
        case Plain():
            return str(value)
        case str():
            return no_formula(value)
        case bool():
            return "true" if value else "false"
    return f"{value}"


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A file to save."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) for value in row])
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Cache-Control": "no-store",
    }
    return Response(out.getvalue(), media_type="text/csv", headers=headers)
