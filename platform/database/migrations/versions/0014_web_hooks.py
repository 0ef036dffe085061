"""Web hooks: where they go, and what is on its way.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "web_hook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(1000), nullable=False),
        sa.Column("secret", sa.String(80), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_web_hook"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_web_hook_account_id_account"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_web_hook_account_id", "web_hook", ["account_id"])
    op.create_table(
        "web_hook_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hook_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(400), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_web_hook_delivery"),
        sa.UniqueConstraint("hook_id", "key", name="uq_web_hook_delivery_hook_id_key"),
        sa.ForeignKeyConstraint(["hook_id"], ["web_hook.id"], name="fk_web_hook_delivery_hook_id_web_hook"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_web_hook_delivery_next_try_at", "web_hook_delivery", ["next_try_at"])


def downgrade() -> None:
    op.drop_table("web_hook_delivery")
    op.drop_table("web_hook")
