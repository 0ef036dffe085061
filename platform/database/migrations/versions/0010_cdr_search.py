"""Indexes for searching call records. Nothing in the records changes, so their triggers stay as they are.

On PostgreSQL prefixes are compared byte by byte (`text_pattern_ops`), whatever the database's collation.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SUSPICIOUS = sa.text("(end_basis <> 'bye' OR conn_ms > 14400000 OR mos_cq < 3.1)")
_BILLABLE: dict[str, Any] = {"sqlite_where": sa.text("billable = 1"), "postgresql_where": sa.text("billable")}

_NAMES = ("caller_e164", "called_e164", "caller_end", "called_end", "reason_slug_setup_at",
          "disposition_setup_at", "q850_setup_at", "conn_ms", "mos_cq", "suspicious", "end_at", "ingest_at")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # millions of records take longer than a request may
    for side in ("caller", "called"):
        number = f"{side}_e164"
        op.create_index(f"ix_cdr_{number}", "cdr", [number], postgresql_ops={number: "text_pattern_ops"})
        op.create_index(f"ix_cdr_{side}_end", "cdr", [sa.text(f"substr({number}, length({number}) - 3)")])
    for column in ("reason_slug", "disposition", "q850"):
        op.create_index(f"ix_cdr_{column}_setup_at", "cdr", [column, "setup_at"])
    for column in ("conn_ms", "mos_cq"):
        op.create_index(f"ix_cdr_{column}", "cdr", [column, "id"])
    op.create_index("ix_cdr_suspicious", "cdr", ["setup_at", "id"],
                    sqlite_where=_SUSPICIOUS, postgresql_where=_SUSPICIOUS)
    for column in ("end_at", "ingest_at"):
        op.create_index(f"ix_cdr_{column}", "cdr", [column, "id"], **_BILLABLE)


def downgrade() -> None:
    for name in _NAMES:
        op.drop_index(f"ix_cdr_{name}", "cdr")
