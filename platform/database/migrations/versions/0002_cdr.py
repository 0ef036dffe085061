"""Call records: `cdr`, which can only grow, and `cdr_open`.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LINE = sa.String(255)
_WORD = sa.String(32)


def _column(name: str, kind: sa.types.TypeEngine[Any], *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def upgrade() -> None:
    op.create_table(
        "cdr",
        _column("id", sa.String(36)),
        _column("source", _LINE),
        _column("source_call_id", _LINE),
        _column("leg", _LINE),
        _column("session_id", _LINE, null=True),
        _column("participant_id", _LINE, null=True),
        _column("account_id", sa.Integer(), null=True),
        _column("subaccount_id", sa.Integer(), null=True),
        _column("linked_id", _LINE, null=True),
        _column("parent_leg_id", _LINE, null=True),
        _column("direction", _WORD),
        _column("channel", _WORD),
        _column("caller_e164", _WORD, null=True),
        _column("caller_presentation", _WORD),
        _column("caller_raw", _LINE),
        _column("called_e164", _WORD, null=True),
        _column("number_id", _LINE, null=True),
        _column("number_class", _WORD, null=True),
        _column("trunk_id", _LINE, null=True),
        _column("src_ip", sa.String(64), null=True),
        _column("setup_at", UtcDateTime()),
        _column("ring_at", UtcDateTime(), null=True),
        _column("answer_at", UtcDateTime(), null=True),
        _column("join_at", UtcDateTime(), null=True),
        _column("leave_at", UtcDateTime(), null=True),
        _column("end_at", UtcDateTime()),
        _column("setup_ms", sa.Integer()),
        _column("conn_ms", sa.Integer(), null=True),
        _column("conf_ms", sa.Integer(), null=True),
        _column("end_basis", _WORD),
        _column("sip_status", sa.Integer(), null=True),
        _column("q850", sa.Integer(), null=True),
        _column("cause_source", _WORD, null=True),
        _column("hangup_party", _WORD, null=True),
        _column("disposition", _WORD),
        _column("reason_slug", _WORD),
        _column("codec", _LINE, null=True),
        _column("ptime_ms", sa.Integer(), null=True),
        _column("rx_pkts", sa.Integer(), null=True),
        _column("tx_pkts", sa.Integer(), null=True),
        _column("lost_pkts", sa.Integer(), null=True),
        _column("discarded_pkts", sa.Integer(), null=True),
        _column("loss_pct", sa.Double(), null=True),
        _column("burst_r", sa.Double(), null=True),
        _column("jitter_avg_ms", sa.Double(), null=True),
        _column("jitter_max_ms", sa.Double(), null=True),
        _column("rtt_ms", sa.Double(), null=True),
        _column("r_factor", sa.Double(), null=True),
        _column("mos_cq", sa.Double(), null=True),
        _column("mos_algo", _LINE, null=True),
        _column("pin_result", _WORD, null=True),
        _column("pin_attempts", sa.Integer()),
        _column("billable", sa.Boolean()),
        _column("nonbillable_reason", _WORD, null=True),
        _column("node_id", _LINE),
        _column("sw_version", _LINE),
        _column("ingest_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_cdr"),
        sa.UniqueConstraint("source", "source_call_id", "leg", name="uq_cdr_source_source_call_id_leg"),
    )
    op.create_index("ix_cdr_session_id_setup_at", "cdr", ["session_id", "setup_at"])
    op.create_index("ix_cdr_account_id_setup_at", "cdr", ["account_id", "setup_at"])
    op.create_index("ix_cdr_setup_at", "cdr", ["setup_at"])
    op.create_table(
        "cdr_open",
        _column("id", sa.String(36)),
        _column("node_id", _LINE),
        _column("boot_id", sa.String(36)),
        _column("facts", sa.Text()),
        _column("seen_at", UtcDateTime()),
        _column("last_rtp_at", UtcDateTime(), null=True),
        _column("stats", sa.Text(), null=True),
        sa.PrimaryKeyConstraint("id", name="pk_cdr_open"),
    )
    op.create_index("ix_cdr_open_node_id", "cdr_open", ["node_id"])
    _only_grows("cdr")


def downgrade() -> None:
    op.drop_table("cdr_open")
    op.drop_table("cdr")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION cdr_only_grows()")


def _only_grows(table: str) -> None:
    """Triggers, so that not even a slip of our own can change a recorded fact."""
    message = f"{table} only grows: records are never changed or deleted"
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    for action, unit in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"FOR EACH {unit} EXECUTE FUNCTION {table}_only_grows()"
        )
