"""Payments.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "billing_profile",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("business", sa.Boolean(), nullable=False),
        sa.Column("vat_number", sa.String(20), nullable=False),
        sa.Column("legal_name", sa.String(120), nullable=False),
        sa.Column("address_line1", sa.String(120), nullable=False),
        sa.Column("address_line2", sa.String(120), nullable=False),
        sa.Column("postal_code", sa.String(20), nullable=False),
        sa.Column("city", sa.String(120), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("exposure_limit", sa.BigInteger(), nullable=False),
        sa.Column("currency_fixed", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_billing_profile"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_billing_profile_account_id_account"),
        sa.CheckConstraint("exposure_limit >= 0", name="ck_billing_profile_exposure_limit"),
    )


def downgrade() -> None:
    op.drop_table("billing_profile")
