"""Call records for people and programs: CSV and JSON, the same columns in the same order.

- Times are UTC, ISO 8601 with milliseconds; empty (CSV) or null (JSON) is "not known", never 0.
- Callers' numbers are masked.  Unmasked output is for the billing role, and every one is logged with who
  asked and how many records it held.
- A spreadsheet runs a cell that begins with = + - @ as a formula, and some of our cells hold what a stranger
  sent as their name.  Such text gets an apostrophe in front (OWASP, "CSV injection").  Our own E.164 columns
  begin with + by their nature and hold digits only, so they stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TextIO

import structlog

from bridge.cdr.masking import masked
from bridge.cdr.models import Cdr

_log = structlog.get_logger(__name__)

#: Columns of every export, in order: those of the table.
COLUMNS: tuple[str, ...] = tuple(column.key for column in Cdr.__table__.columns)
_NUMBERS = ("caller_e164", "called_e164")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def no_formula(text: str) -> str:
    """`text` as a cell that a spreadsheet shows and does not run (OWASP, "CSV injection")."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def iso_ms(moment: datetime) -> str:
    """`2026-11-23T12:00:00.000Z`; `moment` is aware and in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def as_json(record: Cdr, *, unmask: bool = False) -> dict[str, Any]:
    """One record as plain JSON values. The caller of an unmasked one logs it with `log_unmasked`."""
    values: dict[str, Any] = {name: getattr(record, name) for name in COLUMNS}
    if not unmask:
        values["caller_e164"] = masked(values["caller_e164"])
        values["caller_raw"] = None
    return {name: iso_ms(value) if isinstance(value, datetime) else value for name, value in values.items()}


def write_csv(records: Iterable[Cdr], out: TextIO, *, unmask: bool = False, asked_by: str) -> int:
    """Write a header and one line per record (RFC 4180, CRLF); how many records.

    `asked_by` names the account or user for the log.  Open files with `newline=""`.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for record in records:
        values = as_json(record, unmask=unmask)
        writer.writerow([_cell(name, values[name]) for name in COLUMNS])
        count += 1
    if unmask:
        log_unmasked(asked_by=asked_by, records=count)
    return count


def log_unmasked(*, asked_by: str, records: int) -> None:
    """Leave a trace of who saw callers' full numbers."""
    _log.warning("cdr_unmasked_export", asked_by=asked_by, records=records)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return no_formula(text) if isinstance(value, str) and name not in _NUMBERS else text
