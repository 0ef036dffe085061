"""What Twilio says about its calls, for reconciliation.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "twilio_call",
        sa.Column("call_sid", sa.String(34), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("sip_status", sa.Integer(), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=True),
        sa.Column("price_u", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(8), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("call_sid", name="pk_twilio_call"),
    )
    op.create_index("ix_twilio_call_next_try_at", "twilio_call", ["next_try_at"])


def downgrade() -> None:
    op.drop_table("twilio_call")
