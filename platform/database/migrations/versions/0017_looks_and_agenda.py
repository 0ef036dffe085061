"""Looks of accounts with their pictures, and the agenda of an event.

The look that every event had so far, number 1, becomes a row that belongs to no account.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    skin = op.create_table(
        "skin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("public_key", sa.String(32), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("accent", sa.String(7), nullable=False),
        sa.Column("background", sa.String(7), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_skin_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_skin"),
        sa.UniqueConstraint("public_key", name="uq_skin_public_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_skin_account_id", "skin", ["account_id"])
    op.create_index(
        "uq_skin_account_id_default",
        "skin",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "skin_picture",
        sa.Column("skin_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("content_type", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["skin_id"], ["skin.id"], name="fk_skin_picture_skin_id_skin"),
        sa.PrimaryKeyConstraint("skin_id", "kind", name="pk_skin_picture"),
    )
    op.bulk_insert(
        skin,
        [
            {
                "account_id": None,
                "public_key": "tollbridge",
                "name": "Tollbridge",
                "accent": "#0f766e",
                "background": "#ffffff",
                "is_default": False,
                "created_at": _BEGIN,
                "updated_at": _BEGIN,
            }
        ],
    )
    op.add_column("event", sa.Column("agenda", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("event") as table:
        table.drop_column("agenda")
    op.drop_table("skin_picture")
    op.drop_index("uq_skin_account_id_default", table_name="skin")
    op.drop_index("ix_skin_account_id", table_name="skin")
    op.drop_table("skin")
