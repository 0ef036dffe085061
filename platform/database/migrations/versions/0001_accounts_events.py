"""Accounts, API keys, events, PINs and sessions.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("email", name="uq_account_email"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("prefix", name="uq_api_key_prefix"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_api_key_account_id_account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_key_account_id", "api_key", ["account_id"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("room_type", sa.String(16), nullable=False),
        sa.Column("permanent_room", sa.Boolean(), nullable=False),
        sa.Column("access_type", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=True),
        sa.Column("room_pin", sa.String(9), nullable=False),
        sa.Column("url_name", sa.String(80), nullable=False),
        sa.Column("hash_listener", sa.String(32), nullable=False),
        sa.Column("hash_presenter", sa.String(32), nullable=False),
        sa.Column("hash_host", sa.String(32), nullable=False),
        sa.Column("lobby_enabled", sa.Boolean(), nullable=False),
        sa.Column("lobby_description", sa.Text(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("duration_min", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("skin_id", sa.Integer(), nullable=False),
        sa.Column("registration", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("room_pin", name="uq_event_room_pin"),
        sa.UniqueConstraint("url_name", name="uq_event_url_name"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_event_account_id_account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_account_id_status", "event", ["account_id", "status"])
    op.create_index("ix_event_revision", "event", ["revision"])
    revision_table = op.create_table(
        "event_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_revision"),
    )
    op.bulk_insert(revision_table, [{"id": 1, "value": 0}])
    op.create_table(
        "event_pin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("pin", sa.String(12), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("joinable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_pin"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_pin_event_id_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_pin_event_id", "event_pin", ["event_id"])
    op.create_index("ix_event_pin_pin", "event_pin", ["pin"])
    op.create_index(
        "uq_event_pin_pin_joinable",
        "event_pin",
        ["pin"],
        unique=True,
        sqlite_where=sa.text("joinable"),
        postgresql_where=sa.text("joinable"),
    )
    op.create_table(
        "event_session",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("total_visitors", sa.Integer(), nullable=False),
        sa.Column("max_visitors", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_session"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_event_session_event_id_event"),
    )
    op.create_index("ix_event_session_event_id", "event_session", ["event_id"])


def downgrade() -> None:
    for table in ("event_session", "event_pin", "event_revision", "event", "api_key", "account"):
        op.drop_table(table)
