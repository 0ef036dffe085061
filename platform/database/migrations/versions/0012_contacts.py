"""The address book.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.types import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("first_name", sa.String(100), nullable=False),
        sa.Column("last_name", sa.String(100), nullable=False),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("company", sa.String(200), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("unsubscribed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_contact"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_contact_account_id_account"),
        sa.UniqueConstraint("account_id", "email", name="uq_contact_account_id_email"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "contact_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_contact_group"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_contact_group_account_id_account"),
        sa.UniqueConstraint("account_id", "name", name="uq_contact_group_account_id_name"),
        sa.UniqueConstraint("event_id", name="uq_contact_group_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "contact_membership",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "contact_id", name="pk_contact_membership"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["contact_group.id"], name="fk_contact_membership_group_id_contact_group"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name="fk_contact_membership_contact_id_contact"
        ),
    )
    op.create_index("ix_contact_membership_contact_id", "contact_membership", ["contact_id"])


def downgrade() -> None:
    for table in ("contact_membership", "contact_group", "contact"):
        op.drop_table(table)
